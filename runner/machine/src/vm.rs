//! A running machine: everything that can happen to it, in one stream.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use tokio::io::AsyncReadExt;
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use tunfarm_protocol::{Finish, Frame, FrameReader, KernelFacts};
use tunfarm_reports::model::{Finding, FindingKind};

use crate::console::Watcher;
use crate::error::{HostError, RunCause, Stop};
use crate::evidence::ConsoleLog;
use crate::process::Process;
use crate::qmp::{Event, Qmp, QmpError};
use crate::spec::{Clock, Limits};
use crate::stall::Stall;

/// Kept of what QEMU itself complains about.
const MAX_STDERR: usize = 16 << 10;

/// How often a machine that says nothing is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Between two reads of the evidence pipe. The guest hands out single bytes: a reader that woke for
/// each would take QEMU's processor away a hundred thousand times a second.
const PACE: Duration = Duration::from_millis(1);

/// Wall-clock time a panicked kernel has to print the rest of its report.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Saving and restoring take milliseconds.
const CONTROL_LIMIT: Duration = Duration::from_secs(60);

/// What happened.
#[derive(Debug)]
pub enum Happening {
    /// QEMU answers: it is up.
    Answered,
    /// The restored guest runs.
    Resumed,
    /// The agent waits for a job.
    Ready(Box<KernelFacts>),
    /// Bytes for an evidence file.
    File(&'static str, Vec<u8>),
    /// The agent is done.
    Finish(Box<Finish>),
    /// A line of the agent's for whoever debugs it.
    Log(String),
}

enum Control {
    Opening(BoxFuture<'static, Result<Qmp, QmpError>>),
    Open(Box<Qmp>),
    Gone,
}

/// A running machine.
pub struct Vm {
    process: Process,
    control: Control,
    frames: FrameReader,
    watcher: Watcher,
    log: ConsoleLog,
    stderr: Vec<u8>,
    buffer: Vec<u8>,
    /// Nothing is read from the evidence pipe until `pause` is over.
    paused: bool,
    pause: Pin<Box<Sleep>>,
    evidence_open: bool,
    console_open: bool,
    stderr_open: bool,
    shutdown: Option<String>,
    exited: Option<ExitStatus>,
    panicked_at: Option<Instant>,
    looks: Interval,
    stall: Option<Stall>,
    heard: u64,
    guest_time: Option<Duration>,
    limits: Limits,
    clock: Clock,
    deadline: Instant,
}

impl Vm {
    /// Starts `program` with `args`.
    pub fn start(
        program: &Path,
        args: &[String],
        job: Option<&[u8]>,
        cpu: Option<usize>,
        clock: Clock,
        limits: &Limits,
        log: ConsoleLog,
    ) -> Result<Vm, HostError> {
        let mut process =
            Process::start(program, args, job, cpu).map_err(|source| HostError::QemuStart {
                path: program.to_owned(),
                source,
            })?;
        let control = match process.qmp.take() {
            Some(stream) => Control::Opening(Qmp::open(stream).boxed()),
            None => Control::Gone,
        };
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Vm {
            stall: process.id().map(Stall::new),
            heard: 0,
            guest_time: None,
            process,
            control,
            frames: FrameReader::default(),
            watcher: Watcher::default(),
            log,
            stderr: Vec::new(),
            buffer: vec![0; 64 << 10],
            paused: false,
            pause: Box::pin(tokio::time::sleep(Duration::ZERO)),
            evidence_open: true,
            console_open: true,
            stderr_open: true,
            shutdown: None,
            exited: None,
            panicked_at: None,
            looks,
            limits: limits.clone(),
            clock,
            deadline: Instant::now() + limits.wall,
        })
    }

    /// The next thing that happens. An error is the machine's end.
    pub async fn next(&mut self) -> Result<Happening, RunCause> {
        loop {
            if let Some(frame) = self.frames.next_frame().map_err(Stop::Stream)? {
                return Ok(match frame {
                    Frame::Ready(facts) => Happening::Ready(facts),
                    Frame::File { name, data } => Happening::File(name, data),
                    Frame::Finish(finish) => Happening::Finish(finish),
                    Frame::Log(line) => Happening::Log(line),
                });
            }
            if let Some(status) = self.exited
                && !self.evidence_open
                && !self.console_open
                && !self.stderr_open
            {
                return Err(self.ended(status));
            }
            if self.watcher.dead() {
                return Err(self.panic().into());
            }
            if let Some(happening) = self.step().await? {
                return Ok(happening);
            }
        }
    }

