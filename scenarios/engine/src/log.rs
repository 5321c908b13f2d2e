//! What happened, line by line, and the last packets for failure reports.

use std::collections::VecDeque;

use crate::clock::seconds;

/// How many packets a failure report shows.
const REMEMBERED: usize = 12;
/// The most that one script may log, in bytes; a script that repeats itself for hours would
/// otherwise fill the evidence.
const MAX_BYTES: usize = 4 << 20;

/// Takes finished lines, without their line break.
pub type Sink = Box<dyn FnMut(&str) + Send>;

/// The script's log.
pub struct Log {
    sink: Sink,
    written: usize,
    packets: VecDeque<String>,
}

impl Log {
    /// A log that goes to `sink`.
    pub fn new(sink: Sink) -> Log {
        Log {
            sink,
            written: 0,
            packets: VecDeque::new(),
        }
    }

    /// One line: when (microseconds of script time), which line of the script (0: none), what.
    pub fn say(&mut self, at_us: i64, line: u32, what: &str) {
        let text = if line == 0 {
            format!("{:>14}       {what}", seconds(at_us))
        } else {
            format!("{:>14} {line:>4}: {what}", seconds(at_us))
        };
        self.put(&text);
    }

    /// A packet: logged, and remembered for a failure report.
    pub fn packet(&mut self, at_us: i64, line: u32, what: &str) {
        if self.packets.len() == REMEMBERED {
            self.packets.pop_front();
        }
        self.packets
            .push_back(format!("{:>14} {what}", seconds(at_us)));
        self.say(at_us, line, what);
    }

    /// The last packets, oldest first.
    pub fn last_packets(&self) -> impl Iterator<Item = &str> {
        self.packets.iter().map(String::as_str)
    }

    fn put(&mut self, text: &str) {
        if self.written >= MAX_BYTES {
            return;
        }
        self.written += text.len() + 1;
        (self.sink)(text);
        if self.written >= MAX_BYTES {
            (self.sink)("the log ends here: it has reached its limit");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_log_has_an_end() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let mut log = Log::new(Box::new(move |line| {
            sink.lock().unwrap().push(line.len());
        }));
        let long = "x".repeat(MAX_BYTES / 3);
        for _ in 0..10 {
            log.say(0, 1, &long);
        }
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 4);
        assert!(lines[3] < 100);
    }
}
