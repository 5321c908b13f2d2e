//! `summary.md`: for `$GITHUB_STEP_SUMMARY`, merge requests and mails.

use std::fmt::Write;

use super::{ExportError, Exporter};
use crate::Report;
use crate::attention::{Section, sections};
use crate::confusion::Confusion;
use crate::model::Status;
use crate::overview::Overview;
use crate::sentence::sentence;
use crate::text;

/// How many groups of cells each section lists; GitHub refuses summaries over 1 MiB.
const LISTED: usize = 50;

/// Writes Markdown.
pub struct Markdown;

impl Exporter for Markdown {
    fn file_name(&self) -> &'static str {
        "summary.md"
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let run = report.run;
        let mut out = String::from("## tunfarm\n\n");
        let _ = writeln!(out, "**{}**\n", fit(&sentence(run, report.past)));
        matrix(&mut out, &Overview::new(run));
        for Section { title, groups } in sections(run) {
            let cells: usize = groups.iter().map(|g| g.cells.len()).sum();
            let _ = writeln!(
                out,
                "<details><summary>{title}: {}</summary>\n",
                text::counted(cells, "cell")
            );
            for group in groups.iter().take(LISTED) {
                let cell = group.first;
                let _ = writeln!(
                    out,
                    "* {} **{}** {} with {}, {}: {}",
                    mark(cell.status),
                    cell.status,
                    fit(&cell.id.kernel),
                    fit(Overview::driver_heading(&cell.id.driver)),
                    fit(&text::shortened(&group.lanes(), 400)),
                    fit(&group.reason(400))
                );
            }
            if groups.len() > LISTED {
                let _ = writeln!(
                    out,
                    "* … and {} more, see `report.html`",
                    groups.len() - LISTED
                );
            }
            out.push_str("\n</details>\n\n");
        }
        if let Some(confusion) = Confusion::new(run) {
            seeded(&mut out, &confusion);
        }
        for note in &run.notes {
            let _ = writeln!(out, "> {}\n", fit(note));
        }
        let _ = writeln!(
            out,
            "{} in {:.1} s, {} clock, {} on {}",
            text::counted(run.cells.len(), "cell"),
            run.duration_s,
            fit(&run.clock),
            fit(&run.tool),
            fit(&run.host.name)
        );
        Ok(out.into_bytes())
    }
}

fn matrix(out: &mut String, overview: &Overview<'_>) {
    out.push_str("| kernel |");
    for driver in &overview.drivers {
        let _ = write!(out, " {} |", fit(Overview::driver_heading(driver)));
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(overview.drivers.len()));
    out.push('\n');
    for kernel in &overview.kernels {
        let _ = write!(out, "| {} |", fit(kernel));
        for driver in &overview.drivers {
            let Some(square) = overview.square(kernel, driver) else {
                out.push_str(" – |");
                continue;
            };
            let _ = write!(out, " {} {}", mark(square.worst()), square.words());
            if let Some(remark) = square.remark() {
                let _ = write!(out, " ({remark})");
            }
            out.push_str(" |");
        }
        out.push('\n');
    }
    out.push('\n');
}

/// The seeded faults, and what was said of each.
fn seeded(out: &mut String, confusion: &Confusion<'_>) {
    let _ = writeln!(
        out,
        "<details><summary>seeded faults: {}</summary>\n",
        fit(&confusion.sentence())
    );
    out.push_str("| fault | truth |");
    for status in Status::ALL {
        let _ = write!(out, " {status} |");
    }
    let _ = writeln!(
        out,
        " judged |\n|---|---|{}---|",
        "---|".repeat(Status::ALL.len())
    );
    for row in &confusion.rows {
        let _ = write!(out, "| {} | {} |", fit(row.driver), row.truth());
        for count in row.counts {
            let _ = write!(out, " {count} |");
        }
        let _ = writeln!(out, " {} |", fit(&row.remark()));
    }
    out.push_str("\n</details>\n\n");
}

/// A mark beside the word, never instead of it.
fn mark(status: Status) -> char {
    match status {
        Status::Clean => '✅',
        Status::OrphanBug | Status::OtherFailure => '❌',
        Status::Inconclusive => '❓',
        Status::Infra => '🚧',
        Status::Skipped => '⏭',
    }
}

/// Text that Markdown and HTML leave alone, on one line.
fn fit(text: &str) -> String {
    let mut out = String::new();
    for c in text::one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention would send mail to whoever has that name.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