    /// Waits for one thing and takes it in.
    async fn step(&mut self) -> Result<Option<Happening>, RunCause> {
        let evidence = &mut self.process.evidence;
        let console = &mut self.process.console;
        let (first, second) = self.buffer.split_at_mut(32 << 10);
        let mut complaint = [0; 1024];
        tokio::select! {
            _ = &mut self.pause, if self.paused => self.paused = false,
            read = evidence.read(first), if self.evidence_open && !self.paused => match read {
                Ok(n) if n > 0 => {
                    self.heard += n as u64;
                    self.frames.push(&first[..n]);
                    self.paused = true;
                    self.pause.as_mut().reset((Instant::now() + PACE).into());
                }
                _ => self.evidence_open = false,
            },
            read = console.read(second), if self.console_open => match read {
                Ok(n) if n > 0 => {
                    self.heard += n as u64;
                    self.log.append(&second[..n])?;
                    self.watcher.push(&second[..n]);
                    if self.watcher.panicked() {
                        self.panicked_at.get_or_insert_with(Instant::now);
                    }
                }
                _ => self.console_open = false,
            },
            read = self.process.stderr.read(&mut complaint), if self.stderr_open => match read {
                Ok(n) if n > 0 => {
                    let room = MAX_STDERR.saturating_sub(self.stderr.len());
                    self.stderr.extend_from_slice(&complaint[..n.min(room)]);
                }
                _ => self.stderr_open = false,
            },
            event = self.control.next() => match event {
                ControlEvent::Opened => return Ok(Some(Happening::Answered)),
                ControlEvent::Happened(Event::Resumed) => return Ok(Some(Happening::Resumed)),
                ControlEvent::Happened(Event::Shutdown(reason)) => self.shutdown = Some(reason),
                ControlEvent::Happened(Event::GuestTime(elapsed)) => {
                    self.guest_time = Some(elapsed);
                    if elapsed > self.limits.guest {
                        return Err(self.silent(format!(
                            "its own clock has passed {} s, the limit of {} s is over",
                            elapsed.as_secs(),
                            self.limits.guest.as_secs()
                        )).into());
                    }
                }
                // Saving stops a guest too, but nothing is asked of it after that.
                ControlEvent::Happened(Event::Stopped) => {
                    return Err(HostError::QemuStopped { stderr: self.complaint() }.into());
                }
                // QEMU closes it when it ends; how it ended is told by its exit status.
                ControlEvent::Lost => self.control = Control::Gone,
            },
            _ = self.looks.tick() => self.look()?,
        }
        if self.exited.is_none() && !self.evidence_open && !self.console_open {
            // All writing ends are closed: QEMU is gone, or about to be.
            let status = tokio::time::timeout(LAST_WORDS, self.process.wait()).await;
            self.exited = Some(match status {
                Ok(Ok(status)) => status,
                Ok(Err(source)) => {
                    return Err(HostError::System {
                        doing: "wait for QEMU",
                        source,
                    }
                    .into());
                }
                Err(_) => {
                    return Err(HostError::QemuStuck {
                        doing: "ending",
                        limit: LAST_WORDS,
                    }
                    .into());
                }
            });
        }
        Ok(None)
    }

    /// Looks at a machine that may have stopped.
    fn look(&mut self) -> Result<(), RunCause> {
        let now = Instant::now();
        if self.panicked_at.is_some_and(|at| now - at > LAST_WORDS) {
            return Err(self.panic().into());
        }
        if now >= self.deadline {
            return Err(Stop::Timeout {
                limit: self.limits.wall,
                console: self.tail(),
            }
            .into());
        }
        if self.clock == Clock::Virtual {
            let (heard, guest) = (self.heard, self.guest_time);
            if let Some(why) = self.stall.as_mut().and_then(|s| s.look(heard, guest)) {
                return Err(self.silent(why).into());
            }
            let wonders = self.stall.as_ref().is_some_and(Stall::wonders);
            if let (true, Control::Open(qmp)) = (wonders, &mut self.control) {
                qmp.ask_guest_time();
            }
        }
        Ok(())
    }

