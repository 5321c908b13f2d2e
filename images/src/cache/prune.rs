//! Keeping the cache small.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{Cache, stamp};
use crate::Result;
use crate::error::io_error;

/// A file that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// How long it had not been used.
    pub idle: Duration,
}

/// What pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files removed, longest unused first.
    pub removed: Vec<Removed>,
    /// Bytes of the blobs that stay.
    pub kept_bytes: u64,
    /// Blobs that stay.
    pub kept: usize,
}

impl Pruned {
    /// Bytes that were freed.
    pub fn freed_bytes(&self) -> u64 {
        self.removed.iter().map(|file| file.size).sum()
    }
}

impl Cache {
    /// Removes every blob not used for `max_age`, then the longest unused ones until the rest
    /// has at most `max_bytes`; records that were not used for `max_age` go too. What a running
    /// program has open stays readable for it. Whatever is missed later is made again.
    pub fn prune(&self, max_age: Duration, max_bytes: u64) -> Result<Pruned> {
        let now = SystemTime::now();
        let mut blobs = self.files("blobs", now)?;
        blobs.sort_by(|a, b| b.idle.cmp(&a.idle).then_with(|| a.path.cmp(&b.path)));
        let mut pruned = Pruned {
            kept_bytes: blobs.iter().map(|blob| blob.size).sum(),
            kept: blobs.len(),
            ..Pruned::default()
        };
        for blob in blobs {
            if blob.idle <= max_age && pruned.kept_bytes <= max_bytes {
                continue;
            }
            remove(&blob.path)?;
            remove(&stamp::stamp_path(&blob.path))?;
            pruned.kept_bytes -= blob.size;
            pruned.kept -= 1;
            pruned.removed.push(blob);
        }
        for record in self.files("records", now)? {
            if record.idle > max_age {
                remove(&record.path)?;
                pruned.removed.push(record);
            }
        }
        Ok(pruned)
    }

    /// The files one level down in `dir`, without the stamps, with the time since their use.
    fn files(&self, dir: &str, now: SystemTime) -> Result<Vec<Removed>> {
        let root = self.root.join(dir);
        let listing = || io_error("listing", &root);
        let mut files = Vec::new();
        for group in fs::read_dir(&root).map_err(listing())? {
            let group = group.map_err(listing())?;
            for entry in fs::read_dir(group.path()).into_iter().flatten().flatten() {
                let path = entry.path();
                let (Ok(meta), None) = (entry.metadata(), path.extension()) else {
                    continue;
                };
                let used = fs::metadata(stamp::stamp_path(&path))
                    .and_then(|stamp| stamp.modified())
                    .or_else(|_| meta.modified())
                    .unwrap_or(now);
                let idle = now.duration_since(used).unwrap_or_default();
                files.push(Removed {
                    path,
                    size: meta.len(),
                    idle,
                });
            }
        }
        Ok(files)
    }
}

fn remove(path: &std::path::Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error("removing", path)(error))
        }
        _ => Ok(()),
    }
}
