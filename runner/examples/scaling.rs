//! Prints the table of the README's scaling section: a night of 10,000 cells on 1, 10 and 100
//! machines, simulated with the durations of a real run.
//!
//! usage: cargo run --release --example scaling -- RUN

use std::path::PathBuf;

use tunfarm::plan::PlannedCell;
use tunfarm::predict::Durations;
use tunfarm::shard::Cut;
use tunfarm::simulate::{Night, Site, simulate};
use tunfarm_reports::load;
use tunfarm_reports::model::RunResults;

/// About as many cells as this.
const CELLS: usize = 10_000;

/// Machines as they are common, on a network as it is common.
const SITE: Site = Site {
    jobs: 2,
    shared_cache: true,
    warm: false,
    // 1 Gbit/s from the archive to all machines, 10 Gbit/s from the file server.
    archive_rate: 110_000_000,
    cache_rate: 1_100_000_000,
    package_bytes: 34_000_000,
    // 256 MiB of guest memory, as far as it is used: 150 to 171 MB seen.
    snapshot_bytes: 170_000_000,
};

fn main() -> anyhow::Result<()> {
    let Some(run) = std::env::args_os().nth(1) else {
        anyhow::bail!("usage: scaling RUN (a run's folder or its results.json)");
    };
    let results = load(&PathBuf::from(run))?;
    let (cells, durations) = farm(&results);
    let mean = cells.iter().map(|c| durations.cell_ms(c)).sum::<u64>() / cells.len() as u64;
    println!(
        "{} cells on {} kernels, {:.2} s a cell on the mean, {} s a boot\n",
        cells.len(),
        cells
            .iter()
            .map(|c| &c.kernel)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        mean as f64 / 1000.0,
        durations.boot_ms() / 1000,
    );
    println!(
        "| machines | cache | wall time | boots | from the archive | through the cache | cells | boots | waiting |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|---:|---:|");
    for machines in [1, 10, 100] {
        let cut = Cut::new(&cells, machines, &durations);
        for (name, site) in [
            (
                "none shared",
                Site {
                    shared_cache: false,
                    ..SITE
                },
            ),
            ("shared, empty", SITE),
            ("shared, warm", Site { warm: true, ..SITE }),
        ] {
            let night = simulate(&cells, &cut, &durations, &site);
            println!("| {machines} | {name} | {}", row(&night));
        }
    }
    Ok(())
}

/// The run's scenarios and drivers on as many kernels as make the cells.
fn farm(results: &RunResults) -> (Vec<PlannedCell>, Durations) {
    let mut durations = Durations::default();
    durations.learn(results);
    let mut lanes: Vec<PlannedCell> = Vec::new();
    for cell in &results.cells {
        let lane = PlannedCell {
            kernel: String::new(),
            driver: cell.id.driver.clone(),
            scenario: cell.id.scenario.clone(),
            datapath: cell.id.datapath,
            ip: cell.id.ip,
        };
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
    }
    let kernels = CELLS.div_ceil(lanes.len().max(1));
    let cells = (0..kernels)
        .flat_map(|k| {
            lanes.iter().map(move |lane| PlannedCell {
                kernel: format!("kernel-{k:03}"),
                ..lane.clone()
            })
        })
        .collect();
    (cells, durations)
}

fn row(night: &Night) -> String {
    let minutes = night.wall_ms as f64 / 60_000.0;
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let share = |ms: u64| format!("{:.0} %", 100.0 * ms as f64 / night.wall_ms as f64);
    format!(
        "{minutes:.1} min | {} | {} | {} | {} | {} | {} |",
        night.boots,
        gigabytes(night.archive_bytes),
        gigabytes(night.cache_bytes),
        share(night.cells_ms),
        share(night.boots_ms),
        share(night.idle_ms()),
    )
}
