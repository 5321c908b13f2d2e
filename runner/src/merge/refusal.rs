//! What is wrong with a shard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tunfarm_reports::FileError;
use tunfarm_reports::model::CellId;

use super::ShardRun;
use crate::plan::PlannedCell;
use crate::plan_file::PlanFileError;

/// Why a folder cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Its results are not there, cut off, or of another schema.
    #[error(transparent)]
    Results(#[from] FileError),
    /// Its plan is not there or broken.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// It was stopped before its end.
    #[error("it was interrupted after {ran} of {planned} cells; run it again")]
    Interrupted {
        /// Cells that it has.
        ran: usize,
        /// Cells that it should have.
        planned: usize,
    },
    /// Its cells are not those it was to run.
    #[error("it is truncated: {cell} is planned and not in its results; run it again")]
    Lacks {
        /// The first one that is not there.
        cell: String,
    },
    /// It has cells of which its plan knows nothing.
    #[error("{cell} is in its results and not planned; run it again")]
    Unplanned {
        /// The first one.
        cell: String,
    },
    /// Its results are not those of the plan beside them.
    #[error(
        "its results are of plan {results:.12}, the plan beside them is {plan:.12}; run it again"
    )]
    NotItsPlan {
        /// Digest in the results.
        results: String,
        /// Digest in the plan.
        plan: String,
    },
    /// It is part of something else.
    #[error("it is foreign: its plan is {its:.12}, that of the others is {common:.12}")]
    Foreign {
        /// Its plan.
        its: String,
        /// The plan of most.
        common: String,
    },
    /// Another version of tunfarm ran it.
    #[error("tunfarm {its} ran it, the newest of the others is {newest}; run it again with that")]
    Older {
        /// Its version.
        its: String,
        /// The newest.
        newest: String,
    },
    /// It was cut otherwise than the others.
    #[error("it is {its}, the others are parts of {common}; give all shards the same durations")]
    CutOtherwise {
        /// Number and cut of it.
        its: String,
        /// Count and cut of most.
        common: String,
    },
    /// It ran on another clock.
    #[error("it ran in {its} time, the others in {common} time")]
    OtherClock {
        /// Its clock.
        its: String,
        /// The clock of most.
        common: String,
    },
    /// The same shard is there twice.
    #[error("shard {index} is there twice: this one is of {started}, {} of {other_started}", other.display())]
    Doubled {
        /// Which shard.
        index: usize,
        /// When it began.
        started: String,
        /// The other folder.
        other: PathBuf,
        /// When that began.
        other_started: String,
    },
    /// It has a cell that another shard has too.
    #[error("{cell} is in {} too, although the shards differ; run both again", other.display())]
    Overlaps {
        /// The first such cell.
        cell: String,
        /// The other folder.
        other: PathBuf,
    },
    /// The archive changed between two shards.
    #[error(
        "{spec} was {its} here and {theirs} in {}: the archive changed in between; run the older \
         one again", other.display()
    )]
    OtherKernel {
        /// What was asked for.
        spec: String,
        /// What it was here.
        its: String,
        /// What it was there.
        theirs: String,
        /// Where.
        other: PathBuf,
    },
}

impl Refusal {
    pub(super) fn doubled(index: usize, run: &ShardRun, first: &ShardRun) -> Refusal {
        Refusal::Doubled {
            index,
            started: run.results.started.clone(),
            other: first.folder.clone(),
            other_started: first.results.started.clone(),
        }
    }
}

/// Holds a shard's results against its own plan.
pub(super) fn check(run: &ShardRun) -> Result<(), Refusal> {
    let (plan, results) = (&run.plan, &run.results);
    if results.plan != plan.digest {
        return Err(Refusal::NotItsPlan {
            results: results.plan.clone(),
            plan: plan.digest.clone(),
        });
    }
    let planned = plan.own_cells().count();
    if results.interrupted {
        return Err(Refusal::Interrupted {
            ran: results.cells.len(),
            planned,
        });
    }
    // Both are in plan order, so the first difference names the cell. Kernels and drivers are
    // specs in the one and labels in the other: what both have in common is compared.
    let mut cells = results.cells.iter();
    for (_, wanted) in plan.own_cells() {
        let fits = |id: &CellId| {
            id.scenario == wanted.scenario
                && id.datapath == wanted.datapath
                && id.ip == wanted.ip
                && (id.driver == CellId::NO_DRIVER) == (wanted.driver == CellId::NO_DRIVER)
        };
        match cells.next() {
            Some(cell) if fits(&cell.id) => {}
            _ => {
                return Err(Refusal::Lacks { cell: name(wanted) });
            }
        }
    }
    match cells.next() {
        Some(cell) => Err(Refusal::Unplanned {
            cell: cell.id.to_string(),
        }),
        None => Ok(()),
    }
}

