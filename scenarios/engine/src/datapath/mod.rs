//! Where packets pass: a TUN device, or loopback.

mod delivery;
mod drop_filter;
mod ethernet;
mod gso;
mod loopback;
mod ready;
mod tun;

use std::io;

use tunfarm_protocol::{Datapath as Kind, Job};

pub use gso::{Gso, VNET_HEADER, vnet_header};
pub use loopback::Loopback;
pub use tun::Tun;

use crate::config::Config;
use crate::sniff::Seen;

/// Why a datapath is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// This kernel or driver does not have what the job asks for.
    Unsupported(String),
    /// Something went wrong.
    Failed(String),
}

/// Says what was being done when an error came.
pub(crate) trait Step<T> {
    /// Adds it.
    fn step(self, what: impl FnOnce() -> String) -> Result<T, SetError>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, SetError> {
        self.map_err(|e| SetError::Failed(format!("{}: {e}", what())))
    }
}

/// A datapath that is set up.
pub enum Datapath {
    /// TUN.
    Tun(Box<Tun>),
    /// Loopback.
    Loopback(Loopback),
}

impl Datapath {
    /// Sets up the job's.
    pub fn set(job: &Job, config: &Config) -> Result<Datapath, SetError> {
        let datapath = match job.datapath {
            Kind::Tun => {
                let tun = Tun::set(config, &job.tun, job.reader)?;
                Datapath::Tun(Box::new(tun))
            }
            Kind::Loopback => Datapath::Loopback(Loopback::set(config)?),
        };
        ready::wait_for(config.local)?;
        Ok(datapath)
    }

    /// Lets commands find a device called as the TUN device, also where packets pass loopback.
    pub fn add_stand_in(&mut self) {
        if let Datapath::Loopback(loopback) = self {
            loopback.add_stand_in();
        }
    }

    /// The device's name.
    pub fn device(&self) -> &'static str {
        match self {
            Datapath::Tun(_) => tun::DEVICE,
            Datapath::Loopback(_) => loopback::DEVICE,
        }
    }

    /// Puts a packet into the stack; `gso` says how a super-segment would be cut, where the
    /// datapath can tell the stack.
    pub fn inject(&mut self, packet: &[u8], gso: Option<Gso>) -> io::Result<()> {
        match self {
            Datapath::Tun(tun) => tun.inject(packet, gso),
            Datapath::Loopback(loopback) => loopback.inject(packet, gso),
        }
    }

    /// What the driver did wrong with the packets it was given; for the end of a script.
    pub fn complaint(&mut self) -> io::Result<Option<String>> {
        match self {
            Datapath::Tun(tun) => tun.complaint(),
            Datapath::Loopback(_) => Ok(None),
        }
    }

    /// The next packet that left the stack, if there is one now.
    pub fn next_outgoing(&mut self) -> io::Result<Option<Seen>> {
        match self {
            Datapath::Tun(tun) => tun.next_outgoing(),
            Datapath::Loopback(loopback) => loopback.next_outgoing(),
        }
    }

    /// Waits at most `timeout_ns` for a packet.
    pub fn wait(&self, timeout_ns: i64) -> io::Result<bool> {
        match self {
            Datapath::Tun(tun) => tun.wait(timeout_ns),
            Datapath::Loopback(loopback) => loopback.wait(timeout_ns),
        }
    }
}
