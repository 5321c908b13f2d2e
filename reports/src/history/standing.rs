//! Where a cell stands compared with its past.

use std::fmt;

use super::TrendPoint;
use crate::model::{CellId, RunResults, Status};
use crate::text::one_line;

/// Changes between good and bad, among the last [`WINDOW`] results, from which on a combination
/// counts as flaky: a bug that came, went and came again.
const FLAKY_TURNS: usize = 3;
const WINDOW: usize = 10;

/// What the past says about a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// How people call the last run before this one (`yesterday`); `None` if there was none.
    pub than: Option<String>,
    /// One for each cell, in the run's order.
    pub standings: Vec<Standing>,
    /// The runs up to this one, oldest first.
    pub trend: Vec<TrendPoint>,
}

/// How a cell's verdict relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Wrong now, and not the last time (or never seen before).
    New,
    /// Wrong now and the last time.
    StillFailing,
    /// Clean now, and wrong the last time.
    Fixed,
    /// It changes to and fro.
    Flaky,
    /// Clean now and the last time (or never seen before).
    StillClean,
    /// This run cannot say (infra, skipped).
    Unknown,
}

impl Turn {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Turn::New => "new",
            Turn::StillFailing => "still failing",
            Turn::Fixed => "fixed",
            Turn::Flaky => "flaky",
            Turn::StillClean => "still clean",
            Turn::Unknown => "unknown",
        }
    }
}

/// Something that was good, and when it was last seen so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The kernel's or driver's label.
    pub label: String,
    /// When that run began, RFC 3339.
    pub started: String,
}

/// Where one cell stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which cell.
    pub id: CellId,
    /// Its status in this run.
    pub status: Status,
    /// How it relates to the past.
    pub turn: Turn,
    /// When the run began that first showed what is shown without a break since, RFC 3339.
    pub since: String,
    /// Runs that showed it, this one included.
    pub runs: usize,
    /// The kernel that was last clean with the same driver, for trouble.
    pub last_good_kernel: Option<Good>,
    /// The driver with which this kernel was last clean, for trouble.
    pub last_good_driver: Option<Good>,
}

/// A result whose standing is asked for.
pub(super) struct Subject {
    pub track: String,
    pub id: CellId,
    pub status: Status,
    pub flaky: bool,
}

/// An earlier result.
pub(super) struct Seen {
    pub kernel: String,
    pub status: Status,
    pub started: String,
}

/// Whether a status says the kernel is well; `None` when it says nothing about it.
fn good(status: Status) -> Option<bool> {
    match status {
        Status::Clean => Some(true),
        Status::OrphanBug | Status::OtherFailure | Status::Inconclusive => Some(false),
        Status::Infra | Status::Skipped => None,
    }
}

impl Standing {
    /// Where `cell` stands after what was seen `before` (newest first).
    pub(super) fn of(cell: &Subject, started: &str, before: &[Seen]) -> Standing {
        let mut standing = Standing {
            id: cell.id.clone(),
            status: cell.status,
            turn: Turn::Unknown,
            since: started.to_owned(),
            runs: 1,
            last_good_kernel: None,
            last_good_driver: None,
        };
        let Some(now) = good(cell.status) else {
            return standing;
        };
        let judged: Vec<(&Seen, bool)> = before
            .iter()
            .filter_map(|seen| Some((seen, good(seen.status)?)))
            .collect();
        for (seen, _) in judged.iter().take_while(|(_, was)| *was == now) {
            standing.since.clone_from(&seen.started);
            standing.runs += 1;
        }
        let last = judged.first().map(|(_, was)| *was);
        let verdicts = std::iter::once(now).chain(judged.iter().map(|(_, was)| *was));
        let recent: Vec<bool> = verdicts.take(WINDOW).collect();
        let turns = recent.windows(2).filter(|pair| pair[0] != pair[1]).count();
        standing.turn = match (now, last) {
            _ if cell.flaky || turns >= FLAKY_TURNS => Turn::Flaky,
            (false, Some(false)) => Turn::StillFailing,
            (false, _) => Turn::New,
            (true, Some(false)) => Turn::Fixed,
            (true, _) => Turn::StillClean,
        };
        if !now {
            standing.last_good_kernel = judged.iter().find(|(_, was)| *was).map(|(seen, _)| Good {
                label: seen.kernel.clone(),
                started: seen.started.clone(),
            });
        }
        standing
    }

    /// The cell is wrong now.
    pub fn is_trouble(&self) -> bool {
        good(self.status) == Some(false)
    }

    /// `new; last good kernel 6.12.94 (2026-11-21), last good driver stock (2026-11-23)`; `None`
    /// when there is nothing to tell.
    pub fn phrase(&self) -> Option<String> {
        let day = |started: &str| started.get(..10).unwrap_or(started).to_owned();
        let mut text = match self.turn {
            Turn::StillClean | Turn::Unknown => return None,
            Turn::StillFailing => format!(
                "still failing, since {} ({} runs)",
                day(&self.since),
                self.runs
            ),
            turn => turn.word().to_owned(),
        };
        let mut goods = Vec::new();
        if let Some(good) = &self.last_good_kernel {
            goods.push(format!(
                "last good kernel {} ({})",
                good.label,
                day(&good.started)
            ));
        }
        if let Some(good) = &self.last_good_driver {
            goods.push(format!(
                "last good driver {} ({})",
                good.label,
                day(&good.started)
            ));
        }
        if !goods.is_empty() {
            text.push_str("; ");
            text.push_str(&goods.join(", "));
        }
        Some(text)
    }
}

impl Past {
    /// The past of `run` when all that is known is one earlier run.
    pub fn of_one(before: &RunResults, run: &RunResults) -> Past {
        let standings = run
            .cells
            .iter()
            .map(|cell| {
                let seen = before.cells.iter().find(|b| b.id == cell.id).map(|b| Seen {
                    kernel: b.id.kernel.clone(),
                    status: b.status,
                    started: before.started.clone(),
                });
                let subject = Subject {
                    track: String::new(),
                    id: cell.id.clone(),
                    status: cell.status,
                    flaky: cell.flaky(),
                };
                Standing::of(&subject, &run.started, seen.as_slice())
            })
            .collect();
        Past {
            than: Some(super::since(&before.started, &run.started)),
            standings,
            trend: Vec::new(),
        }
    }

    /// The standing of a cell.
    pub fn standing(&self, id: &CellId) -> Option<&Standing> {
        self.standings.iter().find(|s| s.id == *id)
    }

    /// The cells with this turn.
    pub fn with(&self, turn: Turn) -> impl Iterator<Item = &Standing> {
        self.standings.iter().filter(move |s| s.turn == turn)
    }
}

/// One line for each cell that has something to tell: new, flaky, still failing, fixed.
impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = 0;
        for turn in [Turn::New, Turn::Flaky, Turn::StillFailing, Turn::Fixed] {
            for standing in self.with(turn) {
                let name = one_line(&standing.id.to_string());
                let phrase = standing.phrase().unwrap_or_default();
                let status = standing.status;
                writeln!(
                    f,
                    "{status:<13}  {name}\n               {}",
                    one_line(&phrase)
                )?;
                told += 1;
            }
        }
        if told == 0 {
            writeln!(
                f,
                "nothing new, nothing flaky, nothing failing, nothing fixed"
            )?;
        }
        Ok(())
    }
}
