//! A QEMU virtual machine: boot, snapshot, fork, watch, end.
//!
//! [`Host::ensure_snapshot`] boots a kernel once, up to the agent's "ready", and keeps RAM and
//! device state; [`Host::run`] restores them in a fresh QEMU for every cell, hands it a job and
//! takes its evidence.
//!
//! What holds, whatever a guest or a user does:
//!
//! * No QEMU outlives its run: it is killed when its future is dropped, and by the host's kernel
//!   when tunfarm dies (see the `process` module).
//! * Nothing has a name that somebody else could have taken: no port, no socket path, no temporary
//!   file. Channels are inherited descriptors.
//! * A snapshot is never written after it was made; every cell maps its RAM privately.
//! * A guest is hostile: what it prints and sends is bounded, and its silence is too.
//!
//! All futures run on a tokio runtime of any flavour with I/O and time enabled.

mod boot;
mod bzimage;
mod cmdline;
pub mod console;
mod error;
mod evidence;
mod host;
mod process;
mod prune;
mod qmp;
mod run;
mod snapshot;
mod sparse;
mod spec;
mod stall;
mod trial;
mod tsc;
mod vm;

pub use bzimage::NotAKernel;
pub use error::{BootError, HostError, RunCause, RunError, Stop};
pub use evidence::CONSOLE_LOG;
pub use host::{Host, QEMU_VARIABLE, cpus, memory_available_mb};
pub use prune::{PrunedSnapshots, prune_snapshots};
pub use qmp::QmpError;
pub use run::CellRun;
pub use snapshot::Snapshot;
pub use spec::{Accel, BootSpec, Clock, Limits, MachineType};
pub use vm::Digests;
