//! Who is who: the script's connections and the kernel's.
//!
//! A script counts sequence numbers from its own initial ones and names no ports; the kernel
//! chooses. A [`Flow`] is one connection (or listener, or UDP socket) with both sides' view, and
//! translates between them; [`Flows`] knows which flow a packet or a line is about.

mod flow;

use std::net::IpAddr;

use tunfarm_lang::ast::Direction;

use crate::packet::{Packet, TcpFlags, Transport, protocol};
pub use flow::{End, Flow, Phase};

/// The first port of the peer; each connection to a listener gets the next one.
const FIRST_PEER_PORT: u16 = 40_001;

/// Number of a flow in [`Flows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(usize);

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

    /// The flow that a packet line of the script is about: the one under test. A packet from
    /// nobody known yet makes a connection to the listener; a SYN of the kernel belongs to the
    /// `connect()` that was called.
    pub fn for_line(
        &mut self,
        protocol: u8,
        direction: Direction,
        syn: Option<u32>,
    ) -> Option<FlowId> {
        let found = match direction {
            Direction::Inbound if protocol == protocol::TCP => self.for_inbound(syn.is_some()),
            Direction::Outbound if syn.is_some() => self.position(|f| f.phase == Phase::Connecting),
            _ => None,
        };
        if found.is_some() {
            self.under_test = found;
            return found;
        }
        let id = self.under_test?;
        (protocol == self.get(id).protocol).then_some(id)
    }

    /// A peer keeps its port for as long as its connection is under test, also for a SYN that
    /// opens it anew. What else comes to a bound socket comes from a new peer.
    fn for_inbound(&mut self, syn: bool) -> Option<FlowId> {
        let with_peer = self.under_test.filter(|id| {
            let flow = self.get(*id);
            flow.protocol == protocol::TCP && flow.remote.1 != 0
        });
        let listener = self.position(|f| f.phase == Phase::Listening && !f.closed);
        let bound = match (with_peer, listener) {
            // A SYN after a new `listen()` is the beginning of another connection.
            (Some(peer), Some(listener)) if syn && listener > peer => listener,
            (Some(_), _) => return None,
            (None, Some(listener)) => listener,
            (None, None) => {
                self.position(|f| f.protocol == protocol::TCP && f.local.1 != 0 && f.remote.1 == 0)?
            }
        };
        let mut flow = Flow::new(protocol::TCP, self.local, self.remote);
        flow.local.1 = self.get(bound).local.1;
        flow.remote.1 = self.next_peer_port;
        flow.listener = Some(bound);
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
    use crate::packet::{Tcp, TcpOption};

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
    fn a_peer_keeps_its_port_for_another_syn() {
        let (mut flows, _) = flows();
        let line = |flows: &mut Flows, syn| {
            let id = flows.for_line(protocol::TCP, Direction::Inbound, syn);
            id.unwrap()
        };
        let id = line(&mut flows, Some(0));
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::SYN, 0, 0), false);
        let synack = segment(TcpFlags::SYN.with(TcpFlags::ACK), 500, 1);
        flow.observe(synack.tcp().unwrap(), 0, Some(0));
        assert_eq!(line(&mut flows, Some(0)), id, "repeated in the handshake");
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::ACK, 1, 1), false);

        assert_eq!(line(&mut flows, Some(9000)), id);
        let flow = flows.get_mut(id);
        flow.inject(&mut segment(TcpFlags::SYN, 9000, 0), false);
        // A kernel that does not obey answers with the old numbers.
        let challenge = segment(TcpFlags::ACK, 501, 1);
        flow.observe(challenge.tcp().unwrap(), 0, None);
        let tied = flow.to_script(challenge.tcp().unwrap());
        assert_eq!((tied.seq, tied.ack), (1, 1));
        // One that does has new ones.
        let synack = segment(TcpFlags::SYN.with(TcpFlags::ACK), 70_000, 9001);
        flow.observe(synack.tcp().unwrap(), 0, Some(0));
        assert_eq!(flow.phase, Phase::Handshake);
        assert_eq!(flow.to_script(synack.tcp().unwrap()).seq, 0);
        let mut ack = segment(TcpFlags::ACK, 1, 1);
        flow.inject(&mut ack, false);
        let tcp = ack.tcp().unwrap();
        assert_eq!((tcp.seq, tcp.ack), (9001, 70_001));
        assert_eq!(flow.phase, Phase::Established);
    }

    #[test]
    fn whatever_comes_to_a_listener_comes_from_a_peer() {
        let (mut flows, listener) = flows();
        let stray = flows.for_line(protocol::TCP, Direction::Inbound, None);
        let stray = stray.unwrap();
        assert_ne!(stray, listener);
        assert_ne!(flows.get(stray).remote.1, 0);
        flows
            .get_mut(stray)
            .inject(&mut segment(TcpFlags::RST, 0, 0), false);
        let syn = flows.for_line(protocol::TCP, Direction::Inbound, Some(0));
        assert_eq!(syn, Some(stray));
    }

    #[test]
    fn a_new_listener_lets_the_next_peer_come() {
        let (mut flows, _) = flows();
        let first = flows.for_line(protocol::TCP, Direction::Inbound, Some(0));
        let another = flows.open(protocol::TCP);
        flows.get_mut(another).local.1 = 8080;
        flows.get_mut(another).phase = Phase::Listening;
        let data = flows.for_line(protocol::TCP, Direction::Inbound, None);
        assert_eq!(data, first, "the old connection goes on");
        let second = flows.for_line(protocol::TCP, Direction::Inbound, Some(0));
        let remote = |id: Option<FlowId>| flows.get(id.unwrap()).remote;
        assert_ne!(remote(second), remote(first));
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
