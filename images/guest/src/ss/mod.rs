//! The real `ss` at the script's marks.

mod render;

use std::fmt::Write as _;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sys;

pub use render::render;

const PROGRAM: &str = "/usr/bin/ss";
/// Where Debian had it before `/bin` and `/usr/bin` were one.
const OLD_PROGRAM: &str = "/bin/ss";
const ARGUMENTS: &str = "-tinom";
/// The most bytes one call may print and all of them together.
const CALL_LIMIT: u64 = 256 * 1024;
const TOTAL_LIMIT: usize = 2 << 20;

/// Whether `ss` starts on this kernel and says something.
pub fn starts() -> bool {
    call().is_ok_and(|text| text.starts_with("State"))
}

/// The thread that calls `ss`.
#[derive(Debug)]
pub struct Marks {
    thread: JoinHandle<(String, Option<String>)>,
    stop: Sender<()>,
}

impl Marks {
    /// Calls at these times, in milliseconds on the script's clock.
    pub fn start(mut marks_ms: Vec<u64>, zero_ns: i64) -> io::Result<Marks> {
        marks_ms.sort_unstable();
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("ss".into())
            .spawn(move || run(&marks_ms, zero_ns, &stopped))?;
        Ok(Marks { thread, stop })
    }

    /// Ends the thread; the text, and a note if the script ended before the last mark.
    pub fn finish(self) -> (String, Option<String>) {
        drop(self.stop);
        self.thread
            .join()
            .unwrap_or_else(|_| (String::new(), Some("the thread that calls ss died".into())))
    }
}

fn run(marks_ms: &[u64], zero_ns: i64, stopped: &Receiver<()>) -> (String, Option<String>) {
    // A call is tens of milliseconds of work on the guest's only processor: the script goes first.
    // Nice is a thread's own on Linux, and `ss` inherits it.
    // SAFETY: no memory operands; 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    let mut text = String::new();
    for (done, mark_ms) in marks_ms.iter().enumerate() {
        let from_zero = i64::try_from(*mark_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        let wait = zero_ns.saturating_add(from_zero) - sys::monotonic_ns();
        // A receiver's wait ends on time; poll(2) may be late by a thousandth of its time-out.
        let wait = Duration::from_nanos(u64::try_from(wait).unwrap_or(0));
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            let (left, all) = (marks_ms.len() - done, marks_ms.len());
            return (
                text,
                Some(format!(
                    "{left} of {all} marks for ss lie after the script's end"
                )),
            );
        }
        if text.len() > TOTAL_LIMIT {
            return (text, Some(format!("ss.txt was cut at {TOTAL_LIMIT} bytes")));
        }
        heading(&mut text, (sys::monotonic_ns() - zero_ns) / 1000);
        match call() {
            Ok(output) => text.push_str(&output),
            Err(e) => {
                let _ = writeln!(text, "# ss did not run: {e}");
            }
        }
    }
    (text, None)
}

fn call() -> io::Result<String> {
    let program = if sys::exists(PROGRAM) {
        PROGRAM
    } else {
        OLD_PROGRAM
    };
    let mut child = Command::new(program)
        .arg(ARGUMENTS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(CALL_LIMIT).read_to_end(&mut output)?;
    }
    let status = child.wait()?;
    if status.success() {
        Ok(String::from_utf8_lossy(&output).into_owned())
    } else {
        Err(io::Error::other(format!(
            "{program} {ARGUMENTS} ended with {status}"
        )))
    }
}

fn heading(text: &mut String, t_us: i64) {
    let _ = writeln!(text, "# t={}.{:06} s", t_us / 1_000_000, t_us % 1_000_000);
}
