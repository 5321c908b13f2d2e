//! A return probe on the function that retransmits, through tracefs (Linux,
//! `Documentation/trace/kprobetrace.rst`).

use std::fmt::Write as _;
use std::io;

use crate::sys;

/// What every retransmission time-out calls.
const FUNCTION: &str = "tcp_retransmit_skb";
const GROUP: &str = "tunfarm";
/// Room for the trace, in KiB: some thousand calls.
const BUFFER_KIB: &str = "256";
/// The most lines that are kept.
const MOST_LINES: usize = 20_000;

/// A probe in place.
#[derive(Debug)]
pub struct Probe {
    tracefs: &'static str,
    /// The trace's times less CLOCK_MONOTONIC, in nanoseconds.
    offset_ns: i64,
}

impl Probe {
    /// Puts the probe in place and lets it run.
    ///
    /// # Errors
    /// What tracefs said, with the file that said it.
    pub fn start(tracefs: &'static str) -> Result<Probe, String> {
        let told = |file: &str, text: &str| {
            sys::write(&format!("{tracefs}/{file}"), text).map_err(|e| format!("{file}: {e}"))
        };
        // Without a size of our own the first event would allocate megabytes.
        told("buffer_size_kb", BUFFER_KIB)?;
        let typed = format!("r:{GROUP}/{FUNCTION} {FUNCTION} ret=$retval:s32");
        // Types came in 2.6.35; before, the value is plain hexadecimal.
        let plain = format!("r:{GROUP}/{FUNCTION} {FUNCTION} ret=$retval");
        add_event(tracefs, &typed)
            .or_else(|_| add_event(tracefs, &plain))
            .map_err(|e| format!("kprobe_events: {e}"))?;
        let clock = told("trace_clock", "mono");
        told(&format!("events/{GROUP}/{FUNCTION}/enable"), "1")?;
        // A tracefs that was never told otherwise is on; very old ones start off.
        let _ = told("tracing_on", "1");
        let offset_ns = match clock {
            Ok(()) => 0,
            // The mono clock came in 4.0. Another one is compared by an entry made now.
            Err(_) => offset_of_other_clock(tracefs)?,
        };
        Ok(Probe { tracefs, offset_ns })
    }

    /// Empties the trace, so that only what follows is in it.
    pub fn restart(&self) -> io::Result<()> {
        // Opening for writing with O_TRUNC is what empties it.
        std::fs::File::create(format!("{}/trace", self.tracefs)).map(drop)
    }

    /// The calls so far: `SECONDS FUNCTION RETURN` a line, seconds on the script's clock.
    pub fn read(&self, zero_ns: i64) -> io::Result<String> {
        let trace = sys::read(&format!("{}/trace", self.tracefs))?;
        Ok(render(&trace, zero_ns + self.offset_ns))
    }
}

fn add_event(tracefs: &str, event: &str) -> io::Result<()> {
    match sys::append(&format!("{tracefs}/kprobe_events"), event) {
        // It is there already, from the warm-up.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EEXIST | libc::EBUSY)) => Ok(()),
        other => other,
    }
}

/// How far a trace clock that is not CLOCK_MONOTONIC is ahead of it.
fn offset_of_other_clock(tracefs: &str) -> Result<i64, String> {
    let before = sys::monotonic_ns();
    sys::write(&format!("{tracefs}/trace_marker"), "tunfarm")
        .map_err(|e| format!("trace_marker: {e}"))?;
    let trace = sys::read(&format!("{tracefs}/trace")).map_err(|e| format!("trace: {e}"))?;
    let marker = trace.lines().rev().find(|line| line.ends_with("tunfarm"));
    let at = marker
        .and_then(time_ns)
        .ok_or("trace: the marker is not there")?;
    Ok(at - before)
}

/// The probe's lines of a trace.
fn render(trace: &str, zero_ns: i64) -> String {
    let mut out = String::new();
    let calls = trace
        .lines()
        .filter(|line| line.contains(&format!("<- {FUNCTION})")));
    for line in calls.take(MOST_LINES) {
        if let (Some(at), Some(value)) = (time_ns(line), returned(line)) {
            let us = (at - zero_ns).div_euclid(1000);
            let sign = if us < 0 { "-" } else { "" };
            let us = us.unsigned_abs();
            let _ = writeln!(
                out,
                "{sign}{}.{:06} {FUNCTION} {value}",
                us / 1_000_000,
                us % 1_000_000
            );
        }
    }
    out
}

/// The time of a trace line: the first field that is a decimal number with a colon behind it.
fn time_ns(line: &str) -> Option<i64> {
    line.split_whitespace().find_map(|field| {
        let (seconds, fraction) = field.strip_suffix(':')?.split_once('.')?;
        let scale = 10i64.pow(9u32.checked_sub(u32::try_from(fraction.len()).ok()?)?);
        let fraction = fraction.parse::<i64>().ok()?.checked_mul(scale)?;
        seconds
            .parse::<i64>()
            .ok()?
            .checked_mul(1_000_000_000)?
            .checked_add(fraction)
    })
}

/// The value behind `ret=`: decimal, or hexadecimal of the machine's whole word.
fn returned(line: &str) -> Option<i32> {
    let text = line.rsplit_once("ret=")?.1.trim();
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|v| v as i32),
        None => text
            .parse()
            .ok()
            .or_else(|| u64::from_str_radix(text, 16).ok().map(|v| v as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "# tracer: nop\n#\n\
        \x20         <idle>-0       [000] ..s2.     4.712345: tcp_retransmit_skb: (tcp_retransmit_timer+0x1/0x2 <- tcp_retransmit_skb) ret=-16\n\
        \x20         <idle>-0       [000] ..s2.     5.000001: other: (x <- other) ret=1\n\
        \x20         <idle>-0       [000] ..s2.     5.200000: tcp_retransmit_skb: (tcp_retransmit_timer+0x1/0x2 <- tcp_retransmit_skb) ret=0\n";

    #[test]
    fn calls_are_on_the_scripts_clock() {
        assert_eq!(
            render(TRACE, 4_000_000_000),
            "0.712345 tcp_retransmit_skb -16\n1.200000 tcp_retransmit_skb 0\n"
        );
        assert!(render(TRACE, 5_000_000_000).starts_with("-0.287655 "));
    }

    #[test]
    fn values_without_a_type_are_words() {
        assert_eq!(returned("x ret=fffffffffffffff5"), Some(-11));
        assert_eq!(returned("x ret=0xfffffff0"), Some(-16));
        assert_eq!(returned("x ret=0x0"), Some(0));
        assert_eq!(returned("x"), None);
    }

    #[test]
    fn nothing_traced_is_nothing() {
        assert_eq!(render("# tracer: nop\n", 0), "");
        assert_eq!(time_ns("a b 12: c"), None);
    }
}
