//! Kernels of the archive taken out of their packages, as somebody has them who built some.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tunfarm_images::{Archive, ArchiveOptions, Cache, KernelSpec};

/// A kernel's files in a folder.
pub struct Files {
    /// Its release.
    pub release: String,
    /// The kernel, `vmlinuz-RELEASE` in the folder.
    pub vmlinuz: PathBuf,
    /// Its modules, `lib/modules/RELEASE` in the folder.
    pub modules: PathBuf,
}

/// Puts the kernel that `spec` means into `dir`.
pub fn unpack(spec: &str, dir: &Path) -> Files {
    let cache = Cache::open(&Cache::default_dir()).expect("the cache");
    let archive = Archive::open(&ArchiveOptions::default(), cache, Arc::new(()));
    let archive = archive.expect("an archive");
    let spec: KernelSpec = spec.parse().expect("a spec");
    let offer = archive.which(&spec).expect("a kernel");
    let release = offer.release;
    let inside = dir.join(format!("packages-{release}"));
    for part in &offer.parts {
        let deb = archive.fetch(part).expect("its package");
        let status = Command::new("dpkg-deb")
            .arg("-x")
            .arg(deb)
            .arg(&inside)
            .status();
        assert!(status.expect("dpkg-deb runs").success());
    }
    // Debian's packages have changed over time in where these are.
    let there = |places: [String; 2]| {
        let mut places = places.into_iter().map(|place| inside.join(place));
        places
            .find(|place| place.exists())
            .unwrap_or_else(|| panic!("{release}: not there"))
    };
    let vmlinuz = there([
        format!("boot/vmlinuz-{release}"),
        format!("usr/lib/modules/{release}/vmlinuz"),
    ]);
    let modules =
        there(["lib/modules", "usr/lib/modules"].map(|place| format!("{place}/{release}")));
    let files = Files {
        vmlinuz: dir.join(format!("vmlinuz-{release}")),
        modules: dir.join("lib/modules").join(&release),
        release,
    };
    std::fs::copy(vmlinuz, &files.vmlinuz).expect("a copy");
    std::fs::create_dir_all(dir.join("lib/modules")).expect("a folder");
    std::fs::rename(modules, &files.modules).expect("it moves");
    std::fs::remove_dir_all(inside).expect("the rest goes");
    files
}
