//! Packet lines that go out.

use tunfarm_lang::ast;

use super::{Window, World};
use crate::clock::seconds;
use crate::flows::{FlowId, Owner};
use crate::matcher;
use crate::packet::{self, Packet, TcpFlags, Transport, protocol};
use crate::sniff::Seen;
use crate::stop::{Broken, Stop, failed, unsupported};

/// How long after its time a packet is still waited for, so that a failure can say how late it
/// came, in microseconds.
const GRACE_US: i64 = 1_000_000;

/// A packet of one of the script's flows.
pub struct Arrived {
    packet: Packet,
    at_us: i64,
    owner: Owner,
}

impl World {
    /// Waits for the packet of a line and compares it.
    pub fn expect(&mut self, line: &ast::Packet, window: &Window) -> Result<(), Stop> {
        if let Some(outer) = line.encapsulation.first() {
            return unsupported(format!("encapsulated packets ({:?})", outer.node));
        }
        let (number, script_syn, wanted_len) = match &line.body {
            ast::PacketBody::Tcp(tcp) => {
                let flags = TcpFlags(tcp.flags.node.header_bits());
                let seq = tcp.sequence.node;
                let syn = flags.has(TcpFlags::SYN).then_some(seq.start);
                (protocol::TCP, syn, seq.payload_len as usize)
            }
            ast::PacketBody::Udp(udp) => (protocol::UDP, None, usize::from(udp.payload_len.node)),
            ast::PacketBody::Icmp(icmp) => {
                return unsupported(format!("expecting icmp {}", icmp.icmp_type.node));
            }
        };
        let opens = matches!(&line.body, ast::PacketBody::Tcp(t) if t.ack.is_none());
        let id = self.flow_for(
            number,
            ast::Direction::Outbound,
            script_syn.filter(|_| opens),
        )?;
        let mut arrived = self.next_of(id, window)?;
        self.note(&arrived, script_syn);
        if !self.config.strict_segments {
            self.gather(&mut arrived, id, wanted_len, window)?;
            self.cut(&mut arrived, id, wanted_len);
        }
        let flow = self.flows.get_mut(id);
        let mismatches = matcher::compare(line, &arrived.packet, flow, &self.config)
            .map_err(|why| Stop::Failed(Broken::new(why)))?;
        if !mismatches.is_empty() {
            let fields: Vec<&str> = mismatches.iter().map(|m| m.field.as_str()).collect();
            let mut broken = Broken::new(format!(
                "the packet differs from the line in {}",
                fields.join(", ")
            ));
            broken.notes.push(format!(
                "the packet in the script's numbers: > {} at {}",
                self.in_script_numbers(id, &arrived.packet),
                seconds(arrived.at_us)
            ));
            broken.mismatches = mismatches;
            return Err(broken.into());
        }
        window.check(arrived.at_us, "the packet")
    }

    /// The next packet of the script's flows; it must be the expected flow's.
    fn next_of(&mut self, id: FlowId, window: &Window) -> Result<Arrived, Stop> {
        let deadline = window
            .end_us
            .map_or(self.limit_us, |end| end + window.tolerance_us + GRACE_US)
            .min(self.limit_us);
        loop {
            let Some(arrived) = self.next_known(deadline)? else {
                let until = match window.end_us {
                    Some(_) => seconds(deadline),
                    None => format!("the time limit at {}", seconds(deadline)),
                };
                return Err(Broken::new(format!("no packet came until {until}"))
                    .field("packet", "one", "none")
                    .into());
            };
            if arrived.owner.flow == id {
                return Ok(arrived);
            }
            self.note(&arrived, None);
            if self.flows.get(arrived.owner.flow).closed {
                // What is left of a connection that the script is done with.
                continue;
            }
            return Err(Broken::new("a packet of another connection came first")
                .field(
                    "connection",
                    self.show_flow(id),
                    self.show_flow(arrived.owner.flow),
                )
                .into());
        }
    }

    /// The next packet of any flow of the script until `deadline_us`. All others (neighbour
    /// discovery, other programs' traffic) are none of the script's business.
    fn next_known(&mut self, deadline_us: i64) -> Result<Option<Arrived>, Stop> {
        if let Some(rest) = self.cut_off.take() {
            return Ok(Some(rest));
        }
        loop {
            while let Some(seen) = self.take()? {
                if let Some(arrived) = self.recognise(&seen)? {
                    return Ok(Some(arrived));
                }
            }
            let left = deadline_us - self.clock.now_us();
            if left <= 0 {
                return Ok(None);
            }
            self.datapath
                .wait(left.saturating_mul(1000))
                .map_err(|e| sniffing(&e))?;
        }
    }

    fn take(&mut self) -> Result<Option<Seen>, Stop> {
        self.datapath.next_outgoing().map_err(|e| sniffing(&e))
    }

