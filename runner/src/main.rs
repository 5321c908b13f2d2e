//! The `tunfarm` command.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;

/// Usage or configuration is wrong; clap uses the same status.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // Spawned guests are tied to the thread that spawned them (PR_SET_PDEATHSIG), so everything
    // runs on the main thread.
    match commands::dispatch(cli::Cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("tunfarm: {error:#}");
            ExitCode::from(
                error
                    .downcast_ref::<commands::Status>()
                    .map_or(USAGE, |s| s.0),
            )
        }
    }
}
