//! What the host has: which QEMU, which version.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::cmdline::SANDBOX;
use crate::error::HostError;

/// The environment variable that names a QEMU other than the one in `PATH`.
pub const QEMU_VARIABLE: &str = "TUNFARM_QEMU";

/// How long QEMU may take to say something about itself.
const ANSWER: Duration = Duration::from_secs(30);

const PROGRAM: &str = "qemu-system-x86_64";

/// The QEMU of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    qemu: PathBuf,
    version: String,
}

impl Host {
    /// Finds QEMU (`$TUNFARM_QEMU`, else in `PATH`) and asks its version.
    pub async fn find() -> Result<Host, HostError> {
        let qemu = match std::env::var_os(QEMU_VARIABLE) {
            Some(path) => PathBuf::from(path),
            None => in_path(PROGRAM).ok_or(HostError::QemuMissing)?,
        };
        let mut host = Host {
            qemu,
            version: String::new(),
        };
        let output = host.ask(&["--version"]).await?;
        host.version = version(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
            HostError::QemuSilent {
                path: host.qemu.clone(),
            }
        })?;
        Ok(host)
    }

    /// Path of the QEMU binary.
    pub fn qemu(&self) -> &Path {
        &self.qemu
    }

    /// QEMU's own system-call sandbox, without which no guest is started.
    ///
    /// # Errors
    /// Why this QEMU has none, in its words.
    pub async fn sandbox(&self) -> Result<(), HostError> {
        let output = self.ask(&["-sandbox", SANDBOX, "-version"]).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(HostError::QemuFailed {
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Runs QEMU for an answer.
    async fn ask(&self, args: &[&str]) -> Result<Output, HostError> {
        let asked = tokio::process::Command::new(&self.qemu)
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        tokio::time::timeout(ANSWER, asked)
            .await
            .map_err(|_| HostError::QemuStuck {
                doing: "answering a question about itself",
                limit: ANSWER,
            })?
            .map_err(|source| HostError::QemuStart {
                path: self.qemu.clone(),
                source,
            })
    }

    /// QEMU's version as it says it, e.g. `10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The CPUs this process may use, as the host's kernel numbers them; the slots of
/// [`Host::run`]'s `cpu`.
pub fn cpus() -> Vec<usize> {
    // SAFETY: a set of zeros is a set; the call fills it within the size it is told.
    let (got, set) = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let got = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        (got, set)
    };
    if got != 0 {
        return Vec::new();
    }
    (0..libc::CPU_SETSIZE as usize)
        // SAFETY: the index is within the set.
        .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) })
        .collect()
}

/// Memory in MiB that the host could give to guests now (`MemAvailable`); `None` where the kernel
/// does not tell.
pub fn memory_available_mb() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

fn in_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

fn version(output: &str) -> Option<String> {
    output
        .lines()
        .find_map(|line| line.strip_prefix("QEMU emulator version "))
        .map(|v| v.trim().to_owned())
        .filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_kibibytes() {
        let text = "MemTotal:       24682136 kB\nMemAvailable:   24279000 kB\n";
        assert_eq!(available(text), Some(23709));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn this_process_may_use_a_cpu() {
        assert!(!cpus().is_empty());
    }

    #[test]
    fn the_version_is_the_first_lines_tail() {
        let output = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) 2003\n";
        assert_eq!(
            version(output).as_deref(),
            Some("10.0.2 (Debian 1:10.0.2+ds-2)")
        );
        assert_eq!(version("BusyBox v1.36"), None);
    }
}
