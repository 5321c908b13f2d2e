//! Writes the files of a made-up run with its history, to look at: `sample DIR`.

use std::path::PathBuf;

use tunfarm_reports::files::write_report;
use tunfarm_reports::{History, Report, fixtures};

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
    println!("{}", dir.join("report.html").display());
    Ok(())
}
