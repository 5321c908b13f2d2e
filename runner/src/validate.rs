//! What a patch changed: a driver before and after, on each kernel, as a reviewer would say it.

use std::fmt::Write as _;

use tunfarm_reports::model::{CellResult, RunResults, Status};

/// What became of one kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It has the bug without the patch and not with it: the cells that show it.
    Fixes(Vec<String>),
    /// Every cell says the same.
    None,
    /// Something got worse.
    Breaks(Vec<Broken>),
    /// The patch does not apply: which hunk, where, and how the code looks there.
    DoesNotApply(String),
    /// It does not build: the compiler's first error.
    DoesNotBuild(String),
    /// Nothing can be said: the farm's trouble, or a verdict that is inconclusive on both sides.
    Unknown(String),
}

/// A cell that got worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// Scenario and lane.
    pub cell: String,
    /// What was said of it without the patch.
    pub before: String,
    /// What is said of it now.
    pub after: String,
    /// The two captures side by side.
    pub captures: String,
}

/// One kernel's part of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct OnKernel {
    /// Its label.
    pub kernel: String,
    /// What the patch did there.
    pub change: Change,
}

/// Compares the driver `before` with the driver `after` (labels) on every kernel of `run`.
pub fn compare(run: &RunResults, before: &str, after: &str) -> Vec<OnKernel> {
    run.kernels
        .iter()
        .map(|k| OnKernel {
            kernel: k.label.clone(),
            change: on_kernel(run, &k.label, before, after),
        })
        .collect()
}

fn on_kernel(run: &RunResults, kernel: &str, before: &str, after: &str) -> Change {
    let of = |driver: &str| {
        run.cells
            .iter()
            .filter(|c| c.id.kernel == kernel && c.id.driver == driver)
            .collect::<Vec<&CellResult>>()
    };
    let (old, new) = (of(before), of(after));
    let pairs: Vec<(&CellResult, &CellResult)> = old
        .iter()
        .filter_map(|o| {
            let same =
                |n: &&&CellResult| (&n.id.scenario, n.id.lane()) == (&o.id.scenario, o.id.lane());
            Some((*o, *new.iter().find(same)?))
        })
        .collect();
    let broken: Vec<Broken> = pairs
        .iter()
        .filter(|(o, n)| rank(n.status) > rank(o.status))
        .map(|(o, n)| Broken {
            cell: name(n),
            before: format!("{}: {}", o.status, o.reason),
            after: format!("{}: {}", n.status, n.reason),
            captures: side_by_side(o, n),
        })
        .collect();
    if !broken.is_empty() {
        return Change::Breaks(broken);
    }
    let told = |s: Status| matches!(s, Status::Clean | Status::OrphanBug | Status::OtherFailure);
    let fixed: Vec<String> = pairs
        .iter()
        .filter(|(o, n)| o.status == Status::OrphanBug && n.status == Status::Clean)
        .map(|(_, n)| name(n))
        .collect();
    if !fixed.is_empty() {
        return Change::Fixes(fixed);
    }
    match pairs
        .iter()
        .find(|(o, n)| !(told(o.status) && told(n.status)) && n.status != Status::Skipped)
    {
        Some((_, n)) => Change::Unknown(format!("{}: {}: {}", name(n), n.status, n.reason)),
        None if pairs.is_empty() => Change::Unknown("no cell was run with both drivers".into()),
        None => Change::None,
    }
}

/// How bad a verdict about a kernel is. What says nothing about it is neither better nor worse.
fn rank(status: Status) -> u8 {
    match status {
        Status::Clean | Status::Skipped | Status::Infra | Status::Inconclusive => 0,
        Status::OrphanBug => 1,
        Status::OtherFailure => 2,
    }
}

fn name(cell: &CellResult) -> String {
    format!("{}/{}", cell.id.scenario, cell.id.lane())
}

/// Packets shown of each capture.
const PACKETS: usize = 24;

fn side_by_side(old: &CellResult, new: &CellResult) -> String {
    let column = |cell: &CellResult| -> Vec<String> {
        let line = |(t, out, summary): &(f64, bool, String)| {
            format!("{t:10.3} {} {summary}", if *out { '>' } else { '<' })
        };
        let mut lines: Vec<String> = cell.plot.packets.iter().take(PACKETS).map(line).collect();
        if cell.plot.packets.len() > PACKETS {
            lines.push(format!(
                "{:>10} {} more",
                "…",
                cell.plot.packets.len() - PACKETS
            ));
        }
        lines
    };
    let (left, right) = (column(old), column(new));
    let width = left
        .iter()
        .map(|l| l.chars().count())
        .max()
        .unwrap_or(0)
        .max(old.id.driver.len());
    let mut out = format!("{:width$}  │ {}\n", old.id.driver, new.id.driver);
    for n in 0..left.len().max(right.len()) {
        let cell = |side: &[String]| side.get(n).cloned().unwrap_or_default();
        let _ = writeln!(
            out,
            "{}",
            format!("{:width$}  │ {}", cell(&left), cell(&right)).trim_end()
        );
    }
    out
}

/// The exit status: 0 only if nothing got worse and, when a fix is expected, the bug went away
/// on at least one kernel and is left on none.
pub fn exit_status(answer: &[OnKernel], expect_fix: bool) -> u8 {
    let any = |test: fn(&Change) -> bool| answer.iter().any(|k| test(&k.change));
    let worse = any(|c| {
        matches!(
            c,
            Change::Breaks(_) | Change::DoesNotApply(_) | Change::DoesNotBuild(_)
        )
    });
    let unfixed = expect_fix && any(|c| matches!(c, Change::None));
    let fixed = any(|c| matches!(c, Change::Fixes(_)));
    if worse || unfixed || (expect_fix && !fixed && !any(|c| matches!(c, Change::Unknown(_)))) {
        1
    } else if any(|c| matches!(c, Change::Unknown(_))) || answer.is_empty() {
        3
    } else {
        0
    }
}

