//! Replays a made-up run with its history on the console and writes its files, to look at:
//! `sample DIR`.

use std::path::PathBuf;

use tunfarm_reports::files::write_report;
use tunfarm_reports::model::Event;
use tunfarm_reports::{Console, History, Report, Reporter, fixtures};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: sample DIR")?);
    let run = fixtures::sample();
    fixtures::lay(&run, &dir)?;
    let mut history = History::open(&dir.join("history.sqlite"))?;
    for night in fixtures::nights(&run) {
        history.record(&night)?;
    }
    history.record(&run)?;
    let past = history.past(&run)?;
    write_report(&Report::new(&run, &dir).with_past(&past))?;

    let console = Console::stdio(Some(dir)).with_past(move |run| history.past(run).ok());
    let mut reporter = Reporter::new().with(console);
    reporter.event(&Event::RunStarted {
        plan: run.plan.clone(),
        cells: run.cells.len(),
        kernels: run.kernels.len(),
    });
    for cell in &run.cells {
        reporter.event(&Event::CellFinished {
            result: Box::new(cell.clone()),
        });
    }
    reporter.event(&Event::RunFinished {
        results: Box::new(run),
    });
    Ok(())
}
