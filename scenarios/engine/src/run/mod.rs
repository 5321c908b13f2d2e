//! Performs a script, event by event.

mod command;
mod end;
mod expect;
mod inject;
mod pending;
mod report;
mod timing;
mod watchdog;

use std::path::PathBuf;

use tunfarm_lang::ast::{Action, Event, Script, Source, Span};
use tunfarm_protocol::ScriptResult;

pub use command::{OutputSink, Outputs, run_command};
pub use timing::Window;

use crate::calls;
use crate::clock::Clock;
use crate::config::Config;
use crate::datapath::Datapath;
use crate::descriptors::Descriptors;
use crate::flows::Flows;
use crate::log::Log;
use crate::stop::{Broken, Stop, failed};
use pending::Pending;
use watchdog::Watchdog;

/// How long a call that should return at once may take before it is ended, in microseconds.
const CALL_LIMIT_US: i64 = 10_000_000;

/// Everything that events work on.
pub struct World {
    /// Options and addresses.
    pub config: Config,
    /// The job's folder.
    pub dir: PathBuf,
    /// The script's clock.
    pub clock: Clock,
    /// Where packets pass.
    pub datapath: Datapath,
    /// Connections.
    pub flows: Flows,
    /// The script's descriptors.
    pub descriptors: Descriptors,
    /// What happened.
    pub log: Log,
    /// Output of commands.
    pub outputs: Outputs,
    /// The script is over at this time, whatever it waits for.
    pub limit_us: i64,
    /// Line of the event at hand.
    pub line: u32,
    /// Its text without the time, on one line, for the log.
    pub text: String,
    /// Wakes calls that do not return.
    pub watchdog: Watchdog,
    /// The call that is blocking on its own thread.
    pub pending: Option<Pending>,
    /// Memory for calls that read much, there before the script starts.
    pub room: Vec<u8>,
    /// The rest of a super-segment of which a line has had the beginning.
    cut_off: Option<expect::Arrived>,
    /// What code blocks have assigned.
    pub variables: crate::code::Variables,
    /// When the event before this one was to happen.
    previous_us: i64,
}

impl World {
    /// A world before its first event. The clock is replaced when the script starts.
    pub fn new(
        config: Config,
        dir: PathBuf,
        datapath: Datapath,
        log: Log,
        outputs: Outputs,
        limit_us: i64,
    ) -> World {
        let flows = Flows::new(config.local, config.remote);
        World {
            config,
            dir,
            clock: Clock::start(),
            datapath,
            flows,
            descriptors: Descriptors::default(),
            log,
            outputs,
            limit_us,
            line: 0,
            text: String::new(),
            watchdog: Watchdog::new(),
            pending: None,
            room: Vec::new(),
            cut_off: None,
            variables: crate::code::Variables::new(),
            previous_us: 0,
        }
    }

    /// Runs the script's events; `at_end` is called once, before anything is cleaned up.
    pub fn perform(&mut self, script: &Script, at_end: impl FnOnce()) -> ScriptResult {
        let mut result = Ok(());
        // The first event's time may be relative: to the script's zero.
        self.clock.sleep_until_us(0);
        for event in &script.events {
            self.line = script.source.position(event.span.start).line;
            self.text = event_text(&script.source, event);
            result = self.event(event);
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            result = self.finish_pending(true);
        }
        let now = self.clock.now_us();
        match &result {
            Ok(()) => self.log.say(now, 0, "the script has come true"),
            Err(Stop::Failed(broken)) => {
                let text = format!("failed: {}", broken.summary);
                self.log.say(now, self.line, &text);
            }
            Err(Stop::Unsupported(reason)) => {
                let text = format!("not supported: {reason}");
                self.log.say(now, self.line, &text);
            }
        }
        at_end();
        self.drain();
        // A line that failed says more than a packet that went missing because of it.
        if result.is_ok()
            && let Ok(Some(complaint)) = self.datapath.complaint()
        {
            self.log.say(now, 0, &complaint);
            self.line = 0;
            result = Err(Stop::Failed(Broken::new(complaint)));
        }
        let result = match result {
            Ok(()) => ScriptResult::Passed,
            Err(Stop::Failed(broken)) => ScriptResult::Failed(report::failure(
                broken,
                &script.source,
                self.line,
                now,
                &self.log,
            )),
            Err(Stop::Unsupported(reason)) => ScriptResult::Unsupported(reason),
        };
        self.clean_up(script);
        result
    }

    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        self.finish_pending(false)?;
        let base = self.clock.now_us();
        let window = Window::of(event.when.node, base, self.previous_us, &self.config);
        self.previous_us = window.start_us;
        if window.start_us > self.limit_us {
            return failed(format!(
                "the script's next event is after the time limit of {} s",
                self.limit_us / 1_000_000
            ));
        }
        match &event.action {
            Action::Packet(packet) => match packet.direction.node {
                tunfarm_lang::ast::Direction::Inbound => {
                    self.wait_for(&window, "injection")?;
                    self.inject(packet)
                }
                tunfarm_lang::ast::Direction::Outbound => self.expect(packet, &window),
            },
            Action::Syscall(call) => {
                self.wait_for(&window, "system call")?;
                calls::perform(self, call, event.when.node, base, &window)
            }
            Action::Command(command) => {
                self.wait_for(&window, "command")?;
                let now = self.clock.now_us();
                let text = format!("`{}`", command.node.0);
                self.log.say(now, self.line, &text);
                let left = self.limit_us - now;
                run_command(&command.node.0, &self.dir, left, &mut self.outputs)
                    .map_err(|why| Stop::Failed(Broken::new(why)))
            }
            Action::Code(code) => {
                self.wait_for(&window, "code")?;
                crate::code::run(self, &code.node)
            }
        }
    }

    /// Wakes the calls of the calling thread from now on.
    pub fn watch_this_thread(&mut self) {
        self.watchdog = Watchdog::new();
    }

    /// How long a call that does not block may take now, in microseconds.
    pub fn call_limit_us(&self) -> i64 {
        CALL_LIMIT_US.min(self.limit_us - self.clock.now_us())
    }

    /// Sleeps until the window opens; an event that starts too late fails.
    fn wait_for(&mut self, window: &Window, what: &str) -> Result<(), Stop> {
        self.clock.sleep_until_us(window.start_us);
        let now = self.clock.now_us();
        window.check(now, &format!("the start of the {what}"))
    }
}

/// How much of an event's text the log shows, in characters.
const SHOWN: usize = 160;

/// What an event says after its time, with single spaces.
fn event_text(source: &Source, event: &Event) -> String {
    let start = match &event.action {
        Action::Syscall(call) => call.name.span.start,
        _ => event.when.span.end,
    };
    let text = source.slice(Span::new(start, event.span.end));
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}
