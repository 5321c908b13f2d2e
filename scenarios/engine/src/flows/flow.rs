//! One connection, listener or UDP socket.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::FlowId;
use crate::packet::{Packet, Tcp, TcpFlags, TcpOption, Transport, protocol};

/// One end of a flow.
pub type End = (IpAddr, u16);

/// How many timestamps are remembered for one flow.
const MAX_STAMPS: usize = 4096;

/// How far a flow has come, as far as the engine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A socket without a peer.
    New,
    /// `listen()` was called.
    Listening,
    /// `connect()` was called, and no line has claimed the SYN yet.
    Connecting,
    /// The SYN of one side has passed.
    Handshake,
    /// The peer's acknowledgement has passed.
    Established,
    /// The script has reset it.
    Reset,
}

/// A socket's two views of one connection.
#[derive(Clone, Debug)]
pub struct Flow {
    /// IP protocol number.
    pub protocol: u8,
    /// How far it has come.
    pub phase: Phase,
    /// The kernel's end; port 0 while unknown.
    pub local: End,
    /// The script's end; port 0 while there is none.
    pub remote: End,
    /// The listener that this is a connection to.
    pub listener: Option<FlowId>,
    /// Every descriptor of it is closed.
    pub closed: bool,
    /// The kernel's initial sequence number; `None` until its SYN has passed.
    local_isn: Option<Isn>,
    /// The script's own initial sequence number, which is the live one too.
    remote_isn: u32,
    stamps: Stamps,
    /// Where the kernel's receive window begins, by the last acknowledgement it sent.
    acknowledged: Option<u32>,
    /// One past the last sequence number that was injected.
    injected_end: Option<u32>,
    /// The last sequence number the kernel used, for a reset's acknowledgement.
    sent_end: u32,
    /// The segment size that the script's peer has announced.
    peer_mss: u16,
    /// A SYN that may open the connection anew; the old numbers hold until the kernel agrees.
    reopening: Option<Reopening>,
}

/// A SYN on a connection that has had one.
#[derive(Clone, Copy, Debug)]
struct Reopening {
    seq: u32,
    /// One past its last octet.
    end: u32,
    peer_mss: u16,
}

/// What a peer that announces no segment size takes over IPv4 (RFC 9293 §3.7.1).
const DEFAULT_MSS: u16 = 536;

/// An initial sequence number as both sides have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Isn {
    script: u32,
    live: u32,
}

/// The script's TCP timestamps and the kernel's.
#[derive(Clone, Debug, Default)]
struct Stamps {
    live: BTreeMap<u32, u32>,
    first: Option<(u32, u32)>,
}

impl Flow {
    pub(super) fn new(protocol: u8, local: IpAddr, remote: IpAddr) -> Flow {
        Flow {
            protocol,
            phase: Phase::New,
            local: (local, 0),
            remote: (remote, 0),
            listener: None,
            closed: false,
            local_isn: None,
            remote_isn: 0,
            stamps: Stamps::default(),
            acknowledged: None,
            injected_end: None,
            sent_end: 0,
            peer_mss: DEFAULT_MSS,
            reopening: None,
        }
    }

    /// `connect()` was called: the kernel will choose a port and an initial sequence number.
    pub fn connecting(&mut self, remote: End) {
        self.phase = Phase::Connecting;
        self.remote = remote;
        self.local_isn = None;
        self.remote_isn = 0;
        self.reopening = None;
    }

