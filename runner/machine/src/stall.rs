//! Has a guest on the virtual clock stopped for good?
//!
//! Such a guest is never quiet: either it executes, or QEMU jumps to its next timer. So there are
//! two ways to stop, and both show in the QEMU process:
//!
//! * **halted**: QEMU uses no processor time and all its threads sleep. The guest's processor is
//!   halted with no timer pending; nothing will ever wake it. (A QEMU that merely starves on a
//!   loaded host has a runnable thread, and is left alone.)
//! * **spinning**: QEMU uses processor time, but the guest neither says anything nor gets anywhere
//!   on its own clock. Counted in processor time, so that load on the host does not matter.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// So many looks in a row without any change, at [`crate::vm`]'s pace of four a second.
const LOOKS: u32 = 12;

/// Processor time that a guest may use without a word and without a second of its own clock. A
/// whole boot uses 8 s.
const SPIN: Duration = Duration::from_secs(60);

/// Processor time without a word after which the guest's own clock is worth a question. Not
/// sooner: QEMU may serve a question in the very instant in which the guest's processor halts,
/// and then counts its last instructions only after it has jumped to the next timer. The guest's
/// clock is a microsecond late from then on, and two runs of one cell differ.
const ASK_AFTER: Duration = Duration::from_secs(10);

/// Looks at one QEMU.
pub struct Stall {
    tasks: PathBuf,
    ticks_per_second: u64,
    asleep_at: Option<u64>,
    same: u32,
    heard: u64,
    guest: Option<Duration>,
    since: u64,
    /// Processor time without a word or a second of the guest's own clock, in seconds.
    spun: u64,
}

/// All threads of a process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Threads {
    /// Processor time in clock ticks.
    ticks: u64,
    /// Every one of them sleeps.
    asleep: bool,
}

impl Stall {
    /// Watches the process `pid`.
    pub fn new(pid: u32) -> Stall {
        // SAFETY: takes an integer, returns one.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Stall {
            tasks: PathBuf::from(format!("/proc/{pid}/task")),
            ticks_per_second: u64::try_from(ticks).unwrap_or(100).max(1),
            asleep_at: None,
            same: 0,
            heard: 0,
            guest: None,
            since: 0,
            spun: 0,
        }
    }

    /// Whether the guest's own clock would tell something; see [`ASK_AFTER`].
    pub fn wonders(&self) -> bool {
        self.spun >= ASK_AFTER.as_secs()
    }

    /// Looks once, with the number of bytes heard from the guest so far and its own time where
    /// that is known; says why the guest will never get anywhere, if so.
    pub fn look(&mut self, heard: u64, guest: Option<Duration>) -> Option<String> {
        let threads = self.threads()?;
        self.judge(threads, heard, guest)
    }

    fn judge(&mut self, now: Threads, heard: u64, guest: Option<Duration>) -> Option<String> {
        let asleep_at = now.asleep.then_some(now.ticks);
        self.same = match asleep_at {
            Some(_) if asleep_at == self.asleep_at => self.same + 1,
            _ => 0,
        };
        self.asleep_at = asleep_at;
        if self.same >= LOOKS {
            return Some("its processor is halted and no timer is pending".to_owned());
        }
        if heard != self.heard || guest != self.guest {
            (self.heard, self.guest, self.since) = (heard, guest, now.ticks);
        }
        self.spun = now.ticks.saturating_sub(self.since) / self.ticks_per_second;
        (self.spun >= SPIN.as_secs()).then(|| {
            format!(
                "it used {} s of processor time without a word or a second of its own clock",
                self.spun
            )
        })
    }

    fn threads(&self) -> Option<Threads> {
        let mut all = Threads {
            ticks: 0,
            asleep: true,
        };
        for task in fs::read_dir(&self.tasks).ok()? {
            let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (state, ticks) = parse(&stat)?;
            all.asleep &= state == 'S';
            all.ticks += ticks;
        }
        Some(all)
    }
}

/// State and user + system time out of `/proc/PID/task/TID/stat` (proc(5)); the thread's name, in
/// parentheses, may hold anything.
fn parse(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // utime and stime are fields 14 and 15 of the line; the state is field 3.
    let mut times = fields.skip(10).map(str::parse::<u64>);
    Some((state, times.next()?.ok()?.checked_add(times.next()?.ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall() -> Stall {
        Stall {
            ticks_per_second: 100,
            ..Stall::new(std::process::id())
        }
    }

    fn asleep(ticks: u64) -> Threads {
        Threads {
            ticks,
            asleep: true,
        }
    }

    fn busy(ticks: u64) -> Threads {
        Threads {
            ticks,
            asleep: false,
        }
    }

    #[test]
    fn asleep_long_enough_is_halted() {
        let mut stall = stall();
        for _ in 0..LOOKS {
            assert_eq!(stall.judge(asleep(7), 0, None), None);
        }
        assert!(stall.judge(asleep(7), 0, None).unwrap().contains("halted"));
    }

    #[test]
    fn a_single_tick_or_a_runnable_thread_is_life() {
        let mut stall = stall();
        for look in 0..100 {
            assert_eq!(stall.judge(asleep(look), 0, None), None);
            assert_eq!(stall.judge(asleep(look), 0, None), None);
            assert_eq!(stall.judge(busy(look), 0, None), None);
        }
    }

    #[test]
    fn processor_time_without_progress_is_spinning() {
        let mut stall = stall();
        let second = |s| Some(Duration::from_secs(s));
        assert_eq!(stall.judge(busy(0), 1, second(1)), None);
        assert_eq!(stall.judge(busy(5999), 1, second(1)), None);
        // A word, or a second of its own clock, and it starts anew.
        assert_eq!(stall.judge(busy(6000), 2, second(1)), None);
        assert_eq!(stall.judge(busy(11_999), 2, second(2)), None);
        assert_eq!(stall.judge(busy(17_998), 2, second(2)), None);
        let why = stall.judge(busy(17_999), 2, second(2)).unwrap();
        assert!(why.starts_with("it used 60 s"), "{why}");
    }

    #[test]
    fn a_guest_that_gets_somewhere_is_not_asked() {
        let mut stall = stall();
        for (ticks, heard) in [(900, 1), (1800, 2), (2700, 3)] {
            assert_eq!(stall.judge(busy(ticks), heard, None), None);
            assert!(!stall.wonders());
        }
        stall.judge(busy(3700), 3, None);
        assert!(stall.wonders());
        // Its clock went on: not for another while.
        stall.judge(busy(3800), 3, Some(Duration::from_secs(1)));
        assert!(!stall.wonders());
    }

    #[test]
    fn a_stat_line_with_a_wicked_name() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194304 1 2 3 4 50 60 0 0 20 0 1 0 99 0 0";
        assert_eq!(parse(stat), Some(('S', 110)));
        assert_eq!(parse("7 (a) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_very_process_runs() {
        assert!(!stall().threads().unwrap().asleep);
    }
}
