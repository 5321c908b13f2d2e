//! The one thread that watches while a script runs: packets and sockets.
//!
//! One, and not two, because each wake-up of an idle virtual machine costs: a packet wakes it,
//! and the sample that the packet is worth is taken in the same breath.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::JoinHandle;

use tunfarm_protocol::Sample;

use crate::capture::{Capture, Packet};
use crate::sampler::{History, Pace, Pending, Sampler};
use crate::sys;

/// How long packets are left to gather before they are read, in nanoseconds.
const GATHER_NS: i64 = 500_000;

/// What was seen.
#[derive(Debug, Default)]
pub struct Observed {
    /// Packets, if they were captured.
    pub packets: Option<Vec<Packet>>,
    /// Samples, if they were taken, with their times still absolute.
    pub history: Option<History>,
    /// What is missing, one sentence each.
    pub notes: Vec<String>,
}

/// The thread.
#[derive(Debug)]
pub struct Observer {
    thread: JoinHandle<Observed>,
    stop: OwnedFd,
}

impl Observer {
    /// Starts to watch with what is given.
    pub fn start(capture: Option<Capture>, sampler: Option<Sampler>) -> io::Result<Observer> {
        let (stopped, stop) = sys::stop_pipe()?;
        let thread = std::thread::Builder::new()
            .name("observer".into())
            .spawn(move || watch(capture, sampler, &stopped))?;
        Ok(Observer { thread, stop })
    }

    /// Looks once more, ends the thread and gives what it saw.
    pub fn finish(self) -> Observed {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|_| Observed {
            notes: vec!["the observer thread died; its evidence is lost".into()],
            ..Observed::default()
        })
    }
}

fn watch(
    mut capture: Option<Capture>,
    mut sampler: Option<Sampler>,
    stopped: &OwnedFd,
) -> Observed {
    // Without this a sleep of microseconds takes 50 more, which packets would be late by.
    // SAFETY: no memory operands; refused before 2.6.28, where it does not matter.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
    let mut notes = Vec::new();
    let mut packets = None;
    let mut history = sampler.as_ref().map(|_| History::default());
    let mut pace = Pace::new(sys::monotonic_ns());
    // When the packets that have woken the thread are read; until then they do not wake it again.
    let mut gather: Option<i64> = None;
    loop {
        let packet_fd = match (&capture, gather) {
            (Some(capture), None) => capture.as_raw_fd(),
            _ => -1,
        };
        let sample = sampler.as_ref().map(|_| pace.next());
        let deadline = [sample, gather].into_iter().flatten().min();
        let [stop, packet] = match sys::wait_readable([stopped.as_raw_fd(), packet_fd], deadline) {
            Ok(ready) => ready,
            Err(e) => {
                notes.push(format!("watching ended early: {e}"));
                [true, false]
            }
        };
        let now = sys::monotonic_ns();
        if packet {
            pace.packet(now);
            gather = Some(now + GATHER_NS);
        }
        if stop || gather.is_some_and(|at| at <= now) {
            gather = None;
            if capture
                .as_mut()
                .is_some_and(|capture| capture.drain().is_err())
            {
                packets_end(&mut capture, &mut packets, &mut notes);
            }
        }
        if let (Some(source), Some(history)) = (&mut sampler, &mut history)
            && (stop || pace.next() <= now)
        {
            match source.sockets() {
                Ok(sockets) => {
                    let pending: Vec<Pending> = sockets.iter().filter_map(pending).collect();
                    let changed = history.update(now / 1000, sockets, source.in_use());
                    pace.sampled(now, changed, pending.into_iter());
                }
                Err(e) => {
                    notes.push(format!("sampling ended early: {e}"));
                    sampler = None;
                }
            }
        }
        if stop {
            break;
        }
    }
    packets_end(&mut capture, &mut packets, &mut notes);
    Observed {
        packets,
        history,
        notes,
    }
}

/// Ends the capture, by its error or with the script.
fn packets_end(
    capture: &mut Option<Capture>,
    packets: &mut Option<Vec<Packet>>,
    notes: &mut Vec<String>,
) {
    if let Some(capture) = capture.take() {
        let (all, more) = capture.finish();
        *packets = Some(all);
        notes.extend(more);
    }
}

/// The pending timer of a socket.
fn pending(sample: &Sample) -> Option<Pending> {
    let due_in = i64::from(sample.timer_ms?) * 1_000_000;
    let whole = i64::from(sample.rto_us.unwrap_or(0)) * 1000;
    Some(Pending { due_in, whole })
}
