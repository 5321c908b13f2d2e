//! apt's own settings, as `apt-config dump` prints them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Settings by their full name in lower case, e.g. `acquire::http::proxy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AptConfig {
    settings: BTreeMap<String, String>,
}

/// What apt says about the proxy for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyChoice {
    /// Nothing: the environment decides.
    Unset,
    /// None, whatever the environment says.
    Direct,
    /// This one.
    Proxy(String),
}

impl AptConfig {
    /// Asks `apt-config`; on a machine without apt there are no settings.
    pub fn system() -> AptConfig {
        let dump = Command::new("apt-config")
            .arg("dump")
            .stdin(Stdio::null())
            .output();
        match dump {
            Ok(output) if output.status.success() => {
                AptConfig::parse(&String::from_utf8_lossy(&output.stdout))
            }
            _ => AptConfig::default(),
        }
    }

    /// Reads lines of the form `Name::Of::Setting "value";`.
    pub fn parse(dump: &str) -> AptConfig {
        let setting = |line: &str| {
            let (name, value) = line.trim().strip_suffix("\";")?.split_once(" \"")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        AptConfig {
            settings: dump.lines().filter_map(setting).collect(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.settings
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether an index past its `Valid-Until` is to be complained about; apt's default is yes.
    pub(crate) fn check_valid_until(&self) -> bool {
        !matches!(
            self.get("acquire::check-valid-until"),
            Some("0" | "no" | "false" | "off" | "without" | "disable")
        )
    }

    /// The proxy for `scheme` (`http` or `https`) and `host`; `url` is what a detection program
    /// is asked about.
    pub(crate) fn proxy(&self, scheme: &str, host: &str, url: &str) -> ProxyChoice {
        let host = host.to_ascii_lowercase();
        let own = self.get(&format!("acquire::{scheme}::proxy::{host}"));
        let all = || self.get(&format!("acquire::{scheme}::proxy"));
        match own.or_else(all) {
            Some("DIRECT" | "false") => ProxyChoice::Direct,
            Some(proxy) => ProxyChoice::Proxy(proxy.to_owned()),
            None => self.detected(scheme, url),
        }
    }

    /// `Acquire::http::Proxy-Auto-Detect`: a program that prints a proxy for the address it is
    /// given, or `DIRECT`.
    fn detected(&self, scheme: &str, url: &str) -> ProxyChoice {
        let program = self
            .get(&format!("acquire::{scheme}::proxy-auto-detect"))
            .or_else(|| self.get("acquire::http::proxy-auto-detect"));
        let Some(program) = program else {
            return ProxyChoice::Unset;
        };
        let output = Command::new(program).arg(url).stdin(Stdio::null()).output();
        let Ok(output) = output else {
            return ProxyChoice::Unset;
        };
        let printed = String::from_utf8_lossy(&output.stdout);
        match printed.trim() {
            _ if !output.status.success() => ProxyChoice::Unset,
            "" => ProxyChoice::Unset,
            "DIRECT" => ProxyChoice::Direct,
            proxy => ProxyChoice::Proxy(proxy.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3142/";
Acquire::http::Proxy::local.example "DIRECT";
Acquire::http::Proxy::other.example "http://other-proxy.example:8080";
Acquire::Check-Valid-Until "false";
Acquire::Languages:: "none";
Dir::Ignore-Files-Silently:: "\.bak$";
"#;

    #[test]
    fn the_host_decides_before_the_scheme() {
        let config = AptConfig::parse(DUMP);
        let proxy = |scheme, host| config.proxy(scheme, host, "unused");
        let is = |url: &str| ProxyChoice::Proxy(url.to_owned());
        assert_eq!(
            proxy("http", "mirror.example"),
            is("http://proxy.example:3142/")
        );
        assert_eq!(proxy("http", "Local.example"), ProxyChoice::Direct);
        assert_eq!(
            proxy("http", "other.example"),
            is("http://other-proxy.example:8080")
        );
        assert_eq!(proxy("https", "mirror.example"), ProxyChoice::Unset);
    }

    #[test]
    fn validity_is_checked_unless_switched_off() {
        assert!(!AptConfig::parse(DUMP).check_valid_until());
        assert!(AptConfig::default().check_valid_until());
    }

    #[test]
    fn a_detection_program_is_asked() {
        let detect = |program: &str| {
            let line = format!("Acquire::http::Proxy-Auto-Detect \"{program}\";\n");
            AptConfig::parse(&line).proxy("http", "a.example", "http://a.example/x")
        };
        let echo = ProxyChoice::Proxy("http://a.example/x".to_owned());
        assert_eq!(detect("/bin/echo"), echo);
        assert_eq!(detect("/bin/false"), ProxyChoice::Unset);
        assert_eq!(detect("/nonexistent/program"), ProxyChoice::Unset);
    }
}
