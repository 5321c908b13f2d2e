//! The script's file descriptors and the kernel's.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd, RawFd};

use crate::flows::FlowId;

/// One descriptor of the script.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
    /// The flow behind it, if it is a socket.
    pub flow: Option<FlowId>,
}

impl Handle {
    /// The live number.
    pub fn live(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The live number; whoever asks closes it.
    pub fn into_live(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

/// All of them, by the number that the script uses.
#[derive(Debug, Default)]
pub struct Descriptors {
    open: BTreeMap<i64, Handle>,
    /// Open descriptors whose number the script has given to another.
    shadowed: Vec<Handle>,
    /// The last socket that was made, accepted or closed; code blocks look at it.
    last: Option<i64>,
}

impl Descriptors {
    /// The script calls a new live descriptor `script` from now on.
    pub fn add(&mut self, script: i64, fd: OwnedFd, flow: Option<FlowId>) {
        let before = self.open.insert(script, Handle { fd, flow });
        self.shadowed.extend(before);
        if flow.is_some() {
            self.last = Some(script);
        }
    }

    /// What the script calls `script`.
    pub fn get(&self, script: i64) -> Option<&Handle> {
        self.open.get(&script)
    }

    /// Takes one out, to be closed.
    pub fn remove(&mut self, script: i64) -> Option<Handle> {
        self.open.remove(&script)
    }

    /// Whether a flow still has a descriptor.
    pub fn holds(&self, flow: FlowId) -> bool {
        let mut all = self.open.values().chain(&self.shadowed);
        all.any(|h| h.flow == Some(flow))
    }

    /// The descriptor that shows this flow; else the last socket of the script.
    pub fn of_flow(&self, flow: Option<FlowId>) -> Option<&Handle> {
        let exact = self
            .open
            .values()
            .find(|h| flow.is_some() && h.flow == flow);
        exact.or_else(|| self.last.and_then(|script| self.open.get(&script)))
    }

    /// Closes everything.
    pub fn close_all(&mut self) {
        self.open.clear();
        self.shadowed.clear();
    }
}