    /// Turns a packet of the script into a live one, in place.
    ///
    /// In a SYN the script's numbers are absolute; in all other segments they count from the
    /// initial ones of each side.
    pub fn inject(&mut self, packet: &mut Packet, scaled_ecr: bool) {
        let Transport::Tcp(tcp) = &mut packet.transport else {
            return;
        };
        let is_syn = tcp.flags.has(TcpFlags::SYN);
        let is_ack = tcp.flags.has(TcpFlags::ACK);
        let opening = matches!(
            self.phase,
            Phase::New | Phase::Connecting | Phase::Handshake
        );
        if is_syn && opening {
            self.remote_isn = tcp.seq;
            self.peer_mss = peer_mss(tcp);
        } else if is_syn && !is_ack {
            self.reopening = Some(Reopening {
                seq: tcp.seq,
                end: tcp.seq.wrapping_add(1 + packet.payload.len() as u32),
                peer_mss: peer_mss(tcp),
            });
        }
        let local = self.local_isn.unwrap_or(Isn { script: 0, live: 0 });
        if is_syn {
            if is_ack {
                let offset = local.live.wrapping_sub(local.script);
                tcp.ack = tcp.ack.wrapping_add(offset);
            }
        } else {
            tcp.seq = tcp.seq.wrapping_add(self.remote_isn);
            if is_ack {
                tcp.ack = tcp.ack.wrapping_add(local.live);
            }
        }
        for option in &mut tcp.options {
            match option {
                TcpOption::Sack(blocks) => {
                    for (left, right) in blocks {
                        *left = left.wrapping_add(local.live);
                        *right = right.wrapping_add(local.live);
                    }
                }
                TcpOption::Timestamp { ecr, .. } => *ecr = self.stamps.echo(*ecr, scaled_ecr),
                _ => {}
            }
        }
        let end = tcp
            .seq
            .wrapping_add(packet.payload.len() as u32)
            .wrapping_add(tcp.control_len());
        if tcp.flags.has(TcpFlags::RST) {
            self.phase = Phase::Reset;
            return;
        }
        if is_syn && !opening {
            return;
        }
        let further = self
            .injected_end
            .is_none_or(|old| end.wrapping_sub(old) as i32 > 0);
        if further || is_syn {
            self.injected_end = Some(end);
        }
        if opening && is_ack {
            self.phase = Phase::Established;
        } else if opening && is_syn {
            self.phase = Phase::Handshake;
        }
    }

    /// Looks at a live packet of the kernel. `script_seq` is where the script has the packet,
    /// if a line expects it: the first SYN ties the two.
    pub fn observe(&mut self, tcp: &Tcp, payload: usize, script_seq: Option<u32>) {
        if let Some(syn) = self.reopening
            && syn.is_answered_by(tcp)
        {
            self.reopen(syn);
        }
        if tcp.flags.has(TcpFlags::SYN)
            && let Some(script_seq) = script_seq
            && self.local_isn.is_none()
        {
            self.local_isn = Some(Isn {
                script: script_seq,
                live: tcp.seq,
            });
        }
        if self.phase == Phase::Connecting && tcp.flags.has(TcpFlags::SYN) {
            self.phase = Phase::Handshake;
        }
        if tcp.flags.has(TcpFlags::ACK) {
            self.acknowledged = Some(tcp.ack);
        }
        self.sent_end = tcp
            .seq
            .wrapping_add(payload as u32)
            .wrapping_add(tcp.control_len());
    }

    /// The kernel took a SYN for a new connection between the same ends.
    fn reopen(&mut self, syn: Reopening) {
        self.phase = Phase::Handshake;
        self.closed = false;
        self.local_isn = None;
        self.remote_isn = syn.seq;
        self.stamps = Stamps::default();
        self.injected_end = Some(syn.end);
        self.peer_mss = syn.peer_mss;
        self.reopening = None;
    }

    /// A live segment with the script's numbers: sequence, acknowledgement, SACK.
    pub fn to_script(&self, tcp: &Tcp) -> Tcp {
        let mut tcp = tcp.clone();
        let local = self.local_isn.unwrap_or(Isn { script: 0, live: 0 });
        tcp.seq = tcp.seq.wrapping_sub(local.live);
        if tcp.flags.has(TcpFlags::SYN) {
            tcp.seq = tcp.seq.wrapping_add(local.script);
        } else if tcp.flags.has(TcpFlags::ACK) {
            tcp.ack = tcp.ack.wrapping_sub(self.remote_isn);
        }
        for option in &mut tcp.options {
            if let TcpOption::Sack(blocks) = option {
                for (left, right) in blocks {
                    *left = left.wrapping_sub(self.remote_isn);
                    *right = right.wrapping_sub(self.remote_isn);
                }
            }
        }
        tcp
    }

