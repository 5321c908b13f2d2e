//! Running a kernel's build scripts where they can reach nothing: no network, no file but those
//! they need, no way to write anywhere but their own folder.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::root::BuildRoot;

/// The folder inside the sandbox in which a driver is built; always the same, so that the same
/// source gives the same module.
pub const BUILD: &str = "/build";

/// A build's output is kept up to so many bytes, its end.
const OUTPUT: usize = 64 * 1024;

/// What the sandbox is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// A root of the kernel's own suite with its headers.
    Root(BuildRoot),
    /// This machine's own compiler, with a configured tree of the user.
    Host {
        /// The tree, absolute.
        build_dir: PathBuf,
    },
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// It exited with status 0.
    pub success: bool,
    /// What it printed, both streams, the last 64 KiB.
    pub output: String,
}

/// Runs `command` in the sandbox with `folder` as its only writable place.
///
/// # Errors
/// One sentence: what cannot be run, and what to do.
pub fn run(sandbox: &Sandbox, folder: &Path, command: &[&str]) -> Result<Ran, String> {
    let mut bwrap = Command::new("bwrap");
    bwrap.args([
        "--unshare-net",
        "--unshare-pid",
        "--unshare-ipc",
        "--die-with-parent",
    ]);
    bwrap.args(["--new-session", "--clearenv"]);
    bwrap.args(["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]);
    bwrap.args(["--setenv", "LC_ALL", "C", "--setenv", "HOME", BUILD]);
    match sandbox {
        Sandbox::Root(root) => {
            bwrap.arg("--ro-bind").arg(&root.tools).arg("/");
            let mut below = vec![PathBuf::from("usr/src")];
            below.extend(build_scripts(&root.headers));
            for inside in below {
                let mount = root.tools.join(&inside);
                std::fs::create_dir_all(&mount)
                    .map_err(|e| format!("cannot create {}: {e}", mount.display()))?;
                bwrap
                    .arg("--ro-bind")
                    .arg(root.headers.join(&inside))
                    .arg(Path::new("/").join(inside));
            }
            bwrap.arg("--bind").arg(folder).arg(BUILD);
        }
        Sandbox::Host { build_dir } => {
            for inside in [
                "/usr",
                "/etc/alternatives",
                "/bin",
                "/sbin",
                "/lib",
                "/lib64",
            ] {
                bwrap.args(["--ro-bind-try", inside, inside]);
            }
            bwrap.arg("--ro-bind").arg(build_dir).arg(build_dir);
            bwrap.arg("--bind").arg(folder).arg(BUILD);
        }
    }
    bwrap.args(["--dev", "/dev", "--tmpfs", "/tmp", "--chdir", BUILD, "--"]);
    bwrap.args(command);
    let (mut reader, writer) = std::io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    let both = writer
        .try_clone()
        .map_err(|e| format!("cannot copy a pipe: {e}"))?;
    bwrap.stdin(Stdio::null()).stdout(writer).stderr(both);
    let mut child = bwrap
        .spawn()
        .map_err(|e| format!("cannot run bwrap: {e}; install the package bubblewrap"))?;
    // The command holds the write ends, and the pipe ends with its last holder.
    drop(bwrap);
    let output = tail(&mut reader, OUTPUT);
    let status = child
        .wait()
        .map_err(|e| format!("cannot wait for bwrap: {e}"))?;
    if !status.success() && output.lines().any(|l| l.starts_with("bwrap: ")) {
        return Err(format!(
            "{}; bwrap needs user namespaces or root: allow them \
             (sysctl kernel.unprivileged_userns_clone=1, or \
             kernel.apparmor_restrict_unprivileged_userns=0), or run as root",
            output.trim()
        ));
    }
    Ok(Ran {
        success: status.success(),
        output,
    })
}

/// Folders of build scripts among the headers, e.g. `usr/lib/linux-kbuild-6.12`.
fn build_scripts(headers: &Path) -> Vec<PathBuf> {
    let lib = Path::new("usr/lib");
    let entries = std::fs::read_dir(headers.join(lib)).into_iter().flatten();
    let mut found: Vec<_> = entries
        .flatten()
        .map(|e| e.file_name())
        .filter(|n| n.to_string_lossy().starts_with("linux-kbuild-"))
        .map(|n| lib.join(n))
        .collect();
    found.sort();
    found
}

/// The last `limit` bytes of a stream; however long it is, no more is held than twice as many.
fn tail(stream: &mut impl Read, limit: usize) -> String {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..n]);
        if kept.len() > 2 * limit {
            kept.drain(..kept.len() - limit);
        }
    }
    let start = kept.len().saturating_sub(limit);
    String::from_utf8_lossy(&kept[start..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_its_end() {
        let text = "x".repeat(100_000) + "end";
        let kept = tail(&mut text.as_bytes(), 1000);
        assert_eq!(kept.len(), 1000);
        assert!(kept.ends_with("end"));
        assert_eq!(tail(&mut &b"short"[..], 1000), "short");
    }
}
