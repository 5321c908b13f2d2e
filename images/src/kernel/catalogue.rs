//! Which kernels the archive has.

use std::cmp::Ordering;
use std::path::PathBuf;

use super::{Flavour, KernelSpec};
use crate::archive::{Archive, Dependency, Package, Suite};
use crate::progress::Step;
use crate::{Error, Result, version};

/// A kernel the archive offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What `uname -r` says: `6.12.95+deb12-cloud-amd64`.
    pub release: String,
    /// The version in it: `6.12.95+deb12`.
    pub abi: String,
    /// Flavour.
    pub flavour: Flavour,
    /// The package `linux-image-RELEASE`.
    pub image: Package,
    /// The packages that hold its files: from 6.19 on the image package is an empty shell that
    /// depends on others, before it is the only one.
    pub parts: Vec<Package>,
    /// A package of its files that no index lists (any more). Without a signed hash it cannot be
    /// fetched, even where the file is still there.
    lacks: Option<String>,
}

impl Offer {
    /// Bytes to download.
    pub fn download_size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// Whether it is built from the suite's own source package, not from a newer suite's.
    fn is_own_line(&self) -> bool {
        matches!(self.image.source.as_str(), "linux" | "linux-signed-amd64")
    }

    /// The spec that means this one for ever.
    pub fn spec(&self) -> KernelSpec {
        KernelSpec::Exact {
            version: self.abi.clone(),
            flavour: self.flavour,
        }
    }
}

impl Archive {
    /// Every kernel of every suite, oldest first; one that several suites have is listed once,
    /// with the first of them.
    pub fn kernels(&self) -> Result<Vec<Offer>> {
        let mut offers = self.all_offers()?;
        offers.retain(|offer| offer.lacks.is_none());
        Ok(offers)
    }

    /// Those that lack a package too.
    fn all_offers(&self) -> Result<Vec<Offer>> {
        let mut offers: Vec<Offer> = Vec::new();
        for of_suite in self.each_suite(|suite| self.offers(suite))? {
            for offer in of_suite {
                let same = |o: &Offer| o.image.sha256 == offer.image.sha256;
                match offers.iter().position(same) {
                    None => offers.push(offer),
                    // Another suite may list what one lacks.
                    Some(at) if offers[at].lacks.is_some() => offers[at] = offer,
                    Some(_) => {}
                }
            }
        }
        offers.sort_by(by_version);
        Ok(offers)
    }

    fn offers(&self, suite: &Suite) -> Result<Vec<Offer>> {
        let mut offers = offers(&self.linux_packages(suite)?);
        offers.sort_by(by_version);
        Ok(offers)
    }

    /// The kernels that `spec` means, the best first: the newest of a suite, or all of a version.
    pub fn candidates(&self, spec: &KernelSpec) -> Result<Vec<Offer>> {
        let mut found = match spec {
            KernelSpec::Newest { suite, flavour } => {
                let mut offers = self.offers(&self.suite(suite)?)?;
                offers.retain(|offer| offer.flavour == *flavour);
                // bookworm-security also has trixie's kernels, built for bookworm from a source
                // package `linux-6.12`; who says bookworm means 6.1.
                if offers.iter().any(Offer::is_own_line) {
                    offers.retain(Offer::is_own_line);
                }
                if offers.is_empty() {
                    return Err(no_kernel(spec, format!("{suite} has no {flavour} kernel")));
                }
                offers
            }
            KernelSpec::Exact { version, flavour } => {
                let all = self.all_offers()?;
                let matching = choose_exact(&all, version, *flavour);
                if matching.is_empty() {
                    return Err(no_kernel(spec, no_such(&all, version, *flavour)));
                }
                matching
            }
            KernelSpec::Debs(_) | KernelSpec::Path { .. } => {
                return Err(no_kernel(spec, "it is not one of the archive".to_owned()));
            }
        };
        let newest = found.last().cloned();
        found.retain(|offer| offer.lacks.is_none());
        found.reverse();
        match newest {
            Some(offer) if found.is_empty() => {
                let why = lacks_a_part(&offer, &self.kernels()?);
                Err(no_kernel(spec, why))
            }
            _ => Ok(found),
        }
    }

