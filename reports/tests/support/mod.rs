//! Shared by the tests of this crate.

#![allow(dead_code, reason = "each test file uses its share")]

pub mod browser;
pub mod ktap;

use tunfarm_reports::model::{Event, RunResults};

/// A small generator of repeatable noise (xorshift64*): the same noise on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32) % limit
    }

    /// Console noise: control characters, markup, the ends of sections, all planes of Unicode.
    pub fn noise(&mut self) -> String {
        const PIECES: [&str; 14] = [
            "]]>",
            "]]",
            ">",
            "<![CDATA[",
            "</system-out>",
            "&amp;",
            "&#0;",
            "-->",
            "\0",
            "\x1b[31m",
            "[[ATTACHMENT|x]]",
            " # SKIP ",
            "\r\n",
            "not ok 1 ",
        ];
        let length = 1 + self.below(40);
        let mut out = String::new();
        for _ in 0..length {
            match self.below(4) {
                0 => out.push_str(PIECES[self.below(PIECES.len() as u32) as usize]),
                1 => out.push(char::from(self.below(256) as u8)),
                2 => out.push(char::from_u32(self.below(0x11_0000)).unwrap_or('\u{fffe}')),
                _ => out.push(char::from(b'a' + self.below(26) as u8)),
            }
        }
        out
    }
}

/// The events of a run as the runner would send them.
pub fn events(run: &RunResults) -> Vec<Event> {
    let mut events = vec![Event::RunStarted {
        plan: run.plan.clone(),
        cells: run.cells.len(),
        kernels: run.kernels.len(),
    }];
    for kernel in &run.kernels {
        let what = format!("boot {}", kernel.label);
        let label = kernel.label.clone();
        events.push(Event::Preparing {
            what: what.clone(),
            kernel: label.clone(),
        });
        events.push(Event::Prepared {
            what,
            kernel: label,
            ms: 4321.0,
        });
        events.push(Event::KernelReady {
            kernel: Box::new(kernel.clone()),
        });
    }
    for cell in &run.cells {
        events.push(Event::CellStarted {
            id: cell.id.clone(),
        });
        events.push(Event::CellFinished {
            result: Box::new(cell.clone()),
        });
    }
    events.push(Event::Note {
        text: "one package is gone".into(),
    });
    events.push(Event::RunFinished {
        results: Box::new(run.clone()),
    });
    events
}

/// A writer whose text can be looked at while somebody else owns a copy.
#[derive(Clone, Default)]
pub struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Shared {
    /// What was written.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
