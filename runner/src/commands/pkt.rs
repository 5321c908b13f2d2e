//! `tunfarm pkt`: packetdrill scripts as a suite.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tunfarm::pkt::{Asked, Bench, Differences, Manner, Suite, check_static};
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellResult, RunResults};
use tunfarm_reports::story::story;
use tunfarm_reports::{Console, EventLog, Reporter};
use tunfarm_scenarios::glob_matches;

use super::{INFRA, kernels, run};
use crate::cli::{IpsWord, PathsWord, Pkt};

pub fn run(arguments: &Pkt) -> Result<u8> {
    let asked = asked(arguments);
    let manner = manner(arguments)?;
    let setup = run::setup(&arguments.machine, &arguments.source)?;
    let differences = Differences::built_in()?;
    let suite = if arguments.selftests {
        selftests(arguments)?
    } else {
        Suite::read(&arguments.files)?
    };
    // The original may know more than our checker.
    if manner.packetdrill.is_none() {
        suite.check(&asked, &manner.defines)?;
    }
    let (plan, matrix) = suite.plan(&asked, &differences);
    setup.check(&matrix)?;
    let out = run::out_folder(arguments.out.as_deref())?;
    let mut reporter = Reporter::new().with(Console::stdio(Some(out.clone())));
    if let Some(target) = &arguments.events {
        let log =
            EventLog::open(target).with_context(|| format!("cannot open {target} for --events"))?;
        reporter = reporter.with(log);
    }
    let lab = |farm| Bench::new(farm, suite, manner, differences);
    let results = run::carry_out(&plan, &matrix, setup, &out, reporter, lab)?;
    print!("{}", stories(&results));
    Ok(results.exit_status())
}

/// What is told in full at the end of a run; `tunfarm show` tells the rest.
const STORIES: usize = 10;

/// The stories of scripts that failed unexpectedly, the first of them.
fn stories(results: &RunResults) -> String {
    let failed: Vec<&CellResult> = results
        .cells
        .iter()
        .filter(|c| c.failure.is_some() && !c.as_expected())
        .collect();
    let mut out = String::new();
    for cell in failed.iter().take(STORIES) {
        out.push_str(&format!("\n{}\n{}", cell.id, story(cell)));
    }
    if let Some(more @ 1..) = failed.len().checked_sub(STORIES) {
        out.push_str(&format!(
            "\nand {more} more: tunfarm show CELL tells their stories\n"
        ));
    }
    out
}

fn asked(arguments: &Pkt) -> Asked {
    Asked {
        kernels: arguments.kernels.clone(),
        driver: arguments.driver.clone(),
        datapaths: match arguments.datapath {
            PathsWord::Tun => vec![Datapath::Tun],
            PathsWord::Loopback => vec![Datapath::Loopback],
            PathsWord::Both => vec![Datapath::Tun, Datapath::Loopback],
        },
        ip: arguments.ip.map(|word| match word {
            IpsWord::V4 => vec![IpVersion::Ipv4],
            IpsWord::V6 => vec![IpVersion::Ipv6],
            IpsWord::Mapped => vec![IpVersion::Mapped],
            IpsWord::All => vec![IpVersion::Ipv4, IpVersion::Ipv6, IpVersion::Mapped],
        }),
    }
}

fn manner(arguments: &Pkt) -> Result<Manner> {
    let packetdrill = match arguments
        .engine
        .as_deref()
        .map(|e| e.strip_prefix("packetdrill:"))
    {
        None => None,
        Some(None) => bail!("--engine wants packetdrill:FILE, FILE being a static packetdrill"),
        Some(Some(file)) => {
            let program =
                std::fs::read(file).with_context(|| format!("cannot read the engine {file}"))?;
            check_static(Path::new(file), &program)?;
            Some(program)
        }
    };
    Ok(Manner {
        evidence: arguments.evidence,
        packetdrill,
        defines: super::defined(&arguments.defines)?,
    })
}

/// The kernel's own scripts, those that the globs name.
fn selftests(arguments: &Pkt) -> Result<Suite> {
    let [spec] = arguments.kernels.as_slice() else {
        bail!("--selftests wants one --kernel: each kernel has tests of its own");
    };
    let archive = kernels::open(&arguments.source)?;
    let kernel = archive.kernel(&spec.parse()?).context(INFRA)?;
    let selftests = archive.selftests(&kernel).context(INFRA)?;
    let mut suite = Suite::of_selftests(&selftests)?;
    let globs: Vec<String> = arguments.files.iter().map(|path| glob(path)).collect();
    if !globs.is_empty() {
        for glob in &globs {
            if !suite.scripts.iter().any(|s| glob_matches(glob, &s.name)) {
                bail!("no script of {} matches `{glob}`", selftests.from);
            }
        }
        suite
            .scripts
            .retain(|s| globs.iter().any(|glob| glob_matches(glob, &s.name)));
    }
    eprintln!("{} scripts of {}", suite.scripts.len(), selftests.from);
    Ok(suite)
}

/// A name or glob, with or without `.pkt`.
fn glob(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.strip_suffix(".pkt").unwrap_or(&text).to_owned()
}
