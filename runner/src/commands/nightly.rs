//! `tunfarm nightly`: a run that is held against the nights before it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tunfarm_images::Cache;
use tunfarm_reports::history::Turn;
use tunfarm_reports::sentence::sentences;

use super::run::{self, Performed};
use crate::cli::{Nightly, Run};

/// The history of a machine's nights, when none is named.
const HISTORY: &str = "results/history.sqlite";

pub fn run(arguments: Nightly) -> Result<u8> {
    let history = arguments
        .run
        .history
        .clone()
        .unwrap_or_else(|| PathBuf::from(HISTORY));
    if let Some(folder) = history.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {} for the history", folder.display()))?;
    }
    let cache = arguments
        .run
        .source
        .cache
        .clone()
        .unwrap_or_else(Cache::default_dir);
    let ran = run::perform(&Run {
        history: Some(history),
        ..arguments.run
    })?;
    // The night's verdicts do not depend on it.
    if let Err(error) = prune(&cache, arguments.keep_days, arguments.keep_gb) {
        eprintln!("tunfarm: the cache was not pruned: {error}");
    }
    println!("\n{}", sentences(&ran.results, ran.past.as_ref()).join(" "));
    println!("as Markdown: {}", ran.out.join("summary.md").display());
    Ok(status(&ran))
}

fn prune(root: &std::path::Path, days: u64, gigabytes: u64) -> tunfarm_images::Result<()> {
    let age = Duration::from_secs(days * 24 * 60 * 60);
    let pruned = Cache::open(root)?.prune(age, gigabytes * 1_000_000_000)?;
    if !pruned.removed.is_empty() {
        let (files, freed) = (pruned.removed.len(), pruned.freed_bytes() / 1_000_000);
        eprintln!("cache: {files} files removed, {freed} MB");
    }
    Ok(())
}

/// As for any run, but a verdict that was as wrong the last time has paged somebody then.
fn status(ran: &Performed) -> u8 {
    match (ran.results.exit_status(), &ran.past) {
        (1, Some(past)) if past.with(Turn::New).next().is_none() => 0,
        (status, _) => status,
    }
}
