//! The agent as `/sbin/modprobe`: what the kernel's `request_module` and the tools call.

use std::process::ExitCode;

use super::{Index, load_named};

/// Loads what the first argument that is no option names; the rest would be parameters. The kernel
/// calls `modprobe -q -- ALIAS`. An unknown alias is no error worth a message, since the kernel
/// asks for everything it could imagine.
pub fn run(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let index = Index::of_image();
    let Some(wanted) = arguments.find(|argument| !argument.starts_with('-')) else {
        return ExitCode::SUCCESS;
    };
    let names = index.resolve(&wanted);
    let mut code = if names.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    };
    for name in names {
        if let Err(message) = load_named(&index, name) {
            eprintln!("modprobe: {message}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
