//! What is asked for: which kernel, on which clock, within which limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whose time the guest lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The guest's clock counts its instructions and jumps to the next timer when all is idle:
    /// deterministic, and hours pass in seconds. TCG only, one virtual CPU.
    #[default]
    Virtual,
    /// The guest's clock is the host's.
    Real,
}

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// QEMU's translator: works everywhere.
    #[default]
    Tcg,
    /// The host kernel's KVM. `/dev/kvm` opening proves nothing; see [`crate::Host::trial`].
    Kvm,
}

/// QEMU's machine type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineType {
    /// The small one: no PCI, boots and restores fastest.
    Microvm,
    /// The i440FX PC, for kernels that do not come up on microvm.
    Pc,
}

macro_rules! words {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word used on QEMU's command line and in messages.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words!(Clock { Virtual => "virtual", Real => "real" });
words!(Accel { Tcg => "tcg", Kvm => "kvm" });
words!(MachineType { Microvm => "microvm", Pc => "pc" });

/// A kernel to boot, with everything that decides what its snapshot looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSpec {
    /// The kernel: a bzImage.
    pub kernel: PathBuf,
    /// The initramfs with the guest agent as `/init`.
    pub initramfs: PathBuf,
    /// Digest of both files' contents; part of the snapshot's key.
    pub digest: String,
    /// What the kernel is called in messages.
    pub label: String,
    /// Whose time the guest lives in.
    pub clock: Clock,
    /// What executes it.
    pub accel: Accel,
    /// Guest RAM in MiB.
    pub memory_mb: u32,
    /// Appended to the kernel's command line.
    pub extra_cmdline: String,
}

/// Bounds of one run. A guest is hostile until its kernel is judged: each of these ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from starting QEMU to the guest's last frame.
    pub wall: Duration,
    /// The guest's own time since its boot (virtual clock only): an idle guest whose agent is
    /// dead passes hours in seconds, and is ended here instead of at [`Limits::wall`].
    pub guest: Duration,
    /// Bytes of all evidence files together.
    pub evidence_bytes: u64,
    /// Bytes of `console.log`; what follows is read, searched for findings and dropped.
    pub console_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            wall: Duration::from_secs(600),
            guest: Duration::from_secs(40_000),
            evidence_bytes: 64 << 20,
            console_bytes: 1 << 20,
        }
    }
}
