//! Files with holes: guest RAM is mostly zeros.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::HostError;
use crate::evidence::hex;

const BLOCK: usize = 4096;
const CHUNK: usize = 256 * BLOCK;

/// Turns blocks of zeros into holes, which cost no disk and are not hashed.
pub fn punch(path: &Path) -> Result<(), HostError> {
    punch_file(path).map_err(|e| HostError::io("make holes in", path, e))
}

fn punch_file(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut zeros = Run::default();
    for_data(&file, |start, end| {
        let mut at = start;
        while at < end {
            let n = (end - at).min(CHUNK as u64) as usize;
            file.read_exact_at(&mut chunk[..n], at)?;
            for (index, block) in chunk[..n].chunks(BLOCK).enumerate() {
                let offset = at + (index * BLOCK) as u64;
                let zero = is_zero(block);
                if let Some((from, len)) = zeros.step(zero, offset, block.len() as u64) {
                    hole(&file, from, len)?;
                }
            }
            at += n as u64;
        }
        Ok(())
    })?;
    if let Some((from, len)) = zeros.take() {
        hole(&file, from, len)?;
    }
    Ok(())
}

/// Compared as a whole, which is fast in every build.
fn is_zero(block: &[u8]) -> bool {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    block == &ZEROS[..block.len()]
}

/// Neighbouring zero blocks, punched together.
#[derive(Default)]
struct Run(Option<(u64, u64)>);

impl Run {
    /// Takes a block; returns the run it ends.
    fn step(&mut self, zero: bool, offset: u64, len: u64) -> Option<(u64, u64)> {
        match (&mut self.0, zero) {
            (Some((from, run)), true) if *from + *run == offset => {
                *run += len;
                None
            }
            (_, true) => self.0.replace((offset, len)),
            (_, false) => self.0.take(),
        }
    }

    fn take(&mut self) -> Option<(u64, u64)> {
        self.0.take()
    }
}

fn hole(file: &File, from: u64, len: u64) -> io::Result<()> {
    let (Ok(from), Ok(len)) = (from.try_into(), len.try_into()) else {
        return Ok(());
    };
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open; the call takes integers only.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), mode, from, len) };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(()),
        // A file system without holes keeps the zeros.
        e if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        e => Err(e),
    }
}

/// sha256 over the file's length and every block that is not zero with its place: the same for
/// the same contents wherever the file system put holes.
pub fn sha256(path: &Path) -> Result<String, HostError> {
    hash_file(path).map_err(|e| HostError::io("hash", path, e))
}

fn hash_file(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let mut hash = Sha256::new();
    hash.update(file.metadata()?.len().to_le_bytes());
    let mut chunk = vec![0; CHUNK];
    for_data(&file, |start, end| {
        // Data areas may begin anywhere; places are counted from whole blocks.
        let mut at = start - start % BLOCK as u64;
        while at < end {
            let n = (end - at).min(CHUNK as u64) as usize;
            file.read_exact_at(&mut chunk[..n], at)?;
            for (index, block) in chunk[..n].chunks(BLOCK).enumerate() {
                if !is_zero(block) {
                    hash.update((at + (index * BLOCK) as u64).to_le_bytes());
                    hash.update(block);
                }
            }
            at += n as u64;
        }
        Ok(())
    })?;
    Ok(hex(&hash.finalize()))
}

/// Calls `each` for every area of `file` that holds data.
fn for_data(file: &File, mut each: impl FnMut(u64, u64) -> io::Result<()>) -> io::Result<()> {
    let len = file.metadata()?.len();
    let seek = |from: u64, whence| -> io::Result<Option<u64>> {
        let from = libc::off_t::try_from(from).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open; the call takes integers only.
        match unsafe { libc::lseek(file.as_raw_fd(), from, whence) } {
            -1 => match io::Error::last_os_error() {
                e if e.raw_os_error() == Some(libc::ENXIO) => Ok(None),
                e => Err(e),
            },
            at => Ok(u64::try_from(at).ok()),
        }
    };
    let mut at = 0;
    while at < len {
        let Some(start) = seek(at, libc::SEEK_DATA)? else {
            break;
        };
        let end = seek(start, libc::SEEK_HOLE)?.unwrap_or(len);
        each(start, end)?;
        at = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn holes_change_neither_contents_nor_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ram");
        let mut data = vec![0; 64 * BLOCK + 100];
        data[5 * BLOCK] = 1;
        data[40 * BLOCK + 17] = 2;
        data[64 * BLOCK + 99] = 3;
        std::fs::write(&path, &data).unwrap();
        let (hash, blocks) = (sha256(&path).unwrap(), path.metadata().unwrap().blocks());
        punch(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), data);
        assert_eq!(sha256(&path).unwrap(), hash);
        assert!(path.metadata().unwrap().blocks() <= blocks);
        data[40 * BLOCK + 17] = 4;
        std::fs::write(&path, &data).unwrap();
        assert_ne!(sha256(&path).unwrap(), hash);
    }

    #[test]
    fn runs_of_zeros_are_joined() {
        let mut run = Run::default();
        assert_eq!(run.step(true, 0, 10), None);
        assert_eq!(run.step(true, 10, 10), None);
        assert_eq!(run.step(true, 40, 10), Some((0, 20)));
        assert_eq!(run.step(false, 50, 10), Some((40, 10)));
        assert_eq!(run.take(), None);
    }
}
