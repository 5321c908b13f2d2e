//! `report.html`: one self-contained file for people.
//!
//! Verdicts, reasons and the matrix are plain HTML. Diagrams and plots are drawn by a small
//! script from the embedded data when a cell is first opened, so that 1,000 cells open at once.
//! A content security policy allows exactly this style and this script and no request: whatever
//! a guest printed, it is text.

mod csp;
mod data;
mod trend;

use std::collections::HashMap;

use askama::Template;

use self::trend::Trend;
use super::{ExportError, Exporter};
use crate::Report;
use crate::attention::{Group, Section, sections};
use crate::confusion::Confusion;
use crate::history::TrendPoint;
use crate::model::{CellId, CellResult, RunResults, Status};
use crate::overview::Overview;
use crate::sentence::sentences;
use crate::text;

const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPTS: [&str; 6] = [
    include_str!("../../../templates/js/dom.js"),
    include_str!("../../../templates/js/sequence.js"),
    include_str!("../../../templates/js/plot.js"),
    include_str!("../../../templates/js/story.js"),
    include_str!("../../../templates/js/filter.js"),
    include_str!("../../../templates/js/main.js"),
];

/// How many groups of cells each section at the top lists; all cells are below.
const LISTED: usize = 25;

/// Writes HTML.
pub struct Html;

impl Exporter for Html {
    fn file_name(&self) -> &'static str {
        "report.html"
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let page = Page::new(report)?;
        let text = page
            .render()
            .map_err(|e| ExportError(format!("the template does not render: {e}")))?;
        Ok(text.into_bytes())
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a RunResults,
    overview: Overview<'a>,
    sections: Vec<Section<'a>>,
    squares: Vec<SquareRows<'a>>,
    scenarios: Vec<&'a str>,
    statuses: [Status; Status::ALL.len()],
    confusion: Option<Confusion<'a>>,
    trend: Option<Trend<'a>>,
    phrases: HashMap<&'a CellId, String>,
    title: String,
    headline: String,
    further: Vec<String>,
    day: String,
    meta: String,
    plan: String,
    listed: usize,
    style: &'static str,
    style_hash: String,
    script: String,
    script_hash: String,
    data: String,
}

struct SquareRows<'a> {
    id: String,
    kernel: &'a str,
    driver: &'a str,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    n: usize,
    id: String,
    status: Status,
    unexpected: bool,
    scenario: &'a str,
    lane: String,
    tags: Vec<&'static str>,
    reason: String,
}

