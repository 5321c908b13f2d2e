//! Which addresses hold which suites.

use std::path::{Path, PathBuf};

use crate::apt::{Source, read_sources};
use crate::{Error, Result};

/// Names by which Debian's suites are known, oldest first.
pub(super) const CODENAMES: [&str; 10] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "oldstable",
    "stable",
    "testing",
    "sid",
    "experimental",
];

/// The addresses of a Debian archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    /// Addresses of the main archive, without a slash at the end, best first.
    pub main: Vec<String>,
    /// Addresses of the security archive; empty if there is none.
    pub security: Vec<String>,
    /// Suites apt is configured with.
    pub configured: Vec<String>,
    /// The keyring apt's entry names.
    pub keyring: Option<PathBuf>,
}

impl Mirrors {
    /// From apt's configuration below `root` (`/etc/apt`).
    pub fn from_apt(root: &Path) -> Result<Mirrors> {
        let sources = read_sources(root);
        let usable = |source: &&Source| {
            is_http(&source.uri) && source.components.iter().any(|c| c == "main")
        };
        let debian: Vec<&Source> = sources
            .iter()
            .filter(usable)
            .filter(|s| is_debian_suite(&s.suite))
            .collect();
        let uris = |security: bool| {
            let mut uris: Vec<String> = Vec::new();
            for source in debian.iter().filter(|s| is_security(&s.suite) == security) {
                if !uris.contains(&source.uri) {
                    uris.push(source.uri.clone());
                }
            }
            uris
        };
        let (main, security) = (uris(false), uris(true));
        if main.is_empty() {
            let mut others: Vec<_> = sources
                .iter()
                .map(|s| format!("{} {}", s.uri, s.suite))
                .take(4)
                .collect();
            others.dedup();
            let found = match others.is_empty() {
                true => String::new(),
                false => format!(" (found only {})", others.join(", ")),
            };
            return Err(Error::NoMirror {
                root: root.to_owned(),
                found,
            });
        }
        let mut configured: Vec<_> = debian.iter().map(|s| s.suite.clone()).collect();
        configured.dedup();
        let keyring = debian
            .iter()
            .find_map(|s| s.signed_by.clone())
            .filter(|k| k.exists());
        Ok(Mirrors {
            main,
            security,
            configured,
            keyring,
        })
    }

    /// From what a user typed: `MAIN[,SECURITY]`. Without the second, the security archive is
    /// looked for where nearly every mirror has it, beside the main one.
    pub fn from_option(text: &str) -> Result<Mirrors> {
        let mut parts = text
            .split(',')
            .map(|part| part.trim().trim_end_matches('/'));
        let main = parts.next().unwrap_or_default();
        let security = match parts.next() {
            Some(given) => given.to_owned(),
            None => format!("{main}-security"),
        };
        for address in [main, &security] {
            let bad = |why: &str| {
                Err(Error::BadMirror {
                    address: address.to_owned(),
                    why: why.to_owned(),
                })
            };
            if !is_http(address) {
                return bad("it must begin with http:// or https://");
            }
        }
        if let Some(more) = parts.next() {
            return Err(Error::BadMirror {
                address: more.to_owned(),
                why: "only MAIN,SECURITY can be given".to_owned(),
            });
        }
        Ok(Mirrors {
            main: vec![main.to_owned()],
            security: vec![security],
            configured: Vec::new(),
            keyring: None,
        })
    }

    /// Where a suite may be.
    pub fn for_suite(&self, suite: &str) -> &[String] {
        if is_security(suite) {
            &self.security
        } else {
            &self.main
        }
    }

    /// Every suite that may have kernels: apt's own and all that Debian is known to have.
    pub(super) fn suites(&self) -> Vec<String> {
        let mut suites = self.configured.clone();
        // Other names of the same suites would only be read twice.
        let aliases = ["oldstable", "stable", "testing"];
        for name in CODENAMES.iter().filter(|name| !aliases.contains(name)) {
            let variants: &[&str] = match *name {
                "sid" | "experimental" => &[""],
                _ => &["", "-security", "-proposed-updates", "-backports"],
            };
            suites.extend(variants.iter().map(|variant| format!("{name}{variant}")));
        }
        suites.retain(|suite| !self.for_suite(suite).is_empty());
        let mut seen = std::collections::BTreeSet::new();
        suites.retain(|suite| seen.insert(suite.clone()));
        suites
    }
}

fn is_http(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.starts_with('/')
    })
}

fn is_security(suite: &str) -> bool {
    suite.ends_with("-security") || suite.ends_with("/updates")
}

fn is_debian_suite(suite: &str) -> bool {
    let base = suite.split(['-', '/']).next().unwrap_or(suite);
    CODENAMES.contains(&base) || matches!(base, "unstable" | "oldoldstable" | "buster")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn apt(list: &str) -> Result<Mirrors> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sources.list"), list).unwrap();
        Mirrors::from_apt(dir.path())
    }

    #[test]
    fn the_main_and_the_security_archive_are_told_apart() {
        let mirrors = apt("\
deb http://mirror.example/debian bookworm main
deb https://cloud.example/apt cloud-sdk-bookworm main
deb http://mirror.example/debian bookworm-backports main
deb http://second.example/debian sid main
deb http://mirror.example/debian-security bookworm-security main
deb http://contrib.example/debian sid contrib
deb file:/srv/debian sid main
")
        .unwrap();
        assert_eq!(
            mirrors.main,
            [
                "http://mirror.example/debian",
                "http://second.example/debian"
            ]
        );
        assert_eq!(
            mirrors.for_suite("trixie-security"),
            ["http://mirror.example/debian-security"]
        );
        assert_eq!(
            mirrors.configured,
            ["bookworm", "bookworm-backports", "sid", "bookworm-security"]
        );
        assert!(mirrors.suites().contains(&"trixie-security".to_owned()));
    }

    #[test]
    fn without_a_security_archive_its_suites_are_left_out() {
        let mirrors = apt("deb http://mirror.example/debian bookworm main\n").unwrap();
        assert!(mirrors.for_suite("bookworm-security").is_empty());
        assert!(!mirrors.suites().contains(&"bookworm-security".to_owned()));
    }

    #[test]
    fn another_distribution_is_no_debian_mirror() {
        let error = apt("deb http://archive.example/ubuntu noble main\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("(found only http://archive.example/ubuntu noble)"),
            "{error}"
        );
        assert!(error.contains("--mirror"), "{error}");
    }

    #[test]
    fn an_address_given_by_hand() {
        let mirrors = Mirrors::from_option("http://mirror.example/debian/").unwrap();
        assert_eq!(mirrors.main, ["http://mirror.example/debian"]);
        assert_eq!(mirrors.security, ["http://mirror.example/debian-security"]);
        let mirrors = Mirrors::from_option("http://a.example/d, https://b.example/s/").unwrap();
        assert_eq!(mirrors.security, ["https://b.example/s"]);
        for bad in [
            "",
            "mirror.example/debian",
            "ftp://a.example/d",
            "http://",
            "http://a/b,c",
        ] {
            assert!(Mirrors::from_option(bad).is_err(), "{bad}");
        }
    }
}
