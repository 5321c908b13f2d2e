//! `tunfarm report`, `show`, `diff` and `history`: runs that are over.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tunfarm::evidence::{Evidence, seconds};
use tunfarm_reports::console::{Style, show};
use tunfarm_reports::files::write_report;
use tunfarm_reports::model::CellResult;
use tunfarm_reports::{Report, compare, history::History, load};

use tunfarm_scenarios::{Article, Collection};

use crate::cli::{Diff, HistoryOf, Remake, Show};

/// Makes every report of a run again from its `results.json`.
pub fn report(arguments: &Remake) -> Result<u8> {
    let mut status = 0;
    for run in &arguments.runs {
        let results = load(run)?;
        let dir = folder(run);
        let past = match &arguments.history {
            Some(file) => Some(History::open(file)?.past(&results)?),
            None => None,
        };
        let mut report = Report::new(&results, &dir);
        if let Some(past) = &past {
            report = report.with_past(past);
        }
        write_report(&report)?;
        println!("{}", tunfarm_reports::sentence(&results, past.as_ref()));
        println!("reports: {}", dir.display());
        status = status.max(results.exit_status());
    }
    Ok(status)
}

/// A run is named by its folder or by its `results.json`.
fn folder(run: &Path) -> PathBuf {
    if run.is_dir() {
        run.to_owned()
    } else {
        run.parent().unwrap_or(Path::new(".")).to_owned()
    }
}

/// Prints a cell's story.
pub fn show(arguments: &Show) -> Result<u8> {
    let run = match &arguments.run {
        Some(run) => run.clone(),
        None => newest_run()?,
    };
    let results = load(&run)?;
    let dir = folder(&run);
    let report = Report::new(&results, &dir);
    let name = &arguments.cell;
    match show::find(&report, name).as_slice() {
        [cell] => {
            print!("{}", show::show(&report, cell, Style::of_stdout()));
            let scenarios = Collection::built_in()?;
            if let Some(article) = scenarios
                .get(&cell.id.scenario)
                .and_then(|s| s.spec.article.as_ref())
            {
                print!("\n{}", beside(article, cell, &dir)?);
            }
        }
        [] => {
            let names: Vec<String> = results.cells.iter().map(|c| c.id.to_string()).collect();
            match tunfarm_config::nearest(name, names.iter().map(String::as_str)) {
                Some(near) => bail!("the run has no cell `{name}`; did you mean `{near}`?"),
                None => bail!("the run has no cell `{name}`; its results.json names them"),
            }
        }
        [one, other, ..] => bail!(
            "`{name}` names several cells, {} and {} among them: say more of it",
            one.id,
            other.id
        ),
    }
    Ok(0)
}

/// What was seen by hand before there was a farm, and what this cell's samples show.
fn beside(article: &Article, cell: &CellResult, run: &Path) -> Result<String> {
    let evidence = Evidence::read(&run.join(cell.id.folder()))?;
    let mut out = format!("seen by hand on {}\n", article.kernel);
    for seen in &article.trace {
        let ms = |name: &str, value: Option<u32>| {
            value
                .map(|v| format!("  {name} {v} ms"))
                .unwrap_or_default()
        };
        let _ = writeln!(
            out,
            "  {:<24} {:<12}{}{}",
            seen.when,
            seen.state,
            ms("rto", seen.rto_ms),
            ms("ato", seen.ato_ms)
        );
    }
    let _ = writeln!(out, "measured here");
    let mut last = None;
    for sample in evidence.connection() {
        let now = (
            sample.state.clone(),
            sample.rto_us,
            sample.ato_us.filter(|a| *a > 0),
        );
        if last.as_ref() == Some(&now) {
            continue;
        }
        let ms = |name: &str, us: Option<u32>| {
            us.map(|us| format!("  {name} {} ms", us / 1000))
                .unwrap_or_default()
        };
        let when = format!("{:.3} s", seconds(sample.t_us));
        let _ = writeln!(
            out,
            "  {when:<24} {:<12}{}{}",
            now.0,
            ms("rto", now.1),
            ms("ato", now.2)
        );
        last = Some(now);
    }
    let _ = writeln!(out, "differences");
    for difference in &article.differences {
        let _ = writeln!(out, "  {}", difference.trim());
    }
    Ok(out)
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
    let path = arguments
        .file
        .clone()
        .unwrap_or_else(|| PathBuf::from("results/history.sqlite"));
    if arguments.runs.is_empty() && !path.exists() {
        bail!(
            "{} is not there yet: `tunfarm history RUN…` takes runs into it",
            path.display()
        );
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
        println!(
            "{}  {}  ({} not as expected)",
            point.started,
            counts.join(", "),
            point.unexpected
        );
    }
    if let Some(newest) = history.newest()? {
        println!("\n{newest}");
    }
    Ok(0)
}
