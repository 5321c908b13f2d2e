//! Runs a packetdrill script against this kernel, over TUN or over loopback.

mod calls;
pub mod clock;
mod code;
pub mod config;
pub mod datapath;
mod descriptors;
pub mod flows;
pub mod log;
mod matcher;
pub mod packet;
mod run;
pub mod sniff;
mod stage;
mod stop;
pub mod sys;
mod translate;

pub use clock::Clock;
pub use stage::{Hooks, NotSet, Stage};
