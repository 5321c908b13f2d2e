//! What the cells of one kernel answer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tunfarm_bisect::Answer;
use tunfarm_protocol::Datapath;
use tunfarm_reports::model::{CellResult, Status};

/// What the cells of one kernel say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All are clean.
    Healthy,
    /// These statuses are there that blame the kernel or the driver.
    Failing(BTreeSet<Status>),
    /// Nothing can be said: why.
    Unclear(String),
}

impl Reading {
    /// Reads the cells of one kernel on the datapaths that are asked about; others are controls,
    /// which have had their say in these.
    pub fn of(cells: &[CellResult], datapaths: &[Datapath]) -> Reading {
        let asked = || cells.iter().filter(|c| datapaths.contains(&c.id.datapath));
        let failing: BTreeSet<Status> = asked().filter(|c| blames(c)).map(|c| c.status).collect();
        if !failing.is_empty() {
            return Reading::Failing(failing);
        }
        match asked().find(|c| c.status != Status::Clean) {
            Some(cell) => Reading::Unclear(format!("{}: {}", cell.status.word(), cell.reason)),
            None if asked().next().is_none() => Reading::Unclear("no cell was run".to_owned()),
            None => Reading::Healthy,
        }
    }
}

/// A status that says something about the kernel or the driver. A cell that never ran (its driver
/// does not compile) has no command to repeat it, and is one that cannot be tried.
fn blames(cell: &CellResult) -> bool {
    matches!(cell.status, Status::OrphanBug | Status::OtherFailure) && !cell.command.is_empty()
}

/// Turns readings into answers.
///
/// The failing end is run before anything is searched, and its failure is *the* failure: a kernel
/// that fails in another way is neither of the two and is skipped, so that a second, unrelated
/// trouble somewhere in the range does not mislead the search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judge {
    /// What healthy cells answer: `old` when looking for what broke, `new` when for what healed.
    healthy: Answer,
    /// The statuses that the failing end showed, once it was run.
    failure: BTreeSet<Status>,
}

impl Judge {
    /// `good_is_old`: the older end is the healthy one.
    pub fn new(good_is_old: bool) -> Judge {
        Judge {
            healthy: if good_is_old {
                Answer::Old
            } else {
                Answer::New
            },
            failure: BTreeSet::new(),
        }
    }

    /// What failing cells answer.
    pub fn failing(&self) -> Answer {
        match self.healthy {
            Answer::Old => Answer::New,
            _ => Answer::Old,
        }
    }

    /// The answer to a reading and why; `failing_end` while the end is run that should fail.
    pub fn answer(&mut self, reading: &Reading, failing_end: bool) -> (Answer, String) {
        match reading {
            Reading::Healthy => (self.healthy, "clean".to_owned()),
            Reading::Unclear(why) => (Answer::Skip, why.clone()),
            Reading::Failing(statuses) => {
                if failing_end {
                    self.failure.extend(statuses);
                }
                let known = self.failure.is_empty() || !self.failure.is_disjoint(statuses);
                if known {
                    (self.failing(), words(statuses))
                } else {
                    let why = format!(
                        "it fails in another way ({}) than the failing end ({})",
                        words(statuses),
                        words(&self.failure)
                    );
                    (Answer::Skip, why)
                }
            }
        }
    }
}

fn words(statuses: &BTreeSet<Status>) -> String {
    let words: Vec<&str> = statuses.iter().map(|s| s.word()).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(lane: &str, status: Status) -> CellResult {
        let json = serde_json::json!({
            "id": {"kernel": "k", "driver": "stock", "scenario": "closing", "datapath": lane,
                   "ip": "ipv4"},
            "status": status, "expected": ["clean"], "reason": "why", "command": "tunfarm run",
        });
        serde_json::from_value(json).unwrap()
    }

    const TUN: &[Datapath] = &[Datapath::Tun];

    #[test]
    fn the_control_is_not_what_is_asked_about() {
        let cells = [cell("loopback", Status::Infra), cell("tun", Status::Clean)];
        assert_eq!(Reading::of(&cells, TUN), Reading::Healthy);
        let cells = [cell("tun", Status::Clean), cell("tun", Status::OrphanBug)];
        assert_eq!(
            Reading::of(&cells, TUN),
            Reading::Failing([Status::OrphanBug].into())
        );
    }

    #[test]
    fn what_says_nothing_is_skipped() {
        for status in [Status::Infra, Status::Inconclusive, Status::Skipped] {
            let reading = Reading::of(&[cell("tun", status)], TUN);
            assert!(matches!(reading, Reading::Unclear(_)), "{status:?}");
        }
        assert!(matches!(Reading::of(&[], TUN), Reading::Unclear(_)));
        // A driver that does not compile.
        let mut cell = cell("tun", Status::OtherFailure);
        cell.command.clear();
        assert!(matches!(Reading::of(&[cell], TUN), Reading::Unclear(_)));
    }

    #[test]
    fn another_failure_than_the_ends_is_skipped() {
        let failing = |status| Reading::Failing([status].into());
        let mut judge = Judge::new(true);
        assert_eq!(judge.answer(&Reading::Healthy, false).0, Answer::Old);
        assert_eq!(
            judge.answer(&failing(Status::OrphanBug), true).0,
            Answer::New
        );
        assert_eq!(
            judge.answer(&failing(Status::OrphanBug), false).0,
            Answer::New
        );
        let (answer, why) = judge.answer(&failing(Status::OtherFailure), false);
        assert_eq!(answer, Answer::Skip);
        assert_eq!(
            why,
            "it fails in another way (other-failure) than the failing end (orphan-bug)"
        );
    }

    #[test]
    fn looking_for_a_fix_the_failing_side_is_the_old_one() {
        let mut judge = Judge::new(false);
        let failing = Reading::Failing([Status::OtherFailure].into());
        assert_eq!(judge.answer(&failing, true).0, Answer::Old);
        assert_eq!(judge.answer(&Reading::Healthy, false).0, Answer::New);
    }
}
