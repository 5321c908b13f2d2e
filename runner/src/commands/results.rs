//! `tunfarm report`, `show`, `diff` and `history`: runs that are over.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tunfarm_reports::model::{CellId, CellResult, RunResults};
use tunfarm_reports::{compare, history::History, load, story, write_all};

use crate::cli::{Diff, HistoryOf, Remake, Show};

/// Makes every report of a run again from its `results.json`.
pub fn report(arguments: &Remake) -> Result<u8> {
    let mut status = 0;
    for run in &arguments.runs {
        let results = load(run)?;
        let dir = folder(run);
        write_all(&results, &dir)?;
        println!("{}", tunfarm_reports::sentence(&results, None));
        println!("reports: {}", dir.display());
        status = status.max(results.exit_status());
    }
    Ok(status)
}

/// A run is named by its folder or by its `results.json`.
fn folder(run: &Path) -> PathBuf {
    if run.is_dir() { run.to_owned() } else { run.parent().unwrap_or(Path::new(".")).to_owned() }
}

/// Prints a cell's story.
pub fn show(arguments: &Show) -> Result<u8> {
    let run = match &arguments.run {
        Some(run) => run.clone(),
        None => newest_run()?,
    };
    let results = load(&run)?;
    let cell = find(&results, &arguments.cell)?;
    print!("{}", story::story(cell));
    Ok(0)
}

/// A cell by its whole name, or by any part that only it has.
fn find<'a>(results: &'a RunResults, name: &str) -> Result<&'a CellResult> {
    if let Ok(id) = name.parse::<CellId>()
        && let Some(cell) = results.cells.iter().find(|c| c.id == id)
    {
        return Ok(cell);
    }
    let mut matching = results.cells.iter().filter(|c| c.id.to_string().contains(name));
    match (matching.next(), matching.next()) {
        (Some(cell), None) => Ok(cell),
        (Some(one), Some(other)) => bail!(
            "`{name}` is part of several cells' names, {} and {} among them: say more of it",
            one.id,
            other.id
        ),
        (None, _) => {
            let names: Vec<String> = results.cells.iter().map(|c| c.id.to_string()).collect();
            match tunfarm_config::nearest(name, names.iter().map(String::as_str)) {
                Some(near) => bail!("the run has no cell `{name}`; did you mean `{near}`?"),
                None => bail!("the run has no cell `{name}`; its results.json names them"),
            }
        }
    }
}

/// The newest folder below `results/` that holds a run. Their names are times.
fn newest_run() -> Result<PathBuf> {
    let runs = std::fs::read_dir("results").context("no results/ here; name a run with --run")?;
    runs.filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("results.json").is_file())
        .max()
        .context("no run in results/; name one with --run")
}

/// Prints what changed between two runs; exit status 1 if anything did.
pub fn diff(arguments: &Diff) -> Result<u8> {
    let (before, after) = (load(&arguments.before)?, load(&arguments.after)?);
    let changes = compare::diff(&before, &after);
    for change in &changes {
        println!("{change}");
    }
    if changes.is_empty() {
        println!("no cell changed");
    }
    Ok(u8::from(!changes.is_empty()))
}

/// Takes runs into the history, or prints it.
pub fn history(arguments: &HistoryOf) -> Result<u8> {
    let path = arguments.file.clone().unwrap_or_else(|| PathBuf::from("results/history.sqlite"));
    if arguments.runs.is_empty() && !path.exists() {
        bail!("{} is not there yet: `tunfarm history RUN…` takes runs into it", path.display());
    }
    let mut history = History::open(&path)?;
    for run in &arguments.runs {
        history.record(&load(run)?)?;
    }
    for point in history.runs()? {
        let counts: Vec<String> = tunfarm_reports::model::Status::ALL
            .iter()
            .filter(|s| point.count(**s) > 0)
            .map(|s| format!("{} {s}", point.count(*s)))
            .collect();
        println!("{}  {}  ({} not as expected)", point.started, counts.join(", "), point.unexpected);
    }
    Ok(0)
}
