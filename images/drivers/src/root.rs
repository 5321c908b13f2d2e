//! The compiler and the headers of a kernel's own suite, unpacked into folders.
//!
//! The headers of a kernel demand the compiler of their suite. A small root of that suite is put
//! together from the packages that the headers depend on, unpacked but never configured. It is
//! shared by every kernel that needs the same compiler; only the headers are a kernel's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use tunfarm_images::Digest;
use tunfarm_images::archive::Dependency;

use crate::archive::{Package, PackageSource, base_of, suites_of};
use crate::error::io_error;
use crate::store::Store;
use crate::{Error, Result};

/// What `make` needs besides what the headers depend on.
const TOOLS: [&str; 12] = [
    "binutils",
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

/// Part of every key: raised by one when the same packages would give another root.
const GENERATION: &str = "build-root, version 1";

/// Where a build takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRoot {
    /// Compiler and tools.
    pub tools: PathBuf,
    /// The kernel's headers and build scripts.
    pub headers: PathBuf,
}

/// The packages a build needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Needed {
    tools: Vec<Package>,
    headers: Vec<Package>,
}

/// The build root for the kernel `release` of package `version` in `suite`.
pub fn build_root(
    release: &str,
    suite: &str,
    version: &str,
    archive: &dyn PackageSource,
    store: &Store,
) -> Result<BuildRoot> {
    // Reading whole indices takes seconds, so what came of it is kept for as long as they last.
    let suites = suites_of(suite);
    let state = archive.state(&suites)?;
    let mut question = vec![GENERATION, release, version, &state];
    question.extend(TOOLS);
    question.extend(USELESS);
    let asked = Digest::of_lines(question);
    let needed = match store.record("build-roots", &asked) {
        Some(known) => known,
        None => {
            let found = needed(release, suite, version, archive)?;
            store.put_record("build-roots", &asked, &found)?;
            found
        }
    };
    let key = |list: &[Package]| {
        let hashes = list.iter().map(|p| p.sha256.to_string());
        Digest::of_lines(std::iter::once(GENERATION.to_owned()).chain(hashes))
    };
    let tools = store.folder("roots", &key(&needed.tools), |root| {
        lay_out(root)?;
        unpack_all(&needed.tools, archive, root)?;
        complete(root)
    })?;
    let headers = store.folder("headers", &key(&needed.headers), |root| {
        unpack_all(&needed.headers, archive, root)
    })?;
    Ok(BuildRoot { tools, headers })
}

fn needed(
    release: &str,
    suite: &str,
    version: &str,
    archive: &dyn PackageSource,
) -> Result<Needed> {
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
    let plain = |name: &str| Dependency {
        name: name.to_owned(),
        exactly: None,
    };
    let mut waiting: Vec<Vec<Dependency>> = TOOLS.iter().map(|t| vec![plain(t)]).collect();
    for package in chosen.values() {
        waiting.extend(package.depends.iter().cloned());
    }
    while let Some(alternatives) = waiting.pop() {
        let has = |d: &Dependency| USELESS.contains(&&*d.name) || chosen.contains_key(&d.name);
        if alternatives.iter().any(has) {
            continue;
        }
        for dependency in alternatives {
            let listed = archive.packages(&dependency.name, &suites)?;
            let wanted = dependency.exactly.as_deref().unwrap_or(version);
            if let Some(package) = choose(&listed, suite, wanted) {
                waiting.extend(package.depends.iter().cloned());
                chosen.insert(dependency.name, package.clone());
                break;
            }
            // A name that no package has is a virtual one; nothing a compiler needs is.
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

fn unpack_all(packages: &[Package], archive: &dyn PackageSource, root: &Path) -> Result<()> {
    for package in packages {
        let deb = archive.open(package)?;
        crate::deb::unpack(deb, root).map_err(|e| Error::Package {
            what: format!("{} {}", package.name, package.version),
            why: e.to_string(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_the_releases_own() {
        let package = |version, suite| crate::archive::tests::package("gcc-14", version, suite);
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
