//! The schedule, over a made-up laboratory: no guest boots here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use tunfarm::matrix::Matrix;
use tunfarm::plan::Plan;
use tunfarm::run::{
    CellJob, CellRun, Executed, Lab, Options, PreparedDriver, PreparedKernel, Trouble, execute,
};
use tunfarm_reports::model::{
    CellId, CellResult, DriverInfo, Event, KernelInfo, Status, WitnessReading, WitnessSays,
};

/// Gives each cell the status that `verdict` says, one after the other where there are several.
struct FakeLab {
    verdict: Box<dyn Fn(&CellId) -> Vec<Status>>,
    attempts: RefCell<BTreeMap<String, usize>>,
    running: Cell<usize>,
    most: Cell<usize>,
}

impl FakeLab {
    fn new(verdict: impl Fn(&CellId) -> Vec<Status> + 'static) -> Rc<FakeLab> {
        Rc::new(FakeLab {
            verdict: Box::new(verdict),
            attempts: RefCell::default(),
            running: Cell::new(0),
            most: Cell::new(0),
        })
    }
}

impl Lab for FakeLab {
    type Snapshot = ();

    async fn prepare(
        &self,
        spec: &str,
        drivers: &[String],
        _slot: usize,
    ) -> Result<PreparedKernel<()>, Trouble> {
        if spec == "broken" {
            let reason = "kernel panic at boot".to_owned();
            return Err(Trouble {
                status: Status::Infra,
                reason,
            });
        }
        let driver = |spec: &String| PreparedDriver {
            info: DriverInfo {
                label: self.driver_label(spec),
                spec: spec.clone(),
                about: String::new(),
                modules: BTreeMap::new(),
                seeded: None,
            },
            files: Vec::new(),
            notes: Vec::new(),
        };
        Ok(PreparedKernel {
            info: KernelInfo {
                label: spec.to_owned(),
                spec: spec.to_owned(),
                package_version: None,
                sha256: None,
                facts: None,
            },
            snapshot: (),
            drivers: drivers.iter().map(|d| (d.clone(), Ok(driver(d)))).collect(),
        })
    }

    async fn cell(&self, job: CellJob<'_, ()>, id: CellId) -> CellRun {
        assert!(job.folder.is_dir(), "the cell's folder exists");
        self.running.set(self.running.get() + 1);
        self.most.set(self.most.get().max(self.running.get()));
        tokio::task::yield_now().await;
        self.running.set(self.running.get() - 1);
        let attempt = {
            let mut attempts = self.attempts.borrow_mut();
            let attempt = attempts.entry(id.to_string()).or_default();
            *attempt += 1;
            *attempt - 1
        };
        let statuses = (self.verdict)(&id);
        result(id, statuses[attempt.min(statuses.len() - 1)])
    }

    fn driver_label(&self, spec: &str) -> String {
        spec.rsplit(':').next().unwrap_or(spec).to_owned()
    }
}

fn result(id: CellId, status: Status) -> CellResult {
    let reading = WitnessReading {
        witness: "capture".into(),
        says: WitnessSays::Healthy,
        reading: "9 retransmissions".into(),
    };
    serde_json::from_value(serde_json::json!({
        "id": id, "status": status, "expected": ["clean"], "reason": "made up", "command": "",
        "witnesses": [reading],
    }))
    .expect("a result")
}

const MATRIX: &str = "{kernels: [a, b], drivers: [stock, 'edit:no-orphan'], scenarios: [closing],
    positive_control: 'edit:no-orphan',
    expect: [{driver: no-orphan, status: [orphan-bug], because: seeded}]}";

