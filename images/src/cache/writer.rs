//! Writing one new file into the cache.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::owner::{self, Owner};
use super::{Cache, stamp};
use crate::digest::Hasher;
use crate::error::io_error;
use crate::{Digest, Result};

/// A file being written: hashed on the way, a blob when it is kept, gone when it is dropped.
pub struct BlobWriter {
    cache: Cache,
    path: PathBuf,
    file: Option<File>,
    hasher: Hasher,
    size: u64,
    /// Where a cut-off download is left for the next attempt.
    left: Option<PathBuf>,
}

impl BlobWriter {
    pub(super) fn create(cache: &Cache) -> Result<BlobWriter> {
        Self::create_in(cache, cache.root.join("tmp").join(Owner::this().name()))
    }

    /// A writer for a download of known content. If an earlier one was cut off, what it had is
    /// copied over: copied, because its writer may not be as dead as it looks, and two writers
    /// of one file would spoil it.
    pub(crate) fn resume(cache: &Cache, digest: &Digest) -> Result<BlobWriter> {
        let dir = cache.root.join("partial");
        let path = dir.join(format!("{digest}.{}", Owner::this().name()));
        let left = dir.join(format!("{digest}.left"));
        let mut writer = Self::create_in(cache, path)?;
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let other = entry.path();
            let name = entry.file_name();
            let Some(rest) = name
                .to_str()
                .and_then(|n| n.strip_prefix(&format!("{digest}.")))
            else {
                continue;
            };
            let free = other == left
                || Owner::parse(rest).is_some_and(|owner| owner::can_be_taken_up(&owner, &other));
            if !free {
                continue;
            }
            if writer.size == 0 {
                writer.copy_from(&other)?;
            }
            let _ = fs::remove_file(&other);
        }
        writer.left = Some(left);
        Ok(writer)
    }

    fn create_in(cache: &Cache, path: PathBuf) -> Result<BlobWriter> {
        let file = File::create_new(&path).map_err(io_error("creating", &path))?;
        Ok(BlobWriter {
            cache: cache.clone(),
            path,
            file: Some(file),
            hasher: Hasher::default(),
            size: 0,
            left: None,
        })
    }

    fn copy_from(&mut self, other: &Path) -> Result<()> {
        match fs::read(other) {
            Ok(data) => self.write(&data),
            // Another process took it up first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error("reading", other)(error)),
        }
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of the bytes written so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Appends.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        let file = self
            .file
            .as_mut()
            .expect("open until it is kept or dropped");
        file.write_all(data)
            .map_err(io_error("writing", &self.path))?;
        self.hasher.update(data);
        self.size += data.len() as u64;
        Ok(())
    }

    /// Begins anew.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let left = self.left.take();
        *self = Self::create(&self.cache)?;
        self.left = left;
        Ok(())
    }

    /// Makes it a blob.
    pub fn keep(mut self) -> Result<(Digest, PathBuf)> {
        let digest = self.digest();
        let path = self.cache.blob_path(&digest);
        self.finish(&path, 0o444)?;
        // Without the note the next use hashes the file, no more.
        let _ = stamp::note(&path);
        Ok((digest, path))
    }

    /// Makes it the file at `path`, in the place of any that is there.
    pub(super) fn keep_as(mut self, path: &Path) -> Result<()> {
        self.finish(path, 0o644)
    }

    /// Leaves what came for [`BlobWriter::resume`].
    pub(crate) fn leave(mut self) {
        if let (Some(left), true) = (&self.left, self.size > 0)
            && fs::rename(&self.path, left).is_ok()
        {
            self.file = None;
        }
    }

    fn finish(&mut self, path: &Path, mode: u32) -> Result<()> {
        let file = self.file.take().expect("open until it is kept or dropped");
        let done = (|| {
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            fs::rename(&self.path, path)
        })();
        if done.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        done.map_err(io_error("keeping", path))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Write for BlobWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        BlobWriter::write(self, data).map_err(|error| match error {
            crate::Error::Io { source, .. } => source,
            other => io::Error::new(io::ErrorKind::StorageFull, other),
        })?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
