//! The default matrix on Debian's own kernels: what a new user sees first.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{run_in, tunfarm};
use tunfarm_reports::load;
use tunfarm_reports::model::{CellId, Mechanism, RunResults, Status};

/// Contents of every evidence file of a run, by cell and name.
fn evidence(run: &RunResults, dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for cell in &run.cells {
        let folder = dir.join(cell.id.folder());
        for entry in std::fs::read_dir(&folder).expect("every cell has its folder") {
            let path = entry.expect("a readable folder").path();
            let name = path
                .strip_prefix(dir)
                .expect("below the run")
                .display()
                .to_string();
            files.insert(name, std::fs::read(&path).expect("a readable file"));
        }
    }
    files
}

/// Keeps every processor busy twice over until it is dropped.
struct Load(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Load {
    fn new() -> Load {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Load(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn every_kernel_is_clean_the_seeded_bug_is_seen_and_a_loaded_machine_changes_no_byte() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = run_in(dir.path(), "first", &[]);
    assert_eq!(first.status, 0, "{}", first.stderr);
    let run = load(&dir.path().join("first")).expect("results");

    assert!(run.kernels.len() >= 3, "{:?}", run.kernels);
    for cell in &run.cells {
        let retransmits = matches!(
            cell.id.scenario.as_str(),
            "closing" | "closing-bulk" | "fin-wait-1"
        );
        let seeded = cell.id.driver == "no-orphan" && retransmits;
        let status = if seeded {
            Status::OrphanBug
        } else {
            Status::Clean
        };
        assert_eq!(cell.status, status, "{}: {}", cell.id, cell.reason);
        if seeded {
            // Measured on 5.10, 6.1, 6.12 and 7.3: the probe returns -EBUSY on all of them.
            assert_eq!(cell.mechanism, Some(Mechanism::EbusyOwned), "{}", cell.id);
        }
        if retransmits && !seeded {
            // The capture's FINs were found at the times that the RTO says; this many of them.
            assert!(
                cell.plot.fins.len() >= 8,
                "{}: {:?}",
                cell.id,
                cell.plot.fins
            );
        }
        if cell.id.driver != CellId::NO_DRIVER {
            assert!(
                cell.control.is_some(),
                "{} has no loopback control",
                cell.id
            );
        }
    }

    let loaded = {
        let _load = Load::new();
        run_in(dir.path(), "loaded", &[])
    };
    assert_eq!(loaded.status, 0, "{}", loaded.stderr);
    assert!(
        !loaded.stderr.contains("does not boot"),
        "{}",
        loaded.stderr
    );
    let again = load(&dir.path().join("loaded")).expect("results");
    let (one, other) = (
        evidence(&run, &dir.path().join("first")),
        evidence(&again, &dir.path().join("loaded")),
    );
    assert!(one.len() >= run.cells.len() * 5, "{} files", one.len());
    for (name, bytes) in &one {
        assert!(
            other.get(name) == Some(bytes),
            "{name} differs between two runs"
        );
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn the_plan_of_the_default_matrix_is_what_is_run() {
    let said = tunfarm(&["plan", "--format", "json"])
        .output()
        .expect("tunfarm runs");
    assert!(said.status.success());
    let plan: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!(plan["shards"][0]["cells"], 60);
}
