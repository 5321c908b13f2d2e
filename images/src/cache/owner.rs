//! Who is writing a temporary file, and whether it still lives.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A process among all that may share a cache: where it runs, its id, and when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// This boot of this machine, and this process-id namespace: two containers count their
    /// processes separately.
    place: String,
    pid: u32,
    /// In clock ticks since boot: an id is used again sooner or later.
    started: u64,
}

impl Owner {
    pub(super) fn this() -> Owner {
        let pid = std::process::id();
        Owner {
            place: place(),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// Reads the end of a file's name, as [`Owner::name`] wrote it.
    pub(super) fn parse(name: &str) -> Option<Owner> {
        let mut parts = name.rsplit('.');
        let _serial = parts.next()?;
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        let place = parts.next()?.to_owned();
        Some(Owner {
            place,
            pid,
            started,
        })
    }

    /// A name that no other file of this or any other process has.
    pub(super) fn name(&self) -> String {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        format!("{}.{}.{}.{serial}", self.place, self.pid, self.started)
    }

    fn alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// How long a dead process's file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Day,
}

/// Whether the file at `path` can go. A process elsewhere cannot be asked: its files are
/// abandoned when nothing was written to them for a day.
pub(super) fn abandoned(owner: Option<&Owner>, path: &Path, patience: Patience) -> bool {
    let dead = owner.is_some_and(|owner| owner.place == place() && !owner.alive());
    if dead && patience == Patience::None {
        return true;
    }
    let here_and_alive = owner.is_some_and(|owner| owner.place == place() && owner.alive());
    !here_and_alive && older_than_a_day(path)
}

/// Whether the writer of the file at `path` is known to be dead, or has been silent for a day.
pub(super) fn can_be_taken_up(owner: &Owner, path: &Path) -> bool {
    abandoned(Some(owner), path, Patience::None)
}

fn older_than_a_day(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .and_then(|meta| meta.modified())
        .is_ok_and(|time| {
            SystemTime::now()
                .duration_since(time)
                .is_ok_and(|age| age > DAY)
        })
}

fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino());
    let boot: String = boot
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(12)
        .collect();
    format!("{boot}-{namespace}")
}

/// Field 22 of /proc/PID/stat; the second field, the program's name, may have spaces in it.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..]
        .split_ascii_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let this = Owner::this();
        assert!(this.alive());
        assert_eq!(Owner::parse(&this.name()), Some(this.clone()));
        assert_eq!(
            Owner::parse(&format!("0abc.{}", this.name())),
            Some(this.clone())
        );
        assert_ne!(this.name(), this.name());
        assert_eq!(Owner::parse("nonsense"), None);
    }

    #[test]
    fn only_the_dead_and_the_old_are_abandoned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let this = Owner::this();
        let dead = Owner {
            started: this.started + 1,
            ..this.clone()
        };
        let elsewhere = Owner {
            place: "elsewhere".into(),
            ..this.clone()
        };
        let old = || {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - 2 * DAY).unwrap();
        };

        assert!(!abandoned(Some(&this), &path, Patience::None));
        assert!(abandoned(Some(&dead), &path, Patience::None));
        assert!(!abandoned(Some(&dead), &path, Patience::Day));
        assert!(!abandoned(Some(&elsewhere), &path, Patience::None));
        assert!(!abandoned(None, &path, Patience::None));
        old();
        assert!(
            !abandoned(Some(&this), &path, Patience::Day),
            "its writer lives"
        );
        assert!(abandoned(Some(&dead), &path, Patience::Day));
        assert!(abandoned(Some(&elsewhere), &path, Patience::None));
        assert!(abandoned(None, &path, Patience::None));
    }
}
