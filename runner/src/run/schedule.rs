//! The one task that decides: kernels are prepared in turn, cells run as slots come free, verdicts
//! are settled as their controls are heard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;
use tunfarm_reports::model::{CellId, CellResult, DriverInfo, Event, KernelInfo, Status, Timings};
use tunfarm_scenarios::KernelVersion;

use super::board::Board;
use super::lab::{CellJob, Lab, PreparedKernel, Trouble};
use crate::matrix::Matrix;
use crate::plan::{Plan, PlannedCell};

/// How a plan is executed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Guests at once.
    pub jobs: usize,
    /// The run's folder.
    pub out: PathBuf,
}

/// What came of a plan.
#[derive(Clone, Debug, Default)]
pub struct Executed {
    /// Kernels in matrix order.
    pub kernels: Vec<KernelInfo>,
    /// Drivers in matrix order.
    pub drivers: Vec<DriverInfo>,
    /// Cells in plan order.
    pub cells: Vec<CellResult>,
    /// It was stopped before its end.
    pub interrupted: bool,
}

enum Message {
    Kernel(KernelInfo),
    Driver(DriverInfo),
    Started(CellId),
    Judged(PlannedCell, Box<CellResult>),
}

/// Executes `plan` until its end or until `stop` resolves; whatever is known then is returned.
///
/// Dropping a running cell's future ends its guest, so nothing outlives this function.
pub async fn execute<L: Lab + 'static>(
    plan: &Plan,
    matrix: &Matrix,
    options: &Options,
    lab: Rc<L>,
    stop: impl Future<Output = ()>,
    mut report: impl FnMut(Event),
) -> Executed {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let controls = lab.controls();
    let tasks = LocalSet::new();
    let work = Rc::new(Work {
        lab,
        slots: Slots::new(options.jobs),
        // Kernels are prepared one after the other, so that the first one's cells start early.
        turn: Semaphore::new(1),
        out: options.out.clone(),
        sender,
    });
    for (spec, cells) in by_kernel(plan) {
        let (work, plan, matrix) = (work.clone(), plan.clone(), matrix.clone());
        tasks.spawn_local(async move { work.kernel(&spec, cells, &plan, &matrix).await });
    }
    drop(work);

    let mut board = Board::new(
        plan.cells.clone(),
        matrix.positive_control.clone(),
        controls,
    );
    let mut kernels = BTreeMap::new();
    let mut drivers: BTreeMap<String, DriverInfo> = BTreeMap::new();
    let mut interrupted = false;
    let listen = async {
        tokio::pin!(stop);
        loop {
            let message = tokio::select! {
                message = receiver.recv() => message,
                () = &mut stop => { interrupted = true; None }
            };
            match message {
                None => break,
                Some(Message::Kernel(info)) => {
                    report(Event::KernelReady {
                        kernel: Box::new(info.clone()),
                    });
                    kernels.insert(info.spec.clone(), info);
                }
                Some(Message::Driver(info)) => {
                    let known = drivers
                        .entry(info.spec.clone())
                        .or_insert_with(|| info.clone());
                    known.modules.extend(info.modules);
                }
                Some(Message::Started(id)) => report(Event::CellStarted { id }),
                Some(Message::Judged(cell, result)) => {
                    for settled in board.take(cell, *result) {
                        report(Event::CellFinished {
                            result: Box::new(settled),
                        });
                    }
                }
            }
        }
    };
    tasks.run_until(listen).await;
    drop(tasks);
    Executed {
        kernels: matrix
            .kernels
            .iter()
            .filter_map(|spec| kernels.remove(spec))
            .collect(),
        drivers: matrix
            .drivers
            .iter()
            .filter_map(|spec| drivers.remove(spec))
            .collect(),
        cells: board.finish(),
        interrupted,
    }
}

/// The plan's cells by kernel spec, in matrix order.
fn by_kernel(plan: &Plan) -> Vec<(String, Vec<PlannedCell>)> {
    let mut kernels: Vec<(String, Vec<PlannedCell>)> = Vec::new();
    for cell in &plan.cells {
        match kernels.iter_mut().find(|(spec, _)| *spec == cell.kernel) {
            Some((_, cells)) => cells.push(cell.clone()),
            None => kernels.push((cell.kernel.clone(), vec![cell.clone()])),
        }
    }
    kernels
}

struct Work<L> {
    lab: Rc<L>,
    slots: Slots,
    turn: Semaphore,
    out: PathBuf,
    sender: mpsc::UnboundedSender<Message>,
}

