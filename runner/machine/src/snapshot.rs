//! Snapshots: a kernel booted once, stopped at the agent's "ready", and kept.
//!
//! A snapshot is a folder of three files: guest RAM, device state, and what is known about them.
//! Its name is the hash of everything that went in, so the same question finds the same answer
//! and a changed one finds nothing. It is made in a folder of its own, under a lock, and renamed
//! when it is whole: nobody ever sees a part of one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tunfarm_protocol::{KernelFacts, PROTOCOL_VERSION};
use tunfarm_reports::model::Finding;

use crate::boot::boot;
use crate::bzimage;
use crate::cmdline::{self, Shape};
use crate::error::{BootError, HostError, RunCause};
use crate::evidence::hex;
use crate::host::Host;
use crate::sparse;
use crate::spec::{BootSpec, MachineType};

/// Raised when the files of a snapshot change meaning.
const LAYOUT: u32 = 1;

const RAM: &str = "ram";
const STATE: &str = "state";
const ABOUT: &str = "snapshot.json";

/// How long one process waits for another that makes the same snapshot.
const LOCK_LIMIT: Duration = Duration::from_secs(1200);

/// A booted kernel, waiting for its job.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its folder.
    pub dir: PathBuf,
    /// What the kernel said about itself.
    pub facts: KernelFacts,
    /// The machine type it came up on.
    pub machine: MachineType,
    /// It was booted just now; false when the cache had it.
    pub booted: bool,
    /// Trouble its console told of while it booted (warnings: it came up all the same).
    pub findings: Vec<Finding>,
    pub(crate) shape: Shape,
    /// Says that the files are in use, as long as somebody has this snapshot.
    _in_use: Option<Arc<File>>,
}

impl Snapshot {
    pub(crate) fn ram(&self) -> PathBuf {
        self.dir.join(RAM)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join(STATE)
    }
}

#[derive(Serialize, Deserialize)]
struct About {
    layout: u32,
    facts: KernelFacts,
    findings: Vec<Finding>,
    shape: Shape,
    /// The kernel's label and QEMU's version, for people who look into the cache.
    label: String,
    qemu: String,
    /// sha256 of the files, checked whenever the snapshot is taken from the cache.
    ram_sha256: String,
    state_sha256: String,
}

impl Host {
    /// The snapshot of `spec`, out of `cache` or by booting the kernel.
    ///
    /// `cpu` pins the booting machine, as in [`Host::run`]. Two processes that ask for the same
    /// snapshot boot it once: the second waits for the first.
    pub async fn ensure_snapshot(
        &self,
        spec: &BootSpec,
        cache: &Path,
        cpu: Option<usize>,
    ) -> Result<Snapshot, BootError> {
        let shelf = shelf(cache);
        fs::create_dir_all(&shelf)
            .map_err(|e| HostError::io("make the snapshot cache", shelf.as_path(), e))?;
        let key = key(spec, self.version());
        let dir = shelf.join(&key);
        if let Some(snapshot) = take(&dir).await? {
            return Ok(snapshot);
        }
        let protocol = bzimage::check(&spec.kernel)
            .map_err(|e| HostError::io("read the kernel", spec.kernel.as_path(), e))?;
        if let Err(why) = protocol {
            return Err(BootError::NotAKernel {
                path: spec.kernel.clone(),
                why,
            });
        }
        let _lock = lock(&shelf, &key).await?;
        // Whoever held the lock before may have made it.
        if let Some(snapshot) = take(&dir).await? {
            return Ok(snapshot);
        }
        sweep(&shelf, &key);
        let partial = shelf.join(format!("{key}.partial"));
        let made = self.make(spec, &partial, cpu).await;
        let snapshot = match made {
            Ok(()) => {
                fs::rename(&partial, &dir)
                    .map_err(|e| HostError::io("keep the snapshot as", dir.as_path(), e))?;
                take(&dir).await?
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&partial);
                return Err(error);
            }
        };
        let mut snapshot = snapshot.ok_or_else(|| {
            HostError::io(
                "read back the snapshot",
                dir,
                io::Error::other("it is damaged as soon as it is written; check the disk"),
            )
        })?;
        snapshot.booted = true;
        Ok(snapshot)
    }

    /// Boots `spec` where it comes up and saves it in `partial`.
    async fn make(
        &self,
        spec: &BootSpec,
        partial: &Path,
        cpu: Option<usize>,
    ) -> Result<(), BootError> {
        let mut first: Option<BootError> = None;
        for machine in [MachineType::Microvm, MachineType::Pc] {
            let shape = Shape::new(spec, machine);
            fresh(partial)?;
            let (ram, state) = (partial.join(RAM), partial.join(STATE));
            let booted = boot(self, spec, &shape, partial, &ram, &state, cpu).await;
            let (facts, findings) = match booted {
                Ok(booted) => booted,
                Err((RunCause::Host(error), _)) => return Err(error.into()),
                Err((RunCause::Guest(stop), findings)) => {
                    tracing::info!(label = spec.label, %machine, %stop, "does not boot");
                    let error = BootError::Kernel {
                        label: spec.label.clone(),
                        machine,
                        stop,
                        findings,
                    };
                    // What a kernel said outweighs a machine type on which it said nothing.
                    first = Some(match first {
                        Some(earlier) if earlier.telling() => earlier,
                        _ => error,
                    });
                    continue;
                }
            };
            let hashed = tokio::task::spawn_blocking({
                let (ram, state) = (ram.clone(), state.clone());
                move || -> Result<_, HostError> {
                    sparse::punch(&ram)?;
                    Ok((sparse::sha256(&ram)?, sparse::sha256(&state)?))
                }
            });
            let (ram_sha256, state_sha256) = join(hashed.await)??;
            let about = About {
                layout: LAYOUT,
                facts,
                findings,
                shape,
                label: spec.label.clone(),
                qemu: self.version().to_owned(),
                ram_sha256,
                state_sha256,
            };
            let path = partial.join(ABOUT);
            let json = serde_json::to_vec_pretty(&about).expect("a description serialises");
            fs::write(&path, json).map_err(|e| HostError::io("write", path, e))?;
            for file in [&ram, &state] {
                let mut permissions = fs::metadata(file)
                    .map_err(|e| HostError::io("look at", file.as_path(), e))?
                    .permissions();
                permissions.set_readonly(true);
                fs::set_permissions(file, permissions)
                    .map_err(|e| HostError::io("write-protect", file.as_path(), e))?;
            }
            return Ok(());
        }
        Err(first.expect("each machine type that failed left its error"))
    }
}

