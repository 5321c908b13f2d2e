//! When an event happens.

use std::fmt;

/// A time or a distance in nanoseconds, written as decimal seconds.
///
/// The original counts microseconds; nanoseconds are exact for whatever a
/// script writes with up to nine decimals, and more are rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Microseconds, rounded towards zero.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0 / 1_000
    }

    /// Seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl fmt::Display for Nanos {
    /// Decimal seconds with as many decimals as needed: `0`, `0.1`, `1.000001`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(out, "{sign}{}", nanos / 1_000_000_000)?;
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            Ok(())
        } else {
            write!(out, ".{fraction}")
        }
    }
}

/// The time of an event, as written at the start of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `1.5`: so long after the script's start.
    Absolute(Nanos),
    /// `+.1`: so long after the previous event.
    Relative(Nanos),
    /// `*`: at any time (outbound packets only).
    Any,
    /// `1~2`: at some time in an absolute range (outbound packets only).
    AbsoluteRange(Nanos, Nanos),
    /// `+.1~+.2`: at some time in a range counted from the previous event
    /// (outbound packets only).
    RelativeRange(Nanos, Nanos),
}
