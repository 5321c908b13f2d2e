//! One cell: a fresh machine out of a snapshot, one job, its evidence.

use std::path::Path;
use std::time::Instant;

use tunfarm_protocol::Finish;
use tunfarm_reports::model::{Finding, Timings};

use crate::cmdline::Start;
use crate::error::{HostError, RunCause, RunError};
use crate::evidence::{CONSOLE_LOG, ConsoleLog, Store};
use crate::host::Host;
use crate::snapshot::Snapshot;
use crate::spec::Limits;
use crate::vm::{Digests, Happening, Vm};

/// Lines of the agent's own log that are kept.
const MAX_LOG_LINES: usize = 200;

/// What a cell left.
#[derive(Clone, Debug)]
pub struct CellRun {
    /// How the script ended.
    pub finish: Finish,
    /// Evidence files in the cell's folder, `console.log` among them: name → sha256.
    pub files: Digests,
    /// Trouble the console told of, though the agent finished.
    pub findings: Vec<Finding>,
    /// What the agent said to whoever debugs it.
    pub log: Vec<String>,
    /// Where the wall-clock time went (the verdict's share is not known here).
    pub timings: Timings,
    /// The command line of the QEMU that ran it.
    pub qemu_command_line: Vec<String>,
}

impl Host {
    /// Restores `snapshot` in a fresh QEMU, gives it `job` (the bytes of
    /// [`Job::encode`](tunfarm_protocol::Job::encode)) and writes its evidence under `cell_dir`.
    ///
    /// With `cpu` all threads of the QEMU share that CPU. When the future is dropped the QEMU is
    /// killed; what it wrote so far stays in `cell_dir`.
    pub async fn run(
        &self,
        snapshot: &Snapshot,
        job: &[u8],
        limits: &Limits,
        cell_dir: &Path,
        cpu: Option<usize>,
    ) -> Result<CellRun, RunError> {
        let (ram, state) = (snapshot.ram(), snapshot.state());
        let start = Start::Restore { ram: &ram };
        let args = snapshot.shape.arguments(start);
        let mut qemu_command_line = vec![self.qemu().display().to_string()];
        qemu_command_line.extend(args.iter().cloned());
        let fail = |cause: RunCause, findings| RunError {
            cause,
            findings,
            qemu_command_line: qemu_command_line.clone(),
        };
        let early = |error: HostError| fail(error.into(), Vec::new());

        let mut store = Store::create(cell_dir, limits.evidence_bytes).map_err(early)?;
        let log = ConsoleLog::create(cell_dir, limits.console_bytes).map_err(early)?;
        let began = Instant::now();
        let mut vm = Vm::start(
            self.qemu(),
            &args,
            Some(job),
            cpu,
            snapshot.shape.clock,
            limits,
            log,
        )
        .map_err(early)?;
        let mut marks = Marks::new(began);
        let mut lines = Vec::new();
        let outcome = gather(&mut vm, &state, &mut store, &mut marks, &mut lines).await;
        let end = vm.end().await;
        let timings = marks.timings();
        match (outcome, end) {
            (Ok(finish), Ok((findings, console))) => {
                let mut files = store.finish();
                files.insert(CONSOLE_LOG.to_owned(), console);
                Ok(CellRun {
                    finish,
                    files,
                    findings,
                    log: lines,
                    timings,
                    qemu_command_line,
                })
            }
            (Err(cause), Ok((findings, _))) => Err(fail(cause, findings)),
            // The run's own failure outweighs a failure to end it.
            (Err(cause), Err(_)) => Err(fail(cause, Vec::new())),
            (Ok(_), Err(error)) => Err(early(error)),
        }
    }
}

async fn gather(
    vm: &mut Vm,
    state: &Path,
    store: &mut Store,
    marks: &mut Marks,
    lines: &mut Vec<String>,
) -> Result<Finish, RunCause> {
    loop {
        match vm.next().await? {
            Happening::Answered => {
                marks.answered = Some(Instant::now());
                vm.restore(state).await?;
            }
            Happening::Resumed => marks.resumed = Some(Instant::now()),
            Happening::File(name, data) => {
                marks.evidence.get_or_insert_with(Instant::now);
                store.append(name, &data)?;
            }
            Happening::Finish(finish) => {
                marks.finished = Some(Instant::now());
                return Ok(*finish);
            }
            Happening::Log(line) => {
                tracing::debug!(line, "guest");
                if lines.len() < MAX_LOG_LINES {
                    lines.push(line);
                }
            }
            // Said before the snapshot; a guest that says it again tells nothing new.
            Happening::Ready(_) => {}
        }
    }
}

/// Moments of a run.
struct Marks {
    began: Instant,
    answered: Option<Instant>,
    resumed: Option<Instant>,
    evidence: Option<Instant>,
    finished: Option<Instant>,
}

impl Marks {
    fn new(began: Instant) -> Marks {
        Marks {
            began,
            answered: None,
            resumed: None,
            evidence: None,
            finished: None,
        }
    }

    /// A moment that was missed is that of what came after it.
    fn timings(&self) -> Timings {
        let now = Instant::now();
        let finished = self.finished.unwrap_or(now);
        let evidence = self.evidence.unwrap_or(finished).min(finished);
        let resumed = self
            .resumed
            .or(self.answered)
            .unwrap_or(evidence)
            .min(evidence);
        let answered = self.answered.unwrap_or(resumed).min(resumed);
        let ms =
            |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
        Timings {
            start_ms: ms(self.began, answered),
            restore_ms: ms(answered, resumed),
            guest_ms: ms(resumed, evidence),
            evidence_ms: ms(evidence, finished),
            verdict_ms: 0.0,
            total_ms: ms(self.began, now),
        }
    }
}