impl<L: Lab + 'static> Work<L> {
    async fn kernel(
        self: Rc<Self>,
        spec: &str,
        cells: Vec<PlannedCell>,
        plan: &Plan,
        matrix: &Matrix,
    ) {
        let prepared = {
            let _turn = self.turn.acquire().await;
            let slot = self.slots.take().await;
            self.lab
                .prepare(spec, &drivers_of(&cells), slot.number)
                .await
        };
        let prepared = match prepared {
            Ok(prepared) => Rc::new(prepared),
            Err(trouble) => {
                self.send(Message::Kernel(unknown_kernel(spec)));
                for cell in cells {
                    self.not_run(cell, &file_name(spec), &trouble, matrix);
                }
                return;
            }
        };
        self.send(Message::Kernel(prepared.info.clone()));
        for driver in prepared.drivers.values().flatten() {
            self.send(Message::Driver(driver.info.clone()));
        }
        let running = LocalSet::new();
        for cell in cells {
            let (work, prepared) = (self.clone(), prepared.clone());
            let scenario = plan.scenario(&cell.scenario).cloned();
            let matrix = matrix.clone();
            running.spawn_local(async move {
                if let Some(scenario) = scenario {
                    work.cell(cell, &prepared, &scenario, &matrix).await;
                }
            });
        }
        running.await;
    }

    async fn cell(
        &self,
        cell: PlannedCell,
        kernel: &PreparedKernel<L::Snapshot>,
        scenario: &tunfarm_scenarios::Scenario,
        matrix: &Matrix,
    ) {
        let label = &kernel.info.label;
        let driver = match kernel.drivers.get(&cell.driver) {
            Some(Ok(driver)) => Some(driver),
            Some(Err(trouble)) => return self.not_run(cell, label, trouble, matrix),
            None => None,
        };
        let version = KernelVersion::of_release(label);
        if !scenario.spec.applies.kernels.contains(version) {
            let trouble = Trouble {
                status: Status::Skipped,
                reason: format!(
                    "holds for kernels {}: {}",
                    scenario.spec.applies.kernels, scenario.spec.applies.because
                ),
            };
            return self.not_run(cell, label, &trouble, matrix);
        }
        let id = self.id(&cell, label);
        let slot = self.slots.take().await;
        self.send(Message::Started(id.clone()));
        let folder = self.out.join(id.folder());
        let mut result = match std::fs::create_dir_all(&folder) {
            Ok(()) => {
                let job = || CellJob {
                    kernel,
                    driver,
                    scenario,
                    datapath: cell.datapath,
                    ip: cell.ip,
                    folder: folder.clone(),
                    slot: slot.number,
                };
                let first = self.lab.cell(job(), id.clone()).await;
                // Host trouble says nothing about the kernel: it is worth one more try, and the
                // report says that there was one.
                if first.status == Status::Infra {
                    let mut second = self.lab.cell(job(), id.clone()).await;
                    second.earlier.push(first.status);
                    second
                } else {
                    first
                }
            }
            Err(error) => blank(
                id.clone(),
                &Trouble {
                    status: Status::Infra,
                    reason: format!(
                        "cannot make the cell's folder {}: {error}",
                        folder.display()
                    ),
                },
            ),
        };
        result.expected = matrix.expected(&id);
        self.send(Message::Judged(cell, Box::new(result)));
    }

    fn not_run(&self, cell: PlannedCell, label: &str, trouble: &Trouble, matrix: &Matrix) {
        let mut result = blank(self.id(&cell, label), trouble);
        result.expected = matrix.expected(&result.id);
        self.send(Message::Judged(cell, Box::new(result)));
    }

    fn id(&self, cell: &PlannedCell, label: &str) -> CellId {
        CellId {
            kernel: label.to_owned(),
            driver: match cell.driver.as_str() {
                CellId::NO_DRIVER => CellId::NO_DRIVER.to_owned(),
                spec => self.lab.driver_label(spec),
            },
            scenario: cell.scenario.clone(),
            datapath: cell.datapath,
            ip: cell.ip,
        }
    }

    fn send(&self, message: Message) {
        // Nobody listens any more only when the run was stopped.
        let _ = self.sender.send(message);
    }
}

fn drivers_of(cells: &[PlannedCell]) -> Vec<String> {
    let mut drivers: Vec<String> = Vec::new();
    for cell in cells {
        if cell.driver != CellId::NO_DRIVER && !drivers.contains(&cell.driver) {
            drivers.push(cell.driver.clone());
        }
    }
    drivers
}

fn unknown_kernel(spec: &str) -> KernelInfo {
    KernelInfo {
        label: file_name(spec),
        spec: spec.to_owned(),
        package_version: None,
        sha256: None,
        facts: None,
    }
}

/// A spec as the name of a folder.
fn file_name(spec: &str) -> String {
    spec.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || ".+-_".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect()
}

/// The result of a cell that did not run.
fn blank(id: CellId, trouble: &Trouble) -> CellResult {
    CellResult {
        id,
        status: trouble.status,
        expected: vec![Status::Clean],
        reason: trouble.reason.clone(),
        mechanism: None,
        witnesses: Vec::new(),
        failure: None,
        findings: Vec::new(),
        control: None,
        earlier: Vec::new(),
        command: String::new(),
        evidence: BTreeMap::new(),
        plot: Default::default(),
        virtual_s: 0.0,
        timings: Timings::default(),
    }
}

/// Numbered slots, so that each guest can have a processor of its own.
struct Slots {
    free: RefCell<Vec<usize>>,
    count: Semaphore,
}

struct Slot<'a> {
    number: usize,
    slots: &'a Slots,
    _permit: Option<tokio::sync::SemaphorePermit<'a>>,
}

impl Slots {
    fn new(count: usize) -> Slots {
        let count = count.max(1);
        Slots {
            free: RefCell::new((0..count).rev().collect()),
            count: Semaphore::new(count),
        }
    }

    async fn take(&self) -> Slot<'_> {
        // The semaphore is never closed; should it be, sharing slot 0 is slow and not wrong.
        let permit = self.count.acquire().await.ok();
        let number = self.free.borrow_mut().pop().unwrap_or(0);
        Slot {
            number,
            slots: self,
            _permit: permit,
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.free.borrow_mut().push(self.number);
    }
}
