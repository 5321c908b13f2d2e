//! What a kernel is configured with.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{BuildError, Result};

/// What the farm needs of any kernel, tun built in.
pub const FARM: &str = include_str!("../config/farm.config");
/// As little as any kernel may have: no modules, no sysfs, no devtmpfs, no socket diagnosis, no
/// kprobes, no IPv6, 100 ticks a second.
pub const BARE: &str = include_str!("../config/bare.config");
/// tun as a module.
pub const MODULE: &str = include_str!("../config/module.config");
/// Socket diagnosis, so that a verdict rests on more witnesses.
pub const WITNESSES: &str = include_str!("../config/witnesses.config");

/// Options that older sources do not have, where what they stand for is always there, or nobody
/// misses it. Nothing is said when these are not what was asked.
const YOUNG: [&str; 8] = [
    "CONFIG_ADVISE_SYSCALLS",
    "CONFIG_FILE_LOCKING",
    "CONFIG_MULTIUSER",
    "CONFIG_NET_CORE",
    "CONFIG_NO_HZ_IDLE",
    "CONFIG_POSIX_TIMERS",
    "CONFIG_RD_XZ",
    "CONFIG_X86_IOPL_IOPERM",
];

/// Fragments of a configuration, the last word on each option counting; every option that none of
/// them names is off, or what its own default makes of it where nobody is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    options: BTreeMap<String, String>,
}

impl Config {
    /// What a step of a bisection is built with: tun as a module, and socket diagnosis.
    pub fn farm() -> Config {
        Config::default().with(FARM).with(WITNESSES).with(MODULE)
    }

    /// The least.
    pub fn bare() -> Config {
        Config::default().with(FARM).with(BARE)
    }

    /// These and a fragment's options: lines `CONFIG_X=value`; all else is a remark.
    pub fn with(mut self, fragment: &str) -> Config {
        for line in fragment.lines() {
            let off = line
                .strip_prefix("# ")
                .and_then(|l| l.strip_suffix(" is not set"));
            let pair = match off {
                Some(name) => Some((name, "n")),
                None => line.trim().split_once('='),
            };
            if let Some((name, value)) = pair.filter(|(name, _)| name.starts_with("CONFIG_")) {
                self.options.insert(name.to_owned(), value.to_owned());
            }
        }
        self
    }

    /// These and a fragment in a file.
    pub fn with_file(self, path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).map_err(BuildError::io("reading", path))?;
        Ok(self.with(&text))
    }

    /// The value of an option, `n` where it is off.
    pub fn get(&self, name: &str) -> &str {
        self.options.get(name).map_or("n", String::as_str)
    }

    /// As kconfig reads it.
    pub(crate) fn text(&self) -> String {
        self.options
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }

    /// Options that were asked for and are otherwise in `made`, a `.config`: this source does not
    /// know them, or they depend on something that is off.
    pub(crate) fn missing(&self, made: &str) -> Vec<String> {
        let made = Config::default().with(made);
        self.options
            .iter()
            .filter(|(name, value)| made.get(name) != value.as_str())
            .filter(|(name, _)| !YOUNG.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let config = Config::default()
            .with("CONFIG_A=y\nCONFIG_B=m\n# no\n")
            .with("CONFIG_A=n\n");
        assert_eq!(config.text(), "CONFIG_A=n\nCONFIG_B=m\n");
        let bare = Config::bare();
        assert_eq!(
            (bare.get("CONFIG_HZ_100"), bare.get("CONFIG_HZ_1000")),
            ("y", "n")
        );
        assert_eq!(
            (bare.get("CONFIG_TUN"), bare.get("CONFIG_SYSFS")),
            ("y", "n")
        );
        assert_eq!(Config::farm().get("CONFIG_TUN"), "m");
    }

    #[test]
    fn what_kconfig_dropped_is_named() {
        let config = Config::default().with("CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=n\nCONFIG_D=n\n");
        let made = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\n";
        assert_eq!(config.missing(made), ["CONFIG_B=y", "CONFIG_D=n"]);
    }
}
