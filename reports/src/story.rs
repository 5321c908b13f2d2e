//! What happened in a cell, as plain text: the same words in JUnit, KTAP, kcidb and on a terminal.

use std::fmt::Write;

use crate::model::{CellResult, FindingKind, Status, WitnessSays};
use crate::text::one_line;

/// The whole story, several lines, fit to be shown.
pub fn story(cell: &CellResult) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}", cell.status, one_line(&cell.reason));
    if let Some(remark) = remark(cell) {
        let _ = writeln!(out, "{remark}");
    }
    if let Some(mechanism) = cell.mechanism {
        let _ = writeln!(out, "mechanism: {}", mechanism.phrase());
    }
    for reading in &cell.witnesses {
        let _ = writeln!(
            out,
            "witness {} says {}: {}",
            one_line(&reading.witness),
            says(reading.says),
            one_line(&reading.reading)
        );
    }
    if let Some(failure) = &cell.failure {
        let _ = writeln!(
            out,
            "script line {}: {}",
            failure.line,
            one_line(&failure.summary)
        );
        for m in &failure.mismatches {
            let _ = writeln!(
                out,
                "  {}: expected {}, came {}",
                one_line(&m.field),
                one_line(&m.expected),
                one_line(&m.actual)
            );
        }
        let _ = writeln!(out, "{}", crate::text::printable(&failure.detail));
    }
    for finding in &cell.findings {
        let kind = finding_word(finding.kind);
        let _ = writeln!(out, "console ({kind}): {}", one_line(&finding.headline));
        for frame in &finding.frames {
            let _ = writeln!(out, "    {}", one_line(frame));
        }
    }
    if !cell.earlier.is_empty() {
        let _ = writeln!(out, "earlier attempts: {}", words(&cell.earlier, ", "));
    }
    if let Some(control) = &cell.control {
        let _ = writeln!(out, "control: {}", one_line(&control.to_string()));
    }
    let _ = writeln!(out, "again: {}", one_line(&cell.command));
    out
}

/// Whether trouble was expected, or its absence was not; `None` when there is nothing to say.
pub fn remark(cell: &CellResult) -> Option<String> {
    let expected = words(&cell.expected, " or ");
    match (cell.status, cell.as_expected()) {
        (Status::Skipped, _) => None,
        (Status::Clean, true) if cell.expected == [Status::Clean] => None,
        (Status::Clean, true) => Some(format!("It might have been {expected}, and is clean.")),
        (_, true) => Some(format!("This was expected ({expected}).")),
        (_, false) => Some(format!("Expected was {expected}.")),
    }
}

/// `clean or orphan-bug`.
pub fn words(statuses: &[Status], between: &str) -> String {
    let words: Vec<&str> = statuses.iter().map(|s| s.word()).collect();
    words.join(between)
}

/// What a witness says, in one word.
pub fn says(says: WitnessSays) -> &'static str {
    match says {
        WitnessSays::Bug => "bug",
        WitnessSays::Healthy => "healthy",
        WitnessSays::Silent => "silent",
    }
}

/// The kind of a console finding, as kernel people call it.
pub fn finding_word(kind: FindingKind) -> &'static str {
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