    /// The kernel that `spec` means now: of its candidates the first whose files are still there.
    /// The archive is asked for that, but nothing is fetched.
    pub fn which(&self, spec: &KernelSpec) -> Result<Offer> {
        let candidates = self.candidates(spec)?;
        let tried = candidates.len();
        for offer in candidates {
            let mut all_there = true;
            for part in &offer.parts {
                all_there = all_there && self.is_there(part)?;
            }
            if all_there {
                return Ok(offer);
            }
            self.note_gone(&offer);
        }
        Err(all_gone(spec, tried))
    }

    fn note_gone(&self, offer: &Offer) {
        let text = format!(
            "{} is listed in {} but its files are gone (404): trying the next one",
            offer.release, offer.image.suite
        );
        self.progress().step(Step::Note { text: &text });
    }

    /// Fetches the first of the kernels that `spec` means whose files are still there.
    pub(super) fn fetch_kernel(&self, spec: &KernelSpec) -> Result<(Offer, Vec<PathBuf>)> {
        let candidates = self.candidates(spec)?;
        let tried = candidates.len();
        for offer in candidates {
            let fetched: Result<Vec<_>> = offer.parts.iter().map(|part| self.fetch(part)).collect();
            match fetched {
                Err(Error::Missing { .. }) => self.note_gone(&offer),
                fetched => return Ok((offer, fetched?)),
            }
        }
        Err(all_gone(spec, tried))
    }
}

fn all_gone(spec: &KernelSpec, tried: usize) -> Error {
    let why = format!("the files of all {tried} listed kernels are gone (404)");
    no_kernel(spec, why)
}

fn no_kernel(spec: &KernelSpec, why: String) -> Error {
    Error::NoKernel {
        spec: spec.to_string(),
        why,
    }
}

/// By version, then by flavour.
fn by_version(a: &Offer, b: &Offer) -> Ordering {
    version::compare(&a.image.version, &b.image.version)
        .then_with(|| version::compare(&a.abi, &b.abi))
        .then_with(|| a.flavour.cmp(&b.flavour))
}

/// The kernels among the packages of one suite.
fn offers(packages: &[Package]) -> Vec<Offer> {
    packages
        .iter()
        .filter_map(|image| offer(image, packages))
        .collect()
}

fn offer(image: &Package, packages: &[Package]) -> Option<Offer> {
    // `-unsigned` and `-dbg` end otherwise, and so do not make a release.
    let release = image.name.strip_prefix("linux-image-")?;
    let (abi, flavour) = Flavour::split_release(release)?;
    if !abi.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let needs = || image.depends.iter().flatten();
    // `linux-image-6.12-cloud-amd64` has no files, it only depends on the newest 6.12.
    if needs().any(|needed| needed.name.starts_with("linux-image-")) {
        return None;
    }
    let mut parts = Vec::new();
    let mut lacks = None;
    for needed in needs() {
        let kind = needed.name.strip_suffix(release);
        let Some("linux-base-" | "linux-binary-" | "linux-modules-") = kind else {
            continue;
        };
        match packages.iter().find(|package| satisfies(package, needed)) {
            Some(part) => parts.push(part.clone()),
            // It has the configuration and the list of built-in modules: good to have, no more.
            None if kind == Some("linux-base-") => {}
            None => lacks = Some(needed.name.clone()),
        }
    }
    let is_shell = |needed: &Dependency| needed.name.starts_with("linux-binary-");
    if !needs().any(is_shell) {
        parts.push(image.clone());
    }
    Some(Offer {
        release: release.to_owned(),
        abi: abi.to_owned(),
        flavour,
        image: image.clone(),
        parts,
        lacks,
    })
}

