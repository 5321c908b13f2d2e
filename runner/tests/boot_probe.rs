//! `tunfarm kernels probe` on the archive's kernels, as golden output: a kernel that lost
//! something the farm uses, and a farm that does not see what is there, both show.

mod common;
#[path = "common/packages.rs"]
mod packages;

use common::{Ended, tunfarm};

/// With the name each has among the golden files.
const KERNELS: [(&str, &str); 16] = [
    ("bullseye-cloud", "debian:bullseye/cloud"),
    ("bullseye-generic", "debian:bullseye/generic"),
    ("bullseye-rt", "debian:bullseye/rt"),
    ("bookworm-cloud", "debian:bookworm/cloud"),
    ("bookworm-generic", "debian:bookworm/generic"),
    ("bookworm-rt", "debian:bookworm/rt"),
    ("trixie-cloud", "debian:trixie/cloud"),
    ("trixie-generic", "debian:trixie/generic"),
    ("trixie-rt", "debian:trixie/rt"),
    ("trixie-backports-cloud", "debian:trixie-backports/cloud"),
    (
        "trixie-backports-generic",
        "debian:trixie-backports/generic",
    ),
    ("trixie-backports-rt", "debian:trixie-backports/rt"),
    ("6.16-cloud", "debian:6.16-cloud"),
    ("6.17-cloud", "debian:6.17-cloud"),
    ("6.18-cloud", "debian:6.18-cloud"),
    ("7.2-cloud", "debian:7.2-cloud"),
];

fn kernels(what: &str, spec: &str) -> Ended {
    tunfarm(&["kernels", what, spec])
        .output()
        .expect("tunfarm runs")
        .into()
}

#[test]
fn each_kernel_has_what_it_had() {
    let mut settings = insta::Settings::clone_current();
    // Which release of a suite is the newest, and when and by whom it was built, changes.
    settings.add_filter(
        r"(?m)^(kernel +)\d\S*?((?:-cloud|-rt)?-amd64) .*$",
        "$1[version]$2",
    );
    // The second takes over from the first a second after the start, or just after "ready".
    settings.add_filter("tsc-early", "tsc");
    let mut probed = 0;
    for (name, spec) in KERNELS {
        // A point release leaves the archive one day, a suite does not.
        if !spec.contains('/') && kernels("which", spec).status == 3 {
            eprintln!("{spec} is not to be had any more");
            continue;
        }
        let ended = kernels("probe", spec);
        assert_eq!(ended.status, 0, "{spec}: {}", ended.stderr);
        settings.bind(|| insta::assert_snapshot!(name, ended.stdout));
        probed += 1;
    }
    assert!(probed >= 12, "{probed}");
}

#[test]
fn modules_that_are_wanted_first_are_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = packages::unpack(common::KERNEL, dir.path());
    let (vmlinuz, modules) = (files.vmlinuz.display(), files.modules.display());
    let spec = format!("path:{vmlinuz},modules={modules}");
    let plain = kernels("probe", &spec);
    assert_eq!(plain.status, 0, "{}", plain.stderr);
    assert!(!plain.stdout.contains("initrd modules"), "{}", plain.stdout);
    // No guest loads either by itself; sctp is not even part of the image, and needs another one.
    let wanted = kernels("probe", &format!("{spec},initrd-modules=sctp:dummy"));
    assert_eq!(wanted.status, 0, "{}", wanted.stderr);
    let row = wanted
        .stdout
        .lines()
        .find(|l| l.starts_with("initrd modules"));
    let row = row.unwrap_or_else(|| panic!("{}", wanted.stdout));
    assert_eq!(
        row.split_whitespace().skip(2).collect::<Vec<_>>(),
        ["sctp", "dummy"]
    );
}
