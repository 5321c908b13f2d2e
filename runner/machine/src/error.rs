//! What can go wrong, in kinds that never mix: the host's trouble, a kernel that does not come
//! up, a guest that dies at work.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tunfarm_protocol::FrameError;
use tunfarm_reports::model::Finding;

use crate::bzimage::NotAKernel;
use crate::qmp::QmpError;

/// The host's trouble: says nothing about any kernel.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No QEMU.
    #[error(
        "no qemu-system-x86_64 in PATH; install it (Debian: `apt-get install qemu-system-x86`) \
         or name one in TUNFARM_QEMU"
    )]
    QemuMissing,
    /// QEMU cannot be started.
    #[error("cannot start {}: {source}; `tunfarm doctor` says what this machine lacks", path.display())]
    QemuStart {
        /// Which binary.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not say its version.
    #[error("{} is no QEMU: it does not say its version; check TUNFARM_QEMU and PATH", path.display())]
    QemuSilent {
        /// Which binary.
        path: PathBuf,
    },
    /// QEMU ended before the guest ran, or of its own fault.
    #[error("QEMU failed ({status}): {stderr}; `tunfarm doctor` tries what this machine can do")]
    QemuFailed {
        /// How it ended.
        status: ExitStatus,
        /// Its own words, cut.
        stderr: String,
    },
    /// QEMU gave up executing the guest.
    #[error("QEMU cannot execute the guest and stopped it: {stderr}; try `--accel tcg`")]
    QemuStopped {
        /// Its own words, cut.
        stderr: String,
    },
    /// QEMU refuses a command or hangs up.
    #[error("{0}")]
    Qmp(#[from] QmpError),
    /// QEMU does not answer.
    #[error("QEMU did not finish {doing} within {} s; is the machine overloaded?", limit.as_secs())]
    QemuStuck {
        /// What it was to do.
        doing: &'static str,
        /// For how long it was waited.
        limit: Duration,
    },
    /// A file or descriptor.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A system call on no file in particular.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl HostError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        HostError::Io {
            doing,
            path: path.into(),
            source,
        }
    }
}

/// How a guest stopped without having finished.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Stop {
    /// The kernel panicked.
    #[error("the kernel panicked: {}", headline(.finding))]
    Panic {
        /// The panic, with its top frames.
        finding: Finding,
    },
    /// Nothing happens any more, and no timer will change that.
    #[error("the guest stopped silently ({why}); its last words: {}", last(.console))]
    Silent {
        /// How it was recognised.
        why: String,
        /// Its last console lines.
        console: Vec<String>,
    },
    /// The guest ended or was reset.
    #[error("the guest ended before it was done ({reason}); its last words: {}", last(.console))]
    Died {
        /// QEMU's word for the reason (`guest-reset`, `guest-shutdown`, …).
        reason: String,
        /// Its last console lines.
        console: Vec<String>,
    },
    /// Still at it when its time was up.
    #[error("not done after {} s of wall-clock time; its last words: {}", limit.as_secs(), last(.console))]
    Timeout {
        /// The limit.
        limit: Duration,
        /// Its last console lines.
        console: Vec<String>,
    },
    /// The evidence stream makes no sense.
    #[error("the guest's evidence cannot be read: {0}")]
    Stream(#[from] FrameError),
    /// More evidence than allowed.
    #[error("the guest sent more than {limit} bytes of evidence")]
    TooMuch {
        /// The limit.
        limit: u64,
    },
}

/// What to look at when a kernel does not come up.
fn advice(stop: &Stop) -> &'static str {
    match stop {
        Stop::Silent { console, .. }
        | Stop::Died { console, .. }
        | Stop::Timeout { console, .. }
            if console.is_empty() =>
        {
            "; nothing came on ttyS0: is it an x86-64 kernel with CONFIG_SERIAL_8250_CONSOLE and \
             CONFIG_BLK_DEV_INITRD built in?"
        }
        Stop::Panic { finding } if finding.headline.contains("init") => {
            "; does it have CONFIG_BLK_DEV_INITRD, CONFIG_BINFMT_ELF and room for the initramfs?"
        }
        _ => "",
    }
}

fn headline(finding: &Finding) -> String {
    let mut text = finding.headline.clone();
    if let Some(frame) = finding.frames.first() {
        text.push_str(" in ");
        text.push_str(frame);
    }
    text
}

fn last(console: &[String]) -> String {
    if console.is_empty() {
        "none".to_owned()
    } else {
        console[console.len().saturating_sub(3)..].join(" | ")
    }
}

/// Why a kernel has no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The host's trouble.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The file is no kernel; QEMU was not started.
    #[error("{} is not a kernel: {why}", path.display())]
    NotAKernel {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        why: NotAKernel,
    },
    /// The kernel did not reach the agent's "ready" on any machine type.
    #[error("{label} does not boot on {machine}: {stop}{}", advice(.stop))]
    Kernel {
        /// Which kernel.
        label: String,
        /// On which machine the last attempt was.
        machine: crate::MachineType,
        /// How it stopped.
        stop: Stop,
        /// What else its console told.
        findings: Vec<Finding>,
    },
}

impl BootError {
    /// The host is to blame, not the kernel.
    pub fn is_host(&self) -> bool {
        matches!(self, BootError::Host(_))
    }

    /// The kernel itself said what is wrong.
    pub(crate) fn telling(&self) -> bool {
        matches!(
            self,
            BootError::Kernel {
                stop: Stop::Panic { .. },
                ..
            }
        )
    }
}

/// Why a run has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunCause {
    /// The host's trouble.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The guest's.
    #[error(transparent)]
    Guest(#[from] Stop),
}

/// A run without an outcome, with what is known about it all the same.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct RunError {
    /// Why.
    pub cause: RunCause,
    /// What the console told, the fatal finding last.
    pub findings: Vec<Finding>,
    /// The command line of the QEMU that ran it.
    pub qemu_command_line: Vec<String>,
}
