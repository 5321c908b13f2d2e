//! `junit.xml`, for CI systems: suite = kernel and driver, case = scenario and lane.
//!
//! Read by GitLab, Jenkins (with its attachments plugin, hence the `[[ATTACHMENT|…]]` lines) and
//! the reporters used with GitHub. The only module that knows `junit-report`, which writes what
//! it is given: every text is made fit for XML here.

mod reruns;

use std::collections::{HashMap, HashSet};

use junit_report::{ReportBuilder, TestCase, TestCaseBuilder, TestSuiteBuilder};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use self::reruns::Reruns;
use super::{ExportError, Exporter};
use crate::Report;
use crate::model::{CellResult, Status};
use crate::overview::Overview;
use crate::story::{story, words};
use crate::text;

/// Bytes of one case's output: Jenkins keeps all of a file in memory, and GitLab takes files up
/// to 30 MB, so 1,000 cells must stay well below that.
const CASE_LIMIT: usize = 16 * 1024;

/// Bytes of one message, which readers show as a headline.
const MESSAGE_LIMIT: usize = 512;

/// Writes JUnit XML.
pub struct Junit;

impl Exporter for Junit {
    fn file_name(&self) -> &'static str {
        "junit.xml"
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let run = report.run;
        let began =
            OffsetDateTime::parse(&run.started, &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let overview = Overview::new(run);
        let mut builder = ReportBuilder::new();
        let mut again = HashMap::new();
        for kernel in &overview.kernels {
            for driver in &overview.drivers {
                let Some(square) = overview.square(kernel, driver) else {
                    continue;
                };
                let name = fit(&format!("{kernel}/{}", Overview::driver_heading(driver)));
                let mut suite = TestSuiteBuilder::new(&name);
                suite.set_timestamp(began);
                suite.testsuite.package = fit(kernel);
                suite.testsuite.hostname = fit(&run.host.name);
                let mut names = HashSet::new();
                for cell in &square.cells {
                    let case_name = unique(&mut names, cell);
                    if !cell.earlier.is_empty() {
                        let reruns = Reruns {
                            passed: cell.as_expected(),
                            earlier: cell.earlier.clone(),
                        };
                        again.insert((name.clone(), case_name.clone()), reruns);
                    }
                    suite.add_testcase(case(report, cell, &name, &case_name));
                }
                builder.add_testsuite(suite.build());
            }
        }
        let mut bytes = Vec::new();
        builder
            .build()
            .write_xml(&mut bytes)
            .map_err(|e| ExportError(format!("junit-report cannot write it: {e}")))?;
        let mut bytes = reruns::add(&bytes, &again)
            .map_err(|e| ExportError(format!("junit-report's own XML does not parse: {e}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The case's name, unlike all before it: cleaning and cutting may make two names the same.
fn unique(names: &mut HashSet<String>, cell: &CellResult) -> String {
    let name = fit(&format!("{}/{}", cell.id.scenario, cell.id.lane()));
    let mut candidate = name.clone();
    let mut number = 1;
    while !names.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{name} ({number})");
    }
    candidate
}

/// Text fit for an attribute.
fn fit(text: &str) -> String {
    text::shortened(&text::one_line(text), MESSAGE_LIMIT).into_owned()
}

/// Text fit for a CDATA section: no forbidden character, and no end of the section within it.
fn fit_cdata(text: &str) -> String {
    // A line of ours makes Jenkins attach a file; a line of the guest's must not.
    let text = text::printable(text).replace("[[ATTACHMENT", "[ [ATTACHMENT");
    text::bounded(&text, CASE_LIMIT, "the attached files").replace("]]>", "]]]]><![CDATA[>")
}

fn case(report: &Report<'_>, cell: &CellResult, suite: &str, name: &str) -> TestCase {
    let time = Duration::checked_seconds_f64(cell.timings.total_ms / 1000.0)
        .filter(|t| !t.is_negative())
        .unwrap_or(Duration::ZERO);
    let reason = fit(&cell.reason);
    let word = cell.status.word();
    let mut case = match cell.status {
        Status::Skipped => TestCaseBuilder::skipped_with_cause(name, word, &reason),
        _ if cell.as_expected() => TestCaseBuilder::success(name, time),
        Status::Clean => TestCaseBuilder::failure(
            name,
            time,
            "unexpected-clean",
            &format!(
                "expected {}, but it is clean: {reason}",
                words(&cell.expected, " or ")
            ),
        ),
        Status::OrphanBug | Status::OtherFailure => {
            TestCaseBuilder::failure(name, time, word, &reason)
        }
        Status::Inconclusive | Status::Infra => TestCaseBuilder::error(name, time, word, &reason),
    };
    case.set_classname(suite);
    if !cell.as_expected() {
        case.set_trace(&fit_cdata(&story(cell)));
    }
    case.set_system_out(&system_out(report, cell));
    case.build()
}

/// The story, then one attachment line for each file. The lines stand alone and are never cut:
/// Jenkins finds them by their beginning.
fn system_out(report: &Report<'_>, cell: &CellResult) -> String {
    let mut out = fit_cdata(&story(cell));
    for file in report.attachments(&cell.id) {
        let path = cell.id.folder().join(file);
        let line = format!("[[ATTACHMENT|{}]]\n", path.display());
        out.push_str(&text::printable(&line).replace("]]>", "]]]]><![CDATA[>"));
    }
    out
}
