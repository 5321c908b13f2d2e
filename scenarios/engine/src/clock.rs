//! The script's clock.

use std::io;

/// A moment of `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic_ns() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of ours. The call cannot fail for these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Script time: microseconds since the script's zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    zero_ns: i64,
}

impl Clock {
    /// A clock whose zero is this moment of `CLOCK_MONOTONIC` in nanoseconds.
    pub fn from_zero(zero_ns: i64) -> Clock {
        Clock { zero_ns }
    }

    /// A clock whose zero is now.
    pub fn start() -> Clock {
        Clock::from_zero(monotonic_ns())
    }

    /// The zero on `CLOCK_MONOTONIC`, in nanoseconds.
    pub fn zero_ns(self) -> i64 {
        self.zero_ns
    }

    /// Now, in microseconds of script time.
    pub fn now_us(self) -> i64 {
        (monotonic_ns() - self.zero_ns).div_euclid(1000)
    }

    /// A kernel timestamp (`CLOCK_REALTIME`, nanoseconds) in microseconds of script time.
    ///
    /// The two clocks are read around each other; their distance moves only when somebody sets
    /// the time.
    pub fn from_realtime_us(self, realtime_ns: i64) -> i64 {
        let before = monotonic_ns();
        let real = read(libc::CLOCK_REALTIME);
        let after = monotonic_ns();
        let distance = real - (before + (after - before) / 2);
        (realtime_ns - distance - self.zero_ns).div_euclid(1000)
    }

    /// Sleeps until a moment of script time.
    ///
    /// Absolute, so that being late once does not add up. Timers have a slack of 50 µs by default;
    /// [`tighten_timers`] takes it away. Where the kernel has no high-resolution timers a sleep
    /// ends with the next tick, up to 10 ms late: there the last tick is spun through.
    pub fn sleep_until_us(self, us: i64) {
        let at = self.zero_ns + us.saturating_mul(1000);
        let tick = tick_ns();
        if at - tick > monotonic_ns() {
            sleep_until_ns(at - tick);
        }
        while monotonic_ns() < at {
            std::hint::spin_loop();
        }
    }
}

/// How coarse the kernel's timers are, in nanoseconds: a tick without high-resolution timers,
/// 0 with them.
fn tick_ns() -> i64 {
    let mut grain = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of ours. The call cannot fail for this clock.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, &raw mut grain) };
    if grain.tv_nsec > 1 { grain.tv_nsec } else { 0 }
}

fn sleep_until_ns(at: i64) {
    let time = libc::timespec {
        tv_sec: at / 1_000_000_000,
        tv_nsec: at % 1_000_000_000,
    };
    loop {
        // SAFETY: the pointer is to a timespec of ours; no remainder is asked for.
        let result = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const time,
                std::ptr::null_mut(),
            )
        };
        if result != libc::EINTR {
            return;
        }
    }
}

/// Takes the timer slack of this thread away (prctl(2), `PR_SET_TIMERSLACK`).
pub fn tighten_timers() -> io::Result<()> {
    // SAFETY: no pointers.
    super::sys::check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) })?;
    Ok(())
}

/// Microseconds as seconds with six digits, as logs show them.
pub fn seconds(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    format!("{sign}{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_agree_about_now() {
        let clock = Clock::start();
        let real = read(libc::CLOCK_REALTIME);
        let us = clock.from_realtime_us(real);
        // No bound from above: the machine may be busy. Before the start it cannot be.
        assert!(us >= -1000, "{us}");
    }

    #[test]
    fn a_sleep_never_ends_early() {
        let clock = Clock::start();
        clock.sleep_until_us(2_000);
        assert!(clock.now_us() >= 2_000);
    }

    #[test]
    fn seconds_are_written_with_their_sign() {
        assert_eq!(seconds(-1), "-0.000001");
        assert_eq!(seconds(12_345_678), "12.345678");
    }
}
