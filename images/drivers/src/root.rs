//! The compiler and the headers of a kernel's own suite, unpacked into folders.
//!
//! The headers of a kernel demand the compiler of their suite. A small root of that suite is put
//! together from the packages that the headers depend on, unpacked but never configured. It is
//! shared by every kernel that needs the same compiler; only the headers are a kernel's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::archive::{Archive, Package, base_of, suites_of};
use crate::error::io_error;
use crate::store::{Store, key_of};
use crate::{Error, Result};

/// What `make` needs besides what the headers depend on.
const TOOLS: [&str; 11] = [
    "make",
    "dash",
    "bash",
    "coreutils",
    "sed",
    "grep",
    "gawk",
    "findutils",
    "diffutils",
    "libc-bin",
    "gzip",
];

/// Packages that would be pulled in and are of no use to a build.
const USELESS: [&str; 6] = [
    "linux-base",
    "pahole",
    "dwarves",
    "debconf",
    "dpkg",
    "base-files",
];

/// Where a build takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRoot {
    /// Compiler and tools.
    pub tools: PathBuf,
    /// The kernel's headers and build scripts.
    pub headers: PathBuf,
    /// Hash of all packages in both.
    pub key: String,
}

/// The packages a build needs.
#[derive(Clone, Debug)]
struct Needed {
    tools: Vec<Package>,
    headers: Vec<Package>,
}

/// The build root for the kernel `release` of package `version` in `suite`.
pub fn build_root(
    release: &str,
    suite: &str,
    version: &str,
    archive: &dyn Archive,
    store: &Store,
) -> Result<BuildRoot> {
    let needed = needed(release, suite, version, archive)?;
    let key = |list: &[Package]| key_of(list.iter().map(|p| p.sha256.as_str()));
    let (tools_key, headers_key) = (key(&needed.tools), key(&needed.headers));
    let tools = store.folder("roots", &tools_key, |root| {
        lay_out(root)?;
        unpack_all(&needed.tools, archive, root)?;
        complete(root)
    })?;
    let headers = store.folder("headers", &headers_key, |root| {
        unpack_all(&needed.headers, archive, root)
    })?;
    Ok(BuildRoot {
        tools,
        headers,
        key: key_of([tools_key, headers_key]),
    })
}

fn needed(release: &str, suite: &str, version: &str, archive: &dyn Archive) -> Result<Needed> {
    let suites = suites_of(suite);
    let headers = format!("linux-headers-{release}");
    let listed = archive.packages(&headers, &suites)?;
    let Some(first) = listed.into_iter().find(|p| p.version == version) else {
        return Err(Error::NoHeaders {
            kernel: release.to_owned(),
            why: format!("{} has no {headers} {version}", suites.join(", ")),
        });
    };
    let mut chosen = BTreeMap::from([(headers, first)]);
    let mut waiting: Vec<String> = TOOLS.iter().map(|t| (*t).to_owned()).collect();
    for package in chosen.values() {
        waiting.extend(alternatives(&package.depends));
    }
    let mut seen = BTreeSet::new();
    while let Some(dependency) = waiting.pop() {
        if !seen.insert(dependency.clone()) {
            continue;
        }
        let names: Vec<&str> = dependency.split('|').collect();
        if names
            .iter()
            .any(|n| USELESS.contains(n) || chosen.contains_key(*n))
        {
            continue;
        }
        for name in names {
            let listed = archive.packages(name, &suites)?;
            if let Some(package) = choose(&listed, suite, version) {
                waiting.extend(alternatives(&package.depends));
                chosen.insert(name.to_owned(), package.clone());
                break;
            }
            // A name that no package has is a virtual one; nothing a compiler needs is.
            tracing::debug!(name, "no package of this name");
        }
    }
    let (headers, tools) = chosen
        .into_values()
        .partition(|p| p.name.starts_with("linux-headers-") || p.name.starts_with("linux-kbuild-"));
    Ok(Needed { tools, headers })
}

/// The kernel's own version if there is one, else the newest of the release itself: backports
/// are for kernels, not for compilers.
fn choose<'a>(listed: &'a [Package], suite: &str, version: &str) -> Option<&'a Package> {
    let own = listed.iter().rev().find(|p| p.version == version);
    let base = base_of(suite);
    let of_base = || listed.iter().rev().find(|p| p.suite == base);
    own.or_else(of_base).or_else(|| listed.last())
}

/// The dependencies in a `Depends` field: alternatives joined by `|`, without versions.
fn alternatives(depends: &str) -> Vec<String> {
    depends
        .split(',')
        .map(|dependency| {
            let names: Vec<_> = dependency
                .split('|')
                .filter_map(|name| name.split_whitespace().next())
                .map(|name| name.split(':').next().unwrap_or(name))
                .collect();
            names.join("|")
        })
        .filter(|d| !d.is_empty())
        .collect()
}

/// The folders of a merged /usr, which packages of older releases rely on.
fn lay_out(root: &Path) -> Result<()> {
    for folder in [
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "usr/lib64",
        "usr/src",
        "build",
    ] {
        let path = root.join(folder);
        fs::create_dir_all(&path).map_err(io_error("creating", &path))?;
    }
    for folder in ["bin", "sbin", "lib", "lib64"] {
        let path = root.join(folder);
        symlink(format!("usr/{folder}"), &path).map_err(io_error("linking", &path))?;
    }
    for folder in ["proc", "dev", "tmp"] {
        let path = root.join(folder);
        fs::create_dir(&path).map_err(io_error("creating", &path))?;
    }
    Ok(())
}

/// What a package's own scripts would have done.
fn complete(root: &Path) -> Result<()> {
    for (link, target) in [("usr/bin/sh", "dash"), ("usr/bin/awk", "gawk")] {
        let path = root.join(link);
        if path.symlink_metadata().is_err() {
            symlink(target, &path).map_err(io_error("linking", &path))?;
        }
    }
    Ok(())
}

fn unpack_all(packages: &[Package], archive: &dyn Archive, root: &Path) -> Result<()> {
    for package in packages {
        let deb = archive.open(package)?;
        crate::deb::unpack(deb, root).map_err(|e| Error::Archive {
            what: format!("cannot unpack {} {}", package.name, package.version),
            why: e.to_string(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_lose_versions_and_architectures() {
        assert_eq!(
            alternatives("linux-headers-x (= 1-1), gcc-14-for-host, awk | mawk:any (>= 2), "),
            ["linux-headers-x", "gcc-14-for-host", "awk|mawk"]
        );
    }

    #[test]
    fn the_compiler_is_the_releases_own() {
        let package = |version: &str, suite: &str| Package {
            name: "gcc-14".into(),
            version: version.into(),
            suite: suite.into(),
            depends: String::new(),
            sha256: String::new(),
        };
        let listed = [
            package("14.2.0-19", "trixie"),
            package("14.3.0-1~bpo13+1", "trixie-backports"),
        ];
        let version = |v| {
            choose(&listed, "trixie-backports", v)
                .unwrap()
                .version
                .as_str()
        };
        assert_eq!(version("7.3.4-1~bpo13+1"), "14.2.0-19");
        assert_eq!(version("14.3.0-1~bpo13+1"), "14.3.0-1~bpo13+1");
    }
}
