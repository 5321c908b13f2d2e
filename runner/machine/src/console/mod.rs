//! The guest's console, read live: is the kernel in trouble, and in which?
//!
//! Pure: bytes in, [`Finding`]s out. Whatever the guest prints, memory stays bounded.

mod headline;
mod line;
mod trace;

use std::collections::VecDeque;

use tunfarm_reports::model::{Finding, FindingKind};

use trace::{Report, Step};

/// Findings kept of one console; a kernel that warns in a loop says nothing new after these.
const MAX_FINDINGS: usize = 32;

/// Lines kept for messages about a guest that stopped.
const TAIL_LINES: usize = 12;

/// Reads a console and recognises trouble.
#[derive(Debug, Default)]
pub struct Watcher {
    lines: line::Lines,
    tail: VecDeque<String>,
    findings: Vec<Finding>,
    open: Option<Report>,
    panicked: bool,
    ended: bool,
}

impl Watcher {
    /// Takes what the guest printed.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(bytes, |line| self.line(line));
        self.lines = lines;
    }

    /// The console is at its end: a report without an end is complete.
    pub fn finish(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(|line| self.line(line));
        self.close();
    }

    /// The kernel said its last word: it panicked, and the panic's report is whole.
    pub fn dead(&self) -> bool {
        self.ended
    }

    /// The kernel panicked; its report may still be arriving.
    pub fn panicked(&self) -> bool {
        self.panicked
    }

    /// What was found so far, in order; a report still arriving is not among them.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The last lines, without time stamps.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }

    fn line(&mut self, raw: &str) {
        let text = line::message(raw);
        if text.trim().is_empty() {
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(text.trim_end().to_owned());

        if let Some(kind) = headline::kind(text) {
            self.panicked |= kind == FindingKind::Panic;
            // An Oops announces itself on two or three lines: all but the first belong to it.
            if let Some(open) = &mut self.open
                && open.continues(kind)
            {
                return;
            }
            self.close();
            self.open = Some(Report::new(kind, text));
            return;
        }
        let step = self.open.as_mut().map(|report| report.line(text));
        if step == Some(Step::End) {
            self.close();
        }
        if trace::ends_panic(text) {
            self.close();
            self.ended = true;
        }
    }

    fn close(&mut self) {
        if let Some(report) = self.open.take()
            && self.findings.len() < MAX_FINDINGS
        {
            self.findings.push(report.into_finding());
        }
    }
}

/// What a whole console tells.
pub fn read(console: &[u8]) -> Vec<Finding> {
    let mut watcher = Watcher::default();
    watcher.push(console);
    watcher.finish();
    watcher.findings
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Real consoles: kernels 5.10, 6.12 and 7.3 of Debian with trouble made on purpose.
    #[test]
    fn golden_consoles() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/golden");
        let mut logs: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .collect();
        logs.sort();
        assert!(logs.len() >= 18, "{} logs", logs.len());
        let mut all = String::new();
        for log in logs {
            let name = log.file_stem().unwrap().to_string_lossy().into_owned();
            let _ = writeln!(all, "== {name}");
            for finding in read(&fs::read(&log).unwrap()) {
                let _ = writeln!(all, "{:?}: {}", finding.kind, finding.headline);
                for frame in &finding.frames {
                    let _ = writeln!(all, "    {frame}");
                }
            }
        }
        insta::assert_snapshot!("golden", all);
    }

    #[test]
    fn cutting_changes_nothing() {
        let text = include_bytes!("golden/oops-6.12.log");
        let whole = read(text);
        assert_eq!(whole.len(), 2);
        for step in [1, 3, 100] {
            let mut watcher = Watcher::default();
            text.chunks(step).for_each(|part| watcher.push(part));
            watcher.finish();
            assert_eq!(watcher.findings(), whole, "step {step}");
            assert!(watcher.dead());
        }
    }

    #[test]
    fn a_kernel_that_warns_for_ever_fills_nothing() {
        let mut watcher = Watcher::default();
        for n in 0..10_000 {
            watcher.push(format!("WARNING: CPU: 0 PID: {n} at a.c:1 f+0x1/0x2\n").as_bytes());
        }
        watcher.push(&[b'x'; 100_000]);
        watcher.push(&[0xff, 0x00, b'\n']);
        watcher.finish();
        assert_eq!(watcher.findings().len(), MAX_FINDINGS);
        assert!(watcher.tail().count() <= TAIL_LINES);
    }
}
