//! How evidence leaves: frames, written to the debug console's port.

use std::io;

use tunfarm_protocol::{
    EVIDENCE_PORT, Finish, KernelFacts, encode_finish, encode_frame, encode_ready,
};

use crate::port::Ports;

/// The writing end of the evidence stream.
#[derive(Debug)]
pub struct Evidence<'a> {
    ports: &'a Ports,
}

impl<'a> Evidence<'a> {
    /// A stream on these ports.
    pub fn new(ports: &'a Ports) -> Evidence<'a> {
        Evidence { ports }
    }

    /// Says that the guest has booted and waits for a job.
    pub fn ready(&self, facts: &KernelFacts) -> io::Result<()> {
        self.put(&encode_ready(facts))
    }

    /// Sends a whole evidence file; an empty one is not sent at all.
    pub fn file(&self, name: &'static str, data: &[u8]) -> io::Result<()> {
        self.put(&encode_frame(name, data))
    }

    /// Sends the last frame.
    pub fn finish(&self, finish: &Finish) -> io::Result<()> {
        self.put(&encode_finish(finish))
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        self.ports.write(EVIDENCE_PORT, bytes)
    }
}
