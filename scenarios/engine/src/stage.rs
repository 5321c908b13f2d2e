//! The stage: everything that is there before a script's clock starts.

use std::path::Path;

use tunfarm_lang::Script;
use tunfarm_protocol::{IpVersion, Job, ScriptResult, SetupStage};

use crate::calls::room_for;
use crate::clock::{Clock, tighten_timers};
use crate::config::Config;
use crate::datapath::{Datapath, SetError};
use crate::log::{Log, Sink};
use crate::run::{OutputSink, Outputs, World, run_command};
use crate::sys;

/// Who hears what happens.
pub struct Hooks {
    /// Lines of the script's log.
    pub log: Sink,
    /// Output of the script's commands.
    pub output: OutputSink,
    /// Called once when the last event is over, before anything is closed, reset or cleaned up:
    /// the end of what is evidence.
    pub script_end: Box<dyn FnOnce() + Send>,
}

impl Hooks {
    /// Nobody listens.
    pub fn none() -> Hooks {
        Hooks {
            log: Box::new(|_| {}),
            output: Box::new(|_| {}),
            script_end: Box::new(|| {}),
        }
    }
}

/// Why there is no stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSet {
    /// Something went wrong before the kernel's TCP was asked anything.
    Setup {
        /// What was being done.
        stage: SetupStage,
        /// What went wrong, with names and errno.
        message: String,
    },
    /// The script or the job needs what this kernel, driver or engine does not have.
    Unsupported(String),
}

impl From<NotSet> for ScriptResult {
    fn from(not: NotSet) -> ScriptResult {
        match not {
            NotSet::Setup { stage, message } => ScriptResult::Setup { stage, message },
            NotSet::Unsupported(reason) => ScriptResult::Unsupported(reason),
        }
    }
}

fn job_error(message: String) -> NotSet {
    NotSet::Setup {
        stage: SetupStage::Job,
        message,
    }
}

/// Device, addresses, routes and sysctls are set, the script's first commands have run.
pub struct Stage {
    world: World,
    script: Script,
    script_end: Box<dyn FnOnce() + Send>,
}

impl Stage {
    /// Sets the stage for a job whose files lie in `dir`. The driver under test is loaded already.
    ///
    /// # Errors
    /// See [`NotSet`].
    pub fn set(job: &Job, script: Script, dir: &Path, hooks: Hooks) -> Result<Stage, NotSet> {
        let config = Config::of(job, &script).map_err(job_error)?;
        if config.ip != config.asked_ip {
            return Err(NotSet::Unsupported(format!(
                "the script is for {} only",
                match config.ip {
                    IpVersion::Ipv4 => "IPv4",
                    IpVersion::Ipv6 => "IPv6",
                    IpVersion::Mapped => "IPv6 sockets with mapped addresses",
                }
            )));
        }
        for (name, value) in &job.sysctls {
            sys::write_sysctl(name, value)
                .map_err(|e| job_error(format!("setting the sysctl {name} to {value}: {e}")))?;
        }
        let mut datapath = Datapath::set(job, &config).map_err(|e| match e {
            SetError::Unsupported(reason) => NotSet::Unsupported(reason),
            SetError::Failed(message) => NotSet::Setup {
                stage: SetupStage::Datapath,
                message,
            },
        })?;
        if !script.init.is_empty() {
            datapath.add_stand_in();
        }
        // Without it events are up to 50 µs late, which the tolerance covers.
        let _ = tighten_timers();
        let limit_us = (job.limit_s as i64).saturating_mul(1_000_000);
        let mut outputs = Outputs::new(hooks.output);
        let files = config.init_scripts.iter().map(String::as_str);
        let own = script.init.iter().map(|c| c.node.0.as_str());
        for command in files.chain(own) {
            run_command(command, dir, limit_us, &mut outputs)
                .map_err(|why| job_error(format!("before the script's first event: {why}")))?;
        }
        let log = Log::new(hooks.log);
        let room = room_for(&script, &config.defines);
        let mut world = World::new(config, dir.to_owned(), datapath, log, outputs, limit_us);
        world.room = room;
        Ok(Stage {
            world,
            script,
            script_end: hooks.script_end,
        })
    }

    /// The device that packets pass.
    pub fn device(&self) -> &str {
        self.world.datapath.device()
    }

    /// Performs the script on the calling thread; `clock` says when its zero is or was.
    pub fn perform(mut self, clock: Clock) -> ScriptResult {
        self.world.clock = clock;
        self.world.watch_this_thread();
        self.world.perform(&self.script, self.script_end)
    }
}
