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
