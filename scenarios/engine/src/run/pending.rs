//! The call that blocks, on a thread of its own.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use tunfarm_lang::ast::Syscall;

use super::World;
use crate::calls::{self, Invoke, Returned};
use crate::clock::tighten_timers;
use crate::stop::{Stop, failed};

/// How long the main thread gives the other to get into its call.
const ENTER_TRIES: u32 = 2_000;

/// A call under way.
pub struct Pending {
    call: Syscall,
    line: u32,
    text: String,
    until: super::Window,
    done: Receiver<(Returned, i64)>,
}

impl World {
    /// Starts a call on its own thread and waits until it blocks (or has returned).
    pub fn start_blocking(
        &mut self,
        call: &Syscall,
        invoke: Invoke,
        until: super::Window,
    ) -> Result<(), Stop> {
        self.finish_pending(true)?;
        let (send_done, done) = channel();
        let (send_id, id) = channel();
        let clock = self.clock;
        let started = std::thread::Builder::new()
            .name("blocking-call".into())
            .spawn(move || {
                // Without it the thread is only less punctual.
                let _ = tighten_timers();
                // SAFETY: no pointers.
                let _ = send_id.send(unsafe { libc::syscall(libc::SYS_gettid) });
                let returned = invoke();
                // Nobody listens any more when the script has failed meanwhile.
                let _ = send_done.send((returned, clock.now_us()));
            });
        if let Err(e) = started {
            return failed(format!("starting a thread for {}(): {e}", call.name.node));
        }
        if let Ok(id) = id.recv() {
            wait_until_asleep(id);
        }
        self.pending = Some(Pending {
            call: call.clone(),
            line: self.line,
            text: self.text.clone(),
            until,
            done,
        });
        Ok(())
    }

    /// Takes the result of a blocking call that has returned. With `wait`, waits for it until it
    /// is overdue.
    pub fn finish_pending(&mut self, wait: bool) -> Result<(), Stop> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let finished = if wait {
            let end = pending.until.end_us.unwrap_or(self.limit_us);
            let deadline = (end + pending.until.tolerance_us + super::CALL_LIMIT_US)
                .min(self.limit_us.max(self.clock.now_us()));
            let left = (deadline - self.clock.now_us()).max(0) as u64;
            pending.done.recv_timeout(Duration::from_micros(left)).ok()
        } else {
            match pending.done.try_recv() {
                Ok(finished) => Some(finished),
                Err(TryRecvError::Empty) => {
                    self.pending = Some(pending);
                    return Ok(());
                }
                Err(TryRecvError::Disconnected) => None,
            }
        };
        let line = std::mem::replace(&mut self.line, pending.line);
        let text = std::mem::replace(&mut self.text, pending.text);
        let name = &pending.call.name.node;
        let Some((returned, at_us)) = finished else {
            return failed(format!("{name}() did not return"));
        };
        calls::check(self, &pending.call, returned, at_us)?;
        pending
            .until
            .check(at_us, &format!("the return of {name}()"))?;
        self.line = line;
        self.text = text;
        Ok(())
    }
}

/// Gives the processor away until the thread sleeps, so that a call is under way before the next
/// event. A thread that is gone has returned.
fn wait_until_asleep(id: i64) {
    let path = format!("/proc/self/task/{id}/stat");
    for _ in 0..ENTER_TRIES {
        // "ID (NAME) STATE …"; the name has no parenthesis.
        let Ok(stat) = std::fs::read_to_string(&path) else {
            return;
        };
        let state = stat.rsplit(") ").next().and_then(|s| s.chars().next());
        if state != Some('R') {
            return;
        }
        std::thread::yield_now();
    }
}
