//! What a build needs of the package archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex};

pub use tunfarm_images::Package;
use tunfarm_images::version;

use crate::error::io_error;
use crate::{Error, Result};

/// Verified access to packages. The archive itself is one; tests have their own.
pub trait PackageSource: Sync {
    /// Every listed version of the package `name` in `suites`, oldest version first.
    fn packages(&self, name: &str, suites: &[String]) -> Result<Vec<Package>>;

    /// Changes whenever an index of `suites` does.
    fn state(&self, suites: &[String]) -> Result<String>;

    /// The bytes of its `.deb`, checked.
    fn open(&self, package: &Package) -> Result<Box<dyn Read>>;

    /// The package will not be asked for again: its copy can go.
    fn forget(&self, package: &Package);
}

/// The Debian archive as a source of packages, with its indices kept in memory once read.
pub struct DebianPackages<'a> {
    archive: &'a tunfarm_images::Archive,
    read: Mutex<HashMap<(String, bool), Arc<Index>>>,
}

type Index = HashMap<String, Vec<Package>>;

impl<'a> DebianPackages<'a> {
    /// Packages of `archive`.
    pub fn new(archive: &'a tunfarm_images::Archive) -> Self {
        DebianPackages {
            archive,
            read: Mutex::default(),
        }
    }

    /// The suite, or `None` where the mirror has no security updates for a release.
    fn suite(&self, name: &str) -> Result<Option<tunfarm_images::Suite>> {
        match self.archive.suite(name) {
            Err(tunfarm_images::Error::NoSuite { .. }) if name.ends_with("-security") => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// `linux`: only packages of the kernel, which are found much faster than all.
    fn index(&self, name: &str, linux: bool) -> Result<Arc<Index>> {
        let key = (name.to_owned(), linux);
        let mut read = self.read.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(index) = read.get(&key) {
            return Ok(index.clone());
        }
        let mut index = Index::new();
        if let Some(suite) = self.suite(name)? {
            let list = match linux {
                true => self.archive.linux_packages(&suite)?,
                false => self.archive.all_packages(&suite)?,
            };
            for package in list {
                index.entry(package.name.clone()).or_default().push(package);
            }
        }
        let index = Arc::new(index);
        read.insert(key, index.clone());
        Ok(index)
    }
}

impl PackageSource for DebianPackages<'_> {
    fn packages(&self, name: &str, suites: &[String]) -> Result<Vec<Package>> {
        let mut found = Vec::new();
        for suite in suites {
            let index = self.index(suite, name.starts_with("linux-"))?;
            found.extend(index.get(name).into_iter().flatten().cloned());
        }
        found.sort_by(|a: &Package, b| version::compare(&a.version, &b.version));
        Ok(found)
    }

    fn state(&self, suites: &[String]) -> Result<String> {
        let mut state = String::new();
        for name in suites {
            if let Some(suite) = self.suite(name)? {
                state += &format!("{name} {}\n", self.archive.index_digest(&suite)?);
            }
        }
        Ok(state)
    }

    fn open(&self, package: &Package) -> Result<Box<dyn Read>> {
        let path = self.archive.fetch(package)?;
        let file = File::open(&path).map_err(io_error("opening the package", &path))?;
        Ok(Box::new(file))
    }

    fn forget(&self, package: &Package) {
        // Whoever reads it just now keeps what is open; whoever wants it later fetches it again.
        if let Ok(Some(path)) = self.archive.cache().blob(&package.sha256) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The archive does not have the file although an index lists it.
pub(crate) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Archive(why) if matches!(**why, tunfarm_images::Error::Missing { .. }))
}

/// The suites from which a build for a kernel of `suite` takes packages: the release's own, its
/// security updates, and `suite`.
pub fn suites_of(suite: &str) -> Vec<String> {
    let base = base_of(suite);
    let mut suites = vec![base.to_owned()];
    if !matches!(base, "sid" | "unstable") {
        suites.push(format!("{base}-security"));
    }
    if !suites.iter().any(|s| s == suite) {
        suites.push(suite.to_owned());
    }
    suites
}

/// The release a suite belongs to: `trixie` for `trixie-backports`. What is in experimental is
/// built with the compilers of sid.
pub fn base_of(suite: &str) -> &str {
    match suite {
        "experimental" | "rc-buggy" => "sid",
        _ => suite.split('-').next().unwrap_or(suite),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A package that is nowhere.
    pub(crate) fn package(name: &str, version: &str, suite: &str) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            source: name.into(),
            source_version: version.into(),
            depends: Vec::new(),
            provides: Vec::new(),
            filename: format!("pool/{name}.deb"),
            size: 1,
            sha256: tunfarm_images::Digest::of(format!("{name} {version}").as_bytes()),
            suite: suite.into(),
            mirror: "http://mirror.example".into(),
        }
    }

    #[test]
    fn a_kernel_is_built_with_what_its_release_has() {
        assert_eq!(suites_of("trixie"), ["trixie", "trixie-security"]);
        assert_eq!(
            suites_of("bullseye-security"),
            ["bullseye", "bullseye-security"]
        );
        assert_eq!(
            suites_of("trixie-backports"),
            ["trixie", "trixie-security", "trixie-backports"]
        );
        assert_eq!(suites_of("sid"), ["sid"]);
        assert_eq!(suites_of("experimental"), ["sid", "experimental"]);
    }
}
