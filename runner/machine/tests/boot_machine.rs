//! The machine with real QEMUs: boot, snapshot, fork, and every way a guest may end.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use support::{Bench, EVIDENCE, facts, finish, limits, qemus_of};
use tunfarm_machine::{Accel, BootError, CellRun, MachineType, RunCause, RunError, Stop};
use tunfarm_protocol::evidence;
use tunfarm_reports::model::FindingKind;

async fn run(bench: &Bench, job: &str, wall: u64) -> Result<CellRun, RunError> {
    let snapshot = bench.snapshot().await;
    bench
        .host
        .run(
            &snapshot,
            job.as_bytes(),
            &limits(wall),
            &bench.cell(job),
            Some(0),
        )
        .await
}

/// How the guest stopped, when it did.
async fn stop(bench: &Bench, job: &str, wall: u64) -> Stop {
    match run(bench, job, wall).await.map_err(|e| e.cause) {
        Err(RunCause::Guest(stop)) => stop,
        other => panic!("{job}: {other:?}"),
    }
}

#[tokio::test]
async fn a_kernel_is_booted_once_and_forked_for_every_cell() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let first = bench.snapshot().await;
    assert!(first.booted);
    assert_eq!(first.facts, facts());
    assert!(!bench.snapshot().await.booted);

    let before = contents(&first.dir);
    let mut digests = Vec::new();
    for cell in ["one", "two"] {
        let dir = bench.cell(cell);
        let ran = bench
            .host
            .run(&first, b"finish", &limits(60), &dir, None)
            .await
            .unwrap();
        assert_eq!(ran.finish, finish());
        assert_eq!(fs::read(dir.join(evidence::SCRIPT_LOG)).unwrap(), EVIDENCE);
        assert!(dir.join("console.log").exists());
        assert!(ran.findings.is_empty());
        assert!(ran.timings.total_ms > 0.0);
        digests.push((ran.files, ran.qemu_command_line));
    }
    assert_eq!(digests[0], digests[1]);
    assert_eq!(
        contents(&first.dir),
        before,
        "a cell wrote into its snapshot"
    );
}

fn contents(dir: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs::read(e.path()).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn two_at_once_boot_it_once() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let (a, b) = tokio::join!(bench.snapshot(), bench.snapshot());
    assert_eq!(u8::from(a.booted) + u8::from(b.booted), 1);
    assert_eq!(a.dir, b.dir);
}

#[tokio::test]
async fn a_damaged_snapshot_is_made_again() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let snapshot = bench.snapshot().await;
    let state = snapshot.dir.join("state");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&state).unwrap();
    fs::write(&state, bytes).unwrap();
    assert!(bench.snapshot().await.booted);
}

#[tokio::test]
async fn what_a_killed_run_left_half_made_is_swept_away() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let shelf = bench.cache().join("snapshots");
    fs::create_dir_all(shelf.join("feed.partial")).unwrap();
    fs::write(shelf.join("feed.lock"), b"").unwrap();
    bench.snapshot().await;
    assert!(!shelf.join("feed.partial").exists());
}

#[tokio::test]
async fn a_panic_ends_the_run_at_once() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let error = run(&bench, "panic", 600).await.unwrap_err();
    let RunCause::Guest(Stop::Panic { finding }) = &error.cause else {
        panic!("{error:?}");
    };
    assert_eq!(finding.kind, FindingKind::Panic);
    assert_eq!(
        error.to_string(),
        "the kernel panicked: Kernel panic - not syncing: test of the machine"
    );
    assert_eq!(error.findings, std::slice::from_ref(finding));
    let log = fs::read_to_string(bench.cell("panic").join("console.log")).unwrap();
    assert!(log.contains("Kernel panic"), "{log}");
}

#[tokio::test]
async fn a_halted_guest_is_not_waited_for() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    // Halted for good, or its clock racing from one far timer to the next: both are told at once.
    let stop = stop(&bench, "halt", 600).await;
    assert!(matches!(stop, Stop::Silent { .. }), "{stop:?}");
}

#[tokio::test]
async fn a_reset_is_the_guests_end() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let stop = stop(&bench, "reset", 600).await;
    assert!(
        matches!(&stop, Stop::Died { reason, .. } if reason.contains("reset")),
        "{stop:?}"
    );
}

