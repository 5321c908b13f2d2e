//! The cache: blobs named by their hash, and records that say which blobs answer a question.
//!
//! ```text
//! blobs/ab/ab12…       one file, named by its SHA-256, read-only
//! blobs/ab/ab12….seen  what the file looked like when it was last hashed
//! records/KIND/KEY     JSON: an answer, which names blobs by their hash
//! partial/HASH.OWNER   a download that was cut off; taken up again, or removed after a day
//! tmp/OWNER            a file being written
//! ```
//!
//! Several processes, also on several machines, may share one cache. Nothing is locked: a file
//! is written under a name of its own, and becomes a blob by an atomic rename. Two writers of the
//! same blob write the same bytes, so whichever rename comes last changes nothing.
//!
//! A blob is verified on every use. Hashing hundreds of megabytes at each start would cost more
//! than the runs themselves, so after a full hash the file's size, inode, mtime and ctime are
//! noted; as long as they are the same the hash is not computed again. ctime cannot be set by
//! `touch`, so a replaced or edited file is always hashed. A bad file is deleted.

mod owner;
mod prune;
mod stamp;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use prune::{Pruned, Removed};
pub use writer::BlobWriter;

use crate::error::io_error;
use crate::{Digest, Result};
use owner::Owner;

/// A directory of verified files.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/tunfarm`, else `~/.cache/tunfarm`.
    pub fn default_dir() -> PathBuf {
        let absolute = |name| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(|| PathBuf::from(".cache"))
            .join("tunfarm")
    }

    /// Opens the cache in `root`, made if need be, and removes what dead processes left in it.
    pub fn open(root: &Path) -> Result<Cache> {
        let cache = Cache {
            root: root.to_owned(),
        };
        for dir in ["blobs", "records", "partial", "tmp"] {
            let dir = root.join(dir);
            fs::create_dir_all(&dir).map_err(io_error("creating the cache directory", &dir))?;
        }
        cache.sweep();
        Ok(cache)
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join("blobs").join(&name[..2]).join(name)
    }

    /// The file with this content, verified; `None` if it is not there (or was bad, and is
    /// deleted now).
    pub fn blob(&self, digest: &Digest) -> Result<Option<PathBuf>> {
        let path = self.blob_path(digest);
        Ok(stamp::verify(&path, digest)?.then_some(path))
    }

    /// A new blob, to be written and then kept.
    pub fn writer(&self) -> Result<BlobWriter> {
        BlobWriter::create(self)
    }

    /// Keeps `data` as a blob.
    pub fn put(&self, data: &[u8]) -> Result<(Digest, PathBuf)> {
        let mut writer = self.writer()?;
        writer.write(data)?;
        writer.keep()
    }

    fn record_path(&self, kind: &str, key: &Digest) -> PathBuf {
        self.root.join("records").join(kind).join(key.to_string())
    }

    /// The record of this kind and key. One that cannot be read is as good as none.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        let path = self.record_path(kind, key);
        let text = fs::read(&path).ok()?;
        let record = serde_json::from_slice(&text).ok()?;
        stamp::touch(&path);
        Some(record)
    }

    /// Writes the record of this kind and key, in the place of any that is there.
    pub fn put_record<T: Serialize>(&self, kind: &str, key: &Digest, record: &T) -> Result<()> {
        let path = self.record_path(kind, key);
        let text = serde_json::to_vec(record).map_err(|error| crate::Error::Io {
            doing: "writing the cache record",
            path: path.clone(),
            source: io::Error::other(error),
        })?;
        let mut writer = self.writer()?;
        writer.write(&text)?;
        writer.keep_as(&path)
    }

    /// Removes what dead processes left behind: temporary files at once, cut-off downloads
    /// (which can be taken up again) after a day.
    fn sweep(&self) {
        let remove_in = |dir: &str, patience: owner::Patience| {
            let Ok(entries) = fs::read_dir(self.root.join(dir)) else {
                return;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let owner = name.to_str().and_then(Owner::parse);
                if owner::abandoned(owner.as_ref(), &entry.path(), patience) {
                    // Another process may be sweeping too.
                    let _ = fs::remove_file(entry.path());
                }
            }
        };
        remove_in("tmp", owner::Patience::None);
        remove_in("partial", owner::Patience::Day);
    }
}

#[cfg(test)]
mod tests;
