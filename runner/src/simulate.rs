//! A night on many machines, simulated: how long, how many boots, how much traffic, and what
//! limits it.
//!
//! A machine prepares its shard's kernels one after the other, each by reading a snapshot from
//! the cache or by fetching a package and booting it, and runs cells of what is prepared on its
//! workers meanwhile. The archive and the cache are links of known capacity that serve one
//! transfer after the other: what passes is the same as if they were shared fairly. Machines do
//! not wait for each other: two that need the same kernel at once both prepare it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::plan::PlannedCell;
use crate::predict::Durations;
use crate::shard::Cut;

/// The machines and what is between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Guests at once on each machine.
    pub jobs: usize,
    /// Whether the machines share a cache; otherwise each has its own, empty at first.
    pub shared_cache: bool,
    /// Whether the shared cache has every snapshot already.
    pub warm: bool,
    /// What the archive delivers to all machines together, bytes a second.
    pub archive_rate: u64,
    /// What the shared cache delivers and takes altogether, bytes a second.
    pub cache_rate: u64,
    /// What is fetched for one kernel, bytes.
    pub package_bytes: u64,
    /// What one kernel's snapshot weighs in the cache, bytes.
    pub snapshot_bytes: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Night {
    /// Until the last machine was done, milliseconds.
    pub wall_ms: u64,
    /// Boots on all machines together.
    pub boots: usize,
    /// Bytes from the archive.
    pub archive_bytes: u64,
    /// Bytes to and from the shared cache.
    pub cache_bytes: u64,
    /// Of the slowest machine: time its workers spent on cells, each worker's share, milliseconds.
    pub cells_ms: u64,
    /// Of the slowest machine: time its workers spent on boots, each worker's share, milliseconds.
    pub boots_ms: u64,
}

impl Night {
    /// Of the slowest machine: time its workers waited, for links or for the last cell,
    /// milliseconds.
    pub fn idle_ms(&self) -> u64 {
        self.wall_ms.saturating_sub(self.cells_ms + self.boots_ms)
    }
}

/// A link that serves one transfer after the other.
#[derive(Debug)]
struct Link {
    rate: u64,
    free_at: u64,
    bytes: u64,
}

impl Link {
    fn new(rate: u64) -> Self {
        Link {
            rate: rate.max(1),
            free_at: 0,
            bytes: 0,
        }
    }

    /// When `bytes` asked for at `now` have passed, milliseconds.
    fn pass(&mut self, now: u64, bytes: u64) -> u64 {
        self.bytes += bytes;
        self.free_at = self.free_at.max(now) + bytes * 1000 / self.rate;
        self.free_at
    }
}

/// What a machine is to do next with a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Look what the cache has.
    Look,
    /// The package is here: boot it.
    Boot,
    /// It is booted: store the snapshot.
    Store,
    /// Its cells can run.
    Ready,
}

/// One machine.
#[derive(Debug)]
struct Machine {
    /// Kernels and the durations of their cells, in the order of preparation.
    kernels: Vec<(String, Vec<u64>)>,
    /// When each worker is free.
    workers: Vec<u64>,
    cells_ms: u64,
    boots_ms: u64,
}

impl Machine {
    /// Gives the worker that is free first `ms` of work, not before `now`; when it will be done.
    fn work(&mut self, now: u64, ms: u64) -> u64 {
        let worker = self.workers.iter_mut().min().expect("a machine has one");
        *worker = (*worker).max(now) + ms;
        *worker
    }
}

