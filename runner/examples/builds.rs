//! What a step of `tunfarm bisect --git` costs: a minimal kernel's build from nothing, then what
//! it takes to build, boot and run it again after each kind of change.
//!
//! usage: `builds TUNFARM`; `ci/bench --builds` calls it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use tunfarm_build::{Builder, Built, Config, source_package, unpack_source};
use tunfarm_images::{Archive, ArchiveOptions, Cache};

const SUITE: &str = "trixie";
const SERIES: &str = "6.12";

fn main() {
    let tunfarm = std::env::args().nth(1).expect("usage: builds TUNFARM");
    let dir = tempfile::tempdir().expect("a folder");
    let tree = dir.path().join("tree");
    let cache = Cache::open(&Cache::default_dir()).expect("the cache");
    let archive = Archive::open(&ArchiveOptions::default(), cache, Arc::new(()));
    let archive = archive.expect("an archive");
    let package = source_package(&archive, SUITE, SERIES).expect("a source package");
    archive.fetch(&package).expect("the package");
    println!("linux {}, seconds", package.version);
    timed("unpack the source", || {
        unpack_source(&archive, &package, &tree).expect("the source");
    });

    // Nothing that an earlier build has left: no ccache before the first, an empty one after.
    let builder = |name: &str| {
        let builder = Builder::new(&tree, &dir.path().join(name), Config::farm());
        builder
            .expect("a source")
            .with_ccache(&dir.path().join("ccache"))
    };
    let first = builder("first");
    let built = timed("build from nothing", || first.build().expect("a kernel"));
    let size = std::fs::metadata(&built.bzimage).expect("a kernel").len();
    println!("  {:<44} {:8.1} MB", "the kernel", size as f64 / 1e6);
    run(&tunfarm, dir.path(), "boot and run it", &built);
    run(&tunfarm, dir.path(), "run it again", &built);
    timed("build another folder, all from ccache", || {
        builder("second").build().expect("a kernel");
    });
    timed("build, nothing changed", || {
        first.build().expect("a kernel")
    });

    touch(&tree, "drivers/net/tun.c");
    let built = timed("build, tun changed: the module alone", || {
        first.build_module().expect("a module")
    });
    assert!(built.module_only);
    run(&tunfarm, dir.path(), "run it on the same kernel", &built);
    for file in [
        "net/ipv4/tcp_output.c",
        "include/net/tcp.h",
        "include/linux/skbuff.h",
    ] {
        touch(&tree, file);
        let built = timed(&format!("build, {file} changed"), || {
            first.build().expect("a kernel")
        });
        run(
            &tunfarm,
            dir.path(),
            "run it (the same kernel to the byte)",
            &built,
        );
    }
}

/// Does something and says how long it took.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    println!("  {what:<44} {:8.1}", began.elapsed().as_secs_f64());
    done
}

/// A change after which all that reads the file is compiled anew: every line of it moves.
fn touch(tree: &Path, file: &str) {
    let path = tree.join(file);
    let text = std::fs::read_to_string(&path).expect("a source file");
    let text = format!("#define CHANGED_FOR_THE_BENCH 1\n{text}");
    std::fs::write(&path, text).expect("a source file");
}

/// A closing cell on what was built; it has to be clean.
fn run(tunfarm: &str, dir: &Path, what: &str, built: &Built) {
    let keep = |from: &PathBuf, name: &str| {
        let to = dir.join(name);
        std::fs::copy(from, &to).expect("a copy");
        to.display().to_string()
    };
    let kernel = format!("path:{}", keep(&built.bzimage, "bzImage"));
    let driver = match &built.tun {
        Some(tun) => format!("ko:{}", keep(tun, "tun.ko")),
        None => "stock".to_owned(),
    };
    let _ = std::fs::remove_dir_all(dir.join("out"));
    timed(what, || {
        let status = Command::new(tunfarm)
            .args([
                "run", "--kernel", &kernel, "--driver", &driver, "--out", "out",
            ])
            .args([
                "--scenario",
                "closing",
                "--datapath",
                "tun",
                "--datapath",
                "loopback",
            ])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(
            status.expect("tunfarm starts").success(),
            "{what}: not clean"
        );
    });
}
