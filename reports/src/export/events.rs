//! `events.ndjson`: each event as it happens, one JSON object a line.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

use crate::model::Event;
use crate::reporter::Consumer;

/// Writes events to a file or an inherited file descriptor as they happen.
pub struct EventLog {
    name: String,
    out: Box<dyn Write + Send>,
}

impl EventLog {
    /// The file's name in a run's folder.
    pub const FILE_NAME: &'static str = "events.ndjson";

    /// Writes to `out`; `name` is for messages.
    pub fn new(name: &str, out: impl Write + Send + 'static) -> EventLog {
        EventLog {
            name: name.to_owned(),
            out: Box::new(out),
        }
    }

    /// Opens what `--events` names: a number is a file descriptor this process was given, all
    /// else a file, which is made or emptied.
    ///
    /// # Errors
    /// The file's or the descriptor's own.
    pub fn open(target: &str) -> io::Result<EventLog> {
        let name = format!("the event log {target}");
        match target.parse::<RawFd>() {
            Ok(fd) if fd >= 0 => {
                // SAFETY: the descriptor is only borrowed for the duplication, which fails with
                // EBADF when it is not open; the duplicate is ours alone.
                let own = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
                Ok(EventLog::new(&name, File::from(own)))
            }
            _ => Ok(EventLog::new(&name, File::create(Path::new(target))?)),
        }
    }
}

impl Consumer for EventLog {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn take(&mut self, event: &Event) -> io::Result<()> {
        // One write for one line: several readers of a pipe never see half of one.
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}
