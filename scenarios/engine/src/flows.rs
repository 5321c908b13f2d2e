//! Who is who: the script's connections and the kernel's.
//!
//! A script counts sequence numbers from its own initial ones and names no ports; the kernel
//! chooses. A [`Flow`] is one connection (or listener, or UDP socket) with both sides' view, and
//! translates between them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tunfarm_lang::ast::Direction;

use crate::packet::{Packet, Tcp, TcpFlags, TcpOption, Transport, protocol};

/// One end of a flow.
pub type End = (IpAddr, u16);

/// The first port of the peer; each connection to a listener gets the next one.
const FIRST_PEER_PORT: u16 = 40_001;
/// How many timestamps are remembered for one flow.
const MAX_STAMPS: usize = 4096;

/// Number of a flow in [`Flows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(usize);

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
    /// The script sequence number of the SYN that came in.
    syn: Option<u32>,
    /// The segment size that the script's peer has announced.
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
    fn new(protocol: u8, local: IpAddr, remote: IpAddr) -> Flow {
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
            syn: None,
            peer_mss: DEFAULT_MSS,
        }
    }

    /// `connect()` was called: the kernel will choose a port and an initial sequence number.
    pub fn connecting(&mut self, remote: End) {
        self.phase = Phase::Connecting;
        self.remote = remote;
        self.local_isn = None;
        self.remote_isn = 0;
        self.syn = None;
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
            Phase::New | Phase::Connecting | Phase::Handshake | Phase::Reset
        );
        if is_syn && opening {
            self.remote_isn = tcp.seq;
            self.peer_mss = tcp
                .options
                .iter()
                .find_map(|option| match option {
                    TcpOption::MaximumSegmentSize(mss) => Some(*mss),
                    _ => None,
                })
                .unwrap_or(DEFAULT_MSS);
        }
        let local = self.local_isn.unwrap_or(Isn { script: 0, live: 0 });
        if is_syn {
            if is_ack {
                let offset = local.live.wrapping_sub(local.script);
                tcp.ack = tcp.ack.wrapping_add(offset);
            } else if opening {
                self.syn = Some(tcp.seq);
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
        let further = self
            .injected_end
            .is_none_or(|old| end.wrapping_sub(old) as i32 > 0);
        if further || (is_syn && opening) {
            self.injected_end = Some(end);
        }
        if opening && is_ack && self.phase != Phase::Reset {
            self.phase = Phase::Established;
        } else if opening && is_syn {
            self.phase = Phase::Handshake;
        }
    }

    /// Looks at a live packet of the kernel. `script_seq` is where the script has the packet,
    /// if a line expects it: the first SYN ties the two.
    pub fn observe(&mut self, tcp: &Tcp, payload: usize, script_seq: Option<u32>) {
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

/// All flows of a script.
#[derive(Debug)]
pub struct Flows {
    all: Vec<Flow>,
    under_test: Option<FlowId>,
    next_peer_port: u16,
    local: IpAddr,
    remote: IpAddr,
}

/// Whose packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The flow.
    pub flow: FlowId,
    /// The packet is the kernel's SYN of a `connect()` and tells the kernel's port.
    pub claims_port: bool,
}

impl Flows {
    /// None yet, between these addresses.
    pub fn new(local: IpAddr, remote: IpAddr) -> Flows {
        Flows {
            all: Vec::new(),
            under_test: None,
            next_peer_port: FIRST_PEER_PORT,
            local,
            remote,
        }
    }

    /// A new socket.
    pub fn open(&mut self, protocol: u8) -> FlowId {
        self.push(Flow::new(protocol, self.local, self.remote))
    }

    fn push(&mut self, flow: Flow) -> FlowId {
        self.all.push(flow);
        FlowId(self.all.len() - 1)
    }

    /// The flow of this number.
    pub fn get(&self, id: FlowId) -> &Flow {
        &self.all[id.0]
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: FlowId) -> &mut Flow {
        &mut self.all[id.0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.all.iter()
    }

    /// The flow that packet lines without more to say are about.
    pub fn under_test(&self) -> Option<FlowId> {
        self.under_test
    }

    /// Makes a flow the one that packet lines are about.
    pub fn put_under_test(&mut self, id: FlowId) {
        self.under_test = Some(id);
    }

    /// The flow that a packet line of the script is about. A SYN to a listener makes a new
    /// connection, unless it repeats one whose handshake is still under way; a SYN of the kernel
    /// belongs to the `connect()` that was called.
    pub fn for_line(
        &mut self,
        protocol: u8,
        direction: Direction,
        syn: Option<u32>,
    ) -> Option<FlowId> {
        if let Some(seq) = syn {
            let found = match direction {
                Direction::Inbound => self.for_inbound_syn(seq),
                Direction::Outbound => self.position(|f| f.phase == Phase::Connecting),
            };
            if found.is_some() {
                self.under_test = found;
                return found;
            }
        }
        let id = self.under_test?;
        (protocol == self.get(id).protocol).then_some(id)
    }

    fn for_inbound_syn(&mut self, seq: u32) -> Option<FlowId> {
        let listener = self.position(|f| f.phase == Phase::Listening && !f.closed)?;
        if let Some(id) = self.under_test {
            let flow = self.get(id);
            if flow.phase == Phase::Handshake
                && flow.listener == Some(listener)
                && flow.syn == Some(seq)
            {
                return Some(id);
            }
        }
        let mut flow = Flow::new(protocol::TCP, self.local, self.remote);
        flow.local.1 = self.get(listener).local.1;
        flow.remote.1 = self.next_peer_port;
        flow.listener = Some(listener);
        self.next_peer_port = self.next_peer_port.wrapping_add(1).max(FIRST_PEER_PORT);
        Some(self.push(flow))
    }

    fn position(&self, test: impl Fn(&Flow) -> bool) -> Option<FlowId> {
        self.all.iter().rposition(test).map(FlowId)
    }

    /// The flow with this peer, for an `accept()` that has returned.
    pub fn with_peer(&self, remote: End) -> Option<FlowId> {
        self.position(|f| f.remote == remote && f.listener.is_some())
    }

    /// Whose packet of the kernel this is; `None` for packets that are none of the script's.
    pub fn owner(&self, packet: &Packet) -> Option<Owner> {
        let (from, to) = packet.flow();
        let number = match &packet.transport {
            Transport::Tcp(_) => protocol::TCP,
            Transport::Udp(_) => protocol::UDP,
            _ => return None,
        };
        let known = self.position(|f| f.protocol == number && f.local == from && f.remote == to);
        if let Some(flow) = known {
            return Some(Owner {
                flow,
                claims_port: false,
            });
        }
        let syn = packet.tcp().is_none_or(|t| t.flags.has(TcpFlags::SYN));
        let flow = self.position(|f| {
            f.protocol == number
                && f.local.0 == from.0
                && (f.local.1 == 0 || f.phase == Phase::Connecting)
                && f.remote == to
                && syn
        })?;
        Some(Owner {
            flow,
            claims_port: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows() -> (Flows, FlowId) {
        let mut flows = Flows::new([192, 168, 0, 1].into(), [192, 0, 2, 1].into());
        let listener = flows.open(protocol::TCP);
        flows.get_mut(listener).local.1 = 8080;
        flows.get_mut(listener).phase = Phase::Listening;
        (flows, listener)
    }

    fn segment(flags: TcpFlags, seq: u32, ack: u32) -> Packet {
        Packet {
            ip: crate::packet::Ip::new([192, 0, 2, 1].into(), [192, 168, 0, 1].into()),
            transport: Transport::Tcp(Tcp {
                src_port: 0,
                dst_port: 0,
                seq,
                ack,
                flags,
                window: 0,
                urgent: 0,
                options: vec![TcpOption::Timestamp { val: 1, ecr: 100 }],
            }),
            payload: Vec::new(),
        }
    }

    #[test]
    fn a_handshake_ties_the_sequence_numbers() {
        let (mut flows, listener) = flows();
        let id = flows
            .for_line(protocol::TCP, Direction::Inbound, Some(0))
            .unwrap();
        assert_ne!(id, listener);
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::SYN, 0, 0), false);
        let synack = segment(TcpFlags::SYN.with(TcpFlags::ACK), 0xffff_fff0, 1);
        flow.observe(synack.tcp().unwrap(), 0, Some(0));
        assert_eq!(flow.to_script(synack.tcp().unwrap()).seq, 0);
        flow.stamp(100, 77_000);
        let mut ack = segment(TcpFlags::ACK, 1, 1);
        flow.inject(&mut ack, false);
        let tcp = ack.tcp().unwrap();
        assert_eq!(tcp.ack, 0xffff_fff1);
        assert_eq!(
            tcp.options[0],
            TcpOption::Timestamp {
                val: 1,
                ecr: 77_000
            }
        );
        assert_eq!(flow.phase, Phase::Established);
    }

    #[test]
    fn a_syn_has_absolute_numbers() {
        let (mut flows, _) = flows();
        let id = flows
            .for_line(protocol::TCP, Direction::Inbound, Some(999_000))
            .unwrap();
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::SYN, 999_000, 0), false);
        let synack = segment(TcpFlags::SYN.with(TcpFlags::ACK), 5_000_000, 999_001);
        flow.observe(synack.tcp().unwrap(), 0, Some(1234));
        let tied = flow.to_script(synack.tcp().unwrap());
        assert_eq!((tied.seq, tied.ack), (1234, 999_001));
        let mut ack = segment(TcpFlags::ACK, 1, 1);
        flow.inject(&mut ack, false);
        let tcp = ack.tcp().unwrap();
        assert_eq!((tcp.seq, tcp.ack), (999_001, 5_000_001));
        let answer = segment(TcpFlags::ACK, 5_000_001, 999_001);
        let tied = flow.to_script(answer.tcp().unwrap());
        assert_eq!((tied.seq, tied.ack), (1, 1));
    }

    #[test]
    fn a_repeated_syn_is_the_same_connection_until_it_is_established() {
        let (mut flows, _) = flows();
        let syn = |flows: &mut Flows| {
            let id = flows
                .for_line(protocol::TCP, Direction::Inbound, Some(0))
                .unwrap();
            flows
                .get_mut(id)
                .inject(&mut segment(TcpFlags::SYN, 0, 0), false);
            id
        };
        let first = syn(&mut flows);
        assert_eq!(syn(&mut flows), first);
        flows
            .get_mut(first)
            .inject(&mut segment(TcpFlags::ACK, 1, 1), false);
        let second = syn(&mut flows);
        assert_ne!(second, first);
        assert_ne!(flows.get(second).remote, flows.get(first).remote);
    }

    #[test]
    fn the_kernels_syn_tells_its_port() {
        let mut flows = Flows::new([192, 168, 0, 1].into(), [192, 0, 2, 1].into());
        let id = flows.open(protocol::TCP);
        let remote = flows.remote;
        flows.get_mut(id).connecting((remote, 8080));
        let mut syn = segment(TcpFlags::SYN, 9, 0);
        std::mem::swap(&mut syn.ip.src, &mut syn.ip.dst);
        if let Transport::Tcp(tcp) = &mut syn.transport {
            (tcp.src_port, tcp.dst_port) = (51_000, 8080);
        }
        let owner = flows.owner(&syn).unwrap();
        assert_eq!((owner.flow, owner.claims_port), (id, true));
        assert_eq!(
            flows.for_line(protocol::TCP, Direction::Outbound, Some(0)),
            Some(id)
        );
    }

    #[test]
    fn a_reset_goes_to_both_possible_edges() {
        let (mut flows, _) = flows();
        let id = flows
            .for_line(protocol::TCP, Direction::Inbound, Some(0))
            .unwrap();
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::SYN, 0, 0), false);
        let synack = segment(TcpFlags::SYN.with(TcpFlags::ACK), 500, 1);
        flow.observe(synack.tcp().unwrap(), 0, Some(0));
        assert_eq!(flow.resets().len(), 1);
        flow.inject(&mut segment(TcpFlags::FIN.with(TcpFlags::ACK), 1, 1), false);
        let seqs: Vec<u32> = flow.resets().iter().map(|p| p.tcp().unwrap().seq).collect();
        assert_eq!(seqs, [1, 2]);
    }
}