/// Runs `yaml` in `lab` and stops it after `events` events.
fn run(yaml: &str, lab: &Rc<FakeLab>, jobs: usize, events: usize) -> (Executed, Vec<Event>) {
    let matrix: Matrix = tunfarm_config::parse(yaml, Path::new("m.yaml")).expect("a matrix");
    let plan = Plan::new(&matrix).expect("a plan");
    let out = tempfile::tempdir().expect("a folder");
    let options = Options {
        jobs,
        out: out.path().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (enough, stop) = tokio::sync::oneshot::channel::<()>();
    let (mut enough, mut seen) = (Some(enough), Vec::new());
    let executed = runtime.block_on(execute(
        &plan,
        &matrix,
        &options,
        lab.clone(),
        async move {
            if stop.await.is_err() {
                std::future::pending().await
            }
        },
        |event| {
            seen.push(event);
            if seen.len() == events {
                enough.take().map(|e| e.send(()));
            }
        },
    ));
    (executed, seen)
}

fn statuses(executed: &Executed) -> Vec<String> {
    executed
        .cells
        .iter()
        .map(|c| format!("{} {}", c.id, c.status))
        .collect()
}

fn as_it_should_be(id: &CellId) -> Vec<Status> {
    vec![if id.driver == "no-orphan" {
        Status::OrphanBug
    } else {
        Status::Clean
    }]
}

#[test]
fn every_cell_is_there_in_plan_order_and_as_expected() {
    let (executed, events) = run(MATRIX, &FakeLab::new(as_it_should_be), 3, usize::MAX);
    assert_eq!(
        statuses(&executed),
        [
            "a/none/closing/loopback clean",
            "a/stock/closing/tun clean",
            "a/no-orphan/closing/tun orphan-bug",
            "b/none/closing/loopback clean",
            "b/stock/closing/tun clean",
            "b/no-orphan/closing/tun orphan-bug",
        ]
    );
    assert!(executed.cells.iter().all(CellResult::as_expected));
    assert_eq!(executed.drivers.len(), 2);
    let finished = events
        .iter()
        .filter(|e| matches!(e, Event::CellFinished { .. }))
        .count();
    assert_eq!(finished, 6, "each cell is reported once");
}

#[test]
fn a_kernel_that_does_not_boot_is_infra_and_the_others_go_on() {
    let yaml = MATRIX.replace("[a, b]", "[broken, b]");
    let (executed, _) = run(&yaml, &FakeLab::new(as_it_should_be), 2, usize::MAX);
    let (broken, good) = executed.cells.split_at(3);
    assert!(
        broken
            .iter()
            .all(|c| c.status == Status::Infra && c.reason == "kernel panic at boot")
    );
    assert!(good.iter().all(CellResult::as_expected));
}

#[test]
fn a_failed_control_makes_clean_and_bug_inconclusive() {
    let lab = FakeLab::new(|id| match id.driver.as_str() {
        CellId::NO_DRIVER => vec![Status::OtherFailure],
        _ => as_it_should_be(id),
    });
    let (executed, _) = run(MATRIX, &lab, 2, usize::MAX);
    for cell in executed
        .cells
        .iter()
        .filter(|c| c.id.driver != CellId::NO_DRIVER)
    {
        assert_eq!(cell.status, Status::Inconclusive, "{}", cell.id);
    }
}

#[test]
fn a_farm_blind_to_the_seeded_bug_does_not_say_clean() {
    let (executed, _) = run(
        MATRIX,
        &FakeLab::new(|_| vec![Status::Clean]),
        2,
        usize::MAX,
    );
    let stock = executed
        .cells
        .iter()
        .find(|c| c.id.driver == "stock")
        .expect("a stock cell");
    assert_eq!(stock.status, Status::Inconclusive);
    assert!(
        stock.reason.contains("the seeded bug was not seen"),
        "{}",
        stock.reason
    );
    let control = executed
        .cells
        .iter()
        .find(|c| c.id.driver == "none")
        .expect("a control");
    assert_eq!(
        control.status,
        Status::Clean,
        "loopback has nothing to do with the driver"
    );
}

#[test]
fn host_trouble_is_tried_once_more_and_said() {
    let lab = FakeLab::new(|id| match id.driver.as_str() {
        "stock" => vec![Status::Infra, Status::Clean],
        _ => as_it_should_be(id),
    });
    let (executed, _) = run(MATRIX, &lab, 2, usize::MAX);
    let stock = executed
        .cells
        .iter()
        .find(|c| c.id.driver == "stock")
        .expect("a stock cell");
    assert_eq!(
        (stock.status, stock.earlier.as_slice()),
        (Status::Clean, &[Status::Infra][..])
    );
}

#[test]
fn a_stopped_run_keeps_what_it_has() {
    let (executed, _) = run(MATRIX, &FakeLab::new(as_it_should_be), 1, 4);
    assert!(executed.interrupted);
    assert!(
        !executed.cells.is_empty() && executed.cells.len() < 6,
        "{}",
        executed.cells.len()
    );
}

#[test]
fn never_more_guests_than_slots() {
    for jobs in [1, 2, 5] {
        let lab = FakeLab::new(as_it_should_be);
        run(MATRIX, &lab, jobs, usize::MAX);
        assert!(
            lab.most.get() <= jobs,
            "{} with {jobs} slots",
            lab.most.get()
        );
    }
}