fn satisfies(package: &Package, needed: &Dependency) -> bool {
    let version = needed.exactly.as_ref();
    package.name == needed.name && version.is_none_or(|version| *version == package.version)
}

/// What `version` means among `all`, oldest first: a release's own version if one has it, else
/// the package's, else the upstream one, else a series (`6.12`).
fn choose_exact(all: &[Offer], wanted: &str, flavour: Flavour) -> Vec<Offer> {
    let of = |matches: &dyn Fn(&Offer) -> bool| {
        let found = all
            .iter()
            .filter(|offer| offer.flavour == flavour && matches(offer));
        found.cloned().collect::<Vec<_>>()
    };
    let mut found = of(&|offer| offer.abi == wanted);
    if found.is_empty() {
        found = of(&|offer| offer.image.version == wanted);
    }
    if found.is_empty() {
        found = of(&|offer| version::upstream(&offer.image.version) == wanted);
    }
    if found.is_empty() {
        let series = format!("{wanted}.");
        found = of(&|offer| version::upstream(&offer.image.version).starts_with(&series));
    }
    found
}

/// Why a kernel that is listed cannot be had: one of its packages is in no index.
fn lacks_a_part(offer: &Offer, all: &[Offer]) -> String {
    let part = offer.lacks.as_deref().unwrap_or_default();
    let version = &offer.image.version;
    format!(
        "the archive lists {}, but no index lists {part} {version} (any more), which holds a part \
         of it, so it cannot be fetched; nearest: {}; if you have the packages, use deb:FILE,FILE",
        offer.image.name,
        nearest_offers(all, version, offer.flavour)
    )
}

/// Why there is no such kernel.
fn no_such(all: &[Offer], wanted: &str, flavour: Flavour) -> String {
    match nearest_offers(all, wanted, flavour).as_str() {
        "" => format!("the archive has no {flavour} kernels at all"),
        nearest => format!("the archive does not have it (any more); nearest: {nearest}"),
    }
}

