//! One version alone, for a search in which somebody else chooses (git).

use serde::{Deserialize, Serialize};

use crate::{Answer, SearchError, Settings};

/// Runs of one version until it is decided.
///
/// `git bisect` chooses commits itself and takes each answer for proof. If it asks for at most
/// `S` commits, and each answer is wrong with probability at most `(1 − C)/S`, the whole is right
/// with probability `C` at least. The version's own probability is Bayes' with prior ½:
///
/// ```text
/// P(new | answers) = 1 / (1 + Π P(answer | old) / P(answer | new))
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    settings: Settings,
    decisions: u32,
    answers: Vec<Answer>,
}

impl Trial {
    /// The most commits that git tries among `n`, both ends included, if none is skipped:
    /// ⌈log₂ n⌉ + 2.
    pub fn decisions(n: usize) -> u32 {
        n.max(1).next_power_of_two().trailing_zeros() + 2
    }

    /// A version that is one of `decisions` on the way to an answer.
    pub fn new(settings: Settings, decisions: u32) -> Result<Self, SearchError> {
        if !(settings.confidence > 0.5 && settings.confidence < 1.0) {
            return Err(SearchError::Confidence(settings.confidence));
        }
        Ok(Trial {
            settings,
            decisions: decisions.max(1),
            answers: Vec::new(),
        })
    }

    /// Takes what a run said.
    pub fn record(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// What it said, run by run.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// The probability that the version is new.
    pub fn new_probability(&self) -> f64 {
        let noise = match self.contradicts_itself() {
            true => self.settings.noise.doubted(),
            false => self.settings.noise,
        };
        let sum = |of: fn(crate::Noise, Answer) -> f64| -> f64 {
            self.answers.iter().map(|a| of(noise, *a)).sum()
        };
        let (old, new) = (sum(crate::Noise::ln_if_old), sum(crate::Noise::ln_if_new));
        let best = old.max(new);
        let (old, new) = ((old - best).exp(), (new - best).exp());
        new / (old + new)
    }

    /// Runs that were taken for proof said both.
    pub fn contradicts_itself(&self) -> bool {
        let noise = self.settings.noise;
        let impossible = |of: fn(crate::Noise, Answer) -> f64| {
            self.answers
                .iter()
                .any(|a| of(noise, *a) == f64::NEG_INFINITY)
        };
        impossible(crate::Noise::ln_if_old) && impossible(crate::Noise::ln_if_new)
    }

    /// What to tell git, or nothing while it has to be run again.
    pub fn decided(&self) -> Option<Answer> {
        let skips = self.answers.iter().filter(|a| **a == Answer::Skip).count() as u32;
        let runs = self.answers.len() as u32 - skips;
        let limit = (1.0 - self.settings.confidence) / f64::from(self.decisions);
        let new = self.new_probability();
        if runs > 0 && new <= limit {
            Some(Answer::Old)
        } else if runs > 0 && new >= 1.0 - limit {
            Some(Answer::New)
        } else if skips >= self.settings.skip_tries.max(1) || runs >= self.settings.max_runs.max(1)
        {
            Some(Answer::Skip)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Noise;

    fn trial(noise: Noise) -> Trial {
        let settings = Settings {
            noise,
            ..Settings::default()
        };
        Trial::new(settings, Trial::decisions(64)).unwrap()
    }

    #[test]
    fn without_noise_one_run_decides() {
        for answer in [Answer::Old, Answer::New, Answer::Skip] {
            let mut trial = trial(Noise::NONE);
            assert_eq!(trial.decided(), None);
            trial.record(answer);
            assert_eq!(trial.decided(), Some(answer));
        }
    }

    #[test]
    fn a_contradiction_asks_for_more_runs() {
        let mut trial = trial(Noise::NONE);
        trial.record(Answer::New);
        trial.record(Answer::Old);
        assert!(trial.contradicts_itself());
        assert_eq!(trial.decided(), None);
        let mut runs = 0;
        while trial.decided().is_none() {
            trial.record(Answer::New);
            runs += 1;
        }
        assert_eq!((trial.decided(), runs), (Some(Answer::New), 5));
    }

    #[test]
    fn a_bug_that_rarely_shows_needs_many_runs_to_be_called_absent_and_one_to_be_seen() {
        let noise = Noise::new(0.8, 0.0).unwrap();
        let mut seen = trial(noise);
        seen.record(Answer::Old);
        assert_eq!(seen.decided(), None);
        seen.record(Answer::New);
        assert_eq!(seen.decided(), Some(Answer::New));

        let mut absent = trial(noise);
        while absent.decided().is_none() {
            absent.record(Answer::Old);
        }
        // 0.8^k / (1 + 0.8^k) ≤ 0.01 / 8
        assert_eq!(absent.answers().len(), 30);
    }

    #[test]
    fn what_cannot_be_decided_is_skipped() {
        let mut trial = trial(Noise::new(0.45, 0.45).unwrap());
        while trial.decided().is_none() {
            let answer = [Answer::Old, Answer::New][trial.answers().len() % 2];
            trial.record(answer);
        }
        assert_eq!(trial.decided(), Some(Answer::Skip));
        assert_eq!(trial.answers().len(), 100);
    }

    #[test]
    fn the_number_of_decisions_is_that_of_binary_search() {
        assert_eq!([1, 2, 3, 64, 65].map(Trial::decisions), [2, 3, 4, 8, 9]);
    }
}
