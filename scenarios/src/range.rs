//! How many: `9`, `8..`, `..3`, `8..11` (both ends belong to it).

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A range of counts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: i64,
    /// The most; unbounded when absent.
    pub max: Option<i64>,
}

impl Range {
    /// `n` is in it.
    pub fn contains(&self, n: i64) -> bool {
        n >= self.min && self.max.is_none_or(|max| n <= max)
    }

    fn parse(text: &str) -> Option<Range> {
        let number = |s: &str| s.trim().parse::<i64>().ok();
        match text.split_once("..") {
            None => number(text).map(|n| Range {
                min: n,
                max: Some(n),
            }),
            Some((min, max)) => {
                let min = if min.trim().is_empty() {
                    0
                } else {
                    number(min)?
                };
                let max = if max.trim().is_empty() {
                    None
                } else {
                    Some(number(max)?)
                };
                max.is_none_or(|max| min <= max)
                    .then_some(Range { min, max })
            }
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) if max == self.min => write!(f, "{max}"),
            Some(max) => write!(f, "{}..{max}", self.min),
            None => write!(f, "{}..", self.min),
        }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Range;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count or a range of counts such as 9, 8.., ..3 or 8..11")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Range, E> {
                let n = i64::try_from(n).map_err(E::custom)?;
                Ok(Range {
                    min: n,
                    max: Some(n),
                })
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Range, E> {
                Ok(Range {
                    min: n,
                    max: Some(n),
                })
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Range, E> {
                Range::parse(s).ok_or_else(|| E::invalid_value(de::Unexpected::Str(s), &self))
            }
        }
        d.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_as_written() {
        for text in ["9", "8..", "8..11"] {
            assert_eq!(Range::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Range::parse("..3"),
            Some(Range {
                min: 0,
                max: Some(3)
            })
        );
        for wrong in ["", "a", "3..2", "1...", "1..x"] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
        assert!(Range { min: 8, max: None }.contains(9));
        assert!(!Range { min: 8, max: None }.contains(7));
    }
}