    /// Loads device state from `state`; the guest runs from then on.
    pub async fn restore(&mut self, state: &Path) -> Result<(), HostError> {
        let main_loop = (self.clock == Clock::Virtual).then_some(&self.process);
        within("restoring the snapshot", async {
            // QEMU answers: by now its other threads are there.
            let qmp = self.control.qmp().await?;
            if main_loop.is_some_and(|process| !process.main_loop_first()) {
                tracing::debug!("no right to real-time priorities: times may differ by 1 us");
            }
            qmp.load_state(state).await
        })
        .await
    }

    /// Stops the guest for good and writes its device state to `state`.
    pub async fn save(&mut self, state: &Path) -> Result<(), HostError> {
        within("saving the snapshot", async {
            self.control.qmp().await?.save_state(state).await
        })
        .await
    }

    /// Ends the machine; returns what its console told and the console file's digest.
    pub async fn end(mut self) -> Result<(Vec<Finding>, String), HostError> {
        self.process
            .kill()
            .await
            .map_err(|source| HostError::System {
                doing: "end QEMU",
                source,
            })?;
        // What the guest printed before its end is still in the pipe.
        while let Ok(n @ 1..) = self.process.console.try_read(&mut self.buffer) {
            self.log.append(&self.buffer[..n])?;
            self.watcher.push(&self.buffer[..n]);
        }
        self.watcher.finish();
        Ok((self.watcher.findings().to_vec(), self.log.digest()))
    }

    fn ended(&mut self, status: ExitStatus) -> RunCause {
        self.watcher.finish();
        if self.watcher.panicked() {
            return self.panic().into();
        }
        if status.success() {
            return Stop::Died {
                reason: self
                    .shutdown
                    .take()
                    .unwrap_or_else(|| "guest-reset".to_owned()),
                console: self.tail(),
            }
            .into();
        }
        HostError::QemuFailed {
            status,
            stderr: self.complaint(),
        }
        .into()
    }

    /// What QEMU itself said.
    fn complaint(&self) -> String {
        match String::from_utf8_lossy(&self.stderr).trim() {
            "" => "it says nothing".to_owned(),
            text => text.to_owned(),
        }
    }

    fn panic(&mut self) -> Stop {
        self.watcher.finish();
        let panic = self
            .watcher
            .findings()
            .iter()
            .rfind(|f| f.kind == FindingKind::Panic)
            .cloned();
        match panic {
            Some(finding) => Stop::Panic { finding },
            // More findings came before it than are kept.
            None => self.silent("it panicked after many other reports".to_owned()),
        }
    }

    fn silent(&self, why: String) -> Stop {
        Stop::Silent {
            why,
            console: self.tail(),
        }
    }

    fn tail(&self) -> Vec<String> {
        self.watcher.tail().map(str::to_owned).collect()
    }
}

async fn within(
    doing: &'static str,
    work: impl Future<Output = Result<(), QmpError>>,
) -> Result<(), HostError> {
    match tokio::time::timeout(CONTROL_LIMIT, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(HostError::QemuStuck {
            doing,
            limit: CONTROL_LIMIT,
        }),
    }
}

enum ControlEvent {
    Opened,
    Happened(Event),
    Lost,
}

impl Control {
    /// The connection, waited for if need be: a small guest is ready before QEMU's own greeting.
    async fn qmp(&mut self) -> Result<&mut Qmp, QmpError> {
        if let Control::Opening(opening) = self {
            *self = match opening.await {
                Ok(qmp) => Control::Open(Box::new(qmp)),
                Err(_) => Control::Gone,
            };
        }
        match self {
            Control::Open(qmp) => Ok(qmp),
            _ => Err(QmpError::Lost {
                command: "qmp_capabilities",
                source: std::io::ErrorKind::UnexpectedEof.into(),
            }),
        }
    }

    async fn next(&mut self) -> ControlEvent {
        match self {
            Control::Opening(opening) => match opening.await {
                Ok(qmp) => {
                    *self = Control::Open(Box::new(qmp));
                    ControlEvent::Opened
                }
                Err(_) => ControlEvent::Lost,
            },
            Control::Open(qmp) => match qmp.event().await {
                Ok(event) => ControlEvent::Happened(event),
                Err(_) => ControlEvent::Lost,
            },
            Control::Gone => std::future::pending().await,
        }
    }
}

/// What a run leaves: file name → sha256.
pub type Digests = BTreeMap<String, String>;
