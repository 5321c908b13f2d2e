//! `capture.pcap`: TCP segments as the datapath saw them.

use std::fmt;
use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use tunfarm_scenarios::Segment as Kind;

/// A TCP segment on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Microseconds on the script's clock.
    pub t_us: i64,
    /// Sent by the kernel under test.
    pub out: bool,
    /// What kind of segment.
    pub kind: Kind,
    /// Source and destination port.
    pub ports: (u16, u16),
    /// Sequence number as on the wire.
    pub seq: u32,
    /// Acknowledgement number as on the wire.
    pub ack: u32,
    /// Flags as tcpdump writes them.
    pub flags: String,
    /// Window as on the wire, not scaled.
    pub window: u16,
    /// Payload in bytes.
    pub len: usize,
    /// It repeats sequence space that was already sent in this direction.
    pub again: bool,
    /// One line for people, sequence numbers relative.
    pub summary: String,
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WireError(String);

/// Longest capture that is read: a guest cannot send more than its evidence limit, this bounds what
/// its packets become.
const MAX_SEGMENTS: usize = 100_000;

/// Reads a classic pcap of raw IP packets. `local` is an address of the kernel under test, with
/// its port; without it, the first packet is taken to be the peer's.
pub(super) fn read(pcap: &[u8], local: Option<&str>) -> Result<Vec<Segment>, WireError> {
    let mut reader = PcapReader::new(pcap).map_err(|e| WireError(e.to_string()))?;
    let mut local = local.and_then(address_of);
    let mut flows = Flows::default();
    let mut segments = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet =
            packet.map_err(|e| WireError(format!("packet {}: {e}", segments.len() + 1)))?;
        if segments.len() == MAX_SEGMENTS {
            return Err(WireError(format!("more than {MAX_SEGMENTS} segments")));
        }
        let t_us = i64::try_from(packet.timestamp.as_micros()).unwrap_or(i64::MAX);
        // What is not TCP over IP (router solicitations, ICMP) is not the wire of a close.
        if let Some(segment) =
            flows.segment(t_us, &packet.data, packet.orig_len as usize, &mut local)
        {
            segments.push(segment);
        }
    }
    Ok(segments)
}

/// The address of `192.0.2.1:80` or `[::1]:80`; a v4-mapped address is its IPv4 address, as that
/// is what the packets carry.
fn address_of(endpoint: &str) -> Option<IpAddr> {
    let (address, _port) = endpoint.rsplit_once(':')?;
    let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
    Some(address.to_canonical())
}

#[derive(Default)]
struct Flows {
    /// Sequence space already sent: (out, ports) → (initial, highest end).
    sent: std::collections::BTreeMap<(bool, (u16, u16)), (u32, u32)>,
}

impl Flows {
    fn segment(
        &mut self,
        t_us: i64,
        data: &[u8],
        length: usize,
        local: &mut Option<IpAddr>,
    ) -> Option<Segment> {
        let sliced = LaxSlicedPacket::from_ip(data).ok()?;
        let (source, destination): (IpAddr, IpAddr) = match sliced.net.as_ref()? {
            LaxNetSlice::Ipv4(v4) => (
                v4.header().source_addr().into(),
                v4.header().destination_addr().into(),
            ),
            LaxNetSlice::Ipv6(v6) => (
                v6.header().source_addr().into(),
                v6.header().destination_addr().into(),
            ),
            _ => return None,
        };
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else {
            return None;
        };
        let out = source == *local.get_or_insert(destination);
        // Captures keep the head of a packet: what is missing of it is payload.
        let len = tcp.payload().len() + length.saturating_sub(data.len());
        let kind = match (tcp.rst(), tcp.syn(), tcp.fin(), tcp.ack()) {
            (true, ..) => Kind::Rst,
            (_, true, _, false) => Kind::Syn,
            (_, true, _, true) => Kind::SynAck,
            (_, _, true, _) => Kind::Fin,
            _ if len > 0 => Kind::Data,
            _ => Kind::Ack,
        };
        let ports = (tcp.source_port(), tcp.destination_port());
        let (seq, ack) = (tcp.sequence_number(), tcp.acknowledgment_number());
        let space = len as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        let end = seq.wrapping_add(space);
        let (isn, highest) = self.sent.entry((out, ports)).or_insert((seq, seq));
        if kind == Kind::Syn {
            // A new connection on the same ports starts counting anew.
            if seq != *isn {
                (*isn, *highest) = (seq, seq);
            }
        }
        let again = space > 0 && !after(end, *highest);
        if after(end, *highest) {
            *highest = end;
        }
        let isn = *isn;
        let flags = flags(&tcp);
        let peer = self
            .sent
            .get(&(!out, (ports.1, ports.0)))
            .map_or(0, |(isn, _)| *isn);
        let relative = seq.wrapping_sub(isn);
        let mut summary = format!(
            "{flags} {relative}:{}({len})",
            relative.wrapping_add(len as u32)
        );
        if tcp.ack() {
            summary.push_str(&format!(" ack {}", ack.wrapping_sub(peer)));
        }
        summary.push_str(&format!(" win {}", tcp.window_size()));
        let window = tcp.window_size();
        Some(Segment {
            t_us,
            out,
            kind,
            ports,
            seq,
            ack,
            flags,
            window,
            len,
            again,
            summary,
        })
    }
}

