//! The driver's source out of a kernel's source package.
//!
//! A source package is 150 MB and holds a compressed tar inside a compressed tar; of it only a
//! handful of files is kept. It is read as a stream, so nothing of the rest touches the disk.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use liblzma::read::XzDecoder;
use serde::{Deserialize, Serialize};

use crate::archive::{Package, PackageSource, is_lost, suites_of};
use crate::kernel::{Origin, TargetKernel};
use crate::store::Store;
use crate::version;
use crate::{Error, Result};

/// The folder of the kernel's source in which tun lives.
pub const DRIVER_FOLDER: &str = "drivers/net";

const KIND: &str = "driver-sources";

/// Files longer than this are no driver source.
const LARGEST_FILE: u64 = 4 << 20;

/// A driver's source files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Files by their path relative to the kernel's source.
    pub files: BTreeMap<PathBuf, String>,
    /// Where they come from, for people: `linux-source-6.12 6.12.117-1`.
    pub from: String,
    /// Set when they are not of exactly this kernel: why, and which they are of.
    pub nearest: Option<String>,
}

/// The source of tun for `kernel`.
///
/// `nearest` says whether the source of another version of the same series will do when the
/// archive has lost this one.
pub fn source_of(
    kernel: &TargetKernel,
    archive: &dyn PackageSource,
    store: &Store,
    nearest: bool,
) -> Result<Source> {
    match &kernel.origin {
        Origin::Package { suite, version } => {
            from_package(kernel, suite, version, archive, store, nearest)
        }
        Origin::Tree { build_dir } => from_tree(kernel, build_dir),
        Origin::None => Err(Error::NoSource {
            kernel: kernel.release.clone(),
            why: "it came without packages; name its configured tree with build_dir".into(),
            nearest: None,
        }),
    }
}

fn from_package(
    kernel: &TargetKernel,
    suite: &str,
    wanted: &str,
    archive: &dyn PackageSource,
    store: &Store,
    nearest: bool,
) -> Result<Source> {
    let missing = |why: String, nearest| Error::NoSource {
        kernel: kernel.release.clone(),
        why,
        nearest,
    };
    let series = kernel
        .series()
        .ok_or_else(|| missing("its release names no series".into(), None))?;
    let name = format!("linux-source-{series}");
    let suites = suites_of(suite);
    let listed = archive.packages(&name, &suites)?;
    let exact = listed.iter().find(|p| p.version == wanted);
    let why = match exact {
        Some(package) => match extract(package, archive, store) {
            Ok(files) => return Ok(source(package, files, None)),
            // An index lists packages whose files are gone.
            Err(lost) if is_lost(&lost) => lost.to_string(),
            Err(other) => return Err(other),
        },
        None => format!("{} has no {name} {wanted}", suites.join(", ")),
    };
    let others = version::by_distance(wanted, listed.iter().filter(|p| p.version != wanted));
    let Some(near) = others.first() else {
        return Err(missing(why, None));
    };
    if !nearest {
        return Err(missing(why, Some(near.version.clone())));
    }
    let files = extract(near, archive, store)?;
    let note = format!("built from {name} {} because {why}", near.version);
    Ok(source(near, files, Some(note)))
}

fn source(package: &Package, files: BTreeMap<PathBuf, String>, nearest: Option<String>) -> Source {
    Source {
        files,
        from: format!("{} {}", package.name, package.version),
        nearest,
    }
}

fn extract(
    package: &Package,
    archive: &dyn PackageSource,
    store: &Store,
) -> Result<BTreeMap<PathBuf, String>> {
    if let Some(files) = store.record(KIND, &package.sha256) {
        return Ok(files);
    }
    let deb = archive.open(package)?;
    let files = read_package(deb).map_err(|e| Error::Package {
        what: format!("{} {}", package.name, package.version),
        why: e.to_string(),
    })?;
    store.put_record(KIND, &package.sha256, &files)?;
    archive.forget(package);
    Ok(files)
}

