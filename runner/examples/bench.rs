//! How fast cells are: what a `closing` cell takes and where it goes, two at once against one, and
//! a run again against the first.
//!
//! usage: `bench TUNFARM [KERNEL]`; ci/bench calls it. Medians and ratios within one call: the
//! machine's speed cancels out of the ratios.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tunfarm_reports::load;
use tunfarm_reports::model::{RunResults, Timings};

const ROUNDS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let tunfarm = arguments.next().expect("usage: bench TUNFARM [KERNEL]");
    let kernel = arguments
        .next()
        .unwrap_or_else(|| "debian:trixie/cloud".into());
    let dir = tempfile::tempdir().expect("a folder for the runs");
    let run = |name: &str, options: &[&str]| -> (RunResults, Duration) {
        let began = Instant::now();
        let status = Command::new(&tunfarm)
            .args([
                "run", "--kernel", &kernel, "--driver", "stock", "--out", name,
            ])
            .args(options)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("tunfarm starts");
        assert!(status.success(), "tunfarm ended with {status}");
        (
            load(&dir.path().join(Path::new(name))).expect("results"),
            began.elapsed(),
        )
    };

    let one = ["--scenario", "closing", "--datapath", "tun", "--jobs", "1"];
    let (_, first) = run("first", &one);
    let rounds: Vec<(RunResults, Duration)> = (0..ROUNDS)
        .map(|n| run(&format!("round-{n}"), &one))
        .collect();
    let cells: Vec<&Timings> = rounds.iter().map(|(r, _)| &r.cells[0].timings).collect();
    let share = |pick: fn(&Timings) -> f64| median(cells.iter().map(|t| pick(t)).collect());
    println!("a closing cell on {kernel}, median of {ROUNDS}, milliseconds");
    for (what, ms) in [
        ("QEMU start", share(|t| t.start_ms)),
        ("restore", share(|t| t.restore_ms)),
        ("guest", share(|t| t.guest_ms)),
        ("evidence", share(|t| t.evidence_ms)),
        ("verdict", share(|t| t.verdict_ms)),
        ("all", share(|t| t.total_ms)),
    ] {
        println!("  {what:<12} {ms:8.1}");
    }
    let again = median(rounds.iter().map(|(_, d)| d.as_secs_f64()).collect());
    println!(
        "first run of this matrix / a later one: {:.2}",
        first.as_secs_f64() / again
    );

    let many = |jobs| {
        let options = [
            "--scenario",
            "clos*",
            "--scenario",
            "fin-wait-1",
            "--jobs",
            jobs,
        ];
        run(&format!("jobs-{jobs}"), &options).1.as_secs_f64()
    };
    let (two, one) = (many("2"), many("1"));
    println!("one guest at a time / two at once: {:.2}", one / two);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
