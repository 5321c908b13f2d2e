//! Applying patches with `patch`, and telling what it found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::parse::{DiffHunk, FileDiff};
use crate::edit::Files;

/// A patch that fitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The changed files.
    pub files: Files,
    /// Fuzz, and what was left out; one sentence each.
    pub notes: Vec<String>,
}

/// A hunk that did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The file.
    pub file: String,
    /// Which hunk of it, from 1.
    pub number: usize,
    /// How many it has.
    pub of: usize,
    /// Line at which it expects to fit.
    pub expected_at: usize,
    /// The hunk's own lines.
    pub hunk: Vec<String>,
    /// Line at which the source resembles it most.
    pub nearest_at: usize,
    /// How the source looks there.
    pub source: Vec<String>,
}

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchRefused {
    /// No diff in it.
    #[error("{} holds no unified diff", patch.display())]
    Empty {
        /// The patch.
        patch: PathBuf,
    },
    /// Nothing of it concerns the driver.
    #[error("{} changes nothing of tun: it changes {}", patch.display(), files.join(", "))]
    NothingOfTun {
        /// The patch.
        patch: PathBuf,
        /// What it changes.
        files: Vec<String>,
    },
    /// A file it changes is not there.
    #[error("{}: this kernel has no {file}", patch.display())]
    NoFile {
        /// The patch.
        patch: PathBuf,
        /// The file.
        file: String,
    },
    /// The change is there already.
    #[error("{}: {file} already has this change", patch.display())]
    AlreadyThere {
        /// The patch.
        patch: PathBuf,
        /// The file.
        file: String,
    },
    /// Hunks do not fit.
    #[error("{}: {}", patch.display(), describe(hunks))]
    Hunks {
        /// The patch.
        patch: PathBuf,
        /// Those that do not.
        hunks: Vec<Hunk>,
    },
    /// `patch` could not be run.
    #[error("{}: {why}", patch.display())]
    Program {
        /// The patch.
        patch: PathBuf,
        /// Why.
        why: String,
    },
}

fn describe(hunks: &[Hunk]) -> String {
    let mut text = String::new();
    for (number, hunk) in hunks.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        text += &format!(
            "hunk {} of {} does not fit {} at line {}\n",
            hunk.number, hunk.of, hunk.file, hunk.expected_at
        );
        text += "  the patch expects:\n";
        for line in &hunk.hunk {
            text += &format!("    {line}\n");
        }
        text += &format!("  the source has, from line {}:\n", hunk.nearest_at);
        for line in &hunk.source {
            text += &format!("     {line}\n");
        }
    }
    text.trim_end().to_owned()
}

/// Applies the diffs of `patch` to `files` in the empty folder `scratch`.
///
/// `files` are the driver's own and the kernel's headers that the patch changes.
pub fn apply(
    patch: &Path,
    diffs: &[FileDiff],
    files: &Files,
    scratch: &Path,
) -> Result<Applied, PatchRefused> {
    if diffs.is_empty() {
        return Err(PatchRefused::Empty {
            patch: patch.to_owned(),
        });
    }
    let mut applied = Applied {
        files: files.clone(),
        notes: Vec::new(),
    };
    let mut touched = false;
    for diff in diffs {
        let path = PathBuf::from(&diff.path);
        let of_tun = diff.path.starts_with("drivers/net/tun");
        let there = applied.files.contains_key(&path) || (of_tun && diff.is_new);
        if !there {
            if of_tun || diff.path.starts_with("include/") {
                return Err(PatchRefused::NoFile {
                    patch: patch.to_owned(),
                    file: diff.path.clone(),
                });
            }
            applied.notes.push(format!(
                "{} also changes {}, which is no part of the tun module: left out",
                patch.display(),
                diff.path
            ));
            continue;
        }
        if diff.path.starts_with("include/") {
            applied.notes.push(format!(
                "{} changes {}; the rest of the kernel was built without that",
                patch.display(),
                diff.path
            ));
        }
        touched = true;
        one_file(patch, diff, &path, &mut applied, scratch)?;
    }
    if !touched {
        return Err(PatchRefused::NothingOfTun {
            patch: patch.to_owned(),
            files: diffs.iter().map(|d| d.path.clone()).collect(),
        });
    }
    Ok(applied)
}

