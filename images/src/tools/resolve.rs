//! Which packages some packages need.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::Package;
use crate::{Error, Result, version};

/// Packages that only scripts of other packages need, or that bring what a guest has no use for.
const WITHOUT: [&str; 5] = [
    "adduser",
    "debconf",
    "init-system-helpers",
    "libc-bin",
    "perl-base",
];

/// The named packages and all they depend on, in order of their names: of alternatives the first
/// that is there.
pub(super) fn with_dependencies<'a>(
    index: &'a [Package],
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<&'a Package>> {
    let mut by_name: BTreeMap<&str, &Package> = BTreeMap::new();
    for package in index {
        let place = by_name.entry(&package.name).or_insert(package);
        if version::compare(&package.version, &place.version).is_gt() {
            *place = package;
        }
    }
    // A package of that name comes before one that only stands for it.
    let mut virtually: BTreeMap<&str, &Package> = BTreeMap::new();
    for package in by_name.values() {
        for name in &package.provides {
            virtually.entry(name).or_insert(package);
        }
    }
    let find = |name: &str| by_name.get(name).or_else(|| virtually.get(name)).copied();

    let mut found: BTreeMap<&str, &Package> = BTreeMap::new();
    let mut pending = Vec::new();
    for name in names {
        let package = find(name).ok_or_else(|| Error::Tools {
            why: format!("the archive has no package {name}"),
        })?;
        pending.push(package);
    }
    let without: BTreeSet<&str> = WITHOUT.into();
    while let Some(package) = pending.pop() {
        if found.insert(&package.name, package).is_some() {
            continue;
        }
        for alternatives in &package.depends {
            if alternatives
                .iter()
                .any(|a| without.contains(a.name.as_str()))
            {
                continue;
            }
            let first = alternatives.iter().find_map(|a| find(&a.name));
            pending.push(first.ok_or_else(|| Error::Tools {
                why: format!(
                    "{} needs {}, which is not there",
                    package.name, alternatives[0].name
                ),
            })?);
        }
    }
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;
    use crate::archive::Dependency;

    fn package(name: &str, version: &str, depends: &[&str], provides: &[&str]) -> Package {
        let alternative = |name: &str| Dependency {
            name: name.to_owned(),
            exactly: None,
        };
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            source: name.to_owned(),
            source_version: version.to_owned(),
            depends: depends
                .iter()
                .map(|d| d.split('|').map(alternative).collect())
                .collect(),
            provides: provides.iter().map(|p| (*p).to_owned()).collect(),
            filename: format!("pool/{name}.deb"),
            size: 1,
            sha256: Digest::of(name.as_bytes()),
            suite: "s".to_owned(),
            mirror: "m".to_owned(),
        }
    }

    #[test]
    fn dependencies_are_followed_once() {
        let index = [
            package(
                "iproute2",
                "6",
                &["libc6", "gone|libbpf1", "debconf|debconf-2.0"],
                &[],
            ),
            package("libbpf1", "1", &["libc6", "awk"], &[]),
            package("libc6", "2.36", &["libgcc-s1"], &[]),
            package("libc6", "2.31", &["never"], &[]),
            package("libgcc-s1", "12", &["libc6"], &[]),
            package("mawk", "1", &[], &["awk"]),
        ];
        let found = with_dependencies(&index, ["iproute2"]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| format!("{} {}", p.name, p.version))
            .collect();
        assert_eq!(
            names,
            [
                "iproute2 6",
                "libbpf1 1",
                "libc6 2.36",
                "libgcc-s1 12",
                "mawk 1"
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let index = [package("a", "1", &["b|c"], &[])];
        let error = with_dependencies(&index, ["a"]).unwrap_err().to_string();
        assert!(error.ends_with("a needs b, which is not there"), "{error}");
        assert!(with_dependencies(&index, ["z"]).is_err());
    }
}
