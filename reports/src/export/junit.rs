//! `junit.xml`, for CI systems: suite = kernel and driver, case = scenario and lane.
//!
//! Read by GitLab, Jenkins (with its attachments plugin, hence the `[[ATTACHMENT|…]]` lines) and
//! the reporters used with GitHub. The only module that knows `junit-report`, which writes what
//! it is given: every text is made fit for XML here.

use junit_report::{ReportBuilder, TestCase, TestCaseBuilder, TestSuiteBuilder};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{ExportError, Exporter};
use crate::Report;
use crate::model::{CellResult, FindingKind, Status, WitnessSays};
use crate::overview::Overview;
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
                for cell in &square.cells {
                    suite.add_testcase(case(report, cell, &name));
                }
                builder.add_testsuite(suite.build());
            }
        }
        let mut bytes = Vec::new();
        builder
            .build()
            .write_xml(&mut bytes)
            .map_err(|e| ExportError(format!("junit-report cannot write it: {e}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Text fit for an attribute.
fn fit(text: &str) -> String {
    text::shortened(&text::one_line(text), MESSAGE_LIMIT).into_owned()
}

/// Text fit for a CDATA section: no forbidden character, and no end of the section within it.
fn fit_cdata(text: &str) -> String {
    let text = text::printable(text);
    text::bounded(&text, CASE_LIMIT, "the attached files").replace("]]>", "]]]]><![CDATA[>")
}

fn case(report: &Report<'_>, cell: &CellResult, suite: &str) -> TestCase {
    let name = fit(&format!("{}/{}", cell.id.scenario, cell.id.lane()));
    let time = Duration::checked_seconds_f64(cell.timings.total_ms / 1000.0)
        .filter(|t| !t.is_negative())
        .unwrap_or(Duration::ZERO);
    let reason = fit(&cell.reason);
    let word = cell.status.word();
    let mut case = match cell.status {
        Status::Skipped => TestCaseBuilder::skipped_with_cause(&name, word, &reason),
        _ if cell.as_expected() => TestCaseBuilder::success(&name, time),
        Status::Clean => TestCaseBuilder::failure(
            &name,
            time,
            "unexpected-clean",
            &format!(
                "expected {}, but it is clean: {reason}",
                words(&cell.expected)
            ),
        ),
        Status::OrphanBug | Status::OtherFailure => {
            TestCaseBuilder::failure(&name, time, word, &reason)
        }
        Status::Inconclusive | Status::Infra => TestCaseBuilder::error(&name, time, word, &reason),
    };
    case.set_classname(suite);
    if !cell.as_expected() {
        case.set_trace(&fit_cdata(&story(cell)));
    }
    case.set_system_out(&system_out(report, cell));
    case.build()
}

fn words(statuses: &[Status]) -> String {
    let words: Vec<&str> = statuses.iter().map(|s| s.word()).collect();
    words.join(" or ")
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

/// What happened in a cell, as plain text.
fn story(cell: &CellResult) -> String {
    let mut out = format!("{}: {}\n", cell.status, cell.reason);
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    if cell.as_expected() && !matches!(cell.status, Status::Clean | Status::Skipped) {
        line(format!("This was expected ({}).", words(&cell.expected)));
    }
    if let Some(mechanism) = cell.mechanism {
        line(format!("mechanism: {}", mechanism.phrase()));
    }
    for reading in &cell.witnesses {
        let says = match reading.says {
            WitnessSays::Bug => "bug",
            WitnessSays::Healthy => "healthy",
            WitnessSays::Silent => "silent",
        };
        line(format!(
            "witness {} says {says}: {}",
            reading.witness, reading.reading
        ));
    }
    if let Some(failure) = &cell.failure {
        line(format!("script line {}: {}", failure.line, failure.summary));
        for m in &failure.mismatches {
            line(format!(
                "  {}: expected {}, came {}",
                m.field, m.expected, m.actual
            ));
        }
        line(failure.detail.clone());
    }
    for finding in &cell.findings {
        line(format!(
            "console ({}): {}",
            finding_word(finding.kind),
            finding.headline
        ));
        for frame in &finding.frames {
            line(format!("    {frame}"));
        }
    }
    if !cell.earlier.is_empty() {
        line(format!("earlier attempts: {}", words(&cell.earlier)));
    }
    if let Some(control) = &cell.control {
        line(format!("control: {control}"));
    }
    line(format!("again: {}", cell.command));
    out
}

fn finding_word(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Panic => "panic",
        FindingKind::Oops => "oops",
        FindingKind::Bug => "BUG",
        FindingKind::Warning => "WARNING",
        FindingKind::Lockdep => "lockdep",
        FindingKind::HungTask => "hung task",
        FindingKind::SoftLockup => "soft lockup",
        FindingKind::RcuStall => "RCU stall",
        FindingKind::Silent => "silent",
        FindingKind::Died => "died",
    }
}
