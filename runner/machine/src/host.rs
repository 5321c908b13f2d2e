//! What the host has: which QEMU, which version.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::error::HostError;

/// The environment variable that names a QEMU other than the one in `PATH`.
pub const QEMU_VARIABLE: &str = "TUNFARM_QEMU";

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
        let asked = tokio::process::Command::new(&qemu)
            .arg("--version")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(30), asked)
            .await
            .map_err(|_| HostError::QemuSilent { path: qemu.clone() })?
            .map_err(|source| HostError::QemuStart {
                path: qemu.clone(),
                source,
            })?;
        let version = version(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| HostError::QemuSilent { path: qemu.clone() })?;
        Ok(Host { qemu, version })
    }

    /// Path of the QEMU binary.
    pub fn qemu(&self) -> &Path {
        &self.qemu
    }

    /// QEMU's version as it says it, e.g. `10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)`.
    pub fn version(&self) -> &str {
        &self.version
    }
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
    fn the_version_is_the_first_lines_tail() {
        let output = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) 2003\n";
        assert_eq!(
            version(output).as_deref(),
            Some("10.0.2 (Debian 1:10.0.2+ds-2)")
        );
        assert_eq!(version("BusyBox v1.36"), None);
    }
}
