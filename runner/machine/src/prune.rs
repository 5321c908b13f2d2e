//! Removing snapshots that nobody has used for long.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::snapshot;

/// What [`prune_snapshots`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedSnapshots {
    /// Snapshots that were removed.
    pub removed: usize,
    /// Bytes on disk that were freed.
    pub freed_bytes: u64,
    /// Bytes on disk that the others take.
    pub kept_bytes: u64,
}

/// Removes every snapshot in `cache` that was not used for `max_age`, then the longest unused
/// ones until the rest takes at most `max_bytes` on disk. One that a run is using stays. What is
/// missed later is booted again.
pub fn prune_snapshots(
    cache: &Path,
    max_age: Duration,
    max_bytes: u64,
) -> io::Result<PrunedSnapshots> {
    let shelf = snapshot::shelf(cache);
    let mut found: Vec<(Duration, u64, PathBuf)> = Vec::new();
    let entries = match fs::read_dir(&shelf) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(PrunedSnapshots::default()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let dir = entry?.path();
        // A snapshot that is being made has another name.
        if let Some(idle) = snapshot::idle(&dir, SystemTime::now()) {
            found.push((idle, on_disk(&dir), dir));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    let mut pruned = PrunedSnapshots {
        kept_bytes: found.iter().map(|(_, bytes, _)| bytes).sum(),
        ..PrunedSnapshots::default()
    };
    for (idle, bytes, dir) in found {
        if idle <= max_age && pruned.kept_bytes <= max_bytes {
            continue;
        }
        let Some(_nobody_uses_it) = snapshot::lock_for_removal(&dir) else {
            continue;
        };
        fs::remove_dir_all(&dir)?;
        pruned.removed += 1;
        pruned.freed_bytes += bytes;
        pruned.kept_bytes -= bytes;
    }
    Ok(pruned)
}

/// What the files of `dir` take: guest RAM is mostly holes.
fn on_disk(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.blocks() * 512)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Snapshots named by letters, unused for so many days, of about 8 KiB each.
    fn cache(snapshots: &[(&str, u32)]) -> tempfile::TempDir {
        let cache = tempfile::tempdir().unwrap();
        for (name, days) in snapshots {
            let dir = snapshot::shelf(cache.path()).join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("ram"), [1; 8192]).unwrap();
            let about = File::create(dir.join("snapshot.json")).unwrap();
            about.set_modified(SystemTime::now() - DAY * *days).unwrap();
        }
        cache
    }

    fn left(cache: &tempfile::TempDir) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(snapshot::shelf(cache.path()))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| !n.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_unused_go_by_age_and_the_longest_unused_by_size() {
        let cache = cache(&[("a", 40), ("b", 10), ("c", 1)]);
        let pruned = prune_snapshots(cache.path(), DAY * 30, u64::MAX).unwrap();
        assert_eq!(
            (pruned.removed, left(&cache)),
            (1, vec!["b".into(), "c".into()])
        );
        let pruned = prune_snapshots(cache.path(), DAY * 30, pruned.kept_bytes - 1).unwrap();
        assert_eq!((pruned.removed, left(&cache)), (1, vec!["c".into()]));
        assert!(pruned.freed_bytes >= 8192);
    }

    #[test]
    fn what_a_run_is_using_stays() {
        let cache = cache(&[("a", 40), ("b", 40)]);
        let used = snapshot::shelf(cache.path()).join("a");
        let lock = snapshot::lock_for_use(&used).unwrap();
        prune_snapshots(cache.path(), DAY, 0).unwrap();
        assert_eq!(left(&cache), ["a"]);
        drop(lock);
        prune_snapshots(cache.path(), DAY, 0).unwrap();
        assert!(left(&cache).is_empty());
    }

    #[test]
    fn half_made_ones_and_an_empty_cache_are_left_alone() {
        let cache = cache(&[("a", 1)]);
        let partial = snapshot::shelf(cache.path()).join("b.partial");
        fs::create_dir(&partial).unwrap();
        prune_snapshots(cache.path(), DAY * 2, u64::MAX).unwrap();
        assert_eq!(left(&cache), ["a", "b.partial"]);
        let empty = tempfile::tempdir().unwrap();
        let pruned = prune_snapshots(empty.path(), DAY, 0).unwrap();
        assert_eq!(pruned, PrunedSnapshots::default());
    }
}