/// A planned cell's name, specs where its labels will be.
pub(super) fn name(cell: &PlannedCell) -> String {
    let id = CellId {
        kernel: cell.kernel.clone(),
        driver: cell.driver.clone(),
        scenario: cell.scenario.clone(),
        datapath: cell.datapath,
        ip: cell.ip,
    };
    id.to_string()
}

/// A cell that both shards were to run.
pub(super) fn overlap(run: &ShardRun, other: &ShardRun) -> Option<Refusal> {
    let theirs: BTreeSet<usize> = other.plan.own_cells().map(|(at, _)| at).collect();
    let (_, cell) = run.plan.own_cells().find(|(at, _)| theirs.contains(at))?;
    Some(Refusal::Overlaps {
        cell: name(cell),
        other: other.folder.clone(),
    })
}

/// What most shards say of themselves, and so what each has to say.
pub(super) struct Common {
    plan: String,
    newest: String,
    clock: String,
    cut: String,
    pub(super) count: usize,
}

impl Common {
    pub(super) fn of(runs: &[ShardRun]) -> Option<Common> {
        let plan = most(runs.iter().map(|r| r.plan.digest.clone()))?;
        let ours = || runs.iter().filter(|r| r.plan.digest == plan);
        let (count, cut) = most(ours().map(cut_of))?;
        Some(Common {
            newest: ours()
                .map(|r| r.results.tool.clone())
                .max_by_key(|v| version(v))?,
            clock: most(ours().map(|r| r.results.clock.clone()))?,
            cut,
            count,
            plan,
        })
    }

    pub(super) fn refuses(&self, run: &ShardRun) -> Option<Refusal> {
        let (count, cut) = cut_of(run);
        let results = &run.results;
        if run.plan.digest != self.plan {
            Some(Refusal::Foreign {
                its: run.plan.digest.clone(),
                common: self.plan.clone(),
            })
        } else if results.tool != self.newest {
            Some(Refusal::Older {
                its: results.tool.clone(),
                newest: self.newest.clone(),
            })
        } else if (count, &cut) != (self.count, &self.cut) {
            let index = run.plan.part.as_ref().map_or(1, |p| p.index);
            Some(Refusal::CutOtherwise {
                its: format!("{index}/{count} of cut {cut}"),
                common: format!("{} of cut {}", self.count, self.cut),
            })
        } else if results.clock != self.clock {
            Some(Refusal::OtherClock {
                its: results.clock.clone(),
                common: self.clock.clone(),
            })
        } else {
            None
        }
    }
}

/// A run of the whole plan is the only part of one.
fn cut_of(run: &ShardRun) -> (usize, String) {
    match &run.plan.part {
        Some(part) => (part.count, part.cut.clone()),
        None => (1, "whole".to_owned()),
    }
}

/// The commonest of some values, the first of them in order when there are several.
fn most<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let best = counts.values().copied().max()?;
    counts.into_iter().find(|(_, n)| *n == best).map(|(v, _)| v)
}

/// A version's numbers, for comparison.
fn version(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect()
}

/// The same spec, another kernel.
pub(super) fn other_kernel(run: &ShardRun, other: &ShardRun) -> Option<Refusal> {
    run.results.kernels.iter().find_map(|its| {
        let theirs = other.results.kernels.iter().find(|k| k.spec == its.spec)?;
        // A kernel that could not be had is told apart by its cells, which say so.
        let (a, b) = (its.sha256.as_ref()?, theirs.sha256.as_ref()?);
        let named = |k: &tunfarm_reports::model::KernelInfo| match &k.package_version {
            Some(version) => format!("{} ({version})", k.label),
            None => k.label.clone(),
        };
        (a != b || its.label != theirs.label).then(|| Refusal::OtherKernel {
            spec: its.spec.clone(),
            its: named(its),
            theirs: named(theirs),
            other: other.folder.clone(),
        })
    })
}
