//! What tests of the `tunfarm` command share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The matrix kernel that single-kernel tests boot.
pub const KERNEL: &str = "debian:trixie/cloud";

/// `tunfarm` with these arguments; the guest is the one that TUNFARM_GUEST names, or the one that
/// ci/build laid beside the binary.
pub fn tunfarm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunfarm"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a command came to.
pub struct Ended {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// `tunfarm run` in `dir` with its results in `dir/name`.
pub fn run_in(dir: &Path, name: &str, arguments: &[&str]) -> Ended {
    let mut all = vec!["run", "--out", name];
    all.extend(arguments);
    tunfarm(&all)
        .current_dir(dir)
        .output()
        .expect("tunfarm runs")
        .into()
}
