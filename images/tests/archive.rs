//! Kernels from an archive that misbehaves: a local server, real signatures, real packages.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Fault, Server, data};
use tunfarm_images::{
    Archive, ArchiveOptions, Cache, Error, Image, Kernel, KernelSpec, Result, Step,
};

/// A server, a cache, and what the archive reported.
struct World {
    server: Server,
    cache: tempfile::TempDir,
    notes: Arc<Mutex<Vec<String>>>,
}

const OLD: &str = "linux-image-6.1.0-1-cloud-amd64_6.1.10-1_amd64.deb";

impl World {
    fn new() -> World {
        let cache = tempfile::tempdir().unwrap();
        World {
            server: Server::start(),
            cache,
            notes: Arc::default(),
        }
    }

    fn options(&self) -> ArchiveOptions {
        ArchiveOptions {
            mirror: Some(self.server.mirror()),
            keyring: Some(data("archive.gpg")),
            fresh_for: Some(Duration::ZERO),
        }
    }

    fn open(&self, options: &ArchiveOptions) -> Archive {
        let notes = self.notes.clone();
        let report = move |step: Step<'_>| {
            if let Step::Note { text } = step {
                notes.lock().unwrap().push(text.to_owned());
            }
        };
        let cache = Cache::open(self.cache.path()).unwrap();
        Archive::open(options, cache, Arc::new(report)).unwrap()
    }

    fn kernel(&self, spec: &str) -> Result<Kernel> {
        self.open(&self.options()).kernel(&spec.parse().unwrap())
    }

    fn noted(&self, part: &str) -> bool {
        self.notes
            .lock()
            .unwrap()
            .iter()
            .any(|note| note.contains(part))
    }

    /// Files of the cache that are not finished.
    fn unfinished(&self) -> Vec<PathBuf> {
        ["tmp", "partial"]
            .iter()
            .flat_map(|dir| fs::read_dir(self.cache.path().join(dir)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

/// The text of the module index in a kernel's cpio archive.
fn index(kernel: &Kernel) -> String {
    let cpio = fs::read(&kernel.modules.as_ref().unwrap().path).unwrap();
    let text = String::from_utf8_lossy(&cpio);
    let start = text.find("inet_diag\t").unwrap();
    text[start..]
        .split("070701")
        .next()
        .unwrap()
        .trim_end_matches('\0')
        .to_owned()
}

#[test]
fn the_newest_kernel_whose_files_are_there_is_taken() {
    let world = World::new();
    let kernel = world.kernel("debian:sid").unwrap();
    assert_eq!(kernel.label, "6.1.0-1-cloud-amd64");
    assert!(world.noted("6.1.0-2-cloud-amd64 is listed in sid but its files are gone (404)"));
    let origin = kernel.origin.as_ref().unwrap();
    assert_eq!(
        (&*origin.version, &*origin.source_version),
        ("6.1.10-1", "6.1.10+1")
    );
    assert_eq!(
        kernel.modules.as_ref().unwrap().names,
        ["inet_diag", "tcp_diag", "tun"]
    );
    assert_eq!(
        index(&kernel),
        "inet_diag\t/lib/modules/6.1.0-1-cloud-amd64/kernel/net/ipv4/inet_diag.ko\t\t\n\
         tcp_diag\t/lib/modules/6.1.0-1-cloud-amd64/kernel/net/ipv4/tcp_diag.ko\tinet_diag\t\
         net-pf-16-proto-4-type-2-6\n\
         tun\t/lib/modules/6.1.0-1-cloud-amd64/kernel/drivers/net/tun.ko\t\tdevname:net/tun\n\
         unix\tbuiltin\t\t\n"
    );
    assert_eq!(fs::read(kernel.config.unwrap()).unwrap(), b"CONFIG_TUN=m\n");
    assert_eq!(world.unfinished(), [""; 0].map(PathBuf::from));
}

#[test]
fn a_kernel_in_several_packages_is_put_together() {
    let world = World::new();
    let kernel = world.kernel("debian:experimental").unwrap();
    assert_eq!(kernel.label, "7.3.4-cloud-amd64");
    assert_eq!(kernel.modules.unwrap().names.len(), 3);
    assert!(kernel.config.is_some());
    assert_eq!(
        world.server.requests("linux-image-7").len(),
        0,
        "the shell is of no use"
    );
}

#[test]
fn every_kernel_of_every_suite_is_listed_and_found_by_its_version() {
    let world = World::new();
    let archive = world.open(&world.options());
    let kernels = archive.kernels().unwrap();
    let specs: Vec<String> = kernels
        .iter()
        .map(|offer| offer.spec().to_string())
        .collect();
    assert_eq!(
        specs,
        [
            "debian:6.1.0-1-cloud",
            "debian:6.1.0-2-cloud",
            "debian:7.3.4-cloud"
        ]
    );
    let which = |spec: &str| archive.which(&spec.parse().unwrap());
    assert_eq!(
        which("debian:7.3-cloud").unwrap().release,
        "7.3.4-cloud-amd64"
    );
    assert_eq!(
        which("debian:6.1-cloud").unwrap().release,
        "6.1.0-1-cloud-amd64"
    );
    let gone = which("debian:6.1.0-2-cloud").unwrap_err().to_string();
    assert!(gone.contains("gone (404)"), "{gone}");
    let never = which("debian:6.5.0-cloud").unwrap_err().to_string();
    assert!(
        never.ends_with("nearest: `debian:6.1.0-2-cloud`, `debian:7.3.4-cloud`"),
        "{never}"
    );
    let rt = which("debian:sid/rt").unwrap_err().to_string();
    assert!(rt.contains("sid has no rt kernel"), "{rt}");
    assert_eq!(world.server.requests("GET /debian/pool"), [""; 0]);
}

#[test]
fn a_second_run_fetches_nothing_and_works_without_the_network() {
    let world = World::new();
    let first = world.kernel("debian:experimental").unwrap();
    let fetched = world.server.requests("GET").len();
    assert_eq!(world.kernel("debian:experimental").unwrap(), first);
    let again = world.server.requests("GET").split_off(fetched);
    assert_eq!(again, ["GET /debian/dists/experimental/InRelease from 0"]);

    let options = world.options();
    let World {
        server,
        cache,
        notes,
    } = world;
    drop(server);
    let world = World {
        server: Server::start(),
        cache,
        notes,
    };
    let offline = world.open(&options).kernel(&first.spec).unwrap();
    assert_eq!(offline, first);
    assert!(world.noted("using the index of experimental as it was 0 minutes ago"));
}

#[test]
fn a_fresh_index_is_used_without_asking() {
    let world = World::new();
    let options = ArchiveOptions {
        fresh_for: None,
        ..world.options()
    };
    for _ in 0..2 {
        world
            .open(&options)
            .kernel(&"debian:experimental".parse().unwrap())
            .unwrap();
        assert!(matches!(
            world.open(&options).suite("forky"),
            Err(Error::NoSuite { .. })
        ));
    }
    assert_eq!(world.server.requests("experimental/InRelease").len(), 1);
    assert_eq!(world.server.requests("forky/InRelease").len(), 1);
}

#[test]
fn a_suite_that_fails_is_left_out_of_the_list() {
    let world = World::new();
    world.server.fault("sid/InRelease", Fault::Damaged, 1);
    let archive = world.open(&world.options());
    assert_eq!(archive.kernels().unwrap().len(), 1);
    assert!(world.noted("the kernels of sid are left out"));
    for suite in ["sid", "experimental"] {
        world
            .server
            .fault(&format!("{suite}/InRelease"), Fault::Gone, 1);
    }
    let error = archive.kernels().unwrap_err();
    assert!(matches!(error, Error::NoSuite { .. }), "{error}");
}

#[test]
fn no_network_is_said_so() {
    let world = World::new();
    let options = world.options();
    let World {
        server,
        cache,
        notes,
    } = world;
    drop(server);
    let world = World {
        server: Server::start(),
        cache,
        notes,
    };
    let error = world
        .open(&options)
        .kernel(&"debian:sid".parse().unwrap())
        .unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
    assert!(error.to_string().contains("check the network"), "{error}");
}

#[test]
fn an_unknown_suite_names_the_nearest() {
    let error = World::new().kernel("debian:bokworm").unwrap_err();
    assert!(matches!(error, Error::NoSuite { .. }));
    assert!(
        error.to_string().ends_with("did you mean `bookworm`?"),
        "{error}"
    );
}

#[test]
fn signatures_are_checked() {
    let world = World::new();
    let by = |keyring: PathBuf| {
        let options = ArchiveOptions {
            keyring: Some(keyring),
            ..world.options()
        };
        world.open(&options).suite("sid").map(drop).unwrap_err()
    };
    let stranger = by(data("stranger.gpg"));
    assert!(matches!(stranger, Error::Signature { .. }));
    assert!(
        stranger.to_string().contains("not in the keyring"),
        "{stranger}"
    );
    assert!(matches!(by(data("none.gpg")), Error::NoKeyring { .. }));

    for fault in [Fault::Damaged, Fault::Short(200), Fault::Short(0)] {
        world.server.fault("sid/InRelease", fault.clone(), 1);
        let error = world
            .open(&world.options())
            .suite("sid")
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(error, Error::Signature { .. }),
            "{fault:?}: {error}"
        );
    }
    assert!(world.open(&world.options()).suite("sid").is_ok());
}

#[test]
fn an_index_past_its_date_is_noted() {
    let world = World::new();
    world.open(&world.options()).suite("sid").unwrap();
    let checked = tunfarm_images::apt::AptConfig::system() == Default::default();
    // On a machine whose apt does not check the date, neither do we.
    assert!(world.noted("was valid until Tue, 14 Nov 2023") || !checked);
}

#[test]
fn wrong_bytes_are_refused_and_nothing_stays() {
    let world = World::new();
    world.server.fault(OLD, Fault::Damaged, 1);
    let error = world.kernel("debian:6.1.0-1-cloud").unwrap_err();
    assert!(matches!(error, Error::WrongHash { .. }), "{error}");
    assert_eq!(world.unfinished(), [""; 0].map(PathBuf::from));

    world.server.fault(OLD, Fault::Short(100), 1);
    let error = world.kernel("debian:6.1.0-1-cloud").unwrap_err();
    assert!(
        matches!(error, Error::Truncated { got: 100, .. }),
        "{error}"
    );
    assert_eq!(world.unfinished(), [""; 0].map(PathBuf::from));
    world.kernel("debian:6.1.0-1-cloud").unwrap();
}

#[test]
fn a_damaged_index_is_refused() {
    let world = World::new();
    let list = fs::read_dir(data("dists/sid/main/binary-amd64/by-hash/SHA256")).unwrap();
    let name = list
        .last()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    world.server.fault(&name, Fault::Damaged, 1);
    let error = world.kernel("debian:sid").unwrap_err();
    assert!(matches!(error, Error::WrongHash { .. }), "{error}");
}

#[test]
fn a_broken_connection_is_resumed() {
    let world = World::new();
    world.server.fault(OLD, Fault::Cut(700), 2);
    world.kernel("debian:6.1.0-1-cloud").unwrap();
    let requests = world
        .server
        .requests(&format!("GET /debian/pool/main/l/linux-signed-amd64/{OLD}"));
    let from: Vec<_> = requests
        .iter()
        .map(|r| r.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(from, ["0", "700", "1400"]);
}

#[test]
fn a_download_cut_off_is_taken_up_by_the_next_run() {
    let world = World::new();
    world.server.fault(OLD, Fault::Cut(400), 3);
    let error = world.kernel("debian:6.1.0-1-cloud").unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
    assert_eq!(world.unfinished().len(), 1);
    world.kernel("debian:6.1.0-1-cloud").unwrap();
    assert!(
        world
            .server
            .requests(OLD)
            .last()
            .unwrap()
            .ends_with("from 1200")
    );
    assert_eq!(world.unfinished(), [""; 0].map(PathBuf::from));
}

#[test]
fn a_server_that_cannot_resume_is_read_from_the_beginning() {
    let world = World::new();
    world.server.fault(OLD, Fault::Cut(700), 1);
    world.server.fault(OLD, Fault::NoRanges, 1);
    world.kernel("debian:6.1.0-1-cloud").unwrap();
}

#[test]
fn a_spoilt_beginning_is_fetched_again() {
    let world = World::new();
    world.server.fault(OLD, Fault::Cut(400), 3);
    world.kernel("debian:6.1.0-1-cloud").unwrap_err();
    let [left] = &world.unfinished()[..] else {
        panic!("one partial download")
    };
    fs::write(left, vec![0; 400]).unwrap();
    world.kernel("debian:6.1.0-1-cloud").unwrap();
}

#[test]
fn a_passing_server_error_is_waited_out_and_a_lasting_one_named() {
    let world = World::new();
    world.server.fault(OLD, Fault::Status(503), 2);
    world.kernel("debian:6.1.0-1-cloud").unwrap();
    let world = World::new();
    world.server.fault("InRelease", Fault::Status(403), 1);
    let error = world
        .open(&world.options())
        .suite("experimental")
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, Error::Status { status: 403, .. }),
        "{error}"
    );
}

#[test]
fn two_runs_at_once_agree() {
    let world = World::new();
    let spec: KernelSpec = "debian:experimental".parse().unwrap();
    let kernels: Vec<Kernel> = std::thread::scope(|scope| {
        let run = || world.open(&world.options()).kernel(&spec).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(kernels.iter().all(|kernel| *kernel == kernels[0]));
    assert_eq!(world.unfinished(), [""; 0].map(PathBuf::from));
}

#[test]
fn a_damaged_cache_is_mended() {
    let world = World::new();
    let first = world.kernel("debian:experimental").unwrap();
    for path in [&first.vmlinuz, &first.modules.as_ref().unwrap().path] {
        fs::remove_file(path).unwrap();
        fs::write(path, "damaged").unwrap();
        assert_eq!(world.kernel("debian:experimental").unwrap(), first);
        assert_ne!(fs::read(path).unwrap(), b"damaged");
    }
}

#[test]
fn packages_and_files_of_ones_own() {
    let world = World::new();
    let cache = Cache::open(world.cache.path()).unwrap();
    let local = |spec: &str| Kernel::local(&cache, &(), &spec.parse().unwrap());
    let deb = |name: &str| {
        let signed = data("pool/main/l/linux-signed-amd64").join(name);
        if signed.exists() {
            signed
        } else {
            data("pool/main/l/linux").join(name)
        }
    };
    let binary = deb("linux-binary-7.3.4-cloud-amd64_7.3.4-1_amd64.deb");
    let modules = deb("linux-modules-7.3.4-cloud-amd64_7.3.4-1_amd64.deb");
    let kernel = local(&format!("deb:{},{}", binary.display(), modules.display())).unwrap();
    assert_eq!(kernel.modules.as_ref().unwrap().names.len(), 3);
    let shell = deb("linux-image-7.3.4-cloud-amd64_7.3.4-1_amd64.deb");
    let error = local(&format!("deb:{}", shell.display()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("linux-binary-"), "{error}");

    let bare = local(&format!("path:{}", kernel.vmlinuz.display())).unwrap();
    assert_eq!(
        (bare.label, bare.modules),
        ("7.3.4-cloud-amd64".to_owned(), None)
    );
    assert_eq!(bare.vmlinuz_sha256, kernel.vmlinuz_sha256);
    let no_kernel = local(&format!("path:{}", binary.display())).unwrap_err();
    assert!(matches!(no_kernel, Error::NotAKernel { .. }), "{no_kernel}");
    assert!(matches!(
        local("path:/nonexistent").unwrap_err(),
        Error::Io { .. }
    ));
    assert!(matches!(
        local("debian:sid").unwrap_err(),
        Error::NoKernel { .. }
    ));
}

#[test]
fn a_module_tree_of_ones_own() {
    let world = World::new();
    let cache = Cache::open(world.cache.path()).unwrap();
    let vmlinuz = world.kernel("debian:experimental").unwrap().vmlinuz;
    let tree = tempfile::tempdir().unwrap();
    let release = tree.path().join("lib/modules/7.3.4-cloud-amd64");
    fs::create_dir_all(release.join("extra")).unwrap();
    // `build` leads to a kernel tree, and that may lead anywhere.
    std::os::unix::fs::symlink("/", release.join("build")).unwrap();
    let deb = data("pool/main/l/linux/linux-modules-7.3.4-cloud-amd64_7.3.4-1_amd64.deb");
    let unpacked = tree.path().join("unpacked");
    let status = std::process::Command::new("dpkg-deb")
        .arg("-x")
        .arg(&deb)
        .arg(&unpacked)
        .status();
    assert!(status.unwrap().success());
    let own = unpacked.join("usr/lib/modules/7.3.4-cloud-amd64/kernel/drivers/net/tun.ko");
    fs::copy(own, release.join("extra/tun.ko")).unwrap();
    let local = |more: &str| {
        let (vmlinuz, tree) = (vmlinuz.display(), tree.path().display());
        let spec = format!("path:{vmlinuz},modules={tree}{more}")
            .parse()
            .unwrap();
        Kernel::local(&cache, &(), &spec)
    };
    assert_eq!(local("").unwrap().modules.unwrap().names, ["tun"]);
    let loaded = local(",initrd-modules=tun").unwrap();
    let cpio = fs::read(loaded.modules.unwrap().path).unwrap();
    assert!(String::from_utf8_lossy(&cpio).contains("usr/lib/modules/load\0"));
    let missing = local(",initrd-modules=virtio").unwrap_err().to_string();
    assert!(missing.contains("virtio"), "{missing}");
}

#[test]
fn an_image_is_the_same_bytes_wherever_it_is_made() {
    let guest = data("archive.gpg");
    let build = |guest: &Path| {
        let world = World::new();
        let kernel = world.kernel("debian:experimental").unwrap();
        let cache = Cache::open(world.cache.path()).unwrap();
        let image = Image::build(&cache, &kernel, None, guest).unwrap();
        (
            image.digest.clone(),
            fs::read(&image.initramfs).unwrap(),
            image.initramfs_size,
        )
    };
    let (one, other) = (build(&guest), build(&guest));
    assert_eq!(one, other);
    assert_eq!(one.1.len() as u64, one.2);
    assert_ne!(build(&data("stranger.gpg")).0, one.0);
}
