//! Builds every shipped edit, and drivers that cannot be built, for real kernels out of the
//! archive. Needs the network and bwrap; what is fetched and built stays in the user's cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tunfarm_drivers::archive::{DebianPackages, PackageSource, suites_of};
use tunfarm_drivers::{
    DoesNotApply, DriverModule, DriverSpec, Drivers, Error, Origin, TargetKernel, edit, modinfo,
};
use tunfarm_images::{Archive, ArchiveOptions, Cache, Package};

fn cache() -> Cache {
    Cache::open(&Cache::default_dir()).unwrap()
}

fn archive() -> Archive {
    Archive::open(&ArchiveOptions::default(), cache(), Arc::new(())).unwrap()
}

/// The newest cloud kernel of `suite` whose release begins with `series` and whose source the
/// archive lists.
fn newest(
    packages: &dyn PackageSource,
    archive: &Archive,
    suite: &str,
    series: &str,
) -> TargetKernel {
    let prefix = format!("linux-headers-{series}");
    let listed = archive
        .linux_packages(&archive.suite(suite).unwrap())
        .unwrap();
    let source = format!("linux-source-{series}");
    let sources = packages.packages(&source, &suites_of(suite)).unwrap();
    let has_source = |p: &&Package| sources.iter().any(|s| s.version == p.version);
    let newest = listed
        .iter()
        .filter(|p| p.name.starts_with(&prefix) && p.name.ends_with("-cloud-amd64"))
        .filter(|p| p.name.bytes().filter(|b| *b == b'.').count() > 1)
        .filter(has_source)
        .max_by(|a, b| tunfarm_images::version::compare(&a.version, &b.version))
        .unwrap_or_else(|| panic!("{suite} has no cloud kernel {series} with source"));
    TargetKernel {
        release: newest.name["linux-headers-".len()..].to_owned(),
        origin: Origin::Package {
            suite: suite.to_owned(),
            version: newest.version.clone(),
        },
    }
}

fn check(module: &DriverModule, kernel: &TargetKernel) {
    let [(name, data)] = module.files.as_slice() else {
        panic!("{}: one module expected", module.label);
    };
    assert_eq!(name, "tun.ko");
    let info = modinfo::ModInfo::check(data, &kernel.release).unwrap();
    assert_eq!(info.name.as_deref(), Some("tun"));
}

fn every_edit_builds(suite: &str, series: &str) {
    let archive = archive();
    let packages = DebianPackages::new(&archive);
    let drivers = Drivers::new(&packages, cache());
    let kernel = newest(&packages, &archive, suite, series);
    let mut modules = Vec::new();
    for edit in edit::shipped().unwrap() {
        let spec = DriverSpec::Edit(edit.name.clone());
        let built = drivers.build(&spec, &kernel);
        if edit.name == "orphan" {
            // A fix for kernels that lack the line; every kernel here has it.
            assert!(
                matches!(built, Err(Error::DoesNotApply { .. })),
                "{built:?}"
            );
            continue;
        }
        let module = built.unwrap_or_else(|e| panic!("{} {}: {e}", kernel.release, edit.name));
        println!(
            "{} {}: {} bytes, {:.1} s{}",
            kernel.release,
            module.label,
            module.files[0].1.len(),
            module.build_s,
            if module.cached { " (cached)" } else { "" }
        );
        check(&module, &kernel);
        let again = drivers.build(&spec, &kernel).unwrap();
        assert!(again.cached);
        assert_eq!(again.files, module.files);
        modules.push(module.sha256);
    }
    modules.sort();
    modules.dedup();
    assert_eq!(
        modules.len(),
        edit::SHIPPED.len() - 1,
        "no two edits give the same module"
    );
}

/// Of one kernel here; the confusion matrix of the runner's tests builds them for one of each suite.
#[test]
fn every_edit_builds_for_7_3() {
    every_edit_builds("trixie-backports", "7.3");
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A patch made of an edit fits, one that is wrong is told with its place, on a real kernel.
#[test]
fn patches_fit_fail_to_fit_and_fail_to_compile() {
    let archive = archive();
    let packages = DebianPackages::new(&archive);
    let drivers = Drivers::new(&packages, cache());
    let kernel = newest(&packages, &archive, "trixie-security", "6.12");
    let folder = tempfile::tempdir().unwrap();
    let diff = drivers
        .diff(&DriverSpec::Edit("no-orphan".into()), &kernel)
        .unwrap();

    let mail =
        format!("From 1 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n{diff}-- \n2\n");
    let fits = write(folder.path(), "0001-fits.patch", &mail);
    let module = drivers
        .build(&DriverSpec::Patch(vec![fits]), &kernel)
        .unwrap();
    assert_eq!(module.label, "patch-0001-fits");
    check(&module, &kernel);
    let edited = drivers
        .build(&DriverSpec::Edit("no-orphan".into()), &kernel)
        .unwrap();
    assert_eq!(
        module.sha256, edited.sha256,
        "the same source gives the same module"
    );

    let misfit = write(
        folder.path(),
        "misfit.patch",
        &diff.replace("-\tskb_orphan(skb)", "-\tskb_orphan(sbk)"),
    );
    let error = drivers
        .build(&DriverSpec::Patch(vec![misfit]), &kernel)
        .unwrap_err();
    let Error::DoesNotApply { why, .. } = &error else {
        panic!("{error}")
    };
    assert!(matches!(**why, DoesNotApply::Patch(_)));
    assert!(
        error
            .to_string()
            .contains("hunk 1 of 1 does not fit drivers/net/tun.c"),
        "{error}"
    );
    assert!(error.to_string().contains("\tskb_orphan(skb);"), "{error}");

    // As many lines as before, one of them with a name that does not exist.
    let misspelt = diff.replace(
        "-\tskb_orphan(skb);\n",
        "-\tskb_orphan(skb);\n+\tskb_orphan(sbk);\n",
    );
    let header = misspelt.lines().find(|l| l.starts_with("@@")).unwrap();
    let old = header.split(' ').nth(1).unwrap().trim_start_matches('-');
    let text = misspelt.replace(header, &format!("@@ -{old} +{old} @@"));
    let broken = write(folder.path(), "broken.patch", &text);
    let error = drivers
        .build(&DriverSpec::Patch(vec![broken]), &kernel)
        .unwrap_err();
    let Error::DoesNotCompile { first, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(first.file, "drivers/net/tun.c");
    assert!(
        first.line > 1000 && first.message.contains("sbk"),
        "{error}"
    );
}

/// A module of one kernel is refused for another before anything tries to load it.
#[test]
fn a_module_of_another_kernel_is_refused() {
    let archive = archive();
    let packages = DebianPackages::new(&archive);
    let drivers = Drivers::new(&packages, cache());
    let kernel = newest(&packages, &archive, "trixie-security", "6.12");
    let built = drivers
        .build(&DriverSpec::Edit("leak".into()), &kernel)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tun.ko");
    std::fs::write(&path, &built.files[0].1).unwrap();
    let spec = DriverSpec::Ko(path);
    assert_eq!(drivers.build(&spec, &kernel).unwrap().sha256, built.sha256);
    let other = TargetKernel {
        release: "7.3.4+deb13-cloud-amd64".into(),
        origin: Origin::None,
    };
    let error = drivers.build(&spec, &other).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(&format!("it was built for {}", kernel.release)),
        "{error}"
    );
}