/// The answer for people, in the terminal or (`markdown`) in a mail or a merge request.
pub fn in_words(answer: &[OnKernel], what: &str, markdown: bool) -> String {
    let (bullet, code) = if markdown { ("* ", "`") } else { ("", "") };
    let mut out = match markdown {
        true => format!("### tunfarm: {code}{what}{code}\n\n"),
        false => format!("{what}\n"),
    };
    for on in answer {
        let kernel = format!("{code}{}{code}", on.kernel);
        let _ = match &on.change {
            Change::Fixes(cells) => writeln!(
                out,
                "{bullet}fixes the orphan bug on {kernel} ({})",
                cells.join(", ")
            ),
            Change::None => writeln!(out, "{bullet}no change on {kernel}"),
            Change::Unknown(why) => writeln!(out, "{bullet}cannot say for {kernel}: {why}"),
            Change::DoesNotApply(why) => {
                writeln!(
                    out,
                    "{bullet}does not apply to {kernel}:\n{}",
                    block(why, markdown)
                )
            }
            Change::DoesNotBuild(why) => {
                writeln!(
                    out,
                    "{bullet}does not build for {kernel}:\n{}",
                    block(why, markdown)
                )
            }
            Change::Breaks(broken) => {
                let names: Vec<&str> = broken.iter().map(|b| b.cell.as_str()).collect();
                let mut text = format!("{bullet}breaks {kernel}: {}\n", names.join(", "));
                for b in broken {
                    let story = format!(
                        "{}\n  was {}\n  is  {}\n{}",
                        b.cell, b.before, b.after, b.captures
                    );
                    text.push_str(&block(&story, markdown));
                }
                writeln!(out, "{}", text.trim_end())
            }
        };
    }
    out
}

fn block(text: &str, markdown: bool) -> String {
    let indent = "    ";
    let body: String = text
        .trim_end()
        .lines()
        .map(|l| format!("{indent}{l}\n"))
        .collect();
    if markdown {
        format!("\n{indent}```\n{body}{indent}```\n")
    } else {
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cells: &[(&str, &str, &str, Status)]) -> RunResults {
        let cells: Vec<serde_json::Value> = cells
            .iter()
            .map(|(kernel, driver, scenario, status)| {
                let fins = if *status == Status::OrphanBug { 1 } else { 3 };
                let packets: Vec<(f64, bool, &str)> = (0..fins)
                    .map(|n| (0.4 + f64::from(n), true, "F. 1001:1001(0) ack 2"))
                    .collect();
                serde_json::json!({
                    "id": {"kernel": kernel, "driver": driver, "scenario": scenario,
                           "datapath": "tun", "ip": "ipv4"},
                    "status": status, "expected": ["clean"], "command": "",
                    "reason": format!("{fins} FINs on the wire"), "plot": {"packets": packets},
                })
            })
            .collect();
        let kernels: std::collections::BTreeSet<String> = cells
            .iter()
            .map(|c| c["id"]["kernel"].as_str().unwrap_or_default().to_owned())
            .collect();
        let kernels: Vec<serde_json::Value> = kernels
            .iter()
            .map(|k| serde_json::json!({"label": k, "spec": k}))
            .collect();
        serde_json::from_value(serde_json::json!({
            "schema": "tunfarm-results/1", "tool": "0", "plan": "", "started": "", "duration_s": 0.0,
            "clock": "virtual", "kernels": kernels, "drivers": [], "scenarios": [], "cells": cells,
        }))
        .expect("a run")
    }

    #[test]
    fn a_reviewer_reads_what_changed_on_each_kernel() {
        use Status::*;
        let run = run(&[
            ("5.10", "old", "closing", OrphanBug),
            ("5.10", "new", "closing", Clean),
            ("6.1", "old", "closing", Clean),
            ("6.1", "new", "closing", Clean),
            ("6.12", "old", "closing", Clean),
            ("6.12", "new", "closing", OrphanBug),
            ("7.3", "old", "closing", Clean),
            ("7.3", "new", "closing", Infra),
        ]);
        let mut answer = compare(&run, "old", "new");
        answer.push(OnKernel {
            kernel: "7.2".into(),
            change: Change::DoesNotBuild("drivers/net/tun.c:10:5: error: expected ‘;’".into()),
        });
        insta::assert_snapshot!("text", in_words(&answer, "fix.patch", false));
        insta::assert_snapshot!("markdown", in_words(&answer, "fix.patch", true));
    }

    #[test]
    fn the_exit_status_is_a_reviewers() {
        let on = |change: Change| OnKernel {
            kernel: "k".into(),
            change,
        };
        let fixes = || on(Change::Fixes(vec!["closing/tun".into()]));
        let none = || on(Change::None);
        assert_eq!(exit_status(&[fixes(), none()], false), 0);
        assert_eq!(exit_status(&[fixes()], true), 0);
        assert_eq!(
            exit_status(&[fixes(), none()], true),
            1,
            "the bug was to go everywhere"
        );
        assert_eq!(exit_status(&[none()], true), 1);
        assert_eq!(
            exit_status(&[on(Change::DoesNotApply(String::new()))], false),
            1
        );
        assert_eq!(
            exit_status(&[none(), on(Change::Unknown(String::new()))], false),
            3
        );
        assert_eq!(exit_status(&[], false), 3);
    }
}
