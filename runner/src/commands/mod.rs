//! One file for each command.

mod bisect;
mod check;
mod doctor;
mod drivers;
mod kernels;
mod nightly;
mod pkt;
mod results;
mod run;
mod scenarios;
mod selection;
mod shards;
mod validate;
mod verdict;

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::cli::{Cli, Command};

/// An error that ends with an exit status of its own; others end with 2.
#[derive(Clone, Copy, Debug)]
pub struct Status(pub u8);

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            3 => "nothing can be said about any kernel",
            _ => "failed",
        })
    }
}

/// Exit status: infrastructure, nothing can be said.
pub const INFRA: Status = Status(3);

/// What `-D NAME=VALUE` defined, the last one of a name.
fn defined(defines: &[String]) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for define in defines {
        let Some((name, value)) = define.split_once('=') else {
            bail!("-D wants NAME=VALUE, not `{define}`");
        };
        values.insert(name.to_owned(), value.to_owned());
    }
    Ok(values)
}

/// Runs a command; returns its exit status.
pub fn dispatch(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Bisect(arguments) => bisect::run(&arguments),
        Command::Verdict(arguments) => verdict::run(&arguments),
        Command::Kernels(arguments) => kernels::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Plan(arguments) => shards::plan(&arguments),
        Command::Merge(arguments) => shards::merge(&arguments),
        Command::Pkt(arguments) => pkt::run(&arguments),
        Command::Scenarios(arguments) => scenarios::run(&arguments),
        Command::Report(arguments) => results::report(&arguments),
        Command::Show(arguments) => results::show(&arguments),
        Command::Diff(arguments) => results::diff(&arguments),
        Command::Drivers(arguments) => drivers::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Nightly(arguments) => nightly::run(arguments),
        Command::History(arguments) => results::history(&arguments),
    }
}
