//! Who performs the script: the one place that knows the engines.
//!
//! A performer lives in a thread of its own, so that a script which hangs does not hang the agent.
//! It first sets its stage, then waits for the script's zero, then performs, then waits until the
//! collectors have looked for the last time, and only then cleans up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tunfarm_engine::{Clock, Hooks, Stage};
use tunfarm_protocol::{Engine, Job, ScriptResult, SetupStage};

use crate::packetdrill;

/// What a performer reports, in this order.
#[derive(Debug)]
pub enum Report {
    /// The stage is set. The device is absent if the performer makes it later.
    Set {
        /// Where the script's packets pass.
        device: Option<String>,
    },
    /// The last event is over, nothing is cleaned up yet: the end of what is evidence.
    Over,
    /// The result; also what comes alone if the stage could not be set.
    Ended(ScriptResult),
}

/// Text that grows while a script runs and can be read at any time.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<u8>>>);

impl Transcript {
    /// The most bytes that are kept.
    const LIMIT: usize = 2 << 20;

    /// Adds to it; what is beyond the limit is lost.
    pub fn add(&self, bytes: &[u8]) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Transcript::LIMIT.saturating_sub(text.len());
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// What there is by now.
    pub fn text(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The texts a performer writes.
#[derive(Clone, Debug, Default)]
pub struct Transcripts {
    /// What was injected, sniffed and called.
    pub script: Transcript,
    /// Output of commands.
    pub commands: Transcript,
}

/// A performer at work.
#[derive(Debug)]
pub struct Performer {
    /// Its reports.
    pub reports: Receiver<Report>,
    /// Takes the script's zero, in nanoseconds of CLOCK_MONOTONIC.
    pub zero: Sender<i64>,
    /// Dropped once the script is over and the collectors have looked for the last time.
    pub watched: Sender<()>,
}

/// The performer's ends of the same.
struct Cues {
    report: Sender<Report>,
    zero: Receiver<i64>,
    watched: Receiver<()>,
}

impl Performer {
    /// Starts to set the stage for a job whose files are in `dir`.
    pub fn start(job: Job, dir: String, transcripts: Transcripts) -> io::Result<Performer> {
        let (report, reports) = channel();
        let (zero, zeroes) = channel();
        let (watched, watching) = channel();
        let cues = Cues {
            report: report.clone(),
            zero: zeroes,
            watched: watching,
        };
        std::thread::Builder::new()
            .name("script".into())
            .spawn(move || {
                let result = match &job.engine {
                    Engine::Own => own(&job, &dir, transcripts, cues),
                    Engine::Packetdrill(program) => {
                        original(program, &job, &dir, &transcripts, &cues)
                    }
                };
                // Nobody listens any more once the time limit has passed.
                let _ = report.send(Report::Ended(result));
            })?;
        Ok(Performer {
            reports,
            zero,
            watched,
        })
    }
}

/// Performs with tunfarm's own engine.
fn own(job: &Job, dir: &str, transcripts: Transcripts, cues: Cues) -> ScriptResult {
    let unreadable = |message| ScriptResult::Setup {
        stage: SetupStage::Job,
        message,
    };
    let Some(bytes) = job.files.get(&job.script) else {
        return unreadable(format!(
            "the job has no file {}, which is to be its script",
            job.script
        ));
    };
    let script = match tunfarm_lang::parse(&String::from_utf8_lossy(bytes), &job.script) {
        Ok(script) => script,
        Err(errors) => return unreadable(errors.to_string()),
    };
    let Cues {
        report,
        zero,
        watched,
    } = cues;
    let over = report.clone();
    let Transcripts {
        script: log,
        commands,
    } = transcripts;
    let hooks = Hooks {
        log: Box::new(move |line| {
            log.add(line.as_bytes());
            log.add(b"\n");
        }),
        output: Box::new(move |bytes| commands.add(bytes)),
        script_end: Box::new(move || {
            if over.send(Report::Over).is_ok() {
                let _ = watched.recv();
            }
        }),
    };
    let stage = match Stage::set(job, script, &folder_of(dir, &job.script), hooks) {
        Ok(stage) => stage,
        Err(not) => return not.into(),
    };
    let _ = report.send(Report::Set {
        device: Some(stage.device().to_owned()),
    });
    match zero.recv() {
        Ok(zero_ns) => stage.perform(Clock::from_zero(zero_ns)),
        Err(_) => unreadable("the agent gave up before the script began".into()),
    }
}

/// The folder in which a script lies, which is where its commands run: what they call they name
/// relative to it.
pub fn folder_of(dir: &str, script: &str) -> PathBuf {
    let path = Path::new(dir).join(script);
    path.parent().map_or_else(|| dir.into(), Path::to_owned)
}

/// Performs with the original packetdrill, whose own script clock starts when it likes.
fn original(
    program: &str,
    job: &Job,
    dir: &str,
    transcripts: &Transcripts,
    cues: &Cues,
) -> ScriptResult {
    let _ = cues.report.send(Report::Set { device: None });
    let _ = cues.zero.recv();
    let result = packetdrill::perform(program, job, dir, transcripts);
    if cues.report.send(Report::Over).is_ok() {
        let _ = cues.watched.recv();
    }
    result
}
