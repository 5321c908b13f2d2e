//! The real archive, as apt on this machine is configured with it.

use std::path::PathBuf;
use std::sync::Arc;

use tunfarm_images::{Archive, ArchiveOptions, Cache, Image, Kernel, Step, ToolSet};

fn archive() -> Archive {
    let cache = Cache::open(&Cache::default_dir()).unwrap();
    let show = |step: Step<'_>| match step {
        Step::Fetching { .. } => {}
        step => println!("{step:?}"),
    };
    Archive::open(&ArchiveOptions::default(), cache, Arc::new(show)).unwrap()
}

fn kernel(archive: &Archive, spec: &str) -> Kernel {
    let start = std::time::Instant::now();
    let kernel = archive
        .kernel(&spec.parse().unwrap())
        .unwrap_or_else(|e| panic!("{spec}: {e}"));
    let modules = kernel.modules.as_ref().unwrap();
    let size = std::fs::metadata(&modules.path).unwrap().len();
    println!(
        "{spec}: {} from {:?}, {} modules, {size} bytes, {:?}",
        kernel.label,
        kernel.origin,
        modules.names.len(),
        start.elapsed()
    );
    for name in ["tun", "tcp_diag", "inet_diag"] {
        assert!(
            modules.names.iter().any(|module| module == name),
            "{spec} has no {name}"
        );
    }
    kernel
}

/// Stands in for the guest, which another crate builds: any file will do.
fn guest() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[test]
fn the_newest_cloud_kernels_become_images() {
    let archive = archive();
    let tools = archive.tools(ToolSet::Standard).unwrap();
    for spec in [
        "debian:bullseye-security",
        "debian:bookworm-security",
        "debian:trixie-security",
        "debian:trixie-backports",
        "debian:sid",
        "debian:experimental",
    ] {
        let kernel = kernel(&archive, spec);
        let image = Image::build(archive.cache(), &kernel, Some(&tools), &guest()).unwrap();
        let again = Image::build(archive.cache(), &kernel, Some(&tools), &guest()).unwrap();
        assert_eq!(image, again);
        println!("{}: {} bytes", image.label, image.initramfs_size);
    }
}