/// The two kernels between which the wanted one would stand, for a message.
fn nearest_offers(all: &[Offer], wanted: &str, flavour: Flavour) -> String {
    let same: Vec<_> = all
        .iter()
        .filter(|offer| offer.flavour == flavour && offer.lacks.is_none())
        .collect();
    let after = same.partition_point(|o| version::compare(&o.image.version, wanted).is_lt());
    let near = [after.checked_sub(1), Some(after)];
    let names: Vec<String> = near
        .iter()
        .flatten()
        .filter_map(|i| same.get(*i))
        .map(|offer| format!("`{}`", offer.spec()))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn package(name: &str, version: &str, depends: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            source: "linux-signed-amd64".to_owned(),
            source_version: version.to_owned(),
            depends: depends
                .iter()
                .map(|name| {
                    let exactly = Some(version.to_owned());
                    vec![Dependency {
                        name: (*name).to_owned(),
                        exactly,
                    }]
                })
                .collect(),
            provides: Vec::new(),
            filename: format!("pool/{name}_{version}_amd64.deb"),
            size: 1,
            sha256: Digest::of(format!("{name} {version}").as_bytes()),
            suite: "sid".to_owned(),
            mirror: "http://mirror.example/debian".to_owned(),
        }
    }

    fn archive() -> Vec<Package> {
        let plain = |name: &str, version: &str| package(name, version, &["kmod"]);
        vec![
            plain("linux-image-amd64-signed-template", "6.1.176-1"),
            plain("linux-image-6.1.0-47-cloud-amd64", "6.1.170-3"),
            plain("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1"),
            plain("linux-image-6.1.0-9-cloud-amd64", "6.1.27-1"),
            plain("linux-image-6.1.0-50-cloud-amd64-unsigned", "6.1.176-1"),
            plain("linux-image-6.1.0-50-cloud-amd64-dbg", "6.1.176-1"),
            plain("linux-image-6.1.0-50-amd64", "6.1.176-1"),
            plain("linux-image-6.1.0-50-rt-amd64", "6.1.176-1"),
            package(
                "linux-image-cloud-amd64",
                "6.1.176-1",
                &["linux-image-6.1.0-50-cloud-amd64"],
            ),
            package(
                "linux-image-6.1-amd64",
                "6.1.176-1",
                &["linux-image-6.1.0-50-amd64"],
            ),
            package(
                "linux-image-7.3-cloud-amd64",
                "7.3.2-1~exp1",
                &[
                    "linux-base",
                    "linux-base-7.3-cloud-amd64",
                    "linux-binary-7.3-cloud-amd64",
                    "linux-modules-7.3-cloud-amd64",
                ],
            ),
            package("linux-base-7.3-cloud-amd64", "7.3.2-1~exp1", &[]),
            package("linux-binary-7.3-cloud-amd64", "7.3.1-1~exp1", &[]),
            package("linux-binary-7.3-cloud-amd64", "7.3.2-1~exp1", &[]),
            package("linux-binary-unsigned-7.3-cloud-amd64", "7.3.2-1~exp1", &[]),
            package("linux-modules-7.3-cloud-amd64", "7.3.2-1~exp1", &[]),
            package(
                "linux-image-7.4-amd64",
                "7.4-1",
                &["linux-binary-7.4-amd64"],
            ),
            package(
                "linux-image-6.18-amd64",
                "6.18-1",
                &["linux-base-6.18-amd64"],
            ),
        ]
    }

    #[test]
    fn only_packages_with_a_kernel_are_offered() {
        let mut offers = offers(&archive());
        offers.sort_by(by_version);
        let listed: Vec<String> = offers
            .iter()
            .map(|offer| {
                let parts: Vec<_> = offer
                    .parts
                    .iter()
                    .map(|p| format!("{} {}", p.name, p.version))
                    .collect();
                let lacks = offer.lacks.as_ref().map(|name| format!(", lacks {name}"));
                let parts = parts.join(" + ") + &lacks.unwrap_or_default();
                format!("{} ({}): {parts}", offer.spec(), offer.release)
            })
            .collect();
        insta::assert_snapshot!(listed.join("\n"));
    }

    #[test]
    fn an_exact_version_is_the_releases_the_packages_or_upstreams() {
        let mut all = offers(&archive());
        all.sort_by(by_version);
        let found = |version: &str| {
            let found = choose_exact(&all, version, Flavour::Cloud);
            found.into_iter().map(|offer| offer.abi).collect::<Vec<_>>()
        };
        assert_eq!(found("6.1.0-47"), ["6.1.0-47"]);
        assert_eq!(found("6.1.170-3"), ["6.1.0-47"]);
        assert_eq!(found("6.1.176"), ["6.1.0-50"]);
        assert_eq!(found("7.3"), ["7.3"]);
        assert_eq!(found("6.1"), ["6.1.0-9", "6.1.0-47", "6.1.0-50"]);
        assert_eq!(found("6.1.171"), [""; 0]);
        assert_eq!(found("6.1.1"), [""; 0]);
        let near = no_such(&all, "6.1.171", Flavour::Cloud);
        assert!(near.ends_with("nearest: `debian:6.1.0-47-cloud`, `debian:6.1.0-50-cloud`"));
        assert!(no_such(&[], "6.1", Flavour::Rt).ends_with("no rt kernels at all"));
    }

    #[test]
    fn a_listed_kernel_without_its_modules_is_said_so() {
        let all = offers(&archive());
        let lacking = all.iter().find(|offer| offer.lacks.is_some());
        let lacking = lacking.expect("an image whose parts are not listed");
        assert_eq!(
            lacks_a_part(lacking, &all),
            "the archive lists linux-image-7.4-amd64, but no index lists linux-binary-7.4-amd64 \
             7.4-1 (any more), which holds a part of it, so it cannot be fetched; nearest: \
             `debian:6.18-generic`; if you have the packages, use deb:FILE,FILE"
        );
    }
}
