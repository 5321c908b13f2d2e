//! Who performs the script: the one place that knows the engines.
//!
//! A performer lives in a thread of its own, so that a script which hangs does not hang the agent.
//! It first sets its stage, then waits for the script's zero, then performs.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The script has ended, or its stage could not be set.
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
}

impl Performer {
    /// Starts to set the stage for a job whose files are in `dir`.
    pub fn start(job: Job, dir: String, transcripts: Transcripts) -> io::Result<Performer> {
        let (report, reports) = channel();
        let (zero, zeroes) = channel();
        std::thread::Builder::new()
            .name("script".into())
            .spawn(move || {
                let result = match &job.engine {
                    Engine::Own => own(&job, &dir, &transcripts, &report, &zeroes),
                    Engine::Packetdrill(program) => {
                        let _ = report.send(Report::Set { device: None });
                        // Its own clock starts when it does; ours then, too.
                        match zeroes.recv() {
                            Ok(_) => packetdrill::perform(program, &job, &dir, &transcripts),
                            Err(_) => return,
                        }
                    }
                };
                // Nobody listens any more once the time limit has passed.
                let _ = report.send(Report::Ended(result));
            })?;
        Ok(Performer { reports, zero })
    }
}

/// Performs with tunfarm's own engine.
fn own(
    job: &Job,
    _dir: &str,
    _transcripts: &Transcripts,
    _report: &Sender<Report>,
    _zeroes: &Receiver<i64>,
) -> ScriptResult {
    ScriptResult::Setup {
        stage: SetupStage::Job,
        message: format!(
            "this agent was built without an engine: {} was not run",
            job.script
        ),
    }
}
