//! The default matrix as an array of four on a real Slurm cluster on loopback.

use std::process::{Command, Stdio};

/// One task is killed, one node drained in the middle; what is missing is submitted again and
/// merged: the results of a run without Slurm, durations and host names aside.
#[test]
fn a_farm_on_slurm_survives_accidents_and_says_the_same() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/slurm/selftest");
    let status = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_tunfarm"))
        .stdin(Stdio::null())
        .status()
        .expect("ci/slurm/selftest starts");
    assert!(status.success(), "{script} ended with {status}");
}
