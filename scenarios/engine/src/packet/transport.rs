//! The transport layer: TCP, UDP, ICMP.

use std::fmt;

use super::{Malformed, TcpOption, parse_options, protocol};

/// A transport header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
    /// ICMP for IPv4 or for IPv6, as the packet's version has it.
    Icmp(Icmp),
    /// No header that is understood; the protocol number.
    Other(u8),
}

/// A TCP header (RFC 9293 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, whether the flag is set or not.
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options with their padding.
    pub options: Vec<TcpOption>,
}

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

/// An ICMP header; what it quotes is the packet's payload. The IP version of the packet's
/// source says which ICMP it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The four bytes after the checksum: an MTU, an identifier and a sequence number.
    pub rest: u32,
}

/// The twelve bits between data offset and window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// FIN.
    pub const FIN: TcpFlags = TcpFlags(0x001);
    /// SYN.
    pub const SYN: TcpFlags = TcpFlags(0x002);
    /// RST.
    pub const RST: TcpFlags = TcpFlags(0x004);
    /// PSH.
    pub const PSH: TcpFlags = TcpFlags(0x008);
    /// ACK.
    pub const ACK: TcpFlags = TcpFlags(0x010);
    /// URG.
    pub const URG: TcpFlags = TcpFlags(0x020);
    /// ECE.
    pub const ECE: TcpFlags = TcpFlags(0x040);
    /// CWR.
    pub const CWR: TcpFlags = TcpFlags(0x080);
    /// AE (RFC 9768), once NS.
    pub const AE: TcpFlags = TcpFlags(0x100);
    /// The reserved bits.
    pub const RESERVED: TcpFlags = TcpFlags(0xe00);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub fn with(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }

    /// The three ECN bits as the AccECN counter ACE (RFC 9768 §3.1).
    pub fn ace(self) -> u8 {
        ((self.0 >> 6) & 7) as u8
    }
}

impl fmt::Display for TcpFlags {
    /// As a script writes them: `F. S. P. R. E W A U`, `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(TcpFlags, char); 9] = [
            (TcpFlags::SYN, 'S'),
            (TcpFlags::FIN, 'F'),
            (TcpFlags::RST, 'R'),
            (TcpFlags::PSH, 'P'),
            (TcpFlags::URG, 'U'),
            (TcpFlags::ECE, 'E'),
            (TcpFlags::CWR, 'W'),
            (TcpFlags::AE, 'A'),
            (TcpFlags::ACK, '.'),
        ];
        let text: String = LETTERS
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, letter)| letter)
            .collect();
        f.write_str(if text.is_empty() { "-" } else { &text })
    }
}

impl Tcp {
    /// Sequence space the segment takes beyond its payload: SYN and FIN count one each.
    pub fn control_len(&self) -> u32 {
        u32::from(self.flags.has(TcpFlags::SYN)) + u32::from(self.flags.has(TcpFlags::FIN))
    }
}

impl Transport {
    /// The IP protocol number of the header; ICMPv6's is known to the network layer only.
    pub fn protocol_for(&self, v6: bool) -> u8 {
        match self {
            Transport::Tcp(_) => protocol::TCP,
            Transport::Udp(_) => protocol::UDP,
            Transport::Icmp(_) if v6 => protocol::ICMPV6,
            Transport::Icmp(_) => protocol::ICMP,
            Transport::Other(number) => *number,
        }
    }

    /// Where in the header the checksum is.
    pub fn checksum_at(&self) -> Option<usize> {
        match self {
            Transport::Tcp(_) => Some(16),
            Transport::Udp(_) => Some(6),
            Transport::Icmp(_) => Some(2),
            Transport::Other(_) => None,
        }
    }

    /// Appends the header with a checksum of zero.
    pub fn emit(&self, payload: usize, out: &mut Vec<u8>) {
        match self {
            Transport::Tcp(tcp) => emit_tcp(tcp, out),
            Transport::Udp(udp) => {
                out.extend(udp.src_port.to_be_bytes());
                out.extend(udp.dst_port.to_be_bytes());
                out.extend(((8 + payload) as u16).to_be_bytes());
                out.extend([0, 0]);
            }
            Transport::Icmp(icmp) => {
                out.extend([icmp.kind, icmp.code, 0, 0]);
                out.extend(icmp.rest.to_be_bytes());
            }
            Transport::Other(_) => {}
        }
    }
}

fn emit_tcp(tcp: &Tcp, out: &mut Vec<u8>) {
    let mut options = Vec::new();
    tcp.options.iter().for_each(|o| o.emit(&mut options));
    while !options.len().is_multiple_of(4) {
        options.push(0);
    }
    // A script can write more options than a header has room for; the checker refuses it, and
    // here the room is the limit.
    options.truncate(40);
    let words = (5 + options.len() / 4) as u16;
    out.extend(tcp.src_port.to_be_bytes());
    out.extend(tcp.dst_port.to_be_bytes());
    out.extend(tcp.seq.to_be_bytes());
    out.extend(tcp.ack.to_be_bytes());
    out.extend((words << 12 | (tcp.flags.0 & 0xfff)).to_be_bytes());
    out.extend(tcp.window.to_be_bytes());
    out.extend([0, 0]);
    out.extend(tcp.urgent.to_be_bytes());
    out.extend(options);
}

/// Header and payload.
pub fn parse(number: u8, bytes: &[u8]) -> Result<(Transport, &[u8]), Malformed> {
    let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let word = |at: usize| u32::from(half(at)) << 16 | u32::from(half(at + 2));
    let need = |len: usize| {
        if bytes.len() < len {
            Err(Malformed::Truncated)
        } else {
            Ok(())
        }
    };
    match number {
        protocol::TCP => {
            need(20)?;
            let offset = usize::from(bytes[12] >> 4) * 4;
            if offset < 20 {
                return Err(Malformed::Header);
            }
            need(offset)?;
            let tcp = Tcp {
                src_port: half(0),
                dst_port: half(2),
                seq: word(4),
                ack: word(8),
                flags: TcpFlags(half(12) & 0xfff),
                window: half(14),
                urgent: half(18),
                options: parse_options(&bytes[20..offset]).ok_or(Malformed::Header)?,
            };
            Ok((Transport::Tcp(tcp), &bytes[offset..]))
        }
        protocol::UDP => {
            need(8)?;
            let udp = Udp {
                src_port: half(0),
                dst_port: half(2),
            };
            Ok((Transport::Udp(udp), &bytes[8..]))
        }
        protocol::ICMP | protocol::ICMPV6 => {
            need(8)?;
            let icmp = Icmp {
                kind: bytes[0],
                code: bytes[1],
                rest: word(4),
            };
            Ok((Transport::Icmp(icmp), &bytes[8..]))
        }
        other => Ok((Transport::Other(other), bytes)),
    }
}