    /// Whether so much payload is more than one segment's: the kernel has left the cutting to the
    /// device.
    pub fn is_super_segment(&self, payload: usize) -> bool {
        payload > usize::from(self.peer_mss)
    }

    /// A live sequence number of the kernel for one of the script (not a SYN's).
    pub fn live_seq(&self, script: u32) -> u32 {
        script.wrapping_add(self.local_isn.map_or(0, |isn| isn.live))
    }

    /// Notes that the script's TS val stands for this live one. With a tick, returns by how many
    /// ticks the live value has moved more than the script's (0 for the first).
    pub fn stamp(&mut self, script: u32, live: u32) -> i64 {
        let (first_script, first_live) = *self.stamps.first.get_or_insert((script, live));
        if self.stamps.live.len() < MAX_STAMPS || self.stamps.live.contains_key(&script) {
            self.stamps.live.insert(script, live);
        }
        let moved = i64::from(live.wrapping_sub(first_live) as i32);
        moved - i64::from(script.wrapping_sub(first_script) as i32)
    }

    /// The segments that reset the connection, if it has one: at the last acknowledgement the
    /// kernel was seen to send, and at the end of what was injected (the kernel may not have
    /// acknowledged that yet; RFC 5961 wants the exact number).
    pub fn resets(&self) -> Vec<Packet> {
        let handshaken = matches!(self.phase, Phase::Handshake | Phase::Established);
        if self.protocol != protocol::TCP || !handshaken || self.remote.1 == 0 {
            return Vec::new();
        }
        let mut at: Vec<u32> = Vec::new();
        for seq in [self.acknowledged, self.injected_end].into_iter().flatten() {
            if !at.contains(&seq) {
                at.push(seq);
            }
        }
        at.into_iter()
            .map(|seq| Packet {
                ip: crate::packet::Ip::new(self.remote.0, self.local.0),
                transport: Transport::Tcp(Tcp {
                    src_port: self.remote.1,
                    dst_port: self.local.1,
                    seq,
                    ack: self.sent_end,
                    flags: TcpFlags::RST.with(TcpFlags::ACK),
                    window: 0,
                    urgent: 0,
                    options: Vec::new(),
                }),
                payload: Vec::new(),
            })
            .collect()
    }
}

impl Reopening {
    /// A SYN-ACK, or the reset of a kernel that knows no connection (it has no number of its own).
    fn is_answered_by(&self, tcp: &Tcp) -> bool {
        let taken = tcp.ack.wrapping_sub(self.seq.wrapping_add(1));
        let names_it = tcp.flags.has(TcpFlags::ACK) && taken < self.end.wrapping_sub(self.seq);
        let nobody = tcp.flags.has(TcpFlags::RST) && tcp.seq == 0;
        names_it && (tcp.flags.has(TcpFlags::SYN) || nobody)
    }
}

/// The segment size that a SYN announces.
fn peer_mss(tcp: &Tcp) -> u16 {
    let announced = tcp.options.iter().find_map(|option| match option {
        TcpOption::MaximumSegmentSize(mss) => Some(*mss),
        _ => None,
    });
    announced.unwrap_or(DEFAULT_MSS)
}

impl Stamps {
    fn echo(&self, script: u32, scaled: bool) -> u32 {
        match (self.live.get(&script), self.first) {
            (Some(live), _) => *live,
            (None, Some((first_script, first_live))) if scaled => {
                first_live.wrapping_add(script.wrapping_sub(first_script))
            }
            _ => script,
        }
    }
}
