//! When to sample next: seldom, and yet in time for every back-off.
//!
//! A sample costs a timer interrupt, which is what an idle virtual machine's time is spent on. So
//! a socket is looked at shortly after packets passed, shortly after its own timer is due, and
//! else at intervals that grow.

const MS: i64 = 1_000_000;
/// After a packet: time for the script to react, and one sample for a burst.
const AFTER_PACKET: i64 = MS / 2;
/// After a timer is due. The kernel's timer wheel fires late by up to an eighth of the time asked
/// for (Linux, `kernel/time/timer.c`), and what it sends then wakes the sampler anyway: so it is
/// looked for after a sixteenth, but no sooner than a tick of a slow kernel (HZ=100) and in time
/// for the end of a socket, which sends nothing.
const LATE_SHARE: i64 = 16;
const LATE_LEAST: i64 = 10 * MS;
const LATE_MOST: i64 = 500 * MS;
/// Between samples while a timer is overdue: doubling from this share of its time-out …
const OVERDUE_SHARE: i64 = 32;
const OVERDUE_LEAST: i64 = 4 * MS;
/// … to this, which bounds how late the end of a socket is noticed.
const OVERDUE_MOST: i64 = 1_000 * MS;
/// Between samples while nothing happens: the first interval, its growth, its bound.
const CALM_FIRST: i64 = 250 * MS;
const CALM_GROWTH: i64 = 40;
const CALM_MOST: i64 = 600_000 * MS;

/// What a sample showed of pending timers, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// How long until it is due; 0 if it is overdue.
    pub due_in: i64,
    /// The whole of the time-out, as far as it is known.
    pub whole: i64,
}

/// The next time to sample.
#[derive(Debug)]
pub struct Pace {
    next: i64,
    calm: i64,
    overdue: i64,
}

impl Pace {
    /// Samples at `now_ns` first.
    pub fn new(now_ns: i64) -> Pace {
        Pace {
            next: now_ns,
            calm: CALM_FIRST,
            overdue: 0,
        }
    }

    /// When the next sample is due, in nanoseconds.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// A packet has passed.
    pub fn packet(&mut self, now_ns: i64) {
        self.next = self.next.min(now_ns + AFTER_PACKET);
        self.calm = CALM_FIRST;
    }

    /// A sample was taken at `now_ns`; `pending` are the timers it showed.
    pub fn sampled(&mut self, now_ns: i64, changed: bool, pending: impl Iterator<Item = Pending>) {
        if changed {
            self.calm = CALM_FIRST;
            self.overdue = 0;
        }
        let mut wait = self.calm;
        self.calm = (self.calm * CALM_GROWTH).min(CALM_MOST);
        let mut waiting = 0;
        for timer in pending {
            if timer.due_in > 0 {
                let late = (timer.whole / LATE_SHARE).clamp(LATE_LEAST, LATE_MOST);
                wait = wait.min(timer.due_in + late);
            } else {
                let first = OVERDUE_LEAST.max(timer.whole / OVERDUE_SHARE);
                waiting = if waiting == 0 {
                    first
                } else {
                    first.min(waiting)
                };
            }
        }
        if waiting > 0 {
            self.overdue = waiting.max(self.overdue * 2).min(OVERDUE_MOST);
            wait = wait.min(self.overdue);
        } else {
            self.overdue = 0;
        }
        self.next = now_ns + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples until `end`, with a timer due at `due`; returns when.
    fn run(due: i64, whole: i64, end: i64) -> Vec<i64> {
        let mut pace = Pace::new(0);
        let mut times = Vec::new();
        while pace.next() < end {
            let now = pace.next();
            times.push(now);
            let timer = Pending {
                due_in: (due - now).max(0),
                whole,
            };
            pace.sampled(now, now == 0, std::iter::once(timer));
        }
        times
    }

    #[test]
    fn a_timer_is_looked_at_when_it_is_due() {
        let times = run(320 * MS, 320 * MS, 360 * MS);
        assert_eq!(times, [0, 250 * MS, 340 * MS, 350 * MS]);
    }

    #[test]
    fn an_overdue_timer_is_never_left_alone_for_more_than_a_second() {
        let due = 75_776 * MS;
        let times = run(due, due, due + 9_000 * MS);
        let late: Vec<i64> = times.iter().copied().filter(|t| *t > due).collect();
        assert!(late.windows(2).all(|w| w[1] - w[0] <= OVERDUE_MOST));
        assert!(late.len() < 15, "{late:?}");
        assert!(late[0] - due <= OVERDUE_MOST);
        assert!(times.len() - late.len() < 6, "{times:?}");
    }

    #[test]
    fn a_burst_of_packets_is_one_sample() {
        let mut pace = Pace::new(0);
        pace.sampled(0, false, std::iter::empty());
        for now in [100, 200, 300] {
            pace.packet(now);
        }
        assert_eq!(pace.next(), 100 + AFTER_PACKET);
    }

    #[test]
    fn hours_without_anything_cost_few_samples() {
        let mut pace = Pace::new(0);
        let mut count = 0;
        while pace.next() < 7_200_000 * MS {
            pace.sampled(pace.next(), false, std::iter::empty());
            count += 1;
        }
        assert!(count < 20, "{count}");
    }
}
