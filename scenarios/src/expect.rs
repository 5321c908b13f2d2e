//! What must be seen.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Range;

/// A witness: one independent signal in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Retransmissions on the wire, from the packet capture.
    Capture,
    /// `TcpRetransSegs` against `TcpExtTCPTimeouts`.
    Counters,
    /// The socket's own `retrans` against its `backoff`, from sock_diag.
    Retrans,
    /// `sk_wmem_alloc` while the socket waits, from sock_diag.
    WmemAlloc,
    /// Return values of the retransmit function, from a kprobe.
    Probe,
}

impl Witness {
    /// All of them.
    pub const ALL: [Witness; 5] = [
        Witness::Capture,
        Witness::Counters,
        Witness::Retrans,
        Witness::WmemAlloc,
        Witness::Probe,
    ];

    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Witness::Capture => "capture",
            Witness::Counters => "counters",
            Witness::Retrans => "retrans",
            Witness::WmemAlloc => "wmem_alloc",
            Witness::Probe => "probe",
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What kind of segment the kernel under test sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// SYN without ACK.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// With FIN.
    Fin,
    /// With payload and without FIN.
    Data,
    /// With RST.
    Rst,
    /// ACK without payload, FIN, SYN or RST.
    Ack,
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Segment::Syn => "SYN",
            Segment::SynAck => "SYN-ACK",
            Segment::Fin => "FIN",
            Segment::Data => "data",
            Segment::Rst => "RST",
            Segment::Ack => "ACK",
        })
    }
}

/// When repetitions must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// Each no earlier than the RTO that was in force, and no later than the kernel's timer wheel
    /// allows: an eighth of the RTO more (kernel/time/timer.c, since 4.8) and a jiffy of 10 ms.
    AtRto,
}

/// Segments of one kind that the kernel under test sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// Which kind.
    pub segment: Segment,
    /// How many in the whole capture, repetitions included. Super-segments count once.
    pub count: Range,
    /// When repetitions must come.
    #[serde(default)]
    pub repeats: Option<Repeats>,
    /// Only those sent from this time on, in seconds on the script's clock.
    #[serde(default)]
    pub after_s: Option<Seconds>,
}

/// Seconds, kept in milliseconds so that expectations compare and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub i64);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.0 as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Seconds((f64::deserialize(d)? * 1000.0).round() as i64))
    }
}

/// What must be seen in a cell's evidence, beside every line of the script coming true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// States of the connection in order, as `ss` names them, `GONE` once it no longer exists.
    /// States the sampler may miss (`SYN-RECV`) and `ESTAB` may come in front unsaid.
    pub states: Vec<String>,
    /// Segments on the wire.
    pub wire: Vec<Wire>,
    /// Counters that must move, and by how much.
    pub counters: BTreeMap<String, Range>,
    /// Counters that must not move.
    pub unmoved: Vec<String>,
}
