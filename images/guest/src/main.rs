//! PID 1 of every virtual machine, and its `/sbin/modprobe`.

use std::process::ExitCode;

use tunfarm_guest::{init, modules};

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
