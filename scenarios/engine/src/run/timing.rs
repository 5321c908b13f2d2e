//! When an event may happen.

use tunfarm_lang::ast::{Nanos, When};

use crate::clock::seconds;
use crate::config::Config;
use crate::stop::{Broken, Stop};

/// The time of an event on the script's clock, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The earliest.
    pub start_us: i64,
    /// The latest; `None` is any time.
    pub end_us: Option<i64>,
    /// How far outside it may still be.
    pub tolerance_us: i64,
}

impl Window {
    /// The window of an event. Relative times count from `base_us`, when the event before was
    /// done; the tolerance grows with the distance from `previous_us`, when that was to be.
    pub fn of(when: When, base_us: i64, previous_us: i64, config: &Config) -> Window {
        let (start_us, end_us) = match when {
            When::Absolute(at) => (at.micros(), Some(at.micros())),
            When::Relative(after) => {
                let at = base_us + after.micros();
                (at, Some(at))
            }
            When::Any => (base_us, None),
            When::AbsoluteRange(from, to) => (from.micros(), Some(to.micros())),
            When::RelativeRange(from, to) => (base_us + from.micros(), Some(base_us + to.micros())),
        };
        Window {
            start_us,
            end_us,
            tolerance_us: tolerance_us(start_us - previous_us, config),
        }
    }

    /// The window of a blocking call's return, which is written like the event's own start:
    /// absolute, or counted from the same moment. The tolerance grows with the time it is to take.
    pub fn return_at(&self, until: Nanos, base_us: i64, relative: bool, config: &Config) -> Window {
        let at = until.micros() + if relative { base_us } else { 0 };
        Window {
            start_us: at,
            end_us: Some(at),
            tolerance_us: tolerance_us(at - self.start_us, config),
        }
    }

    /// Fails when something happened outside of the window.
    pub fn check(&self, at_us: i64, what: &str) -> Result<(), Stop> {
        let Some(end_us) = self.end_us else {
            return Ok(());
        };
        let early = at_us < self.start_us - self.tolerance_us;
        let late = at_us > end_us + self.tolerance_us;
        if !early && !late {
            return Ok(());
        }
        let expected = if self.start_us == end_us {
            seconds(self.start_us)
        } else {
            format!("{} to {}", seconds(self.start_us), seconds(end_us))
        };
        let by = if early {
            self.start_us - at_us
        } else {
            at_us - end_us
        };
        Err(Broken::new(format!(
            "{what} came {} s too {} (tolerance {} s)",
            seconds(by),
            if early { "early" } else { "late" },
            seconds(self.tolerance_us)
        ))
        .field("time", expected, seconds(at_us))
        .into())
    }
}

/// The tolerance for something that was waited for so long.
fn tolerance_us(waited_us: i64, config: &Config) -> i64 {
    let share = waited_us.max(0) as f64 * config.tolerance_percent / 100.0;
    config.tolerance_us.max(share as i64)
}

#[cfg(test)]
mod tests {
    use tunfarm_protocol::IpVersion;

    use super::*;

    fn window(when: When) -> Window {
        Window::of(when, 1_000_000, 900_000, &Config::new(IpVersion::Ipv4))
    }

    #[test]
    fn ranges_and_tolerance() {
        let exact = window(When::Absolute(Nanos(1_500_000_000)));
        // 12.5 % of the 0.6 s since the event before.
        assert_eq!(exact.tolerance_us, 75_000);
        assert!(exact.check(1_575_000, "it").is_ok());
        let Err(Stop::Failed(late)) = exact.check(1_575_001, "the packet") else {
            panic!("late is a failure");
        };
        assert_eq!(
            late.summary,
            "the packet came 0.075001 s too late (tolerance 0.075000 s)"
        );
        let range = window(When::RelativeRange(Nanos(0), Nanos(100_000_000)));
        assert!(range.check(987_500, "it").is_ok());
        assert!(range.check(987_499, "it").is_err());
        assert!(range.check(1_112_500, "it").is_ok());
        assert!(window(When::Any).check(i64::MAX, "it").is_ok());
    }
}
