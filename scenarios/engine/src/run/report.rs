//! Tells people what failed.

use std::fmt::Write as _;

use tunfarm_lang::ast::Source;
use tunfarm_protocol::Failure;

use crate::log::Log;
use crate::stop::Broken;

/// Lines of the script shown before and after the one that failed.
const AROUND: u32 = 3;
/// The longest report in bytes.
const MAX_DETAIL: usize = 16 * 1024;

/// The failure of one line, with its surroundings.
pub fn failure(broken: Broken, source: &Source, line: u32, at_us: i64, log: &Log) -> Failure {
    let mut detail = String::new();
    for mismatch in &broken.mismatches {
        // Writing to a string cannot fail.
        let _ = writeln!(
            detail,
            "{}: expected {}, got {}",
            mismatch.field, mismatch.expected, mismatch.actual
        );
    }
    for note in &broken.notes {
        let _ = writeln!(detail, "{note}");
    }
    if line > 0 {
        let _ = writeln!(detail, "script:");
        for number in line.saturating_sub(AROUND).max(1)..=line + AROUND {
            let Some(text) = source.line(number) else {
                break;
            };
            let mark = if number == line { '>' } else { ' ' };
            let _ = writeln!(detail, "{mark}{number:>5} | {text}");
        }
    }
    let mut last = log.last_packets().peekable();
    if last.peek().is_some() {
        let _ = writeln!(detail, "last packets (live numbers):");
    }
    for packet in last {
        let _ = writeln!(detail, "{packet}");
    }
    if detail.len() > MAX_DETAIL {
        let mut end = MAX_DETAIL;
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
    }
    Failure {
        line,
        summary: broken.summary,
        at_us,
        mismatches: broken.mismatches,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_the_line_and_the_difference() {
        let source = Source::new(
            "a.pkt",
            "0 socket(...) = 3\n+0 > S 0:0(0)\n+0 close(3) = 0\n",
        );
        let mut log = Log::new(Box::new(|_| {}));
        log.packet(1_000, 2, "> R 1:1(0) win 0");
        let broken = Broken::new("the packet differs").field("flags", "S", "R");
        let failure = failure(broken, &source, 2, 1_234, &log);
        assert_eq!(
            failure.detail,
            "flags: expected S, got R\n\
             script:\n     1 | 0 socket(...) = 3\n>    2 | +0 > S 0:0(0)\n     3 | +0 close(3) = 0\n     4 | \n\
             last packets (live numbers):\n      0.001000 > R 1:1(0) win 0\n"
        );
    }
}