#[tokio::test]
async fn a_spinning_guest_meets_its_limit() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let stop = stop(&bench, "spin", 2).await;
    assert!(matches!(stop, Stop::Timeout { .. }), "{stop:?}");
}

#[tokio::test]
async fn nonsense_and_floods_are_the_guests_fault() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let nonsense = stop(&bench, "junk", 600).await;
    assert!(matches!(nonsense, Stop::Stream(_)), "{nonsense:?}");
    let flood = stop(&bench, "overflow", 600).await;
    assert!(matches!(flood, Stop::TooMuch { .. }), "{flood:?}");
    let written = fs::metadata(bench.cell("overflow").join(evidence::SCRIPT_LOG)).unwrap();
    assert!(written.len() <= limits(0).evidence_bytes);
}

#[tokio::test]
async fn an_endless_console_fills_nothing() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let snapshot = bench.snapshot().await;
    let dir = bench.cell("console");
    let mut short = limits(600);
    short.console_bytes = 10;
    let ran = bench
        .host
        .run(&snapshot, b"console", &short, &dir, None)
        .await;
    // Its first panic report is whole, so it does not last.
    assert!(matches!(
        ran.unwrap_err().cause,
        RunCause::Guest(Stop::Panic { .. })
    ));
    let log = fs::read_to_string(dir.join("console.log")).unwrap();
    assert!(log.ends_with("[tunfarm: console cut here]\n"), "{log}");
}

#[tokio::test]
async fn kernels_that_do_not_come_up_are_told_apart() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let boot = async |how| {
        let spec = bench.spec(how);
        bench
            .host
            .ensure_snapshot(&spec, &bench.cache(), None)
            .await
    };
    let panics = boot(b'p').await.unwrap_err();
    assert!(
        matches!(
            &panics,
            BootError::Kernel {
                stop: Stop::Panic { .. },
                ..
            }
        ),
        "{panics:?}"
    );
    let halts = boot(b'h').await.unwrap_err();
    assert!(
        matches!(
            &halts,
            BootError::Kernel {
                stop: Stop::Silent { .. },
                ..
            }
        ),
        "{halts:?}"
    );
    assert!(
        halts.to_string().contains("nothing came on ttyS0"),
        "{halts}"
    );

    let mut text = bench.spec(b'r');
    fs::write(&text.kernel, "<html>404</html>").unwrap();
    text.digest = "text".into();
    let error = bench
        .host
        .ensure_snapshot(&text, &bench.cache(), None)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is not a kernel: it is an HTML page"),
        "{error}"
    );
    assert!(!error.is_host());

    let leftovers: Vec<_> = fs::read_dir(bench.cache().join("snapshots"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[tokio::test]
async fn a_kernel_that_needs_a_pc_gets_one() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let spec = bench.spec(b'm');
    let snapshot = bench
        .host
        .ensure_snapshot(&spec, &bench.cache(), None)
        .await
        .unwrap();
    assert_eq!(snapshot.machine, MachineType::Pc);
    let ran = bench
        .host
        .run(&snapshot, b"finish", &limits(60), &bench.cell("pc"), None)
        .await
        .unwrap();
    assert_eq!(ran.finish, finish());
    let again = bench
        .host
        .ensure_snapshot(&spec, &bench.cache(), None)
        .await
        .unwrap();
    assert_eq!((again.machine, again.booted), (MachineType::Pc, false));
}

#[tokio::test]
async fn a_dropped_run_leaves_no_qemu() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    let snapshot = bench.snapshot().await;
    let (limits, cell) = (limits(600), bench.cell("dropped"));
    let mut endless = Box::pin(bench.host.run(&snapshot, b"spin", &limits, &cell, None));
    // Polled until its QEMU is there.
    while qemus_of(bench.dir.path()) == 0 {
        let polled = tokio::time::timeout(Duration::from_millis(20), &mut endless).await;
        assert!(polled.is_err(), "a spinning guest has ended: {polled:?}");
    }
    drop(endless);
    assert_eq!(qemus_of(bench.dir.path()), 0);
}

#[tokio::test]
async fn the_translator_works_here() {
    let bench = Bench::new(&std::env::temp_dir()).await;
    bench.host.trial(Accel::Tcg).await.unwrap();
    bench.host.sandbox().await.unwrap();
}
