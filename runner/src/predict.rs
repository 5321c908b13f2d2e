//! How long things will take: what earlier runs took, and what follows for a plan.

use std::collections::BTreeMap;

use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellId, RunResults, Status};

use crate::plan::PlannedCell;
use crate::shard::Cut;

/// What a cell is taken to need while no run has told, in milliseconds: a `closing` cell with
/// evidence and verdict on a busy machine.
pub const CELL_MS: u64 = 1_500;

/// What a kernel is taken to need until its snapshot is there, in milliseconds: the middle of the
/// 4 to 15 seconds seen under TCG.
pub const BOOT_MS: u64 = 10_000;

/// What a cloud kernel's package is taken to weigh, in bytes.
pub const PACKAGE_BYTES: u64 = 34_000_000;

/// What is known about durations. The same knowledge gives the same [`Cut`], so all shards of a
/// plan have to be given the same.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    cells: BTreeMap<PlannedCell, u64>,
    /// Sum and number over all kernels and drivers.
    scenarios: BTreeMap<(String, Datapath, IpVersion), (u64, u64)>,
    all: (u64, u64),
}

impl Durations {
    /// Learns from a run; what a later call says of the same cell counts.
    ///
    /// Cells that told nothing about a kernel (skipped, infrastructure) tell nothing about time
    /// either.
    pub fn learn(&mut self, results: &RunResults) {
        let kernels = specs(results.kernels.iter().map(|k| (&k.label, &k.spec)));
        let drivers = specs(results.drivers.iter().map(|d| (&d.label, &d.spec)));
        for cell in &results.cells {
            let ms = cell.timings.total_ms;
            let told = !matches!(cell.status, Status::Skipped | Status::Infra);
            if !told || !ms.is_finite() || ms <= 0.0 {
                continue;
            }
            // Whole milliseconds, at least one: sums are then the same in any order.
            let ms = (ms.min(1e9) as u64).max(1);
            let id = &cell.id;
            let scenario = (id.scenario.clone(), id.datapath, id.ip);
            for (sum, number) in [self.scenarios.entry(scenario).or_default(), &mut self.all] {
                *sum += ms;
                *number += 1;
            }
            let driver = match id.driver.as_str() {
                CellId::NO_DRIVER => Some(CellId::NO_DRIVER),
                label => drivers.get(label).copied(),
            };
            if let (Some(kernel), Some(driver)) = (kernels.get(id.kernel.as_str()), driver) {
                let planned = PlannedCell {
                    kernel: (*kernel).to_owned(),
                    driver: driver.to_owned(),
                    scenario: id.scenario.clone(),
                    datapath: id.datapath,
                    ip: id.ip,
                };
                self.cells.insert(planned, ms);
            }
        }
    }

    /// What `cell` will need on one core, in milliseconds: what it needed last, else what its
    /// scenario needs on other kernels, else what any cell needs.
    pub fn cell_ms(&self, cell: &PlannedCell) -> u64 {
        let mean = |(sum, number): &(u64, u64)| (*number > 0).then(|| sum / number);
        let scenario = (cell.scenario.clone(), cell.datapath, cell.ip);
        self.cells
            .get(cell)
            .copied()
            .or_else(|| self.scenarios.get(&scenario).and_then(mean))
            .or_else(|| mean(&self.all))
            .unwrap_or(CELL_MS)
    }

    /// What a kernel will need until its snapshot is there, in milliseconds.
    pub fn boot_ms(&self) -> u64 {
        BOOT_MS
    }

    /// For how many cells a duration is known, not guessed.
    pub fn known(&self, cells: &[PlannedCell]) -> usize {
        cells.iter().filter(|c| self.cells.contains_key(c)).count()
    }
}

fn specs<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<&'a str, &'a str> {
    pairs.map(|(l, s)| (l.as_str(), s.as_str())).collect()
}

/// What is in the cache for a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cached {
    /// Its packages.
    pub package: bool,
    /// Its snapshot: nothing has to be fetched or booted.
    pub snapshot: bool,
}

/// What a plan will take.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Forecast {
    /// Cells.
    pub cells: usize,
    /// Cells of which an earlier run told the duration.
    pub known: usize,
    /// Kernels.
    pub kernels: usize,
    /// Boots until each kernel has its snapshot.
    pub boots: usize,
    /// Kernel packages to fetch.
    pub downloads: usize,
    /// Their size in bytes, about.
    pub download_bytes: u64,
    /// Wall time in milliseconds, downloads aside, for each number of machines asked for.
    pub machines: Vec<OnMachines>,
}

/// A plan on some machines that share a cache.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OnMachines {
    /// How many machines: shards.
    pub machines: usize,
    /// Until the last one is done, in milliseconds.
    pub wall_ms: u64,
    /// Longest less shortest, as a share of the mean.
    pub spread: f64,
}

impl Forecast {
    /// Foretells `cells` on each of `machines`, with `jobs` guests at once on each of them.
    pub fn of(
        cells: &[PlannedCell],
        durations: &Durations,
        jobs: usize,
        machines: &[usize],
        cached: impl Fn(&str) -> Cached,
    ) -> Forecast {
        let mut kernels: BTreeMap<&str, Cached> = BTreeMap::new();
        for cell in cells {
            kernels
                .entry(&cell.kernel)
                .or_insert_with(|| cached(&cell.kernel));
        }
        let boots = kernels.values().filter(|c| !c.snapshot).count();
        let downloads = kernels
            .values()
            .filter(|c| **c == Cached::default())
            .count();
        Forecast {
            cells: cells.len(),
            known: durations.known(cells),
            kernels: kernels.len(),
            boots,
            downloads,
            download_bytes: downloads as u64 * PACKAGE_BYTES,
            machines: machines
                .iter()
                .map(|n| {
                    let cut = Cut::new(cells, *n, durations);
                    let booted = |kernel: &str| !kernels[kernel].snapshot;
                    let wall = |part: &crate::shard::Part| {
                        let cell_ms = part.cells.iter().map(|c| durations.cell_ms(&cells[*c]));
                        let boots = part.kernels.iter().filter(|k| booted(k));
                        let boot_ms = boots.map(|_| durations.boot_ms());
                        packed(cell_ms.chain(boot_ms), jobs)
                    };
                    OnMachines {
                        machines: *n,
                        wall_ms: cut.parts().iter().map(wall).max().unwrap_or(0),
                        spread: cut.spread(),
                    }
                })
                .collect(),
        }
    }
}

/// How long `tasks` take on `jobs` workers, each taking the next when it is free.
fn packed(tasks: impl Iterator<Item = u64>, jobs: usize) -> u64 {
    let mut free = vec![0; jobs.max(1)];
    for ms in tasks {
        *free.iter_mut().min().expect("at least one worker") += ms;
    }
    free.into_iter().max().unwrap_or(0)
}
