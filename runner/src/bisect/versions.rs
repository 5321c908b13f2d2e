//! The kernels between two ends, oldest first.

use std::collections::BTreeSet;
use std::path::Path;

use tunfarm_images::{Archive, Cache, Flavour, Kernel, KernelSpec, Offer, Progress, version};

/// The kernels of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Their specs, oldest first.
    pub specs: Vec<String>,
    /// Releases that an index lists and the archive has no more.
    pub gone: Vec<String>,
    /// The clean end is the older one.
    pub good_is_old: bool,
}

/// Why there is no such list.
#[derive(Debug, thiserror::Error)]
pub enum VersionsError {
    /// The archive or the cache.
    #[error(transparent)]
    Images(#[from] tunfarm_images::Error),
    /// A spec that cannot be read.
    #[error(transparent)]
    Spec(#[from] tunfarm_images::SpecError),
    /// The ends are no kernels of the archive.
    #[error(
        "`{0}` is no kernel of the archive: give the kernels between the ends with --list FILE or \
         --kernels DIR"
    )]
    NotOfTheArchive(KernelSpec),
    /// The ends are of different flavours.
    #[error("the ends are of different flavours, {good} and {bad}: take two of one")]
    Flavours {
        /// Of the clean end.
        good: Flavour,
        /// Of the failing end.
        bad: Flavour,
    },
    /// The ends are one kernel.
    #[error("both ends are {0}: there is nothing between them")]
    Same(String),
    /// An end is missing.
    #[error("name both ends with --good and --bad")]
    NoEnds,
    /// An end is not in the list.
    #[error("`{end}` is not in {list}; name one of its kernels, or leave --good and --bad out")]
    NotInList {
        /// The end.
        end: String,
        /// Which list.
        list: String,
    },
    /// A list with fewer than two kernels.
    #[error("{0} has fewer than two kernels: a search needs an old one and a new one")]
    TooShort(String),
    /// A file or folder.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Every kernel of the archive from one end to the other, of their flavour, whose files are still
/// there.
pub fn of_archive(archive: &Archive, good: &str, bad: &str) -> Result<Versions, VersionsError> {
    let end = |text: &str| -> Result<Offer, VersionsError> {
        let spec: KernelSpec = text.parse()?;
        match spec {
            KernelSpec::Newest { .. } | KernelSpec::Exact { .. } => Ok(archive.which(&spec)?),
            other => Err(VersionsError::NotOfTheArchive(other)),
        }
    };
    let (good, bad) = (end(good)?, end(bad)?);
    if good.flavour != bad.flavour {
        return Err(VersionsError::Flavours {
            good: good.flavour,
            bad: bad.flavour,
        });
    }
    let all = archive.kernels()?;
    let place = |offer: &Offer| {
        all.iter()
            .position(|o| o.image.sha256 == offer.image.sha256)
    };
    let (Some(at_good), Some(at_bad)) = (place(&good), place(&bad)) else {
        return Err(VersionsError::NoEnds);
    };
    if at_good == at_bad {
        return Err(VersionsError::Same(good.release));
    }
    let mut specs: Vec<String> = Vec::new();
    let mut gone = Vec::new();
    let mut seen = BTreeSet::new();
    let range = at_good.min(at_bad)..=at_good.max(at_bad);
    // Two suites may have a release each built it: one spec names both, and means the newest.
    for offer in all[range].iter().filter(|o| o.flavour == good.flavour) {
        if !seen.insert(offer.release.clone()) {
            continue;
        }
        let mut there = true;
        for part in &offer.parts {
            there = there && archive.is_there(part)?;
        }
        match there {
            true => specs.push(offer.spec().to_string()),
            false => gone.push(offer.release.clone()),
        }
    }
    Ok(Versions {
        specs,
        gone,
        good_is_old: at_good < at_bad,
    })
}

/// The specs in a file: one a line, oldest first; `#` begins a remark.
pub fn of_list(
    path: &Path,
    good: Option<&str>,
    bad: Option<&str>,
) -> Result<Versions, VersionsError> {
    let text = std::fs::read_to_string(path).map_err(read(path))?;
    let specs: Vec<String> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    for spec in &specs {
        spec.parse::<KernelSpec>()?;
    }
    between(specs, good, bad, &path.display().to_string())
}

/// The kernel files in a folder, ordered by the release each has in it. Modules are taken from
/// `lib/modules/RELEASE` in the same folder, where `make modules_install` puts them.
pub fn of_folder(
    path: &Path,
    cache: &Cache,
    progress: &dyn Progress,
    good: Option<&str>,
    bad: Option<&str>,
) -> Result<Versions, VersionsError> {
    let mut kernels: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read(path))? {
        let file = entry.map_err(read(path))?.path();
        if !file.is_file() {
            continue;
        }
        let plain = KernelSpec::Path {
            vmlinuz: file.clone(),
            modules: None,
            initrd_modules: Vec::new(),
        };
        // A configuration or a map beside the kernels is no kernel.
        let Ok(kernel) = Kernel::local(cache, progress, &plain) else {
            continue;
        };
        let modules = path.join("lib/modules").join(&kernel.label);
        let spec = KernelSpec::Path {
            vmlinuz: file,
            modules: modules.is_dir().then_some(modules),
            initrd_modules: Vec::new(),
        };
        kernels.push((kernel.label, spec.to_string()));
    }
    kernels.sort_by(|a, b| version::compare(&a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
    // An end may be named by its release too.
    let named = |end: Option<&str>| {
        end.map(
            |end| match kernels.iter().find(|(release, _)| release == end) {
                Some((_, spec)) => spec.clone(),
                None => end.to_owned(),
            },
        )
    };
    let (good, bad) = (named(good), named(bad));
    let specs = kernels.into_iter().map(|(_, spec)| spec).collect();
    between(
        specs,
        good.as_deref(),
        bad.as_deref(),
        &path.display().to_string(),
    )
}

fn read(path: &Path) -> impl Fn(std::io::Error) -> VersionsError + use<> {
    let path = path.display().to_string();
    move |source| VersionsError::Read {
        path: path.clone(),
        source,
    }
}

/// The part of `specs` between the ends; without them the first is the clean one.
fn between(
    mut specs: Vec<String>,
    good: Option<&str>,
    bad: Option<&str>,
    list: &str,
) -> Result<Versions, VersionsError> {
    if specs.len() < 2 {
        return Err(VersionsError::TooShort(list.to_owned()));
    }
    let last = specs.len() - 1;
    let place = |end: Option<&str>| match end {
        None => Ok(None),
        Some(end) => specs
            .iter()
            .position(|s| s == end)
            .map(Some)
            .ok_or_else(|| VersionsError::NotInList {
                end: end.to_owned(),
                list: list.to_owned(),
            }),
    };
    let (good, bad) = match (place(good)?, place(bad)?) {
        (Some(good), Some(bad)) => (good, bad),
        (None, None) => (0, last),
        (Some(good), None) => (good, last),
        (None, Some(bad)) => (0, bad),
    };
    if good == bad {
        return Err(VersionsError::Same(specs.swap_remove(good)));
    }
    specs.truncate(good.max(bad) + 1);
    let specs = specs.split_off(good.min(bad));
    Ok(Versions {
        specs,
        gone: Vec::new(),
        good_is_old: good < bad,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(good: Option<&str>, bad: Option<&str>) -> Result<Versions, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kernels");
        std::fs::write(
            &file,
            "# oldest first\npath:a\npath:b # here\n\npath:c\npath:d\n",
        )
        .unwrap();
        of_list(&file, good, bad).map_err(|e| e.to_string())
    }

    #[test]
    fn a_list_is_cut_to_its_ends() {
        let all = list(None, None).unwrap();
        assert_eq!(all.specs, ["path:a", "path:b", "path:c", "path:d"]);
        assert!(all.good_is_old);
        let part = list(Some("path:d"), Some("path:b")).unwrap();
        assert_eq!(part.specs, ["path:b", "path:c", "path:d"]);
        assert!(!part.good_is_old);
    }

    #[test]
    fn ends_that_are_none_are_said_so() {
        assert!(
            list(Some("path:x"), None)
                .unwrap_err()
                .starts_with("`path:x` is not in ")
        );
        assert_eq!(
            list(Some("path:b"), Some("path:b")).unwrap_err(),
            "both ends are path:b: there is nothing between them"
        );
    }
}
