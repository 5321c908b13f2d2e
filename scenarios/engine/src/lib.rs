//! Runs a packetdrill script against this kernel, over TUN or over loopback.
//!
//! ```text
//! Stage::set      device, addresses, routes, sysctls, the script's first commands
//! Stage::perform  events in order, then clean-up
//! ```
//!
//! What an event needs lies in one place each:
//!
//! * `run`: the loop over events; when each may happen (`timing`), packets in (`inject`), packets
//!   out (`expect`), calls that block (`pending`), commands, the end.
//! * [`datapath`]: a TUN device with its reader, or loopback. [`sniff`] sees and injects packets
//!   with AF_PACKET; no tool and no module but the tun driver is needed.
//! * [`packet`]: bytes and meaning of packets. [`flows`]: which connection a packet belongs to,
//!   and the script's sequence numbers and timestamps beside the live ones. `matcher` compares.
//! * `calls`: system calls, one family a file: arguments become buffers, the call is made, its
//!   outputs are compared.
//! * `code`: the evaluator of `%{ … }%` blocks.
//!
//! # How a script is read
//!
//! * Relative times count from the moment at which the event before was done. A packet's time is
//!   the kernel's own timestamp.
//! * In a SYN the script's sequence numbers are absolute; in all other segments they count from
//!   the initial ones.
//! * Lines are about the connection that was opened last. What comes to a connection, a SYN too,
//!   comes from the same peer and port; after such a SYN the old sequence numbers hold until the
//!   kernel answers it. The first packet to a listener, and a SYN after a new `listen()`, are a new
//!   peer's.
//! * Packets that belong to no connection of the script are ignored, and so are those of
//!   connections of which the script has closed every descriptor, unless a line is about them.
//!   Any other packet that comes before the expected one is a failure. What is still in the queue
//!   when the script ends is not looked at.
//! * A burst may be cut otherwise than the script writes it: pieces that continue each other are
//!   taken together, and a super-segment is cut where a line ends. `--strict_segments` takes this
//!   freedom away.
//! * Of TCP timestamps the kernel's TS val is whatever it is, and remembered, so that an echo of
//!   the script's value becomes one of the kernel's. `--tcp_ts_tick_usecs` checks how it moves.
//! * At the end, whatever it is, descriptors are closed, connections are reset, and clean-up
//!   commands run; [`Hooks::script_end`] comes before all of that.
//!
//! # What is deliberately absent
//!
//! * No packet of the script leaves the machine: there is no mode with two machines.
//! * Encapsulated packets (GRE, MPLS, IP in IP), PSP, and ICMP that the kernel sends are refused
//!   by name ([`NotSet::Unsupported`] or
//!   [`ScriptResult::Unsupported`](tunfarm_protocol::ScriptResult::Unsupported)).
//! * Nothing newer than Linux 2.6.32 is needed, except where a job or script asks for it; IPv6
//!   over loopback needs tcx (6.6) or generic XDP (4.12).

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
