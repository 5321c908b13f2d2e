//! Packet lines that come in.

use tunfarm_lang::{ast, symbols};

use super::World;
use crate::datapath::Gso;
use crate::flows::{Flow, FlowId};
use crate::packet::{Icmp, Ip, Packet, Tcp, TcpFlags, Transport, Udp, protocol};
use crate::stop::{Broken, Stop, failed, unsupported};
use crate::translate;

impl World {
    /// Puts the packet of a line into the stack.
    pub fn inject(&mut self, line: &ast::Packet) -> Result<(), Stop> {
        if let Some(outer) = line.encapsulation.first() {
            return unsupported(format!("encapsulated packets ({:?})", outer.node));
        }
        let (packet, gso) = match &line.body {
            ast::PacketBody::Tcp(tcp) => self.inbound_tcp(line, tcp)?,
            ast::PacketBody::Udp(udp) => (self.inbound_udp(line, udp)?, None),
            ast::PacketBody::Icmp(icmp) => (self.inbound_icmp(line, icmp)?, None),
        };
        let bytes = packet.emit();
        let at = self.clock.now_us();
        let result = self.datapath.inject(&bytes, gso);
        self.log.packet(at, self.line, &format!("< {packet}"));
        result.map_err(|e| {
            Stop::Failed(Broken::new(format!(
                "the kernel did not take the packet on {}: {e}",
                self.datapath.device()
            )))
        })
    }

    fn inbound_tcp(
        &mut self,
        line: &ast::Packet,
        tcp: &ast::TcpPacket,
    ) -> Result<(Packet, Option<Gso>), Stop> {
        let flags = TcpFlags(tcp.flags.node.header_bits());
        let sequence = tcp.sequence.node;
        let opens = flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK);
        let id = self.flow_for(
            protocol::TCP,
            ast::Direction::Inbound,
            opens.then_some(sequence.start),
        )?;
        let options = translate::tcp_options(&tcp.options, &self.config)
            .map_err(|why| Stop::Failed(Broken::new(why)))?;
        let flow = self.flows.get_mut(id);
        let mut packet = Packet {
            ip: self.config.peer_header(&line.ip),
            transport: Transport::Tcp(Tcp {
                src_port: flow.remote.1,
                dst_port: flow.local.1,
                seq: sequence.start,
                ack: tcp.ack.as_ref().map_or(0, |a| a.node),
                flags,
                window: tcp.window.as_ref().map_or(0, |w| w.node),
                urgent: tcp.urgent.as_ref().map_or(0, |u| u.node),
                options,
            }),
            payload: vec![0; sequence.payload_len as usize],
        };
        flow.inject(&mut packet, self.config.ts_ecr_scaled);
        let gso = self.gso(&packet);
        Ok((packet, gso))
    }

    /// How a segment larger than `--mss` would be cut.
    fn gso(&self, packet: &Packet) -> Option<Gso> {
        let size = self.config.mss;
        if size == 0 || packet.payload.len() <= usize::from(size) {
            return None;
        }
        Some(Gso {
            v6: packet.ip.src.is_ipv6(),
            size,
        })
    }

    fn inbound_udp(&mut self, line: &ast::Packet, udp: &ast::UdpPacket) -> Result<Packet, Stop> {
        let id = self.flow_for(protocol::UDP, ast::Direction::Inbound, None)?;
        let flow = self.flows.get_mut(id);
        if flow.remote.1 == 0 {
            flow.remote.1 = self.config.connect_port;
        }
        Ok(Packet {
            ip: self.config.peer_header(&line.ip),
            transport: Transport::Udp(Udp {
                src_port: flow.remote.1,
                dst_port: flow.local.1,
            }),
            payload: vec![0; usize::from(udp.payload_len.node)],
        })
    }

    fn inbound_icmp(&mut self, line: &ast::Packet, icmp: &ast::IcmpPacket) -> Result<Packet, Stop> {
        let ip = self.config.peer_header(&line.ip);
        let (kind, code) = icmp_numbers(icmp, ip.src.is_ipv6())?;
        let Some(id) = self.flows.under_test() else {
            return failed("no connection is there that an ICMP message could be about");
        };
        let flow = self.flows.get(id);
        let payload = match &icmp.echoed {
            Some(echoed) => quote(flow, &echoed.node),
            None => Vec::new(),
        };
        Ok(Packet {
            ip,
            transport: Transport::Icmp(Icmp {
                kind,
                code,
                rest: icmp.mtu.as_ref().map_or(0, |m| m.node),
            }),
            payload,
        })
    }

    /// The flow that a packet line is about.
    pub fn flow_for(
        &mut self,
        protocol: u8,
        direction: ast::Direction,
        syn: Option<u32>,
    ) -> Result<FlowId, Stop> {
        match self.flows.for_line(protocol, direction, syn) {
            Some(id) => Ok(id),
            None => failed(match (direction, syn) {
                (ast::Direction::Inbound, Some(_)) => {
                    "no socket is listening for this SYN, and no connection is there"
                }
                (ast::Direction::Outbound, Some(_)) => {
                    "no connect() was called that would send this SYN"
                }
                _ => "no socket of this protocol has a packet to do with yet",
            }),
        }
    }
}

/// Type and code by their names.
pub fn icmp_numbers(icmp: &ast::IcmpPacket, v6: bool) -> Result<(u8, u8), Stop> {
    let table = if v6 {
        symbols::ICMP_V6
    } else {
        symbols::ICMP_V4
    };
    let name = &icmp.icmp_type.node;
    let Some(kind) = symbols::type_number(table, name) else {
        return failed(format!("there is no icmp type {name} here"));
    };
    let code = match &icmp.code {
        None => 0,
        Some(code) => match symbols::code_number(table, name, &code.node) {
            Some(code) => code,
            None => return failed(format!("icmp {name} has no code {}", code.node)),
        },
    };
    Ok((kind, code))
}

/// The beginning of a packet of the kernel, as an ICMP message quotes it: the IP header, with the
/// length of the whole, and the transport header.
fn quote(flow: &Flow, echoed: &ast::Echoed) -> Vec<u8> {
    let (transport, len) = match echoed {
        ast::Echoed::Tcp(sequence) => (
            Transport::Tcp(Tcp {
                src_port: flow.local.1,
                dst_port: flow.remote.1,
                seq: flow.live_seq(sequence.start),
                ack: 0,
                flags: TcpFlags::default(),
                window: 0,
                urgent: 0,
                options: Vec::new(),
            }),
            sequence.payload_len as usize,
        ),
        ast::Echoed::Udp(len) => (
            Transport::Udp(Udp {
                src_port: flow.local.1,
                dst_port: flow.remote.1,
            }),
            usize::from(*len),
        ),
    };
    let whole = Packet {
        ip: Ip::new(flow.local.0, flow.remote.0),
        transport,
        payload: vec![0; len],
    };
    let mut bytes = whole.emit();
    bytes.truncate(bytes.len() - len);
    bytes
}

impl crate::config::Config {
    /// The IP header of a packet from the script's peer.
    pub fn peer_header(&self, line: &ast::IpInfo) -> Ip {
        let mut ip = Ip::new(self.remote, self.local);
        if let Some(tos) = &line.tos {
            ip.tos = tos.node;
        }
        if let Some(ecn) = &line.ecn {
            ip.tos = ip.tos & !3 | translate::ecn_bits(ecn.node);
        }
        if let Some(label) = &line.flow_label {
            ip.flow_label = label.node;
        }
        if let Some(ttl) = &line.ttl {
            ip.hop_limit = ttl.node;
        }
        ip
    }
}
