//! How long the kernel's own packetdrill tests take over TUN, as many at once as there are processors.
//!
//! usage: `selftests TUNFARM [KERNEL]`; ci/bench calls it. It judges nothing.

use std::process::{Command, Stdio};

use tunfarm_reports::load;
use tunfarm_reports::model::Status;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let tunfarm = arguments.next().expect("usage: selftests TUNFARM [KERNEL]");
    let kernel = arguments
        .next()
        .unwrap_or_else(|| "debian:trixie-backports/cloud".into());
    let dir = tempfile::tempdir().expect("a folder for the run");
    let status = Command::new(&tunfarm)
        .args(["pkt", "--selftests", "--kernel", &kernel])
        .args(["--datapath", "tun", "--out", "out"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("tunfarm starts");
    let run = load(&dir.path().join("out")).expect("results");
    let mut times: Vec<f64> = run.cells.iter().map(|cell| cell.timings.total_ms).collect();
    times.sort_by(f64::total_cmp);
    let clean = run.cells.iter().filter(|c| c.status == Status::Clean);
    println!(
        "{} of {} script runs on {kernel} pass; tunfarm ended with {status}",
        clean.count(),
        times.len()
    );
    let sum: f64 = times.iter().sum();
    let scripts = times.len() as f64;
    println!("  one script, average {:8.1} ms", sum / scripts);
    println!("  one script, median  {:8.1} ms", times[times.len() / 2]);
    println!("  the suite           {:8.1} s", run.duration_s);
    println!(
        "  suite / scripts     {:8.1} ms",
        run.duration_s * 1000.0 / scripts
    );
}