    fn recognise(&mut self, seen: &Seen) -> Result<Option<Arrived>, Stop> {
        let Ok(packet) = Packet::parse(&seen.bytes) else {
            return Ok(None);
        };
        let Some(owner) = self.flows.owner(&packet) else {
            return Ok(None);
        };
        let at_us = match seen.realtime_ns {
            Some(ns) => self.clock.from_realtime_us(ns),
            None => self.clock.now_us(),
        };
        self.log.packet(at_us, self.line, &format!("> {packet}"));
        if owner.claims_port {
            let port = packet.flow().0.1;
            self.flows.get_mut(owner.flow).local.1 = port;
        }
        let sums = packet::verify_checksums(&seen.bytes);
        match sums {
            Some(sums) if !sums.ip => failed("the IP header's checksum is wrong"),
            Some(sums) if !sums.transport && !seen.checksum_pending => {
                failed("the transport checksum is wrong")
            }
            _ => Ok(Some(Arrived {
                packet,
                at_us,
                owner,
            })),
        }
    }

    fn note(&mut self, arrived: &Arrived, script_seq: Option<u32>) {
        if let Transport::Tcp(tcp) = &arrived.packet.transport {
            self.flows.get_mut(arrived.owner.flow).observe(
                tcp,
                arrived.packet.payload.len(),
                script_seq,
            );
        }
    }

    /// Takes more segments while they continue the first one and the line expects more than came:
    /// how a burst is cut is not what a script says, unless it asks for it.
    fn gather(
        &mut self,
        arrived: &mut Arrived,
        id: FlowId,
        wanted: usize,
        window: &Window,
    ) -> Result<(), Stop> {
        while !arrived.packet.payload.is_empty() && arrived.packet.payload.len() < wanted {
            let end = window.end_us.unwrap_or(self.limit_us) + window.tolerance_us;
            let Some(next) = self.next_known(end)? else {
                return Ok(());
            };
            self.note(&next, None);
            let have = arrived.packet.payload.len() as u32;
            let (Some(first), Some(tcp)) = (arrived.packet.tcp(), next.packet.tcp()) else {
                return failed("a packet of another protocol came in the middle of a burst");
            };
            if next.owner.flow != id || tcp.seq != first.seq.wrapping_add(have) {
                return Err(Broken::new(
                    "the burst ended before it had the length that the line expects",
                )
                .field("payload length", wanted.to_string(), have.to_string())
                .into());
            }
            let mut tcp = tcp.clone();
            tcp.seq = first.seq;
            arrived.packet.payload.extend(&next.packet.payload);
            arrived.packet.transport = Transport::Tcp(tcp);
        }
        Ok(())
    }

    /// Cuts a super-segment where the line ends; the rest waits for the next line. Whoever cuts
    /// a segment leaves PSH and FIN to its last piece.
    fn cut(&mut self, arrived: &mut Arrived, id: FlowId, wanted: usize) {
        let len = arrived.packet.payload.len();
        if wanted == 0 || wanted >= len || !self.flows.get(id).is_super_segment(len) {
            return;
        }
        let Some(tcp) = arrived.packet.tcp() else {
            return;
        };
        let mut first = tcp.clone();
        let mut rest = tcp.clone();
        let last_only = TcpFlags::PSH.with(TcpFlags::FIN);
        first.flags = TcpFlags(first.flags.0 & !last_only.0);
        rest.seq = rest.seq.wrapping_add(wanted as u32);
        let payload = arrived.packet.payload.split_off(wanted);
        let mut packet = arrived.packet.clone();
        packet.payload = payload;
        packet.transport = Transport::Tcp(rest);
        arrived.packet.transport = Transport::Tcp(first);
        self.cut_off = Some(Arrived {
            packet,
            at_us: arrived.at_us,
            owner: arrived.owner,
        });
    }

    /// Looks at what the kernel has sent and no line has claimed, for the reset at the end.
    pub fn drain(&mut self) {
        while let Ok(Some(seen)) = self.take() {
            if let Ok(packet) = Packet::parse(&seen.bytes)
                && let Some(owner) = self.flows.owner(&packet)
                && let Transport::Tcp(tcp) = &packet.transport
            {
                let len = packet.payload.len();
                self.flows.get_mut(owner.flow).observe(tcp, len, None);
            }
        }
    }

    fn show_flow(&self, id: FlowId) -> String {
        let flow = self.flows.get(id);
        format!("port {} to port {}", flow.local.1, flow.remote.1)
    }

    fn in_script_numbers(&self, id: FlowId, packet: &Packet) -> String {
        let mut packet = packet.clone();
        if let Transport::Tcp(tcp) = &packet.transport {
            packet.transport = Transport::Tcp(self.flows.get(id).to_script(tcp));
        }
        packet.gist()
    }
}

fn sniffing(error: &std::io::Error) -> Stop {
    Stop::Failed(Broken::new(format!(
        "reading packets from the device: {error}"
    )))
}
