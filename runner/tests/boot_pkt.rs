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

/// Stands in packetdrill's place: says how it was called, then passes or fails as the script's first
/// line asks it to, in packetdrill's words.
const STAND_IN: &str = r#"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    const char *script = arguments[count - 1];
    char line[80] = "";
    FILE *file = fopen(script, "r");
    if (!file || !fgets(line, sizeof(line), file) || access("/dev/net/tun", R_OK | W_OK))
        return 3;
    for (int n = 1; n < count; n++)
        printf("argument %s\n", arguments[n]);
    if (!strstr(line, "no window scale"))
        return 0;
    fprintf(stderr, "%s:6: error handling packet: bad outbound TCP options\n", script);
    return 1;
}
"#;

#[test]
fn an_engine_of_ones_own_performs_scripts_over_tun_and_its_words_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "stand-in.c", STAND_IN);
    let built = std::process::Command::new("gcc")
        .args(["-static", "-o", "packetdrill", "stand-in.c"])
        .current_dir(dir.path())
        .status();
    assert!(built.expect("gcc runs").success());
    write(dir.path(), "fails.pkt", FAILS);
    write(
        dir.path(),
        "passes.pkt",
        &FAILS.replace("no window scale", "one"),
    );
    let ended = pkt(
        dir.path(),
        &[
            "passes.pkt",
            "fails.pkt",
            "--engine",
            "packetdrill:packetdrill",
            "--datapath",
            "both",
            "-D",
            "N=3",
        ],
    );
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let run = load(&dir.path().join("out")).expect("results");
    let of = |name: &str| {
        let cell = run
            .cells
            .iter()
            .find(|cell| cell.id.to_string().ends_with(name));
        cell.unwrap_or_else(|| panic!("no cell {name}"))
    };
    assert_eq!(of("passes/tun").status, Status::Clean);
    assert_eq!(of("fails/tun").status, Status::OtherFailure);
    assert!(
        ended
            .stdout
            .contains("line 6: error handling packet: bad outbound TCP options")
    );
    for loopback in ["passes/loopback", "fails/loopback"] {
        assert_eq!(of(loopback).status, Status::Skipped);
    }
    let log = dir
        .path()
        .join(format!("out/cells/{}/script.log", of("passes/tun").id));
    let log = std::fs::read_to_string(log).expect("what the stand-in printed");
    assert_eq!(
        log,
        "argument --ip_version=ipv4\nargument -D\nargument N=3\nargument passes.pkt\n"
    );
}
