//! Running a kernel's build scripts where they can reach nothing: no network, no file but those
//! they need, no way to write anywhere but their own folder.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::edit::Files;
use crate::kernel::TargetKernel;
use crate::root::BuildRoot;

/// The folder inside the sandbox in which a driver is built; always the same, so that the same
/// source gives the same module.
pub const BUILD: &str = "/build";

/// Seconds after which a build is ended: one that waits for something that never comes.
const LIMIT: &str = "900";

/// What of this machine a build with its own compiler sees.
const HOST: [&str; 6] = [
    "/usr",
    "/etc/alternatives",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
];

/// What is new and empty in every sandbox.
const FRESH: [&str; 4] = ["--dev", "/dev", "--tmpfs", "/tmp"];

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

impl Sandbox {
    /// The kernel's headers among `paths` (`include/…`), which a patch wants to change.
    pub fn headers_of<'a>(
        &self,
        kernel: &TargetKernel,
        paths: impl Iterator<Item = &'a str>,
    ) -> Files {
        let plain = |p: &&str| p.starts_with("include/") && !p.split('/').any(|c| c == "..");
        let read = |path: &str| {
            let inside = self.header(&kernel.release, Path::new(path))?;
            let real = match self {
                Sandbox::Root(root) => root.headers.join(inside.strip_prefix("/").ok()?),
                Sandbox::Host { .. } => inside,
            };
            let text = std::fs::read(real).ok()?;
            Some((path.into(), String::from_utf8_lossy(&text).into_owned()))
        };
        paths.filter(plain).filter_map(read).collect()
    }

    /// Where the header `include/…` is inside the sandbox.
    pub fn header(&self, release: &str, path: &Path) -> Option<PathBuf> {
        match self {
            Sandbox::Host { build_dir } => Some(build_dir.join(path)),
            Sandbox::Root(root) => {
                let source = root.headers.join("usr/src");
                let mut folders: Vec<_> = std::fs::read_dir(source)
                    .ok()?
                    .flatten()
                    .map(|e| e.file_name())
                    .collect();
                // The kernel's own folder has what is generated, the common one the rest.
                let own = format!("linux-headers-{release}");
                folders.sort_by_key(|name| *name != *own);
                folders
                    .iter()
                    .map(|name| Path::new("usr/src").join(name).join(path))
                    .find(|inside| root.headers.join(inside).is_file())
                    .map(|inside| Path::new("/").join(inside))
            }
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// It exited with status 0.
    pub success: bool,
    /// What it printed, both streams, the last 64 KiB.
    pub output: String,
}

/// Runs `command` in the sandbox with `folder` as its only writable place. Each of `overlays`
/// puts a file of this machine in the place of one inside.
///
/// # Errors
/// One sentence: what cannot be run, and what to do.
pub fn run(
    sandbox: &Sandbox,
    folder: &Path,
    overlays: &[(PathBuf, PathBuf)],
    command: &[&str],
) -> Result<Ran, String> {
    let mut bwrap = Options::default();
    bwrap.add(["--unshare-net", "--unshare-ipc", "--die-with-parent"]);
    bwrap.add(["--new-session", "--clearenv"]);
    bwrap.add(["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]);
    bwrap.add(["--setenv", "LC_ALL", "C", "--setenv", "HOME", BUILD]);
    match sandbox {
        Sandbox::Root(root) => {
            bwrap.read_only(&root.tools, Path::new("/"));
            bwrap.add(FRESH);
            let mut below = vec![PathBuf::from("usr/src")];
            below.extend(build_scripts(&root.headers));
            for inside in below {
                let mount = root.tools.join(&inside);
                std::fs::create_dir_all(&mount)
                    .map_err(|e| format!("cannot create {}: {e}", mount.display()))?;
                bwrap.read_only(&root.headers.join(&inside), &Path::new("/").join(&inside));
            }
        }
        Sandbox::Host { build_dir } => {
            for inside in HOST {
                bwrap.add(["--ro-bind-try", inside, inside]);
            }
            // Before the tree, which may be in /tmp.
            bwrap.add(FRESH);
            bwrap.read_only(build_dir, build_dir);
        }
    }
    bwrap.add([OsStr::new("--bind"), folder.as_os_str(), OsStr::new(BUILD)]);
    for (file, inside) in overlays {
        bwrap.read_only(file, inside);
    }
    let Options(bwrap) = bwrap;
    // objtool of 7.3 asks /proc how much stack it may use.
    let own = ["--unshare-pid", "--proc", "/proc"];
    let ran = start(&bwrap, &own, command)?;
    if !ran.success && ran.output.starts_with("bwrap: Can't mount proc") {
        // Inside a container that hides parts of /proc no new one may be mounted.
        return finish(start(&bwrap, &["--ro-bind", "/proc", "/proc"], command)?);
    }
    finish(ran)
}

/// What bwrap itself complains of is no word of the command's.
fn finish(ran: Ran) -> Result<Ran, String> {
    if !ran.success && ran.output.lines().any(|l| l.starts_with("bwrap: ")) {
        return Err(format!(
            "{}; bwrap needs user namespaces or root: allow them \
             (sysctl kernel.unprivileged_userns_clone=1, or \
             kernel.apparmor_restrict_unprivileged_userns=0), or run as root",
            ran.output.trim()
        ));
    }
    Ok(ran)
}

/// Runs bwrap with `options`, then `more`, and in it `command`.
fn start(options: &[OsString], more: &[&str], command: &[&str]) -> Result<Ran, String> {
    let (mut reader, writer) = std::io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    let both = writer
        .try_clone()
        .map_err(|e| format!("cannot copy a pipe: {e}"))?;
    let mut bwrap = Command::new("bwrap");
    bwrap.args(options).args(more);
    bwrap
        .args(["--chdir", BUILD, "--", "timeout", LIMIT])
        .args(command);
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
    Ok(Ran {
        success: status.success(),
        output,
    })
}

/// Arguments of bwrap.
#[derive(Default)]
struct Options(Vec<OsString>);

impl Options {
    fn add<T: AsRef<OsStr>>(&mut self, words: impl IntoIterator<Item = T>) {
        self.0
            .extend(words.into_iter().map(|w| w.as_ref().to_owned()));
    }

    fn read_only(&mut self, from: &Path, inside: &Path) {
        self.add([
            OsStr::new("--ro-bind"),
            from.as_os_str(),
            inside.as_os_str(),
        ]);
    }
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
