//! `tunfarm plan` and `merge`: one matrix on many machines.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tunfarm::fan_out::{Service, fan_out};
use tunfarm::merge::{Survey, gather};
use tunfarm::plan::Plan;
use tunfarm::plan_file::PlanFile;
use tunfarm::predict::{Cached, Durations, Forecast};
use tunfarm::shard::Cut;
use tunfarm_reports::model::Event;
use tunfarm_reports::{Console, Reporter, load, write_all};

use super::run::out_folder;
use crate::cli::{Merge, PlanFormat, PlanOf};

/// Exit status of a merge that has nothing to say.
const NOT_WHOLE: u8 = 3;

/// What earlier runs say about durations.
pub fn durations(runs: &[PathBuf]) -> Result<Durations> {
    let mut durations = Durations::default();
    for run in runs {
        durations.learn(&load(run)?);
    }
    Ok(durations)
}

/// Says what a matrix will take, or what a service fans out over.
pub fn plan(arguments: &PlanOf) -> Result<u8> {
    let plan = Plan::new(&arguments.selection.matrix()?)?;
    let durations = durations(&arguments.durations)?;
    let shards = usize::from(arguments.shards);
    let service = match arguments.format {
        PlanFormat::Text => {
            print!("{}", in_words(&plan, &durations, arguments));
            return Ok(0);
        }
        PlanFormat::Github => Service::Github,
        PlanFormat::Gitlab => Service::Gitlab,
        PlanFormat::Json => Service::Json,
    };
    println!(
        "{}",
        fan_out(&Cut::new(&plan.cells, shards, &durations), service)
    );
    Ok(0)
}

fn in_words(plan: &Plan, durations: &Durations, arguments: &PlanOf) -> String {
    let jobs = arguments.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let mut machines = vec![1, usize::from(arguments.shards)];
    machines.dedup();
    let forecast = Forecast::of(&plan.cells, durations, jobs, &machines, |_| {
        Cached::default()
    });
    let mut text = format!(
        "{} cells on {} kernels ({} with a known duration)\n",
        forecast.cells, forecast.kernels, forecast.known
    );
    text += &format!(
        "with an empty cache: {} boots, {} downloads, about {} MB\n",
        forecast.boots,
        forecast.downloads,
        forecast.download_bytes / 1_000_000
    );
    for on in forecast.machines {
        text += &format!(
            "{:>4} machine{} with {jobs} guests at once: about {:.1} minutes, downloads aside\n",
            on.machines,
            if on.machines == 1 { " " } else { "s" },
            on.wall_ms as f64 / 60_000.0
        );
    }
    text
}

/// Merges shards, or says which are missing.
pub fn merge(arguments: &Merge) -> Result<u8> {
    let mut survey = Survey::of(&arguments.folders);
    match arguments.shards.map(usize::from) {
        Some(count) if survey.count == 0 => survey.count = count,
        Some(count) if survey.count != count => {
            bail!(
                "these are shards of {} in all, not of {count}",
                survey.count
            )
        }
        _ => {}
    }
    if arguments.missing {
        for (folder, why) in &survey.refused {
            eprintln!("{}: {why}", folder.display());
        }
        let missing: Vec<String> = survey.missing().iter().map(usize::to_string).collect();
        println!("{}", missing.join(","));
        return Ok(if missing.is_empty() { 0 } else { NOT_WHOLE });
    }
    let results = match survey.merge() {
        Ok(results) => results,
        Err(not_whole) => {
            eprintln!("tunfarm: {not_whole}");
            return Ok(NOT_WHOLE);
        }
    };
    let out = out_folder(arguments.out.as_deref())?;
    gather(survey.shards.values(), &out)?;
    let first = survey
        .shards
        .values()
        .next()
        .expect("a merged run has a shard");
    PlanFile {
        part: None,
        ..first.plan.clone()
    }
    .write(&out)?;
    write_all(&results, &out)?;
    let status = results.exit_status();
    let mut reporter = Reporter::new().with(Console::stdio(Some(out)));
    reporter.event(&Event::RunFinished {
        results: Box::new(results),
    });
    Ok(status)
}
