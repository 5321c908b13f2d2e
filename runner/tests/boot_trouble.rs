//! Everything that can be wrong, each with its message, exit status and no leftovers.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Ended, KERNEL, run_in, tunfarm};
use tunfarm_reports::load;
use tunfarm_reports::model::Status;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The kernel file of the matrix kernel, fetched.
fn vmlinuz() -> String {
    let said: Ended = tunfarm(&["kernels", "fetch", KERNEL])
        .output()
        .expect("tunfarm runs")
        .into();
    assert_eq!(said.status, 0, "{}", said.stderr);
    said.stdout
        .split_whitespace()
        .nth(1)
        .expect("a path")
        .to_owned()
}

#[test]
fn a_file_that_is_no_kernel() {
    let dir = folder();
    let ended = run_in(
        dir.path(),
        "out",
        &["--kernel", "path:/bin/ls", "--driver", "stock"],
    );
    assert_eq!(ended.status, 3, "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("/bin/ls is no bootable x86 kernel: it is an ELF file"),
        "{}",
        ended.stdout
    );
    let run = load(&dir.path().join("out")).expect("results all the same");
    assert!(run.cells.iter().all(|c| c.status == Status::Infra));
}

#[test]
fn a_kernel_without_tun_says_so_before_any_scenario_is_blamed() {
    let dir = folder();
    let kernel = format!("path:{}", vmlinuz());
    let options = [
        "--kernel",
        &kernel,
        "--driver",
        "stock",
        "--scenario",
        "closing",
    ];
    let ended = run_in(dir.path(), "out", &options);
    assert_eq!(ended.status, 3, "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("no TUN: CONFIG_TUN is not set and no tun module was given"),
        "{}",
        ended.stdout
    );
    let run = load(&dir.path().join("out")).expect("results");
    let control = run
        .cells
        .iter()
        .find(|c| c.id.driver == "none")
        .expect("a control");
    assert_eq!(control.status, Status::Clean, "loopback needs no TUN");
}

#[test]
fn a_kernel_that_panics_at_boot_is_named_with_its_panic() {
    let dir = folder();
    // PID 1 that ends is a panic.
    let guest = dir.path().join("guest");
    std::fs::write(&guest, "#!/bin/sh\nexit 3\n").expect("a script");
    std::fs::set_permissions(&guest, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let ended: Ended = tunfarm(&[
        "run", "--out", "out", "--kernel", KERNEL, "--driver", "stock",
    ])
    .env("TUNFARM_GUEST", &guest)
    .current_dir(dir.path())
    .output()
    .expect("tunfarm runs")
    .into();
    assert_eq!(ended.status, 3, "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("the kernel panicked: Kernel panic - not syncing: Attempted to kill init!"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_typo_in_a_script_has_line_column_and_what_was_expected() {
    let dir = folder();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/close/article");
    let script = std::fs::read_to_string(built_in.join("closing.pkt")).expect("a script");
    std::fs::write(
        dir.path().join("typo.pkt"),
        script.replacen("sackOK", "sackOk", 1),
    )
    .expect("written");
    std::fs::copy(built_in.join("closing.yaml"), dir.path().join("typo.yaml")).expect("copied");
    let matrix = format!("kernels: ['{KERNEL}']\nscenario_folders: [.]\nscenarios: [typo]\n");
    std::fs::write(dir.path().join("matrix"), matrix).expect("written");
    let ended = run_in(dir.path(), "out", &["--matrix", "matrix"]);
    assert_eq!(ended.status, 2);
    for part in [
        "typo.pkt:10:38",
        "sackOk",
        "did you mean `sackOK`?",
        "expected one of mss",
    ] {
        assert!(
            ended.stderr.contains(part),
            "{part} is not in {}",
            ended.stderr
        );
    }
    assert!(
        !dir.path().join("out").exists(),
        "nothing is made for what cannot run"
    );
}

#[test]
fn configuration_that_means_nothing_is_said_at_once() {
    let dir = folder();
    std::fs::write(
        dir.path().join("key.yaml"),
        "kernels: [debian:trixie]\nscenario: [closing]\n",
    )
    .expect("written");
    std::fs::write(dir.path().join("empty.yaml"), "kernels: []\n").expect("written");
    for (options, says) in [
        (
            vec!["--matrix", "key.yaml"],
            "key.yaml:2:1: unknown field `scenario`",
        ),
        (vec!["--matrix", "key.yaml"], "did you mean `scenarios`?"),
        (
            vec!["--matrix", "empty.yaml"],
            "the matrix selects nothing: `kernels` is empty",
        ),
        (vec!["--matrix", "none.yaml"], "cannot read none.yaml"),
        (vec!["--kernel", "debain:trixie"], "did you mean `debian`?"),
        (vec!["--driver", "edit:no-orfan"], "no-orphan"),
        (vec!["--scenario", "clossing"], "did you mean `closing`?"),
        (vec!["--accel", "kvm"], "virtual time needs tcg"),
        (vec!["--shard", "3/2"], "3/2"),
    ] {
        let ended = run_in(dir.path(), "out", &options);
        assert_eq!(ended.status, 2, "{options:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{options:?}: {}", ended.stderr);
        assert!(!dir.path().join("out").exists(), "{options:?}");
    }
}

/// Processes other than this one that have `mark` in their environment.
fn marked(mark: &str) -> Vec<PathBuf> {
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|n| *n != *own))
        .filter(|path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment
                .windows(mark.len())
                .any(|w| w == mark.as_bytes())
        })
        .collect()
}

/// Waits until `done`, for as long as a hung test would be waited for anyway.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(240);
    while !done() {
        assert!(Instant::now() < limit, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a run, waits until a cell's guest is at work, sends `signal`.
fn interrupted(signal: i32, mark: &str, dir: &Path) -> std::process::ExitStatus {
    let mut child = tunfarm(&[
        "run", "--out", "out", "--kernel", KERNEL, "--driver", "stock",
    ])
    .env("TUNFARM_TEST_MARK", mark)
    .current_dir(dir)
    .spawn()
    .expect("tunfarm starts");
    let events = dir.join("out/events.ndjson");
    wait_for("a cell is under way", || {
        std::fs::read_to_string(&events).is_ok_and(|text| text.contains("\"cell-started\""))
    });
    // SAFETY: the child is ours and not yet waited for, so its pid is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    child.wait().expect("tunfarm ends")
}

#[test]
fn sigterm_ends_all_guests_and_leaves_valid_results() {
    let dir = folder();
    let status = interrupted(libc::SIGTERM, "tunfarm-sigterm-test", dir.path());
    assert_eq!(status.code(), Some(3));
    assert_eq!(marked("tunfarm-sigterm-test"), [] as [PathBuf; 0]);
    let run = load(&dir.path().join("out")).expect("valid results");
    assert!(
        run.interrupted && run.cells.len() < 10,
        "{} cells",
        run.cells.len()
    );
}

#[test]
fn nothing_outlives_a_kill() {
    let dir = folder();
    interrupted(libc::SIGKILL, "tunfarm-sigkill-test", dir.path());
    wait_for("QEMU ends with its parent", || {
        marked("tunfarm-sigkill-test").is_empty()
    });
}
