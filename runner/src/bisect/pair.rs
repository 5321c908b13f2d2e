//! The two neighbours of an answer, side by side.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use tunfarm_protocol::{Counters, Datapath};
use tunfarm_reports::load;
use tunfarm_reports::model::{CellResult, RunResults, WitnessSays};
use tunfarm_reports::text::one_line;

/// Characters of the first column.
const NAME: usize = 26;
/// Characters of each neighbour's column.
const COLUMN: usize = 44;
/// Times that are written out of a longer list.
const MOST_TIMES: usize = 12;

/// One neighbour: its run and where that is.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What came of its cells.
    pub run: &'a RunResults,
    /// The run's folder.
    pub dir: &'a Path,
}

/// The runs in these two folders beside each other, after an empty line; nothing where one of them
/// is missing.
pub fn neighbours(dirs: (Option<PathBuf>, Option<PathBuf>), datapaths: &[Datapath]) -> String {
    let read = |dir: Option<PathBuf>| {
        let dir = dir?;
        Some((load(&dir).ok()?, dir))
    };
    let (Some((old, old_dir)), Some((new, new_dir))) = (read(dirs.0), read(dirs.1)) else {
        return String::new();
    };
    let old = Side {
        run: &old,
        dir: &old_dir,
    };
    let new = Side {
        run: &new,
        dir: &new_dir,
    };
    format!("\n{}", side_by_side(old, new, datapaths))
}

/// The cells of both on the datapaths asked about, row by row. A row in which they differ is
/// marked.
pub fn side_by_side(old: Side<'_>, new: Side<'_>, datapaths: &[Datapath]) -> String {
    let mut out = String::new();
    for left in old
        .run
        .cells
        .iter()
        .filter(|c| datapaths.contains(&c.id.datapath))
    {
        let same =
            |c: &&CellResult| c.id.scenario == left.id.scenario && c.id.lane() == left.id.lane();
        let Some(right) = new.run.cells.iter().find(same) else {
            continue;
        };
        let _ = writeln!(
            out,
            "{}/{}/{}",
            left.id.driver,
            left.id.scenario,
            left.id.lane()
        );
        row(&mut out, "kernel", &left.id.kernel, &right.id.kernel, false);
        let rows = rows(left).into_iter().zip(rows(right));
        for ((name, a), (_, b)) in rows {
            if !(a.is_empty() && b.is_empty()) {
                row(&mut out, name, &a, &b, a != b);
            }
        }
        witnesses(&mut out, left, right);
        counters(&mut out, &old, left, &new, right);
        let folder = |side: &Side<'_>, cell: &CellResult| {
            side.dir.join(cell.id.folder()).display().to_string()
        };
        let _ = writeln!(out, "  evidence: {}", folder(&old, left));
        let _ = writeln!(out, "            {}\n", folder(&new, right));
    }
    out
}

/// What is compared of every cell.
fn rows(cell: &CellResult) -> Vec<(&'static str, String)> {
    let failure = cell.failure.as_ref().map(|f| {
        let fields: Vec<String> = f
            .mismatches
            .iter()
            .map(|m| format!("{}: expected {}, came {}", m.field, m.expected, m.actual))
            .collect();
        format!("line {}: {} {}", f.line, f.summary, fields.join("; "))
    });
    let states: Vec<String> = cell
        .plot
        .states
        .iter()
        .map(|(t, state)| format!("{state} {t:.1}"))
        .collect();
    vec![
        ("verdict", cell.status.word().to_owned()),
        ("reason", one_line(&cell.reason).trim().to_owned()),
        (
            "mechanism",
            cell.mechanism
                .map(|m| m.phrase().to_owned())
                .unwrap_or_default(),
        ),
        (
            "script",
            failure
                .map(|f| one_line(&f).trim().to_owned())
                .unwrap_or_default(),
        ),
        ("FINs sent, s", times(&cell.plot.fins)),
        ("retransmissions, s", times(&cell.plot.retransmissions)),
        ("time-outs, s", times(&cell.plot.timeouts)),
        ("states from, s", states.join(", ")),
    ]
}

fn times(at: &[f64]) -> String {
    let mut words: Vec<String> = at
        .iter()
        .take(MOST_TIMES)
        .map(|t| format!("{t:.3}"))
        .collect();
    if at.len() > MOST_TIMES {
        words.push(format!("… ({} in all)", at.len()));
    }
    words.join(" ")
}

fn witnesses(out: &mut String, left: &CellResult, right: &CellResult) {
    for a in &left.witnesses {
        let Some(b) = right.witnesses.iter().find(|b| b.witness == a.witness) else {
            continue;
        };
        let text = |says: WitnessSays, reading: &str| {
            let word = match says {
                WitnessSays::Bug => "bug",
                WitnessSays::Healthy => "healthy",
                WitnessSays::Silent => "silent",
            };
            format!("{word}: {}", one_line(reading))
        };
        let name = format!("witness {}", a.witness);
        let (l, r) = (text(a.says, &a.reading), text(b.says, &b.reading));
        row(out, &name, &l, &r, l != r);
    }
}

/// The counters in which they differ.
fn counters(
    out: &mut String,
    old: &Side<'_>,
    left: &CellResult,
    new: &Side<'_>,
    right: &CellResult,
) {
    let read = |side: &Side<'_>, cell: &CellResult| -> Counters {
        let path = side.dir.join(cell.id.folder()).join("counters.json");
        // Evidence that is not there shows no difference; the verdict has said what it misses.
        std::fs::read(path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    };
    let (a, b) = (read(old, left), read(new, right));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        let value = |counters: &Counters| counters.get(name).copied().unwrap_or(0);
        let (l, r) = (value(&a), value(&b));
        if l != r {
            row(out, &one_line(name), &l.to_string(), &r.to_string(), true);
        }
    }
}

/// One row: name, left, right, each in lines of its column.
fn row(out: &mut String, name: &str, left: &str, right: &str, differs: bool) {
    let (left, right) = (wrapped(left), wrapped(right));
    for line in 0..left.len().max(right.len()) {
        let at = |column: &[String]| column.get(line).cloned().unwrap_or_default();
        let (mark, name) = match line {
            0 => (if differs { '≠' } else { ' ' }, name),
            _ => (' ', ""),
        };
        let text = format!("{mark} {name:<NAME$} {:<COLUMN$} {}", at(&left), at(&right));
        let _ = writeln!(out, "{}", text.trim_end());
    }
}

/// `text` in lines of a column's width, broken between words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COLUMN {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_differs_is_marked_and_broken_between_words() {
        let mut out = String::new();
        row(&mut out, "verdict", "clean", "orphan-bug", true);
        row(&mut out, "reason", &"word ".repeat(12), "short", true);
        row(&mut out, "mechanism", "same", "same", false);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with("≠ verdict") && lines[0].ends_with("orphan-bug"));
        assert!(lines[2].trim().starts_with("word word"), "{out}");
        assert!(lines[3].starts_with("  mechanism"));
        assert_eq!(lines.len(), 4);
    }
}
