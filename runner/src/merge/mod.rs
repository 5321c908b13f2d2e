//! Many shards, one run.
//!
//! Every shard is held against the others and against its own plan before anything is merged: it
//! must be whole, of this plan, of this version, cut the same way, there once, and with the same
//! kernels. What is not is refused by name, so that exactly that is run again; a merged run is
//! what the run of the whole plan on one machine would have been, durations and host aside.

mod combine;
mod folder;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use folder::{GatherError, gather};
pub use refusal::Refusal;
use tunfarm_reports::model::RunResults;

use crate::plan_file::PlanFile;

/// One shard as it was found.
#[derive(Clone, Debug)]
pub struct ShardRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was to run.
    pub plan: PlanFile,
    /// What it ran.
    pub results: RunResults,
}

/// What was found in some folders.
#[derive(Debug)]
pub struct Survey {
    /// Of how many shards the plan consists; 0 when no folder tells.
    pub count: usize,
    /// The shards that can be merged, by number from 1.
    pub shards: BTreeMap<usize, ShardRun>,
    /// The folders that cannot, and why.
    pub refused: Vec<(PathBuf, Refusal)>,
}

/// Why shards make no run.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.in_words())]
pub struct NotWhole {
    /// Shards of which there is no usable folder.
    pub missing: Vec<usize>,
    /// Of how many.
    pub count: usize,
    /// Folders that cannot be merged, in words.
    pub refused: Vec<String>,
    /// Cells of the plan that no shard was to run, though no shard is missing.
    pub lost: Vec<String>,
}

impl NotWhole {
    fn in_words(&self) -> String {
        let mut lines = self.refused.clone();
        if self.count == 0 {
            lines.push("cannot merge: no folder has a shard of a plan".to_owned());
        } else if !self.missing.is_empty() {
            let missing: Vec<String> = self
                .missing
                .iter()
                .map(|i| format!("{i}/{}", self.count))
                .collect();
            lines.push(format!(
                "cannot merge: shard {} is missing; run it and merge again",
                missing.join(", ")
            ));
        } else if let Some(cell) = self.lost.first() {
            lines.push(format!(
                "cannot merge: {cell} and {} more are in no shard; cut the plan and run it again",
                self.lost.len() - 1
            ));
        } else {
            lines.push("cannot merge: leave these folders out, or run them again".to_owned());
        }
        lines.join("\n")
    }
}

impl Survey {
    /// Reads `folders` and holds them against each other.
    pub fn of(folders: &[PathBuf]) -> Survey {
        let mut refused = Vec::new();
        let mut found = Vec::new();
        for folder in folders {
            match folder::read(folder) {
                Ok(run) => found.push(run),
                Err(refusal) => refused.push((folder.clone(), refusal)),
            }
        }
        let common = refusal::Common::of(&found);
        let mut shards: BTreeMap<usize, ShardRun> = BTreeMap::new();
        for run in found {
            let index = run.plan.part.as_ref().map_or(1, |p| p.index);
            let why = common
                .as_ref()
                .and_then(|c| c.refuses(&run))
                .or_else(|| {
                    let first = shards.get(&index)?;
                    Some(Refusal::doubled(index, &run, first))
                })
                .or_else(|| {
                    let mut others = shards.values();
                    others.find_map(|s| {
                        refusal::overlap(&run, s).or_else(|| refusal::other_kernel(&run, s))
                    })
                });
            match why {
                Some(why) => refused.push((run.folder, why)),
                None => {
                    shards.insert(index, run);
                }
            }
        }
        Survey {
            count: common.map_or(0, |c| c.count),
            shards,
            refused,
        }
    }

    /// Shards of which there is no usable folder, ascending.
    pub fn missing(&self) -> Vec<usize> {
        (1..=self.count)
            .filter(|i| !self.shards.contains_key(i))
            .collect()
    }

    /// Cells of the plan that no shard was to run, once no shard is missing.
    fn lost(&self) -> Vec<String> {
        let Some(first) = self.shards.values().next() else {
            return Vec::new();
        };
        if !self.missing().is_empty() {
            return Vec::new();
        }
        let there: BTreeSet<usize> = self
            .shards
            .values()
            .flat_map(|s| s.plan.own_cells().map(|(at, _)| at))
            .collect();
        let cells = first.plan.cells.iter().enumerate();
        cells
            .filter(|(at, _)| !there.contains(at))
            .map(|(_, cell)| refusal::name(cell))
            .collect()
    }

    /// The whole run, if every shard is there once and nothing was refused.
    pub fn merge(&self) -> Result<RunResults, NotWhole> {
        let missing = self.missing();
        let lost = self.lost();
        if self.count == 0 || !missing.is_empty() || !self.refused.is_empty() || !lost.is_empty() {
            return Err(NotWhole {
                missing,
                lost,
                count: self.count,
                refused: self
                    .refused
                    .iter()
                    .map(|(folder, why)| format!("{}: {why}", folder.display()))
                    .collect(),
            });
        }
        Ok(combine::combine(self.shards.values()))
    }
}
