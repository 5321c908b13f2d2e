//! From a matrix to cells, before anything is fetched or booted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::CellId;
use tunfarm_scenarios::{Collection, CollectionError, Scenario};

use crate::matrix::Matrix;
use crate::shard::{Cut, Shard};

/// One cell of the plan. Kernels and drivers are their specs here: what they are called is known
/// only when they are resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlannedCell {
    /// Kernel spec.
    pub kernel: String,
    /// Driver spec; [`CellId::NO_DRIVER`] over loopback.
    pub driver: String,
    /// Scenario name.
    pub scenario: String,
    /// Where packets pass.
    pub datapath: Datapath,
    /// On which IP version.
    pub ip: IpVersion,
}

/// The cells of a matrix, in the order in which they are reported.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cells.
    pub cells: Vec<PlannedCell>,
    /// The scenarios they need.
    pub scenarios: Vec<Scenario>,
    /// The whole that this is a part of.
    pub whole: Option<Whole>,
}

/// The plan that a shard is a part of.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Which part this is.
    pub shard: Shard,
    /// Digest of the whole plan.
    pub digest: String,
}

/// Why a matrix makes no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A scenario cannot be read.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// A glob matches no scenario.
    #[error(
        "no scenario matches `{glob}`{}; `tunfarm scenarios` lists them",
        near(nearest)
    )]
    NoScenario {
        /// The glob.
        glob: String,
        /// The nearest scenario.
        nearest: Option<String>,
    },
    /// Nothing is left to run.
    #[error("the matrix selects nothing: {0}")]
    Empty(String),
}

fn near(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|n| format!(" (did you mean `{n}`?)"))
        .unwrap_or_default()
}

impl Plan {
    /// Plans `matrix` over the built-in collection and its own folders.
    pub fn new(matrix: &Matrix) -> Result<Plan, PlanError> {
        let mut collection = Collection::built_in()?;
        for folder in &matrix.scenario_folders {
            collection.read(folder)?;
        }
        let mut scenarios = select(&collection, &matrix.scenarios)?;
        for scenario in &mut scenarios {
            scenario.spec.sysctls.extend(matrix.sysctls.clone());
        }
        for (what, empty) in [
            ("`kernels` is empty", matrix.kernels.is_empty()),
            ("`drivers` is empty", matrix.drivers.is_empty()),
            ("`scenarios` is empty", scenarios.is_empty()),
            ("`datapaths` is empty", matrix.datapaths.is_empty()),
            ("`ip` is empty", matrix.ip.is_empty()),
        ] {
            if empty {
                return Err(PlanError::Empty(what.into()));
            }
        }
        let mut cells = Vec::new();
        for kernel in distinct(&matrix.kernels) {
            for scenario in &scenarios {
                for cell in lanes(matrix, scenario) {
                    cells.push(PlannedCell {
                        kernel: kernel.clone(),
                        ..cell
                    });
                }
            }
        }
        if cells.is_empty() {
            let names: Vec<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
            return Err(PlanError::Empty(format!(
                "none of {} runs on these datapaths and IP versions",
                names.join(", ")
            )));
        }
        Ok(Plan {
            cells,
            scenarios,
            whole: None,
        })
    }

    /// The part of this plan that `shard` of `cut` has to run.
    pub fn part(&self, cut: &Cut, shard: Shard) -> Plan {
        let cells = cut.part(shard).cells.iter();
        Plan {
            cells: cells.map(|at| self.cells[*at].clone()).collect(),
            scenarios: self.scenarios.clone(),
            whole: Some(Whole {
                shard,
                digest: self.digest(),
            }),
        }
    }

    /// A digest of what is to be run: the same plan has the same digest on any machine, and each
    /// of its parts has that of the whole.
    pub fn digest(&self) -> String {
        if let Some(whole) = &self.whole {
            return whole.digest.clone();
        }
        digest(
            &self.cells,
            self.scenarios.iter().map(|s| s.sha256.as_str()),
        )
    }

    /// The scenario of this name.
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|s| s.name == name)
    }
}

