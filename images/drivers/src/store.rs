//! What builds leave behind for the next one: small records, and folders that never change.
//!
//! Several processes may build at once. Everything is written under a name of its own and moved
//! to its place by one rename, so nobody sees half of it; who comes second drops his own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tunfarm_images::{Cache, Digest};

use crate::Result;
use crate::error::io_error;

/// The cache with the folders that builds need.
#[derive(Clone, Debug)]
pub struct Store {
    cache: Cache,
}

impl Store {
    /// Keeps everything in `cache`, folders in `trees` below it.
    pub fn new(cache: Cache) -> Store {
        Store { cache }
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    fn trees(&self) -> PathBuf {
        self.cache.root().join("trees")
    }

    /// A folder that is removed when it is dropped.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        let tmp = self.trees().join("tmp");
        fs::create_dir_all(&tmp).map_err(io_error("creating", &tmp))?;
        tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(&tmp)
            .map_err(io_error("creating a folder in", &tmp))
    }

    /// The record of this kind and key. One that cannot be read is as good as none.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        self.cache.record(kind, key)
    }

    /// Writes the record of this kind and key, in the place of any that is there.
    pub fn put_record<T: Serialize>(&self, kind: &str, key: &Digest, record: &T) -> Result<()> {
        Ok(self.cache.put_record(kind, key, record)?)
    }

    /// The folder of this kind and key; `make` fills it if it is not there.
    pub fn folder(
        &self,
        kind: &str,
        key: &Digest,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.trees().join(kind).join(key.to_string());
        if path.is_dir() {
            // Its time is when it was last used, for whoever makes room.
            let _ = fs::File::open(&path).and_then(|f| f.set_modified(SystemTime::now()));
            return Ok(path);
        }
        let scratch = self.scratch()?;
        let new = scratch.path().join("new");
        fs::create_dir(&new).map_err(io_error("creating", &new))?;
        make(&new)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error("creating", parent))?;
        }
        match fs::rename(&new, &path) {
            // Another process made the same folder meanwhile.
            Err(_) if path.is_dir() => Ok(path),
            Err(error) => Err(io_error("keeping", &path)(error)),
            Ok(()) => Ok(path),
        }
    }

    /// Removes folders that were not used for `max_age`, and what builds that died left behind
    /// for as long. Returns how many.
    pub fn prune(&self, max_age: Duration) -> Result<usize> {
        let mut removed = 0;
        for kind in fs::read_dir(self.trees()).into_iter().flatten().flatten() {
            for entry in fs::read_dir(kind.path()).into_iter().flatten().flatten() {
                let path = entry.path();
                let used = entry.metadata().and_then(|m| m.modified());
                let idle = used
                    .ok()
                    .and_then(|t| SystemTime::now().duration_since(t).ok());
                if idle.is_some_and(|idle| idle > max_age) {
                    fs::remove_dir_all(&path).map_err(io_error("removing", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Cache::open(dir.path()).unwrap());
        (dir, store)
    }

    fn key() -> Digest {
        Digest::of(b"k")
    }

    #[test]
    fn a_folder_is_made_once_and_nothing_is_left_behind() {
        let (dir, store) = store();
        let fill = |path: &Path| {
            fs::write(path.join("a"), "1").unwrap();
            Ok(())
        };
        let made = store.folder("roots", &key(), fill).unwrap();
        assert_eq!(fs::read(made.join("a")).unwrap(), b"1");
        store
            .folder("roots", &key(), |_| unreachable!("it is there"))
            .unwrap();
        assert_eq!(
            fs::read_dir(dir.path().join("trees/tmp")).unwrap().count(),
            0
        );
    }

    #[test]
    fn two_makers_of_one_folder_agree() {
        let (_dir, store) = store();
        let barrier = std::sync::Barrier::new(2);
        let make = || {
            store.folder("roots", &key(), |path| {
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
        let (dir, store) = store();
        let fail = |path: &Path| Err(io_error("writing", path)(std::io::Error::other("no")));
        assert!(store.folder("roots", &key(), fail).is_err());
        assert!(!dir.path().join("trees/roots").exists());
    }

    #[test]
    fn only_what_is_not_used_is_pruned() {
        let (_dir, store) = store();
        let made = store.folder("roots", &key(), |_| Ok(())).unwrap();
        let hour = Duration::from_secs(3600);
        assert_eq!(store.prune(hour).unwrap(), 0);
        fs::File::open(&made)
            .unwrap()
            .set_modified(SystemTime::now() - 2 * hour)
            .unwrap();
        assert_eq!(store.prune(hour).unwrap(), 1);
        assert!(!made.exists());
    }
}
