use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::*;

fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    (dir, cache)
}

fn names(cache: &Cache, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(cache.root().join(dir)).unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn spoil(path: &Path, data: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, data).unwrap();
}

#[test]
fn what_was_put_is_there() {
    let (_dir, cache) = cache();
    let (digest, path) = cache.put(b"kernel").unwrap();
    assert_eq!(digest, Digest::of(b"kernel"));
    assert_eq!(cache.blob(&digest).unwrap(), Some(path.clone()));
    assert_eq!(fs::read(&path).unwrap(), b"kernel");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o444
    );
    assert_eq!(cache.blob(&Digest::of(b"other")).unwrap(), None);
    assert_eq!(names(&cache, "tmp"), [""; 0]);
}

#[test]
fn a_truncated_or_edited_blob_is_deleted() {
    let (_dir, cache) = cache();
    for bad in [&b"ker"[..], b"kernal", b""] {
        let (digest, path) = cache.put(b"kernel").unwrap();
        spoil(&path, bad);
        assert_eq!(cache.blob(&digest).unwrap(), None);
        assert!(!path.exists());
    }
}

#[test]
fn an_edit_that_keeps_size_and_mtime_is_noticed() {
    let (_dir, cache) = cache();
    let (digest, path) = cache.put(b"kernel").unwrap();
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    spoil(&path, b"kernal");
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(mtime)
        .unwrap();
    assert_eq!(cache.blob(&digest).unwrap(), None);
}

#[test]
fn a_blob_without_its_stamp_is_hashed_and_stamped() {
    let (_dir, cache) = cache();
    let (digest, path) = cache.put(b"kernel").unwrap();
    let stamp = stamp::stamp_path(&path);
    fs::remove_file(&stamp).unwrap();
    assert_eq!(cache.blob(&digest).unwrap(), Some(path));
    assert!(stamp.exists());
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let (_dir, cache) = cache();
    let mut writer = cache.writer().unwrap();
    writer.write(b"half").unwrap();
    assert_eq!(names(&cache, "tmp").len(), 1);
    drop(writer);
    assert_eq!(names(&cache, "tmp"), [""; 0]);
    assert_eq!(names(&cache, "blobs"), [""; 0]);
}

#[test]
fn leftovers_of_a_dead_process_are_swept() {
    let (_dir, cache) = cache();
    let this = Owner::this().name();
    let parts: Vec<_> = this.split('.').collect();
    // The same id, but started at another time: the id was used again.
    let dead = format!("{}.{}.1.0", parts[0], parts[1]);
    for name in [&this, &dead] {
        fs::write(cache.root().join("tmp").join(name), "half").unwrap();
    }
    Cache::open(cache.root()).unwrap();
    assert_eq!(names(&cache, "tmp"), [this]);
}

#[test]
fn a_cut_off_download_is_taken_up_by_one() {
    let (_dir, cache) = cache();
    let digest = Digest::of(b"kernel");
    let mut first = BlobWriter::resume(&cache, &digest).unwrap();
    first.write(b"ker").unwrap();
    let beside = BlobWriter::resume(&cache, &digest).unwrap();
    assert_eq!(beside.size(), 0, "the first is still being written");
    first.leave();
    let mut second = BlobWriter::resume(&cache, &digest).unwrap();
    assert_eq!(second.size(), 3);
    second.write(b"nel").unwrap();
    assert_eq!(second.keep().unwrap().0, digest);
    drop(beside);
    assert_eq!(names(&cache, "partial"), [""; 0]);
}

#[test]
fn two_writers_of_one_blob_agree() {
    let (_dir, cache) = cache();
    let data = vec![7; 300_000];
    let writers = std::thread::scope(|scope| {
        let write = || {
            let mut writer = cache.writer().unwrap();
            for part in data.chunks(1000) {
                writer.write_all(part).unwrap();
            }
            writer.keep().unwrap()
        };
        let other = scope.spawn(write);
        (write(), other.join().unwrap())
    });
    assert_eq!(writers.0, writers.1);
    assert_eq!(fs::read(&writers.0.1).unwrap(), data);
    assert!(cache.blob(&writers.0.0).unwrap().is_some());
}

#[test]
fn records_come_back_and_broken_ones_do_not() {
    let (_dir, cache) = cache();
    let key = Digest::of(b"question");
    assert_eq!(cache.record::<Vec<u32>>("answers", &key), None);
    cache.put_record("answers", &key, &vec![1, 2]).unwrap();
    cache.put_record("answers", &key, &vec![3]).unwrap();
    assert_eq!(cache.record("answers", &key), Some(vec![3]));
    fs::write(cache.record_path("answers", &key), "[3").unwrap();
    assert_eq!(cache.record::<Vec<u32>>("answers", &key), None);
}

#[test]
fn pruning_goes_by_age_then_by_size() {
    let (_dir, cache) = cache();
    let idle = |path: &Path, hours: u64| {
        let stamp = fs::File::options()
            .write(true)
            .open(stamp::stamp_path(path))
            .unwrap();
        let time = SystemTime::now() - Duration::from_secs(hours * 3600);
        stamp.set_modified(time).unwrap();
    };
    let [old, middle, new] = [b"a", b"b", b"c"].map(|c| cache.put(&c.repeat(1000)).unwrap());
    idle(&old.1, 100);
    idle(&middle.1, 10);
    idle(&new.1, 1);

    let day = Duration::from_secs(24 * 3600);
    let pruned = cache.prune(day, u64::MAX).unwrap();
    assert_eq!(
        pruned.removed.iter().map(|r| &r.path).collect::<Vec<_>>(),
        [&old.1]
    );
    assert_eq!(
        (pruned.kept, pruned.kept_bytes, pruned.freed_bytes()),
        (2, 2000, 1000)
    );

    let pruned = cache.prune(day, 1500).unwrap();
    assert_eq!(
        pruned.removed.iter().map(|r| &r.path).collect::<Vec<_>>(),
        [&middle.1]
    );
    assert!(cache.blob(&middle.0).unwrap().is_none());
    assert!(cache.blob(&new.0).unwrap().is_some());
}
