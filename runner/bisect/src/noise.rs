//! How often a run is wrong.

use serde::{Deserialize, Serialize};

use crate::Answer;

/// How often a run is wrong about its version.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawNoise")]
pub struct Noise {
    missed: f64,
    false_alarm: f64,
}

#[derive(Deserialize)]
struct RawNoise {
    missed: f64,
    false_alarm: f64,
}

impl TryFrom<RawNoise> for Noise {
    type Error = BadNoise;

    fn try_from(raw: RawNoise) -> Result<Self, BadNoise> {
        Noise::new(raw.missed, raw.false_alarm)
    }
}

/// Rates under which runs say nothing.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error(
    "a run that misses with probability {missed} and gives a false alarm with probability \
     {false_alarm} says nothing: both must be at least 0 and their sum below 1"
)]
pub struct BadNoise {
    missed: f64,
    false_alarm: f64,
}

impl Noise {
    /// Every run is right: virtual time.
    pub const NONE: Noise = Noise {
        missed: 0.0,
        false_alarm: 0.0,
    };

    /// What is assumed when runs that were taken for deterministic contradict each other.
    pub const DOUBT: Noise = Noise {
        missed: 0.2,
        false_alarm: 0.2,
    };

    /// `missed`: a new version's run says old. `false_alarm`: an old version's run says new.
    pub fn new(missed: f64, false_alarm: f64) -> Result<Self, BadNoise> {
        // Written so that NaN fails.
        if missed >= 0.0 && false_alarm >= 0.0 && missed + false_alarm < 1.0 {
            Ok(Noise {
                missed,
                false_alarm,
            })
        } else {
            Err(BadNoise {
                missed,
                false_alarm,
            })
        }
    }

    /// The probability that a new version's run says old.
    pub fn missed(self) -> f64 {
        self.missed
    }

    /// The probability that an old version's run says new.
    pub fn false_alarm(self) -> f64 {
        self.false_alarm
    }

    /// One run is proof.
    pub fn is_none(self) -> bool {
        self == Noise::NONE
    }

    /// These rates, each raised to [`Noise::DOUBT`]'s where it is lower.
    pub(crate) fn doubted(self) -> Noise {
        let raised = Noise {
            missed: self.missed.max(Noise::DOUBT.missed),
            false_alarm: self.false_alarm.max(Noise::DOUBT.false_alarm),
        };
        if raised.missed + raised.false_alarm < 1.0 {
            raised
        } else {
            Noise::DOUBT
        }
    }

    /// log P(answer | the version is new).
    pub(crate) fn ln_if_new(self, answer: Answer) -> f64 {
        match answer {
            Answer::Old => self.missed.ln(),
            Answer::New => (1.0 - self.missed).ln(),
            Answer::Skip => 0.0,
        }
    }

    /// log P(answer | the version is old).
    pub(crate) fn ln_if_old(self, answer: Answer) -> f64 {
        match answer {
            Answer::Old => (1.0 - self.false_alarm).ln(),
            Answer::New => self.false_alarm.ln(),
            Answer::Skip => 0.0,
        }
    }
}

/// [`Noise::NONE`].
impl Default for Noise {
    fn default() -> Self {
        Noise::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_say_nothing_are_refused() {
        assert!(Noise::new(0.0, 0.0).unwrap().is_none());
        assert!(Noise::new(0.9, 0.0).is_ok());
        for (missed, false_alarm) in [(0.5, 0.5), (-0.1, 0.0), (f64::NAN, 0.0), (1.0, 0.0)] {
            assert!(Noise::new(missed, false_alarm).is_err());
        }
        assert!(serde_json::from_str::<Noise>(r#"{"missed":2.0,"false_alarm":0.0}"#).is_err());
    }

    #[test]
    fn doubt_always_leaves_something_to_learn() {
        for noise in [Noise::NONE, Noise::new(0.9, 0.0).unwrap(), Noise::DOUBT] {
            let doubted = noise.doubted();
            assert!(Noise::new(doubted.missed, doubted.false_alarm).is_ok());
            assert!(doubted.missed > 0.0 && doubted.false_alarm > 0.0);
        }
    }
}