fn one_file(
    patch: &Path,
    diff: &FileDiff,
    path: &Path,
    applied: &mut Applied,
    scratch: &Path,
) -> Result<(), PatchRefused> {
    if diff.is_gone {
        applied.files.remove(path);
        return Ok(());
    }
    let program = |why: String| PatchRefused::Program {
        patch: patch.to_owned(),
        why,
    };
    // The file has a name of ours, so no name in the patch can lead anywhere.
    let (file, input) = (scratch.join("file"), scratch.join("diff"));
    let before = applied.files.get(path).cloned().unwrap_or_default();
    fs::write(&file, &before).map_err(|e| program(format!("writing {}: {e}", file.display())))?;
    fs::write(&input, &diff.text)
        .map_err(|e| program(format!("writing {}: {e}", input.display())))?;
    let fits = |how: &[&str]| run(scratch, how).map(|done| done.status.success());
    // Allowed some fuzz, `patch` makes a change a second time: first ask whether it fits exactly,
    // then whether exactly what it comes to is there.
    if !fits(&["--dry-run", "--fuzz=0"]).map_err(program)?
        && fits(&["--dry-run", "--fuzz=0", "--reverse"]).map_err(program)?
    {
        return Err(PatchRefused::AlreadyThere {
            patch: patch.to_owned(),
            file: diff.path.clone(),
        });
    }
    let output = run(scratch, &[]).map_err(program)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<usize> = said
        .lines()
        .filter(|l| l.contains(" FAILED at "))
        .filter_map(hunk_number)
        .collect();
    if !failed.is_empty() {
        let hunks = failed
            .iter()
            .filter_map(|number| Some((*number, diff.hunks.get(number - 1)?)))
            .map(|(number, hunk)| told(diff, number, hunk, &before))
            .collect();
        return Err(PatchRefused::Hunks {
            patch: patch.to_owned(),
            hunks,
        });
    }
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(program(format!(
            "patch says: {} {}",
            said.trim(),
            why.trim()
        )));
    }
    for line in said.lines().filter(|l| l.contains("with fuzz ")) {
        applied.notes.push(format!(
            "{}: {}: {}",
            patch.display(),
            diff.path,
            line.trim().trim_end_matches('.')
        ));
    }
    let after = fs::read(&file).map_err(|e| program(format!("reading {}: {e}", file.display())))?;
    let after = String::from_utf8_lossy(&after).into_owned();
    applied.files.insert(path.to_owned(), after);
    Ok(())
}

/// Runs `patch` on the file and the diff in `scratch`.
fn run(scratch: &Path, more: &[&str]) -> Result<Output, String> {
    Command::new("patch")
        // Forced: it guesses whether a patch was meant the other way round, and often wrongly.
        .args([
            "--unified",
            "--force",
            "--no-backup-if-mismatch",
            "--reject-file=-",
        ])
        .args(more)
        .args(["--input", "diff", "file"])
        .current_dir(scratch)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot run patch: {e}; install the package patch"))
}

/// `Hunk #N FAILED at LINE.`
fn hunk_number(line: &str) -> Option<usize> {
    let rest = line.trim().strip_prefix("Hunk #")?;
    rest.split(' ').next()?.parse().ok().filter(|n| *n > 0)
}

fn told(diff: &FileDiff, number: usize, hunk: &DiffHunk, source: &str) -> Hunk {
    let lines: Vec<&str> = source.lines().collect();
    let old: Vec<&str> = hunk.old_lines().collect();
    let at = resemblance(&lines, &old, hunk.old_start.saturating_sub(1));
    let end = (at + old.len() + 2).min(lines.len());
    Hunk {
        file: diff.path.clone(),
        number,
        of: diff.hunks.len(),
        expected_at: hunk.old_start,
        hunk: hunk.lines.clone(),
        nearest_at: at + 1,
        source: lines[at.min(end)..end]
            .iter()
            .map(|l| (*l).to_owned())
            .collect(),
    }
}

/// Index of the line from which `lines` has most of `wanted`, each counted where it stands in
/// order; of equals the one nearest to `expected`. Short lines (braces) count little.
fn resemblance(lines: &[&str], wanted: &[&str], expected: usize) -> usize {
    let weight = |line: &str| line.trim().len().min(40);
    let score = |at: usize| {
        let window = &lines[at..(at + wanted.len() + 2).min(lines.len())];
        let mut from = 0;
        let mut sum = 0;
        for line in wanted.iter().filter(|l| !l.trim().is_empty()) {
            if let Some(found) = window[from..].iter().position(|w| w.trim() == line.trim()) {
                from += found + 1;
                sum += weight(line);
            }
        }
        sum
    };
    (0..lines.len())
        .max_by_key(|at| (score(*at), std::cmp::Reverse(at.abs_diff(expected))))
        .unwrap_or(0)
}
