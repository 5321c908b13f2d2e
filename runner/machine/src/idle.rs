//! Has a virtual machine stopped for good?
//!
//! On the virtual clock a guest is never quiet: either it executes, or QEMU jumps to its next
//! timer. A QEMU that uses no processor time *and* whose threads all sleep therefore holds a guest
//! that is halted with no timer pending, and nothing will ever wake it. A QEMU that merely starves
//! on a loaded host has a runnable thread, and is left alone.

use std::fs;
use std::path::PathBuf;

/// So many looks in a row without any change, at [`crate::vm`]'s pace of four a second.
const LOOKS: u32 = 12;

/// Looks at one QEMU.
pub struct Idle {
    tasks: PathBuf,
    last: Option<u64>,
    same: u32,
}

impl Idle {
    /// Watches the process `pid`.
    pub fn new(pid: u32) -> Idle {
        Idle {
            tasks: PathBuf::from(format!("/proc/{pid}/task")),
            last: None,
            same: 0,
        }
    }

    /// Looks once; true when it has been asleep, without a tick of processor time, long enough.
    pub fn stopped(&mut self) -> bool {
        let now = self.ticks_if_asleep();
        self.same = match now {
            Some(_) if now == self.last => self.same + 1,
            _ => 0,
        };
        self.last = now;
        self.same >= LOOKS
    }

    /// Processor time of all threads, if every one of them sleeps.
    fn ticks_if_asleep(&self) -> Option<u64> {
        let mut total = 0;
        for task in fs::read_dir(&self.tasks).ok()? {
            let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (state, ticks) = parse(&stat)?;
            if state != 'S' {
                return None;
            }
            total += ticks;
        }
        Some(total)
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
    Some((state, times.next()?.ok()? + times.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_a_wicked_name() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194304 1 2 3 4 50 60 0 0 20 0 1 0 99 0 0";
        assert_eq!(parse(stat), Some(('S', 110)));
        assert_eq!(parse("7 (a) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_very_thread_runs() {
        assert!(!Idle::new(std::process::id()).stopped());
        assert_eq!(Idle::new(std::process::id()).ticks_if_asleep(), None);
    }
}
