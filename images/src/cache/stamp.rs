//! Verifying a blob without hashing it every time.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::owner::Owner;
use crate::digest::Hasher;
use crate::error::io_error;
use crate::{Digest, Result};

/// Whether the file at `path` has this digest. A missing file has not; a bad one is deleted.
pub(super) fn verify(path: &Path, digest: &Digest) -> Result<bool> {
    loop {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io_error("opening the cached file", path)(error)),
        };
        let reading = || io_error("reading the cached file", path);
        let meta = file.metadata().map_err(reading())?;
        let look = appearance(&meta);
        let stamp = stamp_path(path);
        if fs::read_to_string(&stamp).is_ok_and(|seen| seen == look) {
            touch(&stamp);
            return Ok(true);
        }
        if hash(&mut file).map_err(reading())? == *digest {
            // A cache that cannot be written to still works; it only hashes each time.
            let _ = write_stamp(&stamp, &look);
            return Ok(true);
        }
        // Another process may have found it bad too, and have put a good one in its place.
        let same = fs::metadata(path).is_ok_and(|now| now.ino() == meta.ino());
        if same {
            let _ = fs::remove_file(&stamp);
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("deleting the damaged cached file", path)(error));
                }
                _ => return Ok(false),
            }
        }
    }
}

/// Notes how the file at `path`, whose hash is known to be right, looks now.
pub(super) fn note(path: &Path) -> io::Result<()> {
    write_stamp(&stamp_path(path), &appearance(&fs::metadata(path)?))
}

pub(super) fn stamp_path(path: &Path) -> PathBuf {
    path.with_added_extension("seen")
}

/// Says that a file is in use, for pruning. Failing is harmless.
pub(super) fn touch(path: &Path) {
    if let Ok(file) = File::options().write(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

pub(super) fn hash(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn appearance(meta: &fs::Metadata) -> String {
    format!(
        "size {} inode {} mtime {}.{:09} ctime {}.{:09}\n",
        meta.len(),
        meta.ino(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec()
    )
}

/// Written elsewhere in the cache and renamed, so that nobody reads half of it, and so that it is
/// swept with the other temporary files if this process dies in between.
fn write_stamp(stamp: &Path, look: &str) -> io::Result<()> {
    // root/blobs/ab/ab12….seen
    let root = stamp.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?;
    let temporary = root.join("tmp").join(Owner::this().name());
    fs::write(&temporary, look)
        .and_then(|()| fs::rename(&temporary, stamp))
        .inspect_err(|_| drop(fs::remove_file(&temporary)))
}
