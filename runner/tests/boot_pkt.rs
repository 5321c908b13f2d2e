//! Packetdrill scripts as a suite, on a real kernel.

mod common;

use std::path::Path;

use common::{Ended, KERNEL, tunfarm};
use tunfarm_reports::load;
use tunfarm_reports::model::Status;

/// Answers a connection, by a helper in another folder and one beside it.
const PASSES: &str = "\
// A listener answers.
`../common/set.sh`
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
  +0 bind(3, ..., ...) = 0
  +0 listen(3, 1) = 0
  +0 < S 0:0(0) win 1000 <mss 1000>
  +0 > S. 0:0(0) ack 1 <...>
 +.1 < . 1:1(0) ack 1 win 1000
  +0 accept(3, ..., ...) = 4
  +0 `test $(cat /proc/sys/net/ipv4/tcp_synack_retries) = 3`
";

/// Expects a window scale that nobody asked for.
const FAILS: &str = "\
// The answer has no window scale.
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, ..., ...) = 0
  +0 listen(3, 1) = 0
  +0 < S 0:0(0) win 1000 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>
";

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn pkt(dir: &Path, arguments: &[&str]) -> Ended {
    let mut all = vec!["pkt", "--kernel", KERNEL, "--out", "out"];
    all.extend(arguments);
    tunfarm(&all)
        .current_dir(dir)
        .output()
        .expect("tunfarm runs")
        .into()
}

#[test]
fn scripts_pass_and_fail_over_both_datapaths_and_all_ip_versions() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "tests/passes.pkt", PASSES);
    write(dir.path(), "tests/fails.pkt", FAILS);
    write(
        dir.path(),
        "common/set.sh",
        "#!/bin/sh\n. ../common/value\nsysctl -q $name=3\n",
    );
    write(
        dir.path(),
        "common/value",
        "name=net.ipv4.tcp_synack_retries\n",
    );
    let ended = pkt(dir.path(), &["tests", "--datapath", "both", "--ip", "all"]);
    assert_eq!(ended.status, 1, "{}{}", ended.stdout, ended.stderr);

    let run = load(&dir.path().join("out")).expect("results");
    assert_eq!(run.cells.len(), 12);
    for cell in &run.cells {
        let expected = match cell.id.scenario.as_str() {
            "passes" => Status::Clean,
            _ => Status::OtherFailure,
        };
        assert_eq!(cell.status, expected, "{}: {}", cell.id, cell.reason);
    }
    // A failing script's story: what was expected, what came, and the script around it.
    let story = ended.stdout.split("fails/tun\n").nth(1).expect("its story");
    let story = story.split("again: ").next().expect("its end");
    for said in [
        "script line 6: the packet differs from the line in options\n",
        "options: expected <mss 1460,nop,wscale 7>, came <mss 1460>\n",
        "6 |   +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>\n",
        "last packets",
    ] {
        assert!(story.contains(said), "no `{said}` in {story}");
    }
    let again = "again: tunfarm pkt tests/fails.pkt --datapath tun --ip 4 --kernel debian:";
    assert!(ended.stdout.contains(again), "{}", ended.stdout);
}

#[test]
fn a_mistake_is_told_before_anything_boots() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "a.pkt", &PASSES.replace("win 1000", "wni 1000"));
    write(dir.path(), "b.pkt", &FAILS.replace("bind(", "bnid("));
    let ended = pkt(dir.path(), &["a.pkt", "b.pkt"]);
    assert_eq!(ended.status, 2);
    assert!(
        ended.stderr.contains("a.pkt:7") && ended.stderr.contains("b.pkt:3"),
        "{}",
        ended.stderr
    );
    assert!(!dir.path().join("out").exists());
}

#[test]
fn an_engine_that_no_guest_could_run_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "a.pkt", PASSES);
    write(dir.path(), "packetdrill", "#!/bin/sh\nexit 0\n");
    let refused = |file: &str| {
        let engine = format!("packetdrill:{file}");
        let ended = pkt(dir.path(), &["a.pkt", "--engine", &engine]);
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        ended.stderr
    };
    assert!(refused("packetdrill").contains("packetdrill is no program for x86-64 Linux"));
    assert!(refused("/bin/sh").contains("/bin/sh is not static: it wants /lib"));
    assert!(!dir.path().join("out").exists());
}
