//! What builds leave behind for the next one: small records, and folders that never change.
//!
//! Several processes may build at once. Everything is written under a name of its own and moved
//! to its place by one rename, so nobody sees half of it; who comes second drops his own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::Result;
use crate::error::io_error;

/// A directory of records and folders, both named by the hash of what they were made from.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store in `root`, made if need be.
    pub fn open(root: &Path) -> Result<Store> {
        let tmp = root.join("tmp");
        fs::create_dir_all(&tmp).map_err(io_error("creating", &tmp))?;
        Ok(Store {
            root: root.to_owned(),
        })
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder that is removed when it is dropped.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        let tmp = self.root.join("tmp");
        tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(&tmp)
            .map_err(io_error("creating a folder in", &tmp))
    }

    /// The record of this kind and key. One that cannot be read is as good as none.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Option<T> {
        let text = fs::read(self.path(kind, key)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the record of this kind and key, in the place of any that is there.
    pub fn put_record<T: Serialize>(&self, kind: &str, key: &str, record: &T) -> Result<()> {
        let path = self.path(kind, key);
        let text = serde_json::to_vec(record)
            .map_err(|e| io_error("writing", &path)(io::Error::other(e)))?;
        let scratch = self.scratch()?;
        let temporary = scratch.path().join("record");
        fs::write(&temporary, text).map_err(io_error("writing", &temporary))?;
        self.move_to(&temporary, &path)
    }

    /// The folder of this kind and key; `make` fills it if it is not there.
    pub fn folder(
        &self,
        kind: &str,
        key: &str,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.path(kind, key);
        if path.is_dir() {
            return Ok(path);
        }
        let scratch = self.scratch()?;
        let new = scratch.path().join("new");
        fs::create_dir(&new).map_err(io_error("creating", &new))?;
        make(&new)?;
        self.move_to(&new, &path)?;
        Ok(path)
    }

    fn path(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join(kind).join(key)
    }

    fn move_to(&self, from: &Path, to: &Path) -> Result<()> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(io_error("creating", parent))?;
        }
        match fs::rename(from, to) {
            // Another process made the same folder meanwhile.
            Err(_) if from.is_dir() && to.is_dir() => Ok(()),
            done => done.map_err(io_error("keeping", to)),
        }
    }
}

/// The sha256 of `parts` in hexadecimal digits; each part counts with its length, so that no two
/// lists are alike.
pub fn key_of<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// The sha256 of `data` in hexadecimal digits.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let fill = |path: &Path| {
            fs::write(path.join("a"), "1").unwrap();
            Ok(())
        };
        let made = store.folder("roots", "k", fill).unwrap();
        assert_eq!(fs::read(made.join("a")).unwrap(), b"1");
        store
            .folder("roots", "k", |_| unreachable!("it is there"))
            .unwrap();
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn two_makers_of_one_folder_agree() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let barrier = std::sync::Barrier::new(2);
        let make = || {
            store.folder("roots", "k", |path| {
                fs::write(path.join("a"), "1").unwrap();
                barrier.wait();
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(make);
            let (one, two) = (make().unwrap(), other.join().unwrap().unwrap());
            assert_eq!(one, two);
        });
    }

    #[test]
    fn a_failed_folder_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let fail = |path: &Path| Err(io_error("writing", path)(io::Error::other("no")));
        assert!(store.folder("roots", "k", fail).is_err());
        assert!(!dir.path().join("roots/k").exists());
    }

    #[test]
    fn a_broken_record_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.put_record("r", "k", &vec![1, 2]).unwrap();
        assert_eq!(store.record("r", "k"), Some(vec![1, 2]));
        fs::write(dir.path().join("r/k"), "[1").unwrap();
        assert_eq!(store.record::<Vec<u32>>("r", "k"), None);
    }

    #[test]
    fn keys_tell_lists_apart() {
        assert_ne!(key_of(["a", "bc"]), key_of(["ab", "c"]));
    }
}