impl<'a> Page<'a> {
    fn new(report: &Report<'a>) -> Result<Page<'a>, ExportError> {
        let run = report.run;
        let mut said = sentences(run, report.past).into_iter();
        let headline = said.next().unwrap_or_default();
        let mut scenarios: Vec<&str> = run.cells.iter().map(|c| c.id.scenario.as_str()).collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        let overview = Overview::new(run);
        let script = format!("(() => {{\n'use strict';\n{}}})();\n", SCRIPTS.join("\n"));
        let phrases = report
            .past
            .iter()
            .flat_map(|past| &past.standings)
            .filter_map(|standing| Some((&standing.id, standing.phrase()?)))
            .collect();
        Ok(Page {
            squares: squares(report, &overview),
            overview,
            sections: sections(run),
            scenarios,
            statuses: Status::ALL,
            confusion: Confusion::new(run),
            trend: report.past.and_then(|past| Trend::new(&past.trend)),
            phrases,
            title: text::shortened(&headline, 120).into_owned(),
            headline: text::one_line(&headline),
            further: said.map(|s| text::one_line(&s)).collect(),
            day: text::one_line(run.started.get(..10).unwrap_or(&run.started)),
            meta: meta(run),
            plan: text::one_line(run.plan.get(..12).unwrap_or(&run.plan)),
            listed: LISTED,
            style: STYLE,
            style_hash: csp::source(STYLE),
            script_hash: csp::source(&script),
            script,
            data: data::json(report)?,
            run,
        })
    }

    fn driver(&self, driver: &str) -> String {
        text::one_line(Overview::driver_heading(driver))
    }

    fn clean(&self, text: &str) -> String {
        text::shortened(&text::one_line(text), 600).into_owned()
    }

    fn phrase(&self, cell: &CellResult) -> Option<&str> {
        self.phrases.get(&cell.id).map(String::as_str)
    }

    fn first<'s>(&self, section: &'s Section<'a>) -> &'s [Group<'a>] {
        &section.groups[..section.groups.len().min(LISTED)]
    }

    fn count(&self, point: &TrendPoint, status: &Status) -> usize {
        point.count(*status)
    }

    fn mark(&self, status: &Status) -> char {
        mark(*status)
    }

    /// The status in its colour, with its mark and its word.
    fn badge(&self, status: &Status) -> String {
        format!(
            r#"<span class="badge {status}"><span class="mark" aria-hidden="true">{}</span>{status}</span>"#,
            mark(*status)
        )
    }

    fn square_link(&self, kernel: &str, driver: &str) -> String {
        link(&square_id(kernel, driver))
    }

    fn cell_link(&self, cell: &CellResult) -> String {
        link(&cell_id(&cell.id))
    }
}

/// A mark beside the word, for those who see no colours.
fn mark(status: Status) -> char {
    match status {
        Status::Clean => '✓',
        Status::OrphanBug => '✗',
        Status::OtherFailure => '!',
        Status::Inconclusive => '?',
        Status::Infra => '∅',
        Status::Skipped => '–',
    }
}

fn squares<'a>(report: &Report<'a>, overview: &Overview<'a>) -> Vec<SquareRows<'a>> {
    let index: HashMap<&CellId, usize> = report
        .run
        .cells
        .iter()
        .enumerate()
        .map(|(n, cell)| (&cell.id, n))
        .collect();
    let mut squares = Vec::new();
    for kernel in &overview.kernels {
        for driver in &overview.drivers {
            let Some(square) = overview.square(kernel, driver) else {
                continue;
            };
            let rows = square.cells.iter().map(|cell| {
                let n = index.get(&cell.id).copied().unwrap_or_default();
                let standing = report.past.and_then(|past| past.standings.get(n));
                row(n, cell, standing)
            });
            squares.push(SquareRows {
                id: square_id(kernel, driver),
                kernel,
                driver,
                rows: rows.collect(),
            });
        }
    }
    squares
}

fn row<'a>(n: usize, cell: &'a CellResult, standing: Option<&crate::history::Standing>) -> Row<'a> {
    use crate::history::Turn;
    let mut tags = Vec::new();
    match standing.map(|s| s.turn) {
        Some(turn @ (Turn::New | Turn::StillFailing | Turn::Fixed | Turn::Flaky)) => {
            tags.push(turn.word());
        }
        _ if cell.flaky() => tags.push("flaky"),
        _ => {}
    }
    let trouble = !matches!(cell.status, Status::Clean | Status::Skipped);
    if trouble && cell.as_expected() {
        tags.push("expected");
    } else if cell.status == Status::Clean && !cell.as_expected() {
        tags.push("clean by surprise");
    }
    Row {
        n,
        id: cell_id(&cell.id),
        status: cell.status,
        unexpected: !cell.as_expected(),
        scenario: &cell.id.scenario,
        lane: cell.id.lane(),
        tags,
        reason: text::shortened(&text::one_line(&cell.reason), 400).into_owned(),
    }
}

fn meta(run: &RunResults) -> String {
    let began = run
        .started
        .get(..16)
        .unwrap_or(&run.started)
        .replace('T', " ");
    text::one_line(&format!(
        "{} in {}, {} clock, began {began} UTC on {}",
        text::counted(run.cells.len(), "cell"),
        duration(run.duration_s),
        run.clock,
        run.host.name
    ))
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// The permalink's fragment: an HTML id holds no white space.
fn cell_id(id: &CellId) -> String {
    format!("cell={}", text::one_line(&id.to_string()).replace(' ', "_"))
}

fn square_id(kernel: &str, driver: &str) -> String {
    let name = text::one_line(&format!("{kernel}/{driver}"));
    format!("square={}", name.replace(' ', "_"))
}

/// An id as a URL's fragment.
fn link(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'/' | b'=' | b'+' | b':' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
