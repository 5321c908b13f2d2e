//! The history against made-up nights.

use super::*;
use crate::fixtures;
use crate::model::CellResult;
use tunfarm_protocol::Datapath;

const SPEC: &str = "debian:trixie/cloud";

/// A night: what `stock` and `no-orphan` of one kernel showed in `closing`.
fn night(day: u8, kernel: &str, stock: Status, edited: Status) -> RunResults {
    let cell = |driver: &str, status: Status| CellResult {
        status,
        ..fixtures::clean(fixtures::id(kernel, driver, "closing", Datapath::Tun))
    };
    let mut run = fixtures::run(
        &[kernel],
        &["stock", "no-orphan"],
        &["closing"],
        vec![cell("stock", stock), cell("no-orphan", edited)],
    );
    run.started = format!("2026-11-{day:02}T02:00:00Z");
    run.kernels[0].spec = SPEC.into();
    run
}

fn history() -> (tempfile::TempDir, History) {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(&dir.path().join("history.sqlite")).unwrap();
    assert_eq!(history.newest().unwrap(), None);
    (dir, history)
}

#[test]
fn a_bug_is_followed_across_point_releases() {
    use Status::{Clean, Infra, OrphanBug};
    let (_dir, mut history) = history();
    let nights = [
        (night(19, "6.12.94", Clean, Clean), Turn::StillClean),
        (night(20, "6.12.94", Clean, Clean), Turn::StillClean),
        (night(21, "6.12.95", OrphanBug, Clean), Turn::New),
        (night(22, "6.12.95", Infra, Clean), Turn::Unknown),
        (night(23, "6.12.96", OrphanBug, Clean), Turn::StillFailing),
        (night(24, "6.12.97", Clean, Clean), Turn::Fixed),
        (night(25, "6.12.97", OrphanBug, Clean), Turn::Flaky),
    ];
    for (run, turn) in &nights {
        history.record(run).unwrap();
        let past = history.past(run).unwrap();
        assert_eq!(past.standings[0].turn, *turn, "{}", run.started);
        assert_eq!(past.standings[1].turn, Turn::StillClean);
    }
    let past = history.past(&nights[4].0).unwrap();
    let standing = &past.standings[0];
    assert_eq!(
        (standing.since.as_str(), standing.runs),
        ("2026-11-21T02:00:00Z", 2)
    );
    assert_eq!(
        standing.phrase().unwrap(),
        "still failing, since 2026-11-21 (2 runs); last good kernel 6.12.94 (2026-11-20), last \
         good driver no-orphan (2026-11-23)"
    );
    assert_eq!(past.than.as_deref(), Some("yesterday"));
    // A run knows nothing of those after it.
    assert_eq!(past.trend.len(), 5);
    assert_eq!(past.trend[2].count(OrphanBug), 1);
    assert_eq!(history.runs().unwrap().len(), nights.len());

    // What was recorded says the same as the run itself.
    let newest = history.newest().unwrap().unwrap();
    let by_name = |past: &Past| {
        let mut standings = past.standings.clone();
        standings.sort_by(|a, b| a.id.cmp(&b.id));
        standings
    };
    let last = history.past(&nights[6].0).unwrap();
    assert_eq!(by_name(&newest), by_name(&last));
    assert_eq!((&newest.than, &newest.trend), (&last.than, &last.trend));
    assert_eq!(
        last.to_string(),
        "orphan-bug     6.12.97/stock/closing/tun\n               flaky; last good kernel 6.12.97 \
         (2026-11-24), last good driver no-orphan (2026-11-25)\n"
    );
}

#[test]
fn recording_again_replaces() {
    let (_dir, mut history) = history();
    let mut run = night(1, "6.12.95", Status::Clean, Status::Clean);
    history.record(&run).unwrap();
    run.cells.pop();
    history.record(&run).unwrap();
    let runs = history.runs().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].count(Status::Clean), 1);
}

#[test]
fn two_write_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.sqlite");
    std::thread::scope(|scope| {
        for day in 1..=8 {
            let path = &path;
            scope.spawn(move || {
                let run = night(day, "6.12.95", Status::Clean, Status::Clean);
                History::open(path).unwrap().record(&run).unwrap();
            });
        }
    });
    assert_eq!(History::open(&path).unwrap().runs().unwrap().len(), 8);
}

#[test]
fn what_is_no_history_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign");
    std::fs::write(&path, "x".repeat(4096)).unwrap();
    let error = History::open(&path).unwrap_err().to_string();
    assert!(error.starts_with("cannot open the history "), "{error}");
    assert!(error.contains("not a database"), "{error}");

    let path = dir.path().join("newer");
    let history = History::open(&path).unwrap();
    history.db.pragma_update(None, "user_version", 7).unwrap();
    drop(history);
    assert!(matches!(
        History::open(&path),
        Err(HistoryError::Newer { found: 7, .. })
    ));
}
