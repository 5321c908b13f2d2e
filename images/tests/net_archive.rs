//! The real archive, as apt on this machine is configured with it.

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
    let kernel = archive
        .kernel(&spec.parse().unwrap())
        .unwrap_or_else(|error| panic!("{spec}: {error}"));
    let names = &kernel.modules.as_ref().unwrap().names;
    for name in ["tun", "tcp_diag", "inet_diag", "sch_netem"] {
        assert!(names.iter().any(|n| n == name), "{spec} has no {name}");
    }
    kernel
}

#[test]
fn the_newest_cloud_kernels_become_images() {
    let archive = archive();
    let tools = archive.tools(ToolSet::Standard).unwrap();
    // Stands in for the binary that another crate builds.
    let guest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    for spec in [
        "debian:bullseye-security",
        "debian:bookworm-security",
        "debian:trixie-security",
        "debian:trixie-backports",
        "debian:6.18-cloud",
        "debian:sid",
        "debian:experimental",
    ] {
        let kernel = kernel(&archive, spec);
        let build = || Image::build(archive.cache(), &kernel, Some(&tools), &guest).unwrap();
        let image = build();
        assert_eq!(image, build());
        let modules = kernel.modules.as_ref().unwrap();
        println!(
            "{spec}: {}, {} modules in {} bytes, initramfs {} bytes",
            image.label,
            modules.names.len(),
            std::fs::metadata(&modules.path).unwrap().len(),
            image.initramfs_size
        );
        // Guests have little memory, and hold it twice while they boot.
        assert!(image.initramfs_size < 64 << 20);
    }
}

#[test]
fn the_archive_has_a_range_to_bisect() {
    let archive = archive();
    let kernels = archive.kernels().unwrap();
    for offer in &kernels {
        println!(
            "{:40} {:24} {}",
            offer.spec(),
            offer.image.version,
            offer.image.suite
        );
    }
    for series in ["5.10.", "6.1.", "6.12.", "6.18.", "7."] {
        let is_of_it = |version: &str| version.starts_with(series);
        assert!(
            kernels.iter().any(|offer| is_of_it(&offer.image.version)),
            "no kernel of {series}"
        );
    }
    assert!(kernels.len() > 50, "{} kernels", kernels.len());
    let sorted = kernels.is_sorted_by(|a, b| {
        tunfarm_images::version::compare(&a.image.version, &b.image.version).is_le()
    });
    assert!(sorted);
    let newest = archive
        .which(&"debian:trixie-backports".parse().unwrap())
        .unwrap();
    println!("newest in trixie-backports: {}", newest.release);
}

#[test]
fn python_is_a_larger_tools_layer() {
    let archive = archive();
    let [plain, python] = [ToolSet::Standard, ToolSet::WithPython].map(|set| {
        let tools = archive.tools(set).unwrap();
        std::fs::metadata(tools.path).unwrap().len()
    });
    println!("tools {plain} bytes, with Python {python} bytes");
    assert!(python > plain);
}