/// `a` is later than `b` in sequence space (RFC 9293, section 3.4).
fn after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

fn flags(tcp: &etherparse::TcpSlice<'_>) -> String {
    let set = [
        (tcp.fin(), 'F'),
        (tcp.syn(), 'S'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.urg(), 'U'),
        (tcp.ece(), 'E'),
        (tcp.cwr(), 'W'),
        (tcp.ack(), '.'),
    ];
    set.iter().filter(|(on, _)| *on).map(|(_, c)| *c).collect()
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.out { '>' } else { '<' };
        write!(
            f,
            "{:.6} {arrow} {}",
            super::seconds(self.t_us),
            self.summary
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A classic pcap of raw IPv4/TCP packets made from (µs, out, flags, seq, ack, len).
    pub(crate) fn pcap(packets: &[(u32, bool, &str, u32, u32, usize)]) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for (t, ours, flags, seq, ack, len) in packets {
            let (src, dst) = if *ours {
                ([192, 168, 0, 1], [192, 0, 2, 1])
            } else {
                ([192, 0, 2, 1], [192, 168, 0, 1])
            };
            let (sport, dport) = if *ours { (8080, 5000) } else { (5000, 8080) };
            let mut builder =
                etherparse::PacketBuilder::ipv4(src, dst, 64).tcp(sport, dport, *seq, 257);
            for c in flags.chars() {
                builder = match c {
                    'F' => builder.fin(),
                    'S' => builder.syn(),
                    'R' => builder.rst(),
                    'P' => builder.psh(),
                    _ => builder.ack(*ack),
                };
            }
            let mut data = Vec::new();
            builder.write(&mut data, &vec![0; *len]).unwrap();
            for word in [
                t / 1_000_000,
                t % 1_000_000,
                data.len() as u32,
                data.len() as u32,
            ] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&data);
        }
        out
    }

    #[test]
    fn segments_and_repetitions() {
        let capture = pcap(&[
            (100_000, false, "S", 100, 0, 0),
            (100_029, true, "S.", 9000, 101, 0),
            (200_000, false, ".", 101, 9001, 0),
            (250_000, true, "P.", 9001, 101, 1000),
            (400_000, true, "F.", 10001, 101, 0),
            (500_000, false, "F.", 101, 10001, 0),
            (712_000, true, "F.", 10001, 102, 0),
        ]);
        let wire = read(&capture, Some("192.168.0.1:8080")).unwrap();
        let lines: Vec<String> = wire.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert_eq!(wire.iter().filter(|s| s.again).count(), 1);
        assert!(wire[6].again && wire[6].kind == Kind::Fin && wire[6].out);
    }

    #[test]
    fn no_damaged_capture_panics() {
        let capture = pcap(&[(1, true, "S", 1, 0, 0), (2, false, "S.", 5, 2, 0)]);
        for len in 0..capture.len() {
            let _ = read(&capture[..len], None);
        }
        for at in 0..capture.len() {
            let mut bad = capture.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad, Some("192.168.0.1:8080"));
        }
    }
}
