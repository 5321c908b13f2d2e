//! One run against another: what changed, and what a baseline makes of it.

use std::fmt;

use crate::model::{CellId, RunResults, Status};

/// What changed for one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which cell.
    pub id: CellId,
    /// Its status in the first run; `None` if it was not there.
    pub before: Option<Status>,
    /// Its status in the second run; `None` if it is not there.
    pub after: Option<Status>,
    /// Why, as the second run (or, for a cell that is gone, the first) says.
    pub reason: String,
}

/// The cells that differ between `before` and `after`, in the order of `after`, then those that
/// are gone.
pub fn diff(before: &RunResults, after: &RunResults) -> Vec<Change> {
    let index = |run: &RunResults| {
        let cells = run.cells.iter().enumerate();
        cells
            .map(|(at, cell)| (cell.id.clone(), at))
            .collect::<std::collections::HashMap<_, _>>()
    };
    let (old, new) = (index(before), index(after));
    let mut changes = Vec::new();
    for cell in &after.cells {
        let was = old.get(&cell.id).map(|at| before.cells[*at].status);
        if was != Some(cell.status) {
            changes.push(Change {
                id: cell.id.clone(),
                before: was,
                after: Some(cell.status),
                reason: cell.reason.clone(),
            });
        }
    }
    for cell in before
        .cells
        .iter()
        .filter(|cell| !new.contains_key(&cell.id))
    {
        changes.push(Change {
            id: cell.id.clone(),
            before: Some(cell.status),
            after: None,
            reason: cell.reason.clone(),
        });
    }
    changes
}

/// `clean → orphan-bug  KERNEL/DRIVER/SCENARIO/LANE: reason`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |status: Option<Status>| status.map_or("absent", Status::word);
        let (before, after) = (word(self.before), word(self.after));
        let id = crate::text::one_line(&self.id.to_string());
        let reason = crate::text::one_line(&self.reason);
        write!(f, "{before:>13} → {after:<13} {id}: {reason}")
    }
}

/// Makes what an earlier run showed expected, so that only what is new is unexpected.
///
/// A status of the baseline is added to what a cell may show; clean stays allowed where it was, so
/// a cell that got well is no failure (it is said as loudly). What the baseline could not judge
/// (infra, skipped) makes nothing expected.
pub fn apply_baseline(run: &mut RunResults, baseline: &RunResults) {
    for cell in &mut run.cells {
        let was = baseline
            .cells
            .iter()
            .find(|b| b.id == cell.id)
            .map(|b| b.status);
        if let Some(status) = was
            && !matches!(status, Status::Infra | Status::Skipped)
            && !cell.expected.contains(&status)
        {
            cell.expected.push(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn only_what_is_new_is_unexpected_with_a_baseline() {
        let baseline = fixtures::sample();
        let mut run = fixtures::sample();
        assert_eq!(run.exit_status(), 1);
        run.cells.retain(|c| c.status != Status::Infra);
        apply_baseline(&mut run, &baseline);
        assert_eq!(run.exit_status(), 0, "{:?}", run.summary());

        let clean = run
            .cells
            .iter()
            .position(|c| c.status == Status::Clean)
            .unwrap();
        run.cells[clean].status = Status::OrphanBug;
        assert_eq!(run.exit_status(), 1);
    }

    #[test]
    fn a_baseline_that_could_not_judge_excuses_nothing() {
        let mut baseline = fixtures::sample();
        for cell in &mut baseline.cells {
            cell.status = Status::Infra;
        }
        let mut run = fixtures::sample();
        let before = run.clone();
        apply_baseline(&mut run, &baseline);
        assert_eq!(run, before);
    }

    #[test]
    fn a_diff_says_what_changed_and_nothing_else() {
        let before = fixtures::sample();
        assert_eq!(diff(&before, &before), []);
        let mut after = before.clone();
        let gone = after.cells.remove(3);
        after.cells[0].status = Status::OrphanBug;
        let changes = diff(&before, &after);
        assert_eq!(changes.len(), 2);
        assert!(
            changes[0]
                .to_string()
                .starts_with("        clean → orphan-bug    6.12.95")
        );
        assert_eq!((&changes[1].id, changes[1].after), (&gone.id, None));
    }
}
