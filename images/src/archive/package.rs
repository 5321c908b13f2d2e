//! One package of an index.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::control::Stanza;

/// A binary package, as a `Packages` index describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// `linux-image-6.12.95+deb12-cloud-amd64`.
    pub name: String,
    /// `6.12.95-1~bpo12+1`.
    pub version: String,
    /// The source package it was built from.
    pub source: String,
    /// The version of that source package.
    pub source_version: String,
    /// `Pre-Depends` and `Depends`: each inner list holds the alternatives of one dependency.
    pub depends: Vec<Vec<Dependency>>,
    /// Virtual packages it stands for.
    pub provides: Vec<String>,
    /// Path below the mirror's address.
    pub filename: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the file.
    pub sha256: Digest,
    /// The suite whose index has it.
    pub suite: String,
    /// The mirror's address.
    pub mirror: String,
}

/// One alternative of a dependency: `libc6 (>= 2.36)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Package name.
    pub name: String,
    /// The version of an exact dependency `(= …)`.
    pub exactly: Option<String>,
}

impl Package {
    /// Reads a stanza; `None` if it lacks what a download needs.
    pub(super) fn from_stanza(text: &str, suite: &str, mirror: &str) -> Option<Package> {
        let stanza = Stanza::parse(text);
        let field = |name| stanza.get(name).map(str::to_owned);
        let (name, version) = (field("Package")?, field("Version")?);
        let (source, source_version) = match stanza.get("Source") {
            None => (name.clone(), version.clone()),
            Some(source) => match source.split_once(" (") {
                None => (source.to_owned(), version.clone()),
                Some((s, v)) => (s.to_owned(), v.trim_end_matches(')').to_owned()),
            },
        };
        let depends = ["Pre-Depends", "Depends"]
            .iter()
            .filter_map(|name| stanza.get(name))
            .flat_map(parse_depends)
            .collect();
        let provides = stanza.get("Provides").unwrap_or_default();
        Some(Package {
            provides: parse_depends(provides)
                .into_iter()
                .flatten()
                .map(|d| d.name)
                .collect(),
            depends,
            source,
            source_version,
            filename: field("Filename").filter(|path| is_plain(path))?,
            size: stanza.get("Size")?.parse().ok()?,
            sha256: stanza.get("SHA256")?.parse().ok()?,
            suite: suite.to_owned(),
            mirror: mirror.to_owned(),
            name,
            version,
        })
    }

    /// Where the file is.
    pub fn url(&self) -> String {
        format!("{}/{}", self.mirror, self.filename)
    }

    /// The file's name without its folders.
    pub fn file_name(&self) -> &str {
        self.filename.rsplit('/').next().unwrap_or(&self.filename)
    }
}

/// A path that stays below the mirror's address.
fn is_plain(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// `a (>= 1) | b, c:any [amd64]`.
fn parse_depends(text: &str) -> Vec<Vec<Dependency>> {
    let alternative = |text: &str| {
        let text = text.trim();
        let name = text
            .split([' ', ':', '(', '['])
            .next()
            .filter(|name| !name.is_empty())?;
        let exactly = text
            .split_once("(=")
            .and_then(|(_, rest)| rest.split(')').next())
            .map(|version| version.trim().to_owned());
        Some(Dependency {
            name: name.to_owned(),
            exactly,
        })
    };
    text.split(',')
        .map(|entry| entry.split('|').filter_map(alternative).collect::<Vec<_>>())
        .filter(|alternatives| !alternatives.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZA: &str = "\
Package: linux-image-7.3.4+deb13-cloud-amd64
Source: linux-signed-amd64 (7.3.4+1~bpo13+1)
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Depends: dracut | initramfs-tools (>= 0.120+deb8u2), linux-binary-7.3.4+deb13-cloud-amd64 (= 7.3.4-1~bpo13+1)
Pre-Depends: linux-base (>= 4.17~)
Provides: virtual (= 3), python3:any
Filename: pool/main/l/linux-signed-amd64/linux-image-7.3.4+deb13-cloud-amd64_7.3.4-1~bpo13+1_amd64.deb
Size: 1928
SHA256: 4545cda1cab2f7e975e9b3ad1744b4a360092a85a793156bf48f1bdf02906cc9
";

    #[test]
    fn a_stanza_becomes_a_package() {
        let mirror = "http://mirror.example/debian";
        let package = Package::from_stanza(STANZA, "trixie-backports", mirror).unwrap();
        assert_eq!(package.source, "linux-signed-amd64");
        assert_eq!(package.source_version, "7.3.4+1~bpo13+1");
        assert_eq!(package.provides, ["virtual", "python3"]);
        let names: Vec<Vec<_>> = package
            .depends
            .iter()
            .map(|alternatives| alternatives.iter().map(|d| d.name.as_str()).collect())
            .collect();
        let binary = "linux-binary-7.3.4+deb13-cloud-amd64";
        assert_eq!(
            names,
            [
                vec!["linux-base"],
                vec!["dracut", "initramfs-tools"],
                vec![binary]
            ]
        );
        assert_eq!(
            package.depends[2][0].exactly.as_deref(),
            Some("7.3.4-1~bpo13+1")
        );
        assert_eq!(
            package.file_name(),
            "linux-image-7.3.4+deb13-cloud-amd64_7.3.4-1~bpo13+1_amd64.deb"
        );
        assert!(
            package
                .url()
                .starts_with("http://mirror.example/debian/pool/main/l/")
        );
    }

    #[test]
    fn a_stanza_that_names_no_usable_file_is_none() {
        for (field, value) in [
            ("Filename", "../../etc/passwd"),
            ("Size", "x"),
            ("SHA256", "12"),
        ] {
            let line = STANZA.lines().find(|line| line.starts_with(field)).unwrap();
            let text = STANZA.replace(line, &format!("{field}: {value}"));
            assert_eq!(
                Package::from_stanza(&text, "sid", "http://m.example"),
                None,
                "{field}"
            );
        }
    }
}
