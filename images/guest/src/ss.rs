//! The real `ss` at the script's marks.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use tunfarm_protocol::Sample;

use crate::sys;

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
    stop: OwnedFd,
}

impl Marks {
    /// Calls at these times, in milliseconds on the script's clock.
    pub fn start(mut marks_ms: Vec<u64>, zero_ns: i64) -> io::Result<Marks> {
        marks_ms.sort_unstable();
        let (stopped, stop) = sys::stop_pipe()?;
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

fn run(marks_ms: &[u64], zero_ns: i64, stopped: &OwnedFd) -> (String, Option<String>) {
    // A call is tens of milliseconds of work on the guest's only processor: the script goes first.
    // Nice is a thread's own on Linux, and `ss` inherits it.
    // SAFETY: no memory operands; 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    let mut text = String::new();
    for (done, mark_ms) in marks_ms.iter().enumerate() {
        let at = zero_ns.saturating_add(
            i64::try_from(*mark_ms)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000_000),
        );
        loop {
            match sys::wait_readable([stopped.as_raw_fd()], Some(at)) {
                Ok([true]) | Err(_) => {
                    let left = marks_ms.len() - done;
                    let note = format!(
                        "{left} of {} marks for ss lie after the script's end",
                        marks_ms.len()
                    );
                    return (text, Some(note));
                }
                Ok([false]) if sys::monotonic_ns() >= at => break,
                Ok([false]) => {}
            }
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

/// What `ss` would say, from the agent's own samples: for kernels on which `ss` does not start.
pub fn render(samples: &[Sample], marks_ms: &[u64]) -> String {
    let mut marks_ms = marks_ms.to_vec();
    marks_ms.sort_unstable();
    let mut text = String::new();
    for mark_ms in marks_ms {
        let mark_us = i64::try_from(mark_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        heading(&mut text, mark_us);
        text.push_str("State Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n");
        let mut newest = std::collections::BTreeMap::new();
        for sample in samples.iter().take_while(|s| s.t_us <= mark_us) {
            newest.insert((&sample.local, &sample.remote), sample);
        }
        for sample in newest
            .into_values()
            .filter(|s| s.state != "GONE" && s.state != "LISTEN")
        {
            line(&mut text, sample);
        }
    }
    text
}

fn line(text: &mut String, s: &Sample) {
    let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    let _ = writeln!(
        text,
        "{} {} {} {} {}",
        s.state,
        number(s.rqueue),
        number(s.wqueue),
        s.local,
        s.remote
    );
    let mut facts = Vec::new();
    if let Some(t) = s.wmem_alloc {
        facts.push(format!("skmem:(t{t},w{})", number(s.wmem_queued)));
    }
    let ms = |us: Option<u32>| us.map(|us| format!("{}", f64::from(us) / 1000.0));
    let named = [
        ("rto", ms(s.rto_us)),
        (
            "backoff",
            s.backoff.filter(|n| *n > 0).map(|n| n.to_string()),
        ),
        ("rtt", ms(s.rtt_us)),
        ("cwnd", s.cwnd.map(|n| n.to_string())),
        (
            "unacked",
            s.unacked.filter(|n| *n > 0).map(|n| n.to_string()),
        ),
    ];
    facts.extend(
        named
            .into_iter()
            .filter_map(|(name, v)| v.map(|v| format!("{name}:{v}"))),
    );
    if let Some(total) = s.total_retrans.filter(|n| *n > 0) {
        facts.push(format!("retrans:{}/{total}", number(s.retrans)));
    }
    if !facts.is_empty() {
        let _ = writeln!(text, "\t {}", facts.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendering_shows_the_newest_sample_before_each_mark() {
        let sample = |t_us: i64, state: &str, backoff: u32| -> Sample {
            serde_json::from_value(serde_json::json!({
                "t_us": t_us, "local": "192.168.0.1:8080", "remote": "192.0.2.1:4", "state": state,
                "backoff": backoff, "rto_us": 592_000, "total_retrans": backoff, "retrans": 1,
            }))
            .unwrap()
        };
        let samples = [
            sample(10, "ESTAB", 0),
            sample(900_000, "CLOSING", 1),
            sample(2_000_000, "GONE", 0),
        ];
        assert_eq!(
            render(&samples, &[3000, 1000]),
            "# t=1.000000 s\nState Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n\
             CLOSING - - 192.168.0.1:8080 192.0.2.1:4\n\t rto:592 backoff:1 retrans:1/1\n\
             # t=3.000000 s\nState Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n"
        );
    }
}
