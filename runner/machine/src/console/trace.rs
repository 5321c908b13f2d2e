//! The body of a kernel report: its backtrace, and where it ends.

use tunfarm_reports::model::{Finding, FindingKind};

/// Frames kept of a backtrace.
const MAX_FRAMES: usize = 8;

/// A report that has not ended after so many lines is over.
const MAX_LINES: usize = 120;

/// Characters kept of a headline.
const MAX_HEADLINE: usize = 300;

/// Functions on top of a backtrace that only report the trouble.
const MESSENGERS: [&str; 12] = [
    "__dump_stack",
    "dump_stack",
    "dump_stack_lvl",
    "show_stack",
    "panic",
    "vpanic",
    "__warn",
    "warn_slowpath_common",
    "warn_slowpath_fmt",
    "warn_slowpath_null",
    "report_bug",
    "die",
];

/// What a line does to the report it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The report goes on.
    More,
    /// That was its last line.
    End,
}

/// A report while it arrives.
#[derive(Debug)]
pub struct Report {
    finding: Finding,
    lines: usize,
    in_trace: bool,
}

impl Report {
    /// A report that begins with `headline`.
    pub fn new(kind: FindingKind, headline: &str) -> Report {
        Report {
            finding: Finding {
                kind,
                headline: headline.trim().chars().take(MAX_HEADLINE).collect(),
                frames: Vec::new(),
            },
            lines: 0,
            in_trace: false,
        }
    }

    /// A headline of `kind` is part of this report: an Oops or a BUG repeats itself
    /// (`BUG: unable to handle …`, then `Oops: 0000 [#1]`; `kernel BUG at …`, then
    /// `invalid opcode: 0000 [#1]`) before its first frame.
    pub fn continues(&self, kind: FindingKind) -> bool {
        kind == FindingKind::Oops
            && matches!(self.finding.kind, FindingKind::Oops | FindingKind::Bug)
            && self.finding.frames.is_empty()
    }

    /// Takes the next line of the console.
    pub fn line(&mut self, text: &str) -> Step {
        self.lines += 1;
        let text = text.trim();
        if text.starts_with("---[ end ") || self.lines > MAX_LINES {
            return Step::End;
        }
        if let Some(place) = text
            .strip_prefix("RIP: ")
            .or_else(|| text.strip_prefix("RIP  "))
        {
            // `0010:f+0x1/0x2` or, of old, `0010:[<ffff…>]  [<ffff…>] f+0x1/0x2`.
            // A second RIP is the user's at the system call's entry.
            let place = place.split_once(':').map_or(place, |(_, rest)| rest);
            if self.finding.frames.is_empty()
                && let Some(frame) = frame(place)
            {
                self.finding.frames.push(frame);
            }
            return Step::More;
        }
        if text.starts_with("Call Trace:") || text.eq_ignore_ascii_case("stack backtrace:") {
            self.in_trace = true;
        } else if self.in_trace {
            if let Some(frame) = frame(text) {
                if self.finding.frames.is_empty() && MESSENGERS.contains(&function(&frame)) {
                    return Step::More;
                }
                // The trace of an Oops begins with the frame RIP has told.
                if self.finding.frames.len() < MAX_FRAMES
                    && self.finding.frames.last() != Some(&frame)
                {
                    self.finding.frames.push(frame);
                }
            } else if text == "</TASK>" {
                self.in_trace = false;
            }
        }
        Step::More
    }

    /// The finding.
    pub fn into_finding(self) -> Finding {
        self.finding
    }
}

/// The last line of a panic.
pub fn ends_panic(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("---[ end Kernel panic") || text.starts_with("Rebooting in ")
}

/// The function of a frame.
fn function(frame: &str) -> &str {
    frame.split_once('+').map_or(frame, |(name, _)| name)
}

/// A reliable frame: `f+0x1/0x2 [module]`, perhaps after its address; `? f+…` is a guess.
fn frame(text: &str) -> Option<String> {
    let mut text = text.trim();
    while let Some(tail) = text
        .strip_prefix("[<")
        .and_then(|t| t.split_once(">]"))
        .map(|(_, tail)| tail.trim_start())
    {
        text = tail;
    }
    let mut words = text.split_whitespace();
    let place = words.next()?;
    let (function, offsets) = place.split_once("+0x")?;
    let name = |b: u8| b.is_ascii_alphanumeric() || b"_.$".contains(&b);
    if function.is_empty() || !function.bytes().all(name) || !offsets.contains("/0x") {
        return None;
    }
    Some(match words.next() {
        Some(module) if module.starts_with('[') => format!("{place} {module}"),
        _ => place.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_old_and_new_kernels() {
        for (line, expected) in [
            (
                " tun_net_xmit+0x1a/0x4b0 [tun]",
                Some("tun_net_xmit+0x1a/0x4b0 [tun]"),
            ),
            (" [<ffffffff8100>] panic+0x1/0x2", Some("panic+0x1/0x2")),
            (" [<0>] [<0>] f.isra.0+0x1/0x2", Some("f.isra.0+0x1/0x2")),
            (" ? guess+0x1/0x2", None),
            (" <TASK>", None),
            ("Code: 00 00", None),
            ("+0x1/0x2", None),
        ] {
            assert_eq!(frame(line).as_deref(), expected, "{line}");
        }
    }
}
