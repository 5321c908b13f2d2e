//! The end of a run on the terminal: the matrix, what is wrong and why, where the files are.

use std::fmt::Write;
use std::path::Path;

use super::Style;
use crate::attention::{Section, sections};
use crate::history::Past;
use crate::model::{RunResults, Status};
use crate::overview::Overview;
use crate::sentence::sentence;
use crate::text;

/// How many groups of cells are listed with their reasons; the reports have all.
const LISTED: usize = 20;

/// The table, the reasons, the summary and, if given, where the files are.
pub fn render(run: &RunResults, past: Option<&Past>, style: Style, dir: Option<&Path>) -> String {
    let mut out = String::from("\n");
    matrix(&mut out, run, style);
    reasons(&mut out, run, style);
    if !run.notes.is_empty() {
        out.push('\n');
    }
    for note in &run.notes {
        let _ = writeln!(out, "note: {}", text::one_line(note));
    }
    let _ = writeln!(out, "\n{}", text::one_line(&sentence(run, past)));
    if let Some(dir) = dir {
        let _ = writeln!(out, "reports: {}", dir.display());
    }
    out
}

fn matrix(out: &mut String, run: &RunResults, style: Style) {
    let overview = Overview::new(run);
    let mut head = vec!["kernel".to_owned()];
    head.extend(
        overview
            .drivers
            .iter()
            .map(|d| text::one_line(Overview::driver_heading(d))),
    );
    let mut rows: Vec<Vec<(Option<Status>, String)>> = Vec::new();
    for kernel in &overview.kernels {
        let mut row = vec![(None, text::one_line(kernel))];
        row.extend(
            overview
                .drivers
                .iter()
                .map(|driver| match overview.square(kernel, driver) {
                    Some(square) => {
                        let remark = square.remark().map(|r| format!(" ({r})"));
                        let words = square.words() + remark.as_deref().unwrap_or("");
                        (Some(square.worst()), words)
                    }
                    None => (None, "-".to_owned()),
                }),
        );
        rows.push(row);
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].1.chars().count())
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut line = String::new();
    for (word, width) in head.iter().zip(&widths) {
        let _ = write!(line, "{word:<width$}  ");
    }
    let _ = writeln!(out, "{}", line.trim_end());
    for row in &rows {
        let mut line = String::new();
        for ((status, words), width) in row.iter().zip(&widths) {
            // Painted after padding: escape sequences have no width.
            let padded = format!("{words:<width$}");
            line.push_str(&match status {
                Some(status) => style.paint(*status, &padded),
                None => padded,
            });
            line.push_str("  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn reasons(out: &mut String, run: &RunResults, style: Style) {
    for Section { title, groups } in sections(run) {
        let _ = writeln!(out, "\n{title}:");
        for group in groups.iter().take(LISTED) {
            let cell = group.first;
            let _ = writeln!(
                out,
                "  {}  {}/{}  {}\n                 {}",
                style.paint(cell.status, &format!("{:<13}", cell.status)),
                text::one_line(&cell.id.kernel),
                text::one_line(&cell.id.driver),
                text::shortened(&text::one_line(&group.lanes()), 400),
                group.reason(400)
            );
        }
        if groups.len() > LISTED {
            let rest: usize = groups[LISTED..].iter().map(|g| g.cells.len()).sum();
            let _ = writeln!(out, "  … and {}", text::counted(rest, "more cell"));
        }
    }
}
