//! Cutting plans into shards: complete, balanced, with few kernels each, and steady.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tunfarm::plan::PlannedCell;
use tunfarm::predict::Durations;
use tunfarm::shard::{Cut, Shard};
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{
    CellId, CellResult, DriverInfo, Host, KernelInfo, RunResults, SCHEMA, Status, Timings,
};

/// A farm: for each kernel the duration of each scenario's bundle of three cells.
#[derive(Clone, Debug)]
struct Farm(BTreeMap<String, Vec<u64>>);

impl Farm {
    fn cells(&self) -> Vec<PlannedCell> {
        let mut cells = Vec::new();
        for (kernel, scenarios) in &self.0 {
            for scenario in 0..scenarios.len() {
                for (driver, datapath) in [
                    (CellId::NO_DRIVER, Datapath::Loopback),
                    ("stock", Datapath::Tun),
                    ("edit:no-orphan", Datapath::Tun),
                ] {
                    cells.push(PlannedCell {
                        kernel: kernel.clone(),
                        driver: driver.into(),
                        scenario: format!("scenario-{scenario:02}"),
                        datapath,
                        ip: IpVersion::Ipv4,
                    });
                }
            }
        }
        cells
    }

    /// What an earlier run of all of it took.
    fn durations(&self) -> Durations {
        let mut durations = Durations::default();
        durations.learn(&results(&self.cells(), |cell| {
            let scenario: usize = cell.scenario["scenario-".len()..].parse().unwrap();
            self.0[&cell.kernel][scenario] / 3
        }));
        durations
    }

    fn cut(&self, count: usize) -> Cut {
        Cut::new(&self.cells(), count, &self.durations())
    }
}

fn results(cells: &[PlannedCell], ms: impl Fn(&PlannedCell) -> u64) -> RunResults {
    let result = |cell: &PlannedCell| CellResult {
        id: CellId {
            kernel: cell.kernel.clone(),
            driver: cell.driver.clone(),
            scenario: cell.scenario.clone(),
            datapath: cell.datapath,
            ip: cell.ip,
        },
        status: Status::Clean,
        expected: vec![Status::Clean],
        reason: String::new(),
        mechanism: None,
        witnesses: vec![],
        failure: None,
        findings: vec![],
        control: None,
        earlier: vec![],
        command: String::new(),
        evidence: BTreeMap::new(),
        plot: Default::default(),
        virtual_s: 0.0,
        timings: Timings {
            total_ms: ms(cell) as f64,
            ..Timings::default()
        },
    };
    let distinct = |of: fn(&PlannedCell) -> &String| -> BTreeSet<String> {
        cells.iter().map(|c| of(c).clone()).collect()
    };
    RunResults {
        schema: SCHEMA.into(),
        tool: "0.1.0".into(),
        plan: String::new(),
        shard: None,
        started: String::new(),
        duration_s: 0.0,
        clock: "virtual".into(),
        host: Host::default(),
        interrupted: false,
        kernels: distinct(|c| &c.kernel)
            .into_iter()
            .map(|spec| KernelInfo {
                label: spec.clone(),
                spec,
                package_version: None,
                sha256: None,
                facts: None,
            })
            .collect(),
        drivers: distinct(|c| &c.driver)
            .into_iter()
            .map(|spec| DriverInfo {
                label: spec.clone(),
                spec,
                about: String::new(),
                modules: BTreeMap::new(),
                seeded: None,
            })
            .collect(),
        scenarios: vec![],
        cells: cells.iter().map(result).collect(),
        notes: vec![],
    }
}

/// Kernels with 1 to 40 scenarios, each bundle of 1 to 12 seconds.
fn farm(kernels: std::ops::Range<usize>) -> impl Strategy<Value = Farm> {
    let bundles = prop::collection::vec(1_000_u64..12_000, 1..40);
    prop::collection::btree_map("debian:[0-9]\\.[0-9]{1,3}/cloud", bundles, kernels).prop_map(Farm)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_cell_is_in_one_shard(farm in farm(1..30), count in 1_usize..=64) {
        let cut = farm.cut(count);
        prop_assert_eq!(cut.parts().len(), count);
        let mut seen: Vec<usize> = cut.parts().iter().flat_map(|p| p.cells.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..farm.cells().len()).collect::<Vec<_>>());
        // A cell and its controls stay together, in plan order.
        let cells = farm.cells();
        for part in cut.parts() {
            prop_assert!(part.cells.is_sorted());
            let mut bundles: BTreeMap<_, usize> = BTreeMap::new();
            for cell in &part.cells {
                *bundles.entry((&cells[*cell].kernel, &cells[*cell].scenario)).or_default() += 1;
            }
            prop_assert!(bundles.values().all(|n| *n == 3));
        }
    }

    /// Where the largest bundle with its boot is at most a twentieth of a shard, shards differ by
    /// less than a tenth.
    #[test]
    fn shards_take_about_the_same_time(farm in farm(1..60), count in 1_usize..=64) {
        let cut = farm.cut(count);
        let mean = cut.parts().iter().map(|p| p.predicted_ms).sum::<u64>() / count as u64;
        let largest = farm.0.values().flatten().max().unwrap() + farm.durations().boot_ms();
        if largest * 20 <= mean {
            prop_assert!(cut.spread() < 0.10, "{} of {count}", cut.spread());
        }
    }

    #[test]
    fn the_order_of_a_plan_does_not_matter(farm in farm(1..20), count in 1_usize..=64) {
        let cells = farm.cells();
        let reversed: Vec<_> = cells.iter().rev().cloned().collect();
        let by_name = |cells: &[PlannedCell]| -> Vec<BTreeSet<PlannedCell>> {
            let cut = Cut::new(cells, count, &farm.durations());
            let part = |p: &tunfarm::shard::Part| p.cells.iter().map(|c| cells[*c].clone()).collect();
            cut.parts().iter().map(part).collect()
        };
        prop_assert_eq!(by_name(&cells), by_name(&reversed));
    }
}