/// The name of the snapshot of `spec`: the hash of all that decides what is in it.
fn key(spec: &BootSpec, qemu: &str) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    field(&LAYOUT.to_string());
    field(&PROTOCOL_VERSION.to_string());
    field(qemu);
    field(&spec.digest);
    field(&cmdline::kernel(spec));
    for machine in [MachineType::Microvm, MachineType::Pc] {
        for option in Shape::new(spec, machine).hardware() {
            field(&option);
        }
    }
    hex(&hash.finalize())
}

/// The snapshot in `dir`, checked; a damaged one is deleted, and is as good as none.
async fn take(dir: &Path) -> Result<Option<Snapshot>, HostError> {
    // A cache that may only be read is nobody's to prune either.
    let in_use = lock_for_use(dir).ok().map(Arc::new);
    let path = dir.join(ABOUT);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(HostError::io("read", path, e)),
    };
    let about: Option<About> = serde_json::from_slice(&text)
        .ok()
        .filter(|about: &About| about.layout == LAYOUT);
    if let Some(about) = about {
        let (ram, state) = (dir.join(RAM), dir.join(STATE));
        let hashed = tokio::task::spawn_blocking(move || {
            (sparse::sha256(&ram).ok(), sparse::sha256(&state).ok())
        });
        if join(hashed.await)?
            == (
                Some(about.ram_sha256.clone()),
                Some(about.state_sha256.clone()),
            )
        {
            // Its age is the time since its last use; a cache on a read-only disk stays as it is.
            let about_file = File::options().write(true).open(&path);
            let _ = about_file.and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(Some(Snapshot {
                _in_use: in_use,
                dir: dir.to_owned(),
                machine: about.shape.machine,
                facts: about.facts,
                findings: about.findings,
                booted: false,
                shape: about.shape,
            }));
        }
    }
    tracing::warn!(dir = %dir.display(), "the snapshot is damaged: it is deleted and made again");
    fs::remove_dir_all(dir).map_err(|e| HostError::io("delete the damaged snapshot", dir, e))?;
    Ok(None)
}

fn join<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, HostError> {
    result.map_err(|error| HostError::System {
        doing: "hash the snapshot",
        source: io::Error::other(error),
    })
}

/// Where snapshots are in a cache.
pub(crate) fn shelf(cache: &Path) -> PathBuf {
    cache.join("snapshots")
}

/// The time since the snapshot in `dir` was last used; `None` if there is no snapshot.
pub(crate) fn idle(dir: &Path, now: SystemTime) -> Option<Duration> {
    if dir.extension().is_some() {
        return None;
    }
    let used = fs::metadata(dir.join(ABOUT)).and_then(|about| about.modified());
    Some(now.duration_since(used.ok()?).unwrap_or_default())
}

/// A lock that all who use the snapshot in `dir` share, beside the one of those who make it.
pub(crate) fn lock_for_use(dir: &Path) -> io::Result<File> {
    let file = File::create(dir.with_extension("used.lock"))?;
    file.lock_shared()?;
    Ok(file)
}

/// The same lock for one alone: `None` while somebody uses the snapshot.
pub(crate) fn lock_for_removal(dir: &Path) -> Option<File> {
    let file = File::create(dir.with_extension("used.lock")).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// An empty folder.
fn fresh(dir: &Path) -> Result<(), HostError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(HostError::io("empty", dir, e));
        }
        _ => {}
    }
    fs::create_dir(dir).map_err(|e| HostError::io("make", dir, e))
}

/// Takes the lock of `key`; it is released when the file is dropped, or its process dies.
async fn lock(shelf: &Path, key: &str) -> Result<File, HostError> {
    let path = shelf.join(format!("{key}.lock"));
    let file = File::create(&path).map_err(|e| HostError::io("create", path.as_path(), e))?;
    let until = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(HostError::io(
                    "lock",
                    path,
                    io::Error::new(
                        ErrorKind::TimedOut,
                        "another tunfarm has held it for too long",
                    ),
                ));
            }
            Err(fs::TryLockError::Error(e)) => return Err(HostError::io("lock", path, e)),
        }
    }
}

/// Deletes what other runs that were killed left half made: nobody holds its lock any more.
fn sweep(shelf: &Path, own: &str) {
    let Ok(entries) = fs::read_dir(shelf) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(key) = name.to_str().and_then(|n| n.strip_suffix(".partial")) else {
            continue;
        };
        if key == own {
            continue;
        }
        let Ok(lock) = File::open(shelf.join(format!("{key}.lock"))) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
