//! What the host and the guest say to each other.
//!
//! One [`Job`] goes in (through fw_cfg, before the guest's clock matters), and one stream of
//! [`Frame`]s comes out. There is no dialogue: while a guest waits for the host its virtual clock
//! races ahead, so everything the guest needs is in the job, and everything it saw is in the
//! frames.
//!
//! The guest is hostile as far as the host is concerned: [`FrameReader`] bounds every length
//! before it allocates, and a malformed stream is an error, never a panic.

mod frame;
mod job;
mod observe;
mod outcome;

pub use frame::{
    Finish, Frame, FrameError, FrameReader, MAX_FRAME, encode_finish, encode_frame, encode_log,
    encode_ready,
};
pub use job::{
    Collect, Datapath, DriverLoad, Engine, IpVersion, Job, JobError, Reader, TunMode, TunOptions,
};
pub use observe::{Counters, KernelFacts, Sample, TimerKind, TunFacts};
pub use outcome::{Failure, Mismatch, Outcome, ScriptResult, SetupStage};

/// Raised by one when a job or the stream changes meaning; part of every snapshot's key, so that
/// an agent never gets a job of another generation.
pub const PROTOCOL_VERSION: u32 = 1;

/// The fw_cfg file in which a job is handed to a restored guest.
pub const FW_CFG_JOB: &str = "opt/org.tunfarm/job";

/// The I/O port of QEMU's debug console device, on which evidence leaves the guest.
///
/// A byte written there needs no driver, no interrupt and no tty layer, so it works on every x86
/// kernel and costs one instruction (QEMU, `hw/char/debugcon.c`).
pub const EVIDENCE_PORT: u16 = 0xe9;

/// The names under which a guest may store evidence in its cell's folder.
///
/// A closed list: a guest can neither choose a path nor fill the disk with files of its own.
pub mod evidence {
    /// Packets of the datapath, classic pcap, microseconds on the script's clock.
    pub const CAPTURE: &str = "capture.pcap";
    /// What the real `ss -tinom` printed at the script's marks.
    pub const SS: &str = "ss.txt";
    /// One [`Sample`](crate::Sample) a line, JSON.
    pub const SAMPLES: &str = "samples.jsonl";
    /// [`Counters`](crate::Counters), JSON: what SNMP and TcpExt counters moved by.
    pub const COUNTERS: &str = "counters.json";
    /// Return values of the retransmit function, one call a line: `SECONDS FUNCTION RETURN`.
    pub const PROBE: &str = "probe.txt";
    /// What was injected, sniffed and called, with times.
    pub const SCRIPT_LOG: &str = "script.log";
    /// Output of the script's own commands.
    pub const COMMANDS: &str = "commands.txt";
    /// All of them.
    pub const ALL: [&str; 7] = [CAPTURE, SS, SAMPLES, COUNTERS, PROBE, SCRIPT_LOG, COMMANDS];
}
