//! What deserves attention in a run, in the order in which it does.

use crate::model::{CellResult, RunResults, Status};
use crate::overview::gravity;
use crate::story::words;
use crate::text::{one_line, shortened};

/// One reason to look, and the cells it concerns.
#[derive(Debug)]
pub struct Section<'a> {
    /// `not as expected`, `flaky`, …
    pub title: &'static str,
    /// Its cells, those that tell the same together.
    pub groups: Vec<Group<'a>>,
}

/// Cells that tell the same: one kernel and driver, one status, one reason.
#[derive(Debug)]
pub struct Group<'a> {
    /// The first of them.
    pub first: &'a CellResult,
    /// All of them.
    pub cells: Vec<&'a CellResult>,
}

impl Group<'_> {
    /// Why, on one line of at most `limit` characters; of a cell that is clean by surprise, what
    /// was expected of it.
    pub fn reason(&self, limit: usize) -> String {
        let mut reason = one_line(&self.first.reason);
        if self.first.status == Status::Clean && !self.first.as_expected() {
            reason = format!(
                "expected {}, but {reason}",
                words(&self.first.expected, " or ")
            );
        }
        shortened(&reason, limit).into_owned()
    }

    /// `closing/tun, closing-bulk/tun`.
    pub fn lanes(&self) -> String {
        let lanes: Vec<String> = self
            .cells
            .iter()
            .map(|c| format!("{}/{}", c.id.scenario, c.id.lane()))
            .collect();
        lanes.join(", ")
    }
}

/// The sections of a run that have cells.
pub fn sections(run: &RunResults) -> Vec<Section<'_>> {
    type Select = fn(&CellResult) -> bool;
    let kinds: [(&str, Select); 5] = [
        ("not as expected", |c| !c.as_expected()),
        ("wrong, as expected", |c| {
            c.as_expected() && !matches!(c.status, Status::Clean | Status::Skipped)
        }),
        ("expected to fail, but clean", |c| {
            c.as_expected() && c.status == Status::Clean && expected_trouble(c)
        }),
        ("flaky", CellResult::flaky),
        ("skipped", |c| c.status == Status::Skipped),
    ];
    kinds
        .into_iter()
        .map(|(title, select)| {
            let mut cells: Vec<&CellResult> = run.cells.iter().filter(|c| select(c)).collect();
            cells.sort_by_key(|c| std::cmp::Reverse(gravity(c.status)));
            Section {
                title,
                groups: groups(cells),
            }
        })
        .filter(|section| !section.groups.is_empty())
        .collect()
}

/// The matrix or a baseline expected something other than clean here.
pub fn expected_trouble(cell: &CellResult) -> bool {
    cell.expected.iter().any(|s| *s != Status::Clean)
}

fn groups(cells: Vec<&CellResult>) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for cell in cells {
        let key = (&cell.id.kernel, &cell.id.driver, cell.status, &cell.reason);
        let at = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group {
                first: cell,
                cells: vec![cell],
            }),
        }
    }
    groups
}