/// Runs `cells`, cut as `cut` says, one machine for each part.
pub fn simulate(cells: &[PlannedCell], cut: &Cut, durations: &Durations, site: &Site) -> Night {
    let mut machines: Vec<Machine> = cut
        .parts()
        .iter()
        .map(|part| {
            let mut by_kernel: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
            for cell in part.cells.iter().map(|at| &cells[*at]) {
                let times = by_kernel.entry(&cell.kernel).or_default();
                times.push(durations.cell_ms(cell));
            }
            Machine {
                kernels: by_kernel
                    .into_iter()
                    .map(|(k, times)| (k.to_owned(), times))
                    .collect(),
                workers: vec![0; site.jobs.max(1)],
                cells_ms: 0,
                boots_ms: 0,
            }
        })
        .collect();

    let mut archive = Link::new(site.archive_rate);
    let mut cache = Link::new(site.cache_rate);
    let mut snapshots: BTreeMap<String, u64> = BTreeMap::new();
    let mut boots = 0;
    let mut events: BinaryHeap<Reverse<(u64, usize, usize, Stage)>> = BinaryHeap::new();
    for (m, machine) in machines.iter().enumerate() {
        if !machine.kernels.is_empty() {
            events.push(Reverse((0, m, 0, Stage::Look)));
        }
    }
    while let Some(Reverse((now, m, k, stage))) = events.pop() {
        let machine = &mut machines[m];
        let kernel = machine.kernels[k].0.clone();
        let (at, next) = match stage {
            Stage::Look => {
                let stored = snapshots.get(&kernel).is_some_and(|at| *at <= now);
                if site.shared_cache && (site.warm || stored) {
                    (cache.pass(now, site.snapshot_bytes), Stage::Ready)
                } else {
                    (archive.pass(now, site.package_bytes), Stage::Boot)
                }
            }
            Stage::Boot => {
                boots += 1;
                machine.boots_ms += durations.boot_ms();
                (machine.work(now, durations.boot_ms()), Stage::Store)
            }
            Stage::Store => {
                // The machine goes on with what it has; the others see it when it is all there.
                if site.shared_cache {
                    let there = cache.pass(now, site.snapshot_bytes);
                    snapshots.entry(kernel).or_insert(there);
                }
                (now, Stage::Ready)
            }
            Stage::Ready => {
                for ms in machine.kernels[k].1.clone() {
                    machine.cells_ms += ms;
                    machine.work(now, ms);
                }
                if k + 1 < machine.kernels.len() {
                    events.push(Reverse((now, m, k + 1, Stage::Look)));
                }
                continue;
            }
        };
        events.push(Reverse((at, m, k, next)));
    }
    let slowest = machines
        .iter()
        .max_by_key(|m| m.workers.iter().max().copied());
    let jobs = site.jobs.max(1) as u64;
    Night {
        wall_ms: slowest.map_or(0, |m| m.workers.iter().max().copied().unwrap_or(0)),
        boots,
        archive_bytes: archive.bytes,
        cache_bytes: cache.bytes,
        cells_ms: slowest.map_or(0, |m| m.cells_ms / jobs),
        boots_ms: slowest.map_or(0, |m| m.boots_ms / jobs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunfarm_protocol::{Datapath, IpVersion};

    fn cells(kernels: usize, scenarios: usize) -> Vec<PlannedCell> {
        (0..kernels * scenarios)
            .map(|i| PlannedCell {
                kernel: format!("k{}", i / scenarios),
                driver: "stock".into(),
                scenario: format!("s{}", i % scenarios),
                datapath: Datapath::Tun,
                ip: IpVersion::Ipv4,
            })
            .collect()
    }

    const SITE: Site = Site {
        jobs: 1,
        shared_cache: true,
        warm: false,
        archive_rate: 34_000_000,
        cache_rate: 100_000_000,
        package_bytes: 34_000_000,
        snapshot_bytes: 100_000_000,
    };

    fn night(kernels: usize, scenarios: usize, machines: usize, site: Site) -> Night {
        let (cells, known) = (cells(kernels, scenarios), Durations::default());
        simulate(&cells, &Cut::new(&cells, machines, &known), &known, &site)
    }

    #[test]
    fn one_machine_fetches_boots_and_runs() {
        let night = night(1, 10, 1, SITE);
        // 1 s of download, 10 s of boot, ten cells of 1.5 s; storing delays nobody.
        assert_eq!(night.wall_ms, 1_000 + 10_000 + 15_000);
        assert_eq!((night.boots, night.archive_bytes), (1, 34_000_000));
        assert_eq!((night.cells_ms, night.boots_ms), (15_000, 10_000));
        assert_eq!(night.idle_ms(), 1_000);
    }

    #[test]
    fn a_warm_cache_boots_nothing() {
        let night = night(4, 10, 2, Site { warm: true, ..SITE });
        assert_eq!((night.boots, night.archive_bytes), (0, 0));
        assert!(night.cache_bytes >= 4 * 100_000_000);
    }

    #[test]
    fn a_slow_archive_is_the_limit() {
        let slow = Site {
            archive_rate: 340_000,
            ..SITE
        };
        let (one, many) = (night(8, 4, 1, slow), night(8, 4, 8, slow));
        // Eight machines are no faster than the link that feeds them.
        assert!(many.wall_ms >= 800_000 && one.wall_ms >= 800_000);
        assert!(many.idle_ms() > many.wall_ms * 9 / 10);
    }

    #[test]
    fn without_a_shared_cache_each_machine_boots_for_itself() {
        let own = Site {
            shared_cache: false,
            ..SITE
        };
        let night = night(1, 40, 4, own);
        assert_eq!((night.boots, night.cache_bytes), (4, 0));
    }
}
