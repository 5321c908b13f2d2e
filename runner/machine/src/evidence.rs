//! Evidence on its way from a guest to a cell's folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tunfarm_protocol::evidence;

use crate::error::{HostError, RunCause, Stop};

/// The guest's console, written by the host.
pub const CONSOLE_LOG: &str = "console.log";

/// Writes evidence files under one folder, within bounds.
pub struct Store {
    folder: PathBuf,
    files: BTreeMap<&'static str, Hashed>,
    total: u64,
    limit: u64,
}

impl Store {
    /// Makes `folder` and removes what an earlier run of the same cell left there.
    pub fn create(folder: &Path, limit: u64) -> Result<Store, HostError> {
        fs::create_dir_all(folder)
            .map_err(|e| HostError::io("make the evidence folder", folder, e))?;
        for name in evidence::ALL {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(HostError::io("remove old evidence", path, e));
                }
                _ => {}
            }
        }
        Ok(Store {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            total: 0,
            limit,
        })
    }

    /// Appends `data` to the evidence file `name`.
    pub fn append(&mut self, name: &'static str, data: &[u8]) -> Result<(), RunCause> {
        self.total = self.total.saturating_add(data.len() as u64);
        if self.total > self.limit {
            return Err(Stop::TooMuch { limit: self.limit }.into());
        }
        let file = match self.files.entry(name) {
            std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Hashed::create(self.folder.join(name))?)
            }
        };
        Ok(file.append(data)?)
    }

    /// Name and sha256 (hexadecimal) of every file written.
    pub fn finish(self) -> BTreeMap<String, String> {
        self.files
            .into_iter()
            .map(|(name, file)| (name.to_owned(), file.digest()))
            .collect()
    }
}

/// The console's file: whatever comes is taken, what is beyond the bound is dropped.
pub struct ConsoleLog {
    file: Hashed,
    left: u64,
}

impl ConsoleLog {
    /// Makes (or empties) `console.log` in `folder`.
    pub fn create(folder: &Path, limit: u64) -> Result<ConsoleLog, HostError> {
        fs::create_dir_all(folder)
            .map_err(|e| HostError::io("make the evidence folder", folder, e))?;
        Ok(ConsoleLog {
            file: Hashed::create(folder.join(CONSOLE_LOG))?,
            left: limit,
        })
    }

    /// Takes what the guest printed.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        if self.left == 0 || bytes.is_empty() {
            return Ok(());
        }
        let take = bytes
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.file.append(&bytes[..take])?;
        self.left -= take as u64;
        if self.left == 0 {
            self.file.append(b"\n[tunfarm: console cut here]\n")?;
        }
        Ok(())
    }

    /// sha256 (hexadecimal) of the file.
    pub fn digest(self) -> String {
        self.file.digest()
    }
}

struct Hashed {
    path: PathBuf,
    file: File,
    hash: Sha256,
}

impl Hashed {
    fn create(path: PathBuf) -> Result<Hashed, HostError> {
        let file = File::create(&path).map_err(|e| HostError::io("create", path.as_path(), e))?;
        Ok(Hashed {
            path,
            file,
            hash: Sha256::new(),
        })
    }

    fn append(&mut self, data: &[u8]) -> Result<(), HostError> {
        self.hash.update(data);
        self.file
            .write_all(data)
            .map_err(|e| HostError::io("write", self.path.as_path(), e))
    }

    fn digest(self) -> String {
        hex(&self.hash.finalize())
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_grow_by_frames_and_are_hashed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(evidence::PROBE), "of an earlier run").unwrap();
        let mut store = Store::create(dir.path(), 100).unwrap();
        store.append(evidence::SS, b"a").unwrap();
        store.append(evidence::SS, b"bc").unwrap();
        let digests = store.finish();
        assert_eq!(fs::read(dir.path().join(evidence::SS)).unwrap(), b"abc");
        assert_eq!(
            digests[evidence::SS],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(!dir.path().join(evidence::PROBE).exists());
    }

    #[test]
    fn too_much_evidence_is_the_guests_fault() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path(), 4).unwrap();
        store.append(evidence::SS, b"1234").unwrap();
        assert!(matches!(
            store.append(evidence::CAPTURE, b"5"),
            Err(RunCause::Guest(Stop::TooMuch { limit: 4 }))
        ));
    }

    #[test]
    fn the_console_is_cut_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = ConsoleLog::create(dir.path(), 4).unwrap();
        log.append(b"12").unwrap();
        log.append(b"3456").unwrap();
        log.append(b"789").unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join(CONSOLE_LOG)).unwrap(),
            "1234\n[tunfarm: console cut here]\n"
        );
    }
}
