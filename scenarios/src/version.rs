//! Kernel versions, as far as a scenario's validity depends on them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The numbers at the head of a release: `6.12.95+deb12-cloud-amd64` is 6.12.95; a Debian ABI
/// release such as `6.1.0-47-cloud-amd64` is 6.1.0 and compares as its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// 6 of 6.12.95.
    pub major: u32,
    /// 12 of 6.12.95.
    pub minor: u32,
    /// 95 of 6.12.95; 0 where it is not given.
    pub patch: u32,
}

impl KernelVersion {
    /// The version at the head of `release`, if there is one.
    pub fn of_release(release: &str) -> Option<KernelVersion> {
        let head: String = release
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        head.trim_end_matches('.').parse().ok()
    }
}

impl FromStr for KernelVersion {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` is no kernel version: expected 6.12 or 6.12.95");
        let mut parts = s.split('.').map(|p| p.parse::<u32>().map_err(|_| wrong()));
        let major = parts.next().ok_or_else(wrong)??;
        let minor = parts.next().ok_or_else(wrong)??;
        // 2.6.32.69 has four numbers; the fourth has never decided anything here.
        let patch = parts.next().transpose()?.unwrap_or(0);
        parts.try_for_each(|p| p.map(|_| ()))?;
        Ok(KernelVersion {
            major,
            minor,
            patch,
        })
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for KernelVersion {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<KernelVersion> for String {
    fn from(v: KernelVersion) -> String {
        v.to_string()
    }
}

impl Serialize for KernelVersion {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KernelVersion {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// From one version (included) to another (not included), as quoted strings in YAML: an unquoted
/// 6.10 would be the number 6.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KernelRange {
    /// The first version that belongs to it.
    pub since: Option<KernelVersion>,
    /// The first version that no longer does.
    pub before: Option<KernelVersion>,
}

impl KernelRange {
    /// `version` belongs to it. A version nobody could read belongs to every range: the scenario
    /// then says by itself whether it holds.
    pub fn contains(&self, version: Option<KernelVersion>) -> bool {
        version.is_none_or(|v| {
            self.since.is_none_or(|since| v >= since) && self.before.is_none_or(|b| v < b)
        })
    }
}

impl fmt::Display for KernelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.since, self.before) {
            (None, None) => f.write_str("all kernels"),
            (Some(since), None) => write!(f, "{since} and later"),
            (None, Some(before)) => write!(f, "before {before}"),
            (Some(since), Some(before)) => write!(f, "{since} up to, not including, {before}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_versions() {
        let of = |r| KernelVersion::of_release(r).map(|v| v.to_string());
        assert_eq!(of("6.12.95+deb12-cloud-amd64").as_deref(), Some("6.12.95"));
        assert_eq!(of("6.1.0-47-cloud-amd64").as_deref(), Some("6.1"));
        assert_eq!(of("2.6.32.69").as_deref(), Some("2.6.32"));
        assert_eq!(of("7.3").as_deref(), Some("7.3"));
        assert_eq!(of("tomorrow"), None);
    }

    #[test]
    fn a_range_has_its_ends() {
        let range = KernelRange {
            since: "3.15".parse().ok(),
            before: "3.18".parse().ok(),
        };
        let has = |v: &str| range.contains(v.parse().ok());
        assert!(has("3.15") && has("3.17.9") && !has("3.18") && !has("3.14.79"));
    }
}
