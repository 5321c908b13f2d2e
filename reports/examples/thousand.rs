//! Measures the report of a big run: `thousand [CELLS [DIR]]` prints one JSON object with its
//! sizes, how long it took to make, and, where Debian's `chromium` is there, to open and to use.

#[path = "../tests/support/browser.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod browser;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
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
    let mut said = json!({
        "cells": run.cells.len(),
        "report_html_bytes": size("report.html")?,
        "junit_xml_bytes": size("junit.xml")?,
        "results_json_bytes": size("results.json")?,
        "all_files_made_ms": made_ms.round(),
    });
    if Command::new("chromium").arg("--version").output().is_ok() {
        said["browser"] = open(&dir.join("report.html").canonicalize()?);
    }
    println!("{said:#}");
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// What the browser measures itself: from the navigation to the first frame after loading, one
/// filter over all cells, the first cell opened (which parses the data), and the longest frame of
/// a scroll through the whole page.
fn open(page: &Path) -> Value {
    let mut browser = browser::Browser::start();
    browser.look(1280, 900, "light");
    browser.open(page, "");
    browser.eval(
        "(async () => {
            const frame = () => new Promise((r) => requestAnimationFrame(r));
            await frame();
            const opened = performance.now();
            const timed = async (work) => {
                const from = performance.now();
                work();
                await frame();
                return Math.round(performance.now() - from);
            };
            const form = document.getElementById('filters');
            const set = (value) => () => {
                form.elements.status.value = value;
                form.dispatchEvent(new Event('input'));
            };
            const filtered = await timed(set('orphan-bug'));
            await timed(set(''));
            const cell = document.querySelector('details.cell');
            const first_cell = await timed(() => { cell.open = true; });
            let longest = 0;
            let last = performance.now();
            for (let y = 0; y < document.documentElement.scrollHeight; y += 450) {
                scrollTo(0, y);
                await frame();
                const now = performance.now();
                longest = Math.max(longest, now - last);
                last = now;
            }
            return { opened_ms: Math.round(opened), filter_ms: filtered,
                first_cell_ms: first_cell, longest_scroll_frame_ms: Math.round(longest) };
        })()",
    )
}
