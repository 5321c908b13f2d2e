//! Putting shards together that are known to fit.

use std::collections::{BTreeMap, BTreeSet};

use tunfarm_reports::model::{CellResult, DriverInfo, Host, KernelInfo, RunResults, ScenarioInfo};

use super::ShardRun;

/// One run out of all its shards: lists in the order of the plan, whatever the order of shards.
pub(super) fn combine<'a>(shards: impl Iterator<Item = &'a ShardRun> + Clone) -> RunResults {
    let runs = || shards.clone().map(|s| &s.results);
    let first = shards.clone().next().expect("checked to be whole");
    let mut cells: Vec<(usize, &CellResult)> = shards
        .clone()
        .flat_map(|s| s.plan.own_cells().map(|(at, _)| at).zip(&s.results.cells))
        .collect();
    cells.sort_by_key(|(at, _)| *at);

    let mut kernels: BTreeMap<&str, &KernelInfo> = BTreeMap::new();
    let mut drivers: BTreeMap<&str, DriverInfo> = BTreeMap::new();
    let mut scenarios: BTreeMap<&str, &ScenarioInfo> = BTreeMap::new();
    for run in runs() {
        for kernel in &run.kernels {
            let known = kernels.entry(&kernel.spec).or_insert(kernel);
            if known.facts.is_none() && kernel.facts.is_some() {
                *known = kernel;
            }
        }
        for driver in &run.drivers {
            let known = drivers
                .entry(&driver.spec)
                .or_insert_with(|| driver.clone());
            known.modules.extend(driver.modules.clone());
        }
        for scenario in &run.scenarios {
            scenarios.entry(&scenario.name).or_insert(scenario);
        }
    }
    let planned = &first.plan.cells;
    RunResults {
        schema: first.results.schema.clone(),
        tool: first.results.tool.clone(),
        plan: first.results.plan.clone(),
        shard: None,
        started: runs().map(|r| r.started.clone()).min().unwrap_or_default(),
        // As if all had begun at once.
        duration_s: runs().map(|r| r.duration_s).fold(0.0, f64::max),
        clock: first.results.clock.clone(),
        host: host(runs()),
        interrupted: false,
        kernels: distinct(planned.iter().map(|c| c.kernel.as_str()))
            .filter_map(|spec| kernels.get(spec).map(|k| (*k).clone()))
            .collect(),
        drivers: distinct(planned.iter().map(|c| c.driver.as_str()))
            .filter_map(|spec| drivers.remove(spec))
            .collect(),
        scenarios: scenarios.into_values().cloned().collect(),
        cells: cells.into_iter().map(|(_, cell)| cell.clone()).collect(),
        notes: distinct(runs().flat_map(|r| r.notes.iter().map(String::as_str)))
            .map(str::to_owned)
            .collect(),
    }
}

/// Each once, in the order of first mention.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen = BTreeSet::new();
    words.filter(move |w| seen.insert(*w))
}

/// The machines as if they were one.
fn host<'a>(runs: impl Iterator<Item = &'a RunResults> + Clone) -> Host {
    let words = |of: fn(&Host) -> &String| {
        let all = distinct(runs.clone().map(|r| of(&r.host).as_str()));
        all.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let mut cpus = BTreeMap::new();
    for run in runs.clone() {
        cpus.insert(&run.host.name, run.host.cpus);
    }
    Host {
        name: words(|h| &h.name),
        qemu: words(|h| &h.qemu),
        accel: words(|h| &h.accel),
        cpus: cpus.values().sum(),
    }
}
