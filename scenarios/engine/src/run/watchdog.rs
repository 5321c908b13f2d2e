//! Wakes a system call of this thread that does not return in time.
//!
//! A POSIX timer sends a signal to this thread only; its handler does nothing, but the call ends
//! with `EINTR`. Arming costs one system call and nobody is woken otherwise.

use crate::sys::check;

/// A signal nothing else here uses.
const SIGNAL: i32 = libc::SIGUSR2;

/// A timer for the calls of the thread that made it.
pub struct Watchdog {
    timer: Option<libc::timer_t>,
}

// SAFETY: a timer belongs to the process; using it from another thread only wakes the first one.
unsafe impl Send for Watchdog {}

extern "C" fn wake(_: i32) {}

impl Watchdog {
    /// One for this thread. Without POSIX timers nothing is woken, and only the host's limit
    /// remains.
    pub fn new() -> Watchdog {
        // SAFETY: the structures are plain data for which all zeros is a value; the handler does
        // nothing; the thread id is this thread's.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = wake as *const () as usize;
            libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut());
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = libc::syscall(libc::SYS_gettid) as i32;
            let mut timer: libc::timer_t = std::mem::zeroed();
            let made = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
            Watchdog {
                timer: check(made).is_ok().then_some(timer),
            }
        }
    }

    /// Wakes this thread after so many microseconds, and again every second after that.
    pub fn arm(&self, after_us: i64) {
        self.set(after_us.max(1), 1);
    }

    /// Lets it sleep.
    pub fn disarm(&self) {
        self.set(0, 0);
    }

    fn set(&self, after_us: i64, again_s: i64) {
        let Some(timer) = self.timer else { return };
        let time = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: again_s,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: after_us / 1_000_000,
                tv_nsec: after_us % 1_000_000 * 1000,
            },
        };
        // SAFETY: the timer is ours and the pointer is to a value of ours.
        unsafe { libc::timer_settime(timer, 0, &raw const time, std::ptr::null_mut()) };
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            // SAFETY: the timer is ours.
            unsafe { libc::timer_delete(timer) };
        }
    }
}
