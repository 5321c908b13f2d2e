//! PID 1 of every virtual machine.
//!
//! Boots, finds out what the kernel has, says "ready", spins until a job is there, runs it, hands
//! the evidence out.

mod evidence;
mod facts;
mod fw_cfg;
mod init;
mod mounts;
mod port;
mod quiet;
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run()
    } else {
        eprintln!("tunfarm-guest is the first process of a virtual machine, not a command");
        ExitCode::from(2)
    }
}
