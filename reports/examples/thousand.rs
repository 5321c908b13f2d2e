//! Measures the report of a big run: `thousand [CELLS [DIR]]` prints one JSON object with its
//! sizes, how long it took to make, and, where `chromium` is there, to open.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tunfarm_reports::{fixtures, write_all};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let cells: usize = match arguments.next() {
        Some(count) => count.to_string_lossy().parse()?,
        None => 1000,
    };
    let own = tempfile::tempdir()?;
    let dir = arguments
        .next()
        .map_or(own.path().to_owned(), PathBuf::from);

    let run = fixtures::many(cells);
    fixtures::lay(&run, &dir)?;
    let began = Instant::now();
    write_all(&run, &dir)?;
    let made_ms = ms(began);
    let size = |name: &str| std::fs::metadata(dir.join(name)).map(|m| m.len());
    let opened_ms = open(&dir.join("report.html"))?;
    println!(
        "{}",
        serde_json::json!({
            "cells": run.cells.len(),
            "report_html_bytes": size("report.html")?,
            "junit_xml_bytes": size("junit.xml")?,
            "results_json_bytes": size("results.json")?,
            "all_files_made_ms": made_ms,
            "opened_ms": opened_ms,
        })
    );
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// How long the browser itself says the page took until it was loaded and its filters were set
/// up, or nothing if there is no browser. What the browser needs to start is not counted.
fn open(page: &Path) -> Result<Option<f64>, Box<dyn std::error::Error>> {
    let profile = tempfile::tempdir()?;
    // A page that frames the report and writes down when that has loaded.
    let frame = profile.path().join("frame.html");
    std::fs::write(
        &frame,
        format!(
            "<!DOCTYPE html><iframe id=f width=1280 height=900></iframe><output id=o></output><script>\
             const t = performance.now(); f.onload = () => {{ \
             requestAnimationFrame(() => setTimeout(() => {{ \
             o.textContent = 'ms=' + (performance.now() - t) + ';'; }})); }}; \
             f.src = 'file://{}';</script>",
            page.display()
        ),
    )?;
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--timeout=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", frame.display()))
        .output();
    let output = match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let took = output
        .split_once(">ms=")
        .and_then(|(_, rest)| rest.split_once(';'));
    let took = took.ok_or("the browser did not finish opening the report")?;
    Ok(Some(took.0.parse()?))
}
