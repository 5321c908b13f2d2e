//! What a build needs of the package archive.

use std::io::Read;

use crate::Result;

/// A binary package as an index lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The suite whose index lists it.
    pub suite: String,
    /// `Pre-Depends` and `Depends`, joined by a comma.
    pub depends: String,
    /// sha256 of the `.deb`, in hexadecimal digits.
    pub sha256: String,
}

/// Verified access to the packages of some suites.
pub trait Archive: Sync {
    /// Every listed version of the package `name` in `suites`, oldest version first.
    fn packages(&self, name: &str, suites: &[String]) -> Result<Vec<Package>>;

    /// The bytes of its `.deb`. Reading to the end fails if they are not what the index says.
    fn open(&self, package: &Package) -> Result<Box<dyn Read>>;
}

/// The suites from which a build for a kernel of `suite` takes packages: the release's own, its
/// security updates, and `suite`.
pub fn suites_of(suite: &str) -> Vec<String> {
    let base = base_of(suite);
    let mut suites = vec![base.to_owned()];
    if !matches!(base, "sid" | "unstable" | "experimental") {
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
mod tests {
    use super::*;

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
