//! `plan.json` in a run's folder: what was to be run, all of it and by this run.
//!
//! A shard's results do not tell what is missing from them; beside its plan they do.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::{self, Plan, PlannedCell};
use crate::shard::{Cut, Shard};

/// Its name in a run's folder.
pub const PLAN: &str = "plan.json";

/// Its schema; the number rises when a reader would have to change.
pub const PLAN_SCHEMA: &str = "tunfarm-plan/1";

/// A plan as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// Digest of the plan.
    pub digest: String,
    /// Every cell of the plan, in its order.
    pub cells: Vec<PlannedCell>,
    /// sha256 of each scenario of the plan, in name order.
    pub scenarios: Vec<String>,
    /// The part of it that this run is.
    #[serde(default)]
    pub part: Option<PartOfPlan>,
}

/// The part of a plan that a shard is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOfPlan {
    /// Which shard, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
    /// Digest of the whole cut.
    pub cut: String,
    /// Positions of its cells in the plan, ascending.
    pub cells: Vec<usize>,
}

/// Why a stored plan is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; a run without its plan cannot be merged", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a plan, or was cut off or changed.
    #[error("{} is no plan of tunfarm: {why}; run it again", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl PlanFile {
    /// The file for `plan`, or for one shard of it.
    pub fn new(plan: &Plan, part: Option<(&Cut, Shard)>) -> PlanFile {
        PlanFile {
            schema: PLAN_SCHEMA.to_owned(),
            digest: plan.digest(),
            cells: plan.cells.clone(),
            scenarios: plan.scenarios.iter().map(|s| s.sha256.clone()).collect(),
            part: part.map(|(cut, shard)| PartOfPlan {
                index: shard.index(),
                count: shard.count(),
                cut: cut.digest().to_owned(),
                cells: cut.part(shard).cells.clone(),
            }),
        }
    }

    /// Writes it into a run's folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self).expect("a plan serialises");
        std::fs::write(folder.join(PLAN), json)
    }

    /// Reads it from a run's folder and checks that it is whole.
    pub fn read(folder: &Path) -> Result<PlanFile, PlanFileError> {
        let path = folder.join(PLAN);
        let text = std::fs::read(&path).map_err(|source| PlanFileError::Read {
            path: path.clone(),
            source,
        })?;
        let broken = |why: String| PlanFileError::Broken {
            path: path.clone(),
            why,
        };
        let file: PlanFile =
            serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        if file.schema != PLAN_SCHEMA {
            return Err(broken(format!(
                "its schema is {}, this version reads {PLAN_SCHEMA}",
                file.schema
            )));
        }
        let digest = plan::digest(&file.cells, file.scenarios.iter().map(String::as_str));
        if digest != file.digest {
            return Err(broken(format!(
                "its cells have the digest {digest}, not {} as it says",
                file.digest
            )));
        }
        if let Some(part) = &file.part {
            let cells = &part.cells;
            let ascending = cells.windows(2).all(|w| w[0] < w[1]);
            if !ascending || cells.last().is_some_and(|last| *last >= file.cells.len()) {
                return Err(broken(
                    "its part has cells that the plan has not".to_owned(),
                ));
            }
            if part.index == 0 || part.index > part.count {
                return Err(broken(format!("it is part {}/{}", part.index, part.count)));
            }
        }
        Ok(file)
    }

    /// The cells that this run was to run, in plan order.
    pub fn own_cells(&self) -> impl Iterator<Item = (usize, &PlannedCell)> {
        let part = self.part.as_ref().map(|p| &p.cells);
        let all = part.is_none().then_some(0..self.cells.len());
        part.into_iter()
            .flatten()
            .copied()
            .chain(all.into_iter().flatten())
            .map(|at| (at, &self.cells[at]))
    }
}