fn read_package(deb: impl Read) -> io::Result<BTreeMap<PathBuf, String>> {
    let nothing = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    crate::deb::data_of(deb, |data| {
        for entry in tar::Archive::new(data).entries()? {
            let entry = entry?;
            let path = entry.path()?.into_owned();
            if path.extension().is_some_and(|e| e == "xz") && entry.size() > 1 << 20 {
                return read_tree(XzDecoder::new(entry));
            }
        }
        Err(nothing("it holds no packed kernel source"))
    })
}

/// Keeps `drivers/net/tun*` and the headers beside it.
fn read_tree(tree: impl Read) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut tar = tar::Archive::new(tree);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        // The first component is the tree's own name.
        let inside: PathBuf = path
            .components()
            .filter(|c| *c != std::path::Component::CurDir)
            .skip(1)
            .collect();
        if !is_driver_file(&inside) {
            // A folder's files come one after another: behind the driver's there is nothing more.
            if files.keys().any(|f: &PathBuf| f.ends_with("tun.c"))
                && !inside.starts_with(DRIVER_FOLDER)
            {
                break;
            }
            continue;
        }
        if entry.size() > LARGEST_FILE {
            continue;
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        files.insert(inside, String::from_utf8_lossy(&text).into_owned());
    }
    match files.keys().any(|f| f.ends_with("tun.c")) {
        true => Ok(files),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds no drivers/net/tun.c",
        )),
    }
}

/// `tun.c`, its companions, and the headers of its folder.
fn is_driver_file(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    path.parent() == Some(Path::new(DRIVER_FOLDER))
        && (name.ends_with(".h") || (name.starts_with("tun") && name.ends_with(".c")))
}

fn from_tree(kernel: &TargetKernel, build_dir: &Path) -> Result<Source> {
    let folder = build_dir.join(DRIVER_FOLDER);
    let missing = |why: String| Error::NoSource {
        kernel: kernel.release.clone(),
        why,
        nearest: None,
    };
    let entries = std::fs::read_dir(&folder)
        .map_err(|e| missing(format!("cannot list {}: {e}", folder.display())))?;
    let mut files = BTreeMap::new();
    for entry in entries.flatten() {
        let inside = Path::new(DRIVER_FOLDER).join(entry.file_name());
        if is_driver_file(&inside) && entry.metadata().is_ok_and(|m| m.len() <= LARGEST_FILE) {
            let text = std::fs::read(entry.path())
                .map_err(crate::error::io_error("reading", &entry.path()))?;
            files.insert(inside, String::from_utf8_lossy(&text).into_owned());
        }
    }
    if !files.keys().any(|f| f.ends_with("tun.c")) {
        return Err(missing(format!(
            "{} has no tun.c: it holds headers only; give the driver with source:DIR",
            folder.display()
        )));
    }
    Ok(Source {
        files,
        from: build_dir.display().to_string(),
        nearest: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(name.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, name.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn only_the_driver_is_kept() {
        let bytes = tree(&[
            "linux-6.12/arch/x86/tun.c",
            "linux-6.12/drivers/net/tap.c",
            "linux-6.12/drivers/net/tun.c",
            "linux-6.12/drivers/net/tun_vnet.h",
            "linux-6.12/drivers/net/usb/tun.c",
            "linux-6.12/drivers/nvme/tun.c",
        ]);
        let files = read_tree(&bytes[..]).unwrap();
        let names: Vec<_> = files.keys().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(names, ["drivers/net/tun.c", "drivers/net/tun_vnet.h"]);
        assert_eq!(
            files[Path::new("drivers/net/tun.c")],
            "linux-6.12/drivers/net/tun.c"
        );
    }

    #[test]
    fn a_tree_without_tun_is_refused() {
        let bytes = tree(&["linux-6.12/drivers/net/tap.c"]);
        assert!(
            read_tree(&bytes[..])
                .unwrap_err()
                .to_string()
                .contains("tun.c")
        );
    }
}
