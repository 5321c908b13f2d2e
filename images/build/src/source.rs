//! A kernel's source out of its package.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use liblzma::read::XzDecoder;
use tunfarm_images::{Archive, Package, version};

use crate::{BuildError, Result};

/// Folders of which only what is no C is kept: the farm's kernels have nothing of them, and they
/// are more than half of a source.
const UNUSED: [&str; 7] = [
    "drivers/gpu/",
    "drivers/media/",
    "drivers/net/ethernet/",
    "drivers/net/wireless/",
    "drivers/scsi/",
    "drivers/staging/",
    "sound/",
];

/// The newest `linux-source-SERIES` of a suite.
pub fn source_package(archive: &Archive, suite: &str, series: &str) -> Result<Package> {
    let name = format!("linux-source-{series}");
    let listed = archive.linux_packages(&archive.suite(suite)?)?;
    listed
        .into_iter()
        .filter(|package| package.name == name)
        .max_by(|a, b| version::compare(&a.version, &b.version))
        .ok_or_else(|| BuildError::NoPackage {
            name,
            suite: suite.to_owned(),
        })
}

/// Fetches a source package, verified, and unpacks of it into `dir` what a minimal kernel for
/// x86-64 is built from.
pub fn unpack_source(archive: &Archive, package: &Package, dir: &Path) -> Result<()> {
    let path = archive.fetch(package)?;
    let file = File::open(&path).map_err(BuildError::io("opening", &path))?;
    unpack_package(BufReader::new(file), dir).map_err(BuildError::io("unpacking", &path))
}

/// A package holds a tar, in which there is a packed tar with the source.
fn unpack_package(deb: impl Read, dir: &Path) -> io::Result<()> {
    let mut members = ar::Archive::new(deb);
    while let Some(member) = members.next_entry() {
        let member = member?;
        match member.header().identifier() {
            b"data.tar" => return unpack_data(member, dir),
            b"data.tar.xz" => return unpack_data(XzDecoder::new(member), dir),
            _ => {}
        }
    }
    Err(invalid("it has no data.tar or data.tar.xz"))
}

fn unpack_data(data: impl Read, dir: &Path) -> io::Result<()> {
    for entry in tar::Archive::new(data).entries()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path.to_string_lossy();
        if name.contains("/linux-source-") && name.ends_with(".tar.xz") {
            return unpack_tree(XzDecoder::new_multi_decoder(entry), dir);
        }
    }
    Err(invalid("it holds no packed kernel source"))
}

fn unpack_tree(tree: impl Read, dir: &Path) -> io::Result<()> {
    let mut files = 0_usize;
    for entry in tar::Archive::new(tree).entries()? {
        let mut entry = entry?;
        let Some(inside) = inside(&entry.path()?) else {
            continue;
        };
        if !is_needed(&inside) {
            continue;
        }
        let there = dir.join(&inside);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            std::fs::create_dir_all(&there)?;
            continue;
        }
        if let Some(parent) = there.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if kind.is_symlink() {
            if let Some(to) = entry.link_name()? {
                std::os::unix::fs::symlink(to, &there)?;
            }
        } else if kind.is_file() {
            let _ = entry.unpack(&there)?;
            files += 1;
        }
    }
    // Every Kconfig file is read, also the documentation's own.
    let documentation = dir.join("Documentation");
    if files > 0 && !documentation.join("Kconfig").exists() {
        std::fs::create_dir_all(&documentation)?;
        std::fs::write(documentation.join("Kconfig"), "")?;
    }
    match files {
        0 => Err(invalid("its kernel source is empty")),
        _ => Ok(()),
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The path in the tree, of a path that begins with the tree's own name; nothing for one that
/// leads out of it.
fn inside(path: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = path
        .components()
        .filter(|c| *c != Component::CurDir)
        .collect();
    let plain = parts.iter().all(|c| matches!(c, Component::Normal(_)));
    (plain && parts.len() > 1).then(|| parts[1..].iter().collect())
}

/// Whether a minimal kernel's build reads this file.
fn is_needed(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let name = path.file_name().map(|n| n.to_string_lossy());
    let named = |what: &str| name.as_ref().is_some_and(|n| n.starts_with(what));
    let kconfig = named("Kconfig");
    // A folder's makefile may include another architecture's, and is read even where nothing in
    // the folder is built.
    let makefile = named("Makefile") || named("Kbuild");
    let c = path.extension().is_some_and(|e| e == "c" || e == "h");
    if let Some(rest) = text.strip_prefix("arch/") {
        return kconfig || makefile || rest.starts_with("x86/") || !rest.contains('/');
    }
    if text.starts_with("Documentation/") {
        return kconfig;
    }
    if text.starts_with("tools/testing/") {
        return false;
    }
    !(c && UNUSED.iter().any(|folder| text.starts_with(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_minimal_kernel_is_made_of_is_kept() {
        for needed in [
            "Makefile",
            "arch/Kconfig",
            "arch/x86/boot/Makefile",
            "arch/arm/Kconfig",
            "arch/um/scripts/Makefile.rules",
            "Documentation/Kconfig",
            "drivers/net/tun.c",
            "drivers/net/ethernet/Makefile",
            "net/ipv4/tcp.c",
            "tools/objtool/check.c",
        ] {
            assert!(is_needed(Path::new(needed)), "{needed}");
        }
        for other in [
            "arch/arm/kernel/setup.c",
            "Documentation/index.rst",
            "drivers/gpu/drm/drm_drv.c",
            "drivers/net/ethernet/intel/e1000/e1000.h",
            "sound/core/init.c",
            "tools/testing/selftests/Makefile",
        ] {
            assert!(!is_needed(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn nothing_is_written_outside_of_the_tree() {
        assert_eq!(
            inside(Path::new("./linux-6.12/net/a.c")),
            Some("net/a.c".into())
        );
        assert_eq!(inside(Path::new("linux-6.12/../../etc/passwd")), None);
        assert_eq!(inside(Path::new("/etc/passwd")), None);
        assert_eq!(inside(Path::new("linux-6.12")), None);
    }
}