/// A farm as they are: `kernels` of them, 20 scenarios each, from half a second to 16 seconds a
/// bundle.
fn ordinary(kernels: usize, seed: usize) -> Farm {
    let bundle = |kernel: usize, scenario: usize| {
        let usual = [1_500, 1_600, 3_000, 900, 16_000, 2_000, 4_500];
        usual[scenario % usual.len()] + (kernel * 37 + scenario * 101) as u64 % 400
    };
    Farm(
        (0..kernels)
            .map(|k| {
                let name = format!("debian:6.{}.{k}-cloud-amd64", seed + k % 20);
                (name, (0..20).map(|s| bundle(k, s)).collect())
            })
            .collect(),
    )
}

/// What stability means: of the cells that were there before, weighed by their durations, those
/// that change their shard weigh on average no more than a few added kernels do, and never more
/// than a third of the farm. (Balance alone forces nearly one kernel's worth to move: the shard
/// that takes the new kernel has to give something away.)
#[test]
fn an_added_kernel_moves_little() {
    for (count, kernels, most) in [(4, 24, 2.0), (8, 24, 3.0), (16, 48, 5.0), (64, 96, 9.0)] {
        let mut total = 0.0;
        let trials = 12;
        for trial in 0..trials {
            let before = ordinary(kernels, trial * 31);
            let mut after = before.clone();
            let added = ordinary(1, 1000 + trial);
            after.0.extend(added.0.clone());
            let place = |farm: &Farm| -> BTreeMap<PlannedCell, usize> {
                let (cells, cut) = (farm.cells(), farm.cut(count));
                let parts = cut.parts().iter().enumerate();
                parts
                    .flat_map(|(i, p)| p.cells.iter().map(move |c| (*c, i)))
                    .map(|(c, i)| (cells[c].clone(), i))
                    .collect()
            };
            let (old, new) = (place(&before), place(&after));
            let durations = before.durations();
            let moved: u64 = old
                .iter()
                .filter(|(cell, shard)| new[*cell] != **shard)
                .map(|(cell, _)| durations.cell_ms(cell))
                .sum();
            let all: u64 = old.keys().map(|c| durations.cell_ms(c)).sum();
            let of_new: u64 = added.0.values().flatten().sum();
            assert!(
                moved * 3 <= all,
                "{count} shards: {moved} of {all} ms moved"
            );
            total += moved as f64 / of_new as f64;
        }
        let mean = total / trials as f64;
        println!("{count} shards, {kernels} kernels: {mean:.1} kernels' worth of cells moved");
        assert!(
            mean <= most,
            "{count} shards: {mean:.1} added kernels' worth moved"
        );
    }
}

#[test]
fn shards_need_few_kernels() {
    for (count, kernels) in [(4, 24), (16, 48), (64, 96)] {
        let cut = ordinary(kernels, 7).cut(count);
        let pairs: usize = cut.parts().iter().map(|p| p.kernels.len()).sum();
        println!(
            "{count} shards, {kernels} kernels: {pairs} pairs, spread {:.3}",
            cut.spread()
        );
        assert!(pairs <= kernels + 2 * count, "{pairs}");
    }
}

#[test]
fn more_shards_than_bundles_leaves_some_empty() {
    let cut = ordinary(1, 0).cut(64);
    let empty = cut.parts().iter().filter(|p| p.cells.is_empty()).count();
    assert!(empty >= 44, "20 bundles are in at most 20 shards: {empty}");
    // None takes longer than the largest bundle with its boot.
    let longest = cut.parts().iter().map(|p| p.predicted_ms).max().unwrap();
    let largest = *ordinary(1, 0).0.values().flatten().max().unwrap();
    assert!(longest <= largest + Durations::default().boot_ms());
}

#[test]
fn the_digest_tells_cuts_apart() {
    let farm = ordinary(6, 0);
    assert_eq!(farm.cut(4).digest(), farm.cut(4).digest());
    let guessed = Cut::new(&farm.cells(), 4, &Durations::default());
    assert_ne!(farm.cut(4).digest(), guessed.digest());
}

#[test]
fn a_shard_reads_back_and_nonsense_is_refused() {
    let shard: Shard = "2/4".parse().unwrap();
    assert_eq!((shard.index(), shard.count()), (2, 4));
    assert_eq!(shard.to_string(), "2/4");
    for bad in ["0/4", "5/4", "2", "a/b", "1/0", "-1/4", "", "1/4/2"] {
        let error = bad.parse::<Shard>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{bad}` is no shard: expected I/N with I from 1 to N, e.g. 2/4 for the second of four"
            )
        );
    }
}