/// The digest of a plan: its cells and the sha256 of each of its scenarios, in its order.
pub(crate) fn digest<'a>(
    cells: &[PlannedCell],
    scenarios: impl Iterator<Item = &'a str>,
) -> String {
    let mut hash = Sha256::new();
    for cell in cells {
        let json = serde_json::to_vec(cell).expect("a planned cell serialises");
        hash.update(json);
        hash.update([0]);
    }
    for scenario in scenarios {
        hash.update(scenario);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// The cells of one scenario on one kernel: loopback once, as it does not depend on the driver.
fn lanes<'a>(matrix: &'a Matrix, scenario: &'a Scenario) -> impl Iterator<Item = PlannedCell> + 'a {
    let spec = &scenario.spec;
    let ip = matrix.ip.iter().filter(|ip| spec.ip.contains(ip));
    let runs = |d: Datapath| matrix.datapaths.contains(&d) && spec.datapaths.contains(&d);
    ip.flat_map(move |ip| {
        let cell = |driver: &str, datapath| PlannedCell {
            kernel: String::new(),
            driver: driver.to_owned(),
            scenario: scenario.name.clone(),
            datapath,
            ip: *ip,
        };
        let control = runs(Datapath::Loopback).then(|| cell(CellId::NO_DRIVER, Datapath::Loopback));
        let mut cells: Vec<PlannedCell> = control.into_iter().collect();
        if runs(Datapath::Tun) {
            cells.extend(distinct(&matrix.drivers).map(|d| cell(d, Datapath::Tun)));
        }
        cells
    })
}

/// Each once, in the order of first mention.
fn distinct(list: &[String]) -> impl Iterator<Item = &String> {
    let mut seen = BTreeSet::new();
    list.iter().filter(move |s| seen.insert(*s))
}

fn select(collection: &Collection, globs: &[String]) -> Result<Vec<Scenario>, PlanError> {
    let mut chosen: Vec<Scenario> = Vec::new();
    for glob in globs {
        let before = chosen.len();
        let mut matched = false;
        for scenario in collection.matching(glob) {
            matched = true;
            if !chosen[..before].iter().any(|s| s.name == scenario.name) {
                chosen.push(scenario.clone());
            }
        }
        if !matched {
            let names = collection.iter().map(|s| s.name.as_str());
            return Err(PlanError::NoScenario {
                nearest: tunfarm_config::nearest(glob, names).map(str::to_owned),
                glob: glob.clone(),
            });
        }
    }
    chosen.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(yaml: &str) -> Matrix {
        tunfarm_config::parse(yaml, std::path::Path::new("m.yaml")).unwrap()
    }

    #[test]
    fn loopback_is_one_control_for_all_drivers() {
        let plan = Plan::new(&matrix(
            "{kernels: [a, b, a], drivers: [stock, 'edit:x'], scenarios: [closing]}",
        ))
        .unwrap();
        let names: Vec<String> = plan
            .cells
            .iter()
            .map(|c| format!("{} {} {:?}", c.kernel, c.driver, c.datapath))
            .collect();
        assert_eq!(
            names,
            [
                "a none Loopback",
                "a stock Tun",
                "a edit:x Tun",
                "b none Loopback",
                "b stock Tun",
                "b edit:x Tun"
            ]
        );
    }

    #[test]
    fn nothing_selected_says_what_is_empty() {
        let error = |yaml| Plan::new(&matrix(yaml)).unwrap_err().to_string();
        assert_eq!(
            error("{kernels: []}"),
            "the matrix selects nothing: `kernels` is empty"
        );
        assert_eq!(
            error("{kernels: [a], scenarios: [closin]}"),
            "no scenario matches `closin` (did you mean `closing`?); `tunfarm scenarios` lists them"
        );
        assert_eq!(
            error("{kernels: [a], scenarios: [closing], datapaths: []}"),
            "the matrix selects nothing: `datapaths` is empty"
        );
    }

    #[test]
    fn the_digest_follows_the_cells() {
        let plan = |yaml| Plan::new(&matrix(yaml)).unwrap().digest();
        let one = plan("{kernels: [a], scenarios: [closing]}");
        assert_eq!(
            one,
            plan("{kernels: [a, a], scenarios: [closing, closing]}")
        );
        assert_ne!(one, plan("{kernels: [b], scenarios: [closing]}"));
    }
}
