//! A search over released kernels, killed in the middle; and `tunfarm verdict` as `git bisect run`
//! calls it.

mod common;
#[path = "common/packages.rs"]
mod packages;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{Ended, KERNEL, tunfarm};

/// The newest kernel of each suite, oldest first.
const KERNELS: &str = "\
# A segment that ends beyond the window is dropped since 6.17.
debian:bullseye/cloud
debian:bookworm/cloud
debian:trixie/cloud
debian:trixie-backports/cloud
";

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/bisect");

fn bisect(dir: &Path, out: &str) -> std::process::Command {
    let mut command = tunfarm(&[
        "bisect",
        "--list",
        "kernels",
        "--bad",
        "debian:bullseye/cloud",
        "--good",
        "debian:trixie-backports/cloud",
        "--scenario",
        "beyond-window",
        "--scenario-folder",
        SCENARIOS,
        "--out",
        out,
    ]);
    command.current_dir(dir);
    command
}

/// What was found and how sure it is: all that does not name a folder.
fn answer(ended: &Ended) -> Vec<&str> {
    ended
        .stdout
        .lines()
        .take_while(|line| !line.is_empty())
        .collect()
}

#[test]
fn a_killed_search_goes_on_and_finds_the_neighbours_that_differ() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("kernels"), KERNELS).expect("a list");

    let mut killed = bisect(dir.path(), "killed")
        .spawn()
        .expect("tunfarm starts");
    let second = dir.path().join("killed/steps/02");
    let patience = Instant::now() + Duration::from_secs(600);
    while !second.exists() {
        assert!(Instant::now() < patience, "no second step");
        assert!(
            killed.try_wait().expect("a child").is_none(),
            "it ended too early"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().expect("SIGKILL");
    killed.wait().expect("a child");

    let resumed = tunfarm(&["bisect", "--out", "killed"])
        .current_dir(dir.path())
        .output();
    let resumed = Ended::from(resumed.expect("tunfarm runs"));
    assert_eq!(resumed.status, 0, "{}", resumed.stderr);
    assert!(
        resumed.stderr.contains("going on after 1 step\n"),
        "{}",
        resumed.stderr
    );

    let whole = Ended::from(bisect(dir.path(), "whole").output().expect("tunfarm runs"));
    assert_eq!(whole.status, 0, "{}", whole.stderr);
    assert_eq!(answer(&whole), answer(&resumed));
    let [last, first, ..] = answer(&whole)[..] else {
        panic!("{}", whole.stdout)
    };
    assert!(last.starts_with("last broken: 6.12."), "{last}");
    assert!(
        first.ends_with("(debian:trixie-backports/cloud)"),
        "{first}"
    );
    // Whichever of the two in the middle is tried first, it halves what is left for certain.
    assert!(
        whole
            .stdout
            .contains("3 of 4 kernels booted (bound 4), 0 skipped"),
        "{}",
        whole.stdout
    );
    assert!(
        whole.stdout.contains("≠ TcpExtBeyondWindow"),
        "{}",
        whole.stdout
    );
}

#[test]
fn a_folder_of_kernels_is_searched_in_the_order_of_their_releases() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = dir.path().join("kernels");
    std::fs::create_dir(&place).expect("a folder");
    let specs: Vec<&str> = KERNELS.lines().filter(|l| !l.starts_with('#')).collect();
    // Their names say nothing about their order.
    let mut releases = Vec::new();
    for (name, spec) in ["d", "a", "c", "b"].into_iter().zip(specs) {
        let files = packages::unpack(spec, &place);
        std::fs::rename(files.vmlinuz, place.join(name)).expect("it moves");
        releases.push(files.release);
    }
    std::fs::write(place.join("README"), "no kernel").expect("a file");
    let ended: Ended = tunfarm(&[
        "bisect",
        "--kernels",
        "kernels",
        "--bad",
        &releases[0],
        "--good",
        &releases[3],
        "--scenario",
        "beyond-window",
        "--scenario-folder",
        SCENARIOS,
        "--out",
        "out",
    ])
    .current_dir(dir.path())
    .output()
    .expect("tunfarm runs")
    .into();
    eprintln!("{}\n{}", ended.stderr, ended.stdout);
    assert_eq!(ended.status, 0);
    let [last, first, ..] = answer(&ended)[..] else {
        panic!("{}", ended.stdout)
    };
    let begins = |line: &str, word: &str, release: &str| {
        line.starts_with(&format!("{word}: {release} (path:"))
    };
    assert!(begins(last, "last broken", &releases[2]), "{last}");
    assert!(begins(first, "first fixed", &releases[3]), "{first}");
    assert!(
        ended
            .stdout
            .contains("3 of 4 kernels booted (bound 4), 0 skipped")
    );
}

#[test]
fn ends_that_do_not_differ_are_said_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("kernels"), KERNELS).expect("a list");
    let ended: Ended = tunfarm(&["bisect", "--list", "kernels", "--out", "out"])
        .current_dir(dir.path())
        .output()
        .expect("tunfarm runs")
        .into();
    assert_eq!(ended.status, 2, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("is good, not bad"),
        "{}",
        ended.stdout
    );
    assert!(!dir.path().join("out/steps/03").exists());
}

#[test]
fn a_verdict_is_the_exit_status_that_git_bisect_run_takes() {
    let dir = tempfile::tempdir().expect("a folder");
    let status = |arguments: &[&str]| {
        let mut all = vec!["verdict"];
        all.extend(arguments);
        tunfarm(&all)
            .current_dir(dir.path())
            .status()
            .expect("tunfarm runs")
            .code()
    };
    let of = |arguments: &[&str]| {
        let mut all = vec!["--kernel", KERNEL];
        all.extend(arguments);
        status(&all)
    };
    assert_eq!(of(&[]), Some(0));
    assert_eq!(of(&["--driver", "edit:no-orphan"]), Some(1));
    // Another failure than the one that is searched for.
    assert_eq!(
        of(&["--driver", "edit:drop-all", "--only", "orphan-bug"]),
        Some(125)
    );
    // It did not build.
    assert_eq!(
        status(&["--kernel", "path:arch/x86/boot/bzImage"]),
        Some(125)
    );
    // Nothing that another commit would cure.
    assert_eq!(of(&["--scenario", "clsing"]), Some(128));
}
