//! `report.ktap`: KTAP version 1, nested kernel → driver → scenario and lane.
//!
//! <https://docs.kernel.org/dev-tools/ktap.html>. A test that fails as expected is `ok … # XFAIL`,
//! as kselftest writes it.

use std::fmt::Write;

use super::{ExportError, Exporter};
use crate::Report;
use crate::model::{CellResult, FindingKind, Status};
use crate::overview::Overview;
use crate::story::story;
use crate::text;

/// Bytes of diagnostic lines of one test.
const DIAGNOSTIC_LIMIT: usize = 4096;

/// Writes KTAP.
pub struct Ktap;

impl Exporter for Ktap {
    fn file_name(&self) -> &'static str {
        "report.ktap"
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let overview = Overview::new(report.run);
        let kernels: Vec<Test> = overview
            .kernels
            .iter()
            .map(|kernel| {
                let drivers = overview
                    .drivers
                    .iter()
                    .filter_map(|driver| {
                        let square = overview.square(kernel, driver)?;
                        let cases = square.cells.iter().map(|cell| case(cell)).collect();
                        Some(Test::group(Overview::driver_heading(driver), cases))
                    })
                    .collect();
                Test::group(kernel, drivers)
            })
            .filter(|kernel| !kernel.children.is_empty())
            .collect();
        let mut out = String::new();
        write_plan(&mut out, 0, &kernels);
        Ok(out.into_bytes())
    }
}

/// One test with its result line.
struct Test {
    name: String,
    ok: bool,
    /// `SKIP reason`, `XFAIL reason`, `TIMEOUT`, `ERROR reason`.
    directive: Option<String>,
    diagnostics: String,
    children: Vec<Test>,
}

impl Test {
    /// A test that is all right if its children are.
    fn group(name: &str, children: Vec<Test>) -> Test {
        Test {
            name: fit(name),
            ok: children.iter().all(|child| child.ok),
            directive: None,
            diagnostics: String::new(),
            children,
        }
    }
}

fn case(cell: &CellResult) -> Test {
    let reason = text::shortened(&fit(&cell.reason), 200).into_owned();
    let silent = cell.findings.iter().any(|f| f.kind == FindingKind::Silent);
    let (ok, directive) = match cell.status {
        Status::Skipped => (true, Some(format!("SKIP {reason}"))),
        Status::Clean => (cell.as_expected(), None),
        _ if cell.as_expected() => (true, Some(format!("XFAIL {reason}"))),
        Status::OrphanBug | Status::OtherFailure => (false, None),
        Status::Infra if silent => (false, Some(format!("TIMEOUT {reason}"))),
        Status::Infra | Status::Inconclusive => (false, Some(format!("ERROR {reason}"))),
    };
    let quiet = ok && directive.is_none();
    Test {
        name: fit(&format!("{}/{}", cell.id.scenario, cell.id.lane())),
        ok,
        directive,
        diagnostics: if quiet { String::new() } else { story(cell) },
        children: Vec::new(),
    }
}

/// Text fit for a description: one line, and no `#`, which would begin a directive.
fn fit(text: &str) -> String {
    text::one_line(text).replace('#', "_")
}

fn write_plan(out: &mut String, depth: usize, tests: &[Test]) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}KTAP version 1");
    let _ = writeln!(out, "{indent}1..{}", tests.len());
    for (number, test) in tests.iter().enumerate() {
        if !test.children.is_empty() {
            write_plan(out, depth + 1, &test.children);
        }
        for line in text::bounded(&test.diagnostics, DIAGNOSTIC_LIMIT, "results.json").lines() {
            let _ = writeln!(out, "{}", format!("{indent}# {line}").trim_end());
        }
        let result = if test.ok { "ok" } else { "not ok" };
        let _ = write!(out, "{indent}{result} {} {}", number + 1, test.name);
        if let Some(directive) = &test.directive {
            let _ = write!(out, " # {directive}");
        }
        out.push('\n');
    }
}
