//! No QEMU outlives tunfarm, not even after `kill -9`.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Bench, limits, qemus_of};

const ROLE: &str = "TUNFARM_TEST_RUNS_IN";

/// Plays both parts: started by the test harness it starts itself once more, and the second one
/// runs a cell that never ends.
#[test]
fn kill_nine_takes_the_qemu_along() {
    if let Some(dir) = std::env::var_os(ROLE) {
        return run_for_ever(&PathBuf::from(dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill_nine_takes_the_qemu_along"])
        .env(ROLE, dir.path())
        .spawn()
        .unwrap();
    wait_for("its QEMU", Duration::from_secs(120), || {
        assert!(alive(&mut other), "it ended by itself");
        qemus_of(dir.path()) == 1
    });
    other.kill().unwrap();
    other.wait().unwrap();
    wait_for("the end of its QEMU", Duration::from_secs(30), || {
        qemus_of(dir.path()) == 0
    });
}

fn run_for_ever(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench::new(dir).await;
        let snapshot = bench.snapshot().await;
        let ran = bench
            .host
            .run(&snapshot, b"spin", &limits(600), &bench.cell("spin"), None)
            .await;
        panic!("a spinning guest has ended: {ran:?}");
    });
}

fn alive(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

fn wait_for(what: &str, limit: Duration, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < limit, "{what} did not come in {limit:?}");
        sleep(Duration::from_millis(20));
    }
}
