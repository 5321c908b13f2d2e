//! PID 1 of every virtual machine.
//!
//! Boots, finds out what the kernel has, says "ready", spins until a job is there, runs it, hands
//! the evidence out.

mod capture;
mod collectors;
mod counters;
mod driver;
mod evidence;
mod facts;
mod fw_cfg;
mod init;
mod job;
mod loopback;
mod modules;
mod mounts;
mod observer;
mod packetdrill;
mod pit;
mod port;
mod probe;
mod quiet;
mod sampler;
mod ss;
mod stage;
mod sys;
mod warmup;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().map(|a| a.to_string_lossy().into_owned());
    let name = arguments.next().unwrap_or_default();
    // The kernel starts what `/sbin/modprobe` links to.
    if name.ends_with("modprobe") {
        return modules::modprobe(arguments);
    }
    if std::process::id() == 1 {
        init::run()
    }
    match arguments.next().as_deref() {
        Some("modprobe") => modules::modprobe(arguments),
        _ => {
            eprintln!("tunfarm-guest is the first process of a virtual machine, not a command");
            ExitCode::from(2)
        }
    }
}
