//! The network layer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Malformed, checksum::Sum};

/// What matters of an IPv4 or IPv6 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source.
    pub src: IpAddr,
    /// Destination, of the same version.
    pub dst: IpAddr,
    /// The TOS byte, or the traffic class.
    pub tos: u8,
    /// TTL, or the hop limit.
    pub hop_limit: u8,
    /// The flow label; 0 for IPv4.
    pub flow_label: u32,
    /// IPv4's identification.
    pub id: u16,
    /// IPv4's "don't fragment".
    pub dont_fragment: bool,
}

impl Ip {
    /// A header between two addresses of the same version, with packetdrill's TTL of 255.
    pub fn new(src: IpAddr, dst: IpAddr) -> Ip {
        Ip {
            src,
            dst,
            tos: 0,
            hop_limit: 255,
            flow_label: 0,
            id: 0,
            dont_fragment: false,
        }
    }

    /// Appends the header for `len` bytes of `protocol`.
    pub fn emit(&self, protocol: u8, len: usize, out: &mut Vec<u8>) {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let start = out.len();
                out.extend([0x45, self.tos]);
                out.extend(((20 + len) as u16).to_be_bytes());
                out.extend(self.id.to_be_bytes());
                let fragment: u16 = if self.dont_fragment { 0x4000 } else { 0 };
                out.extend(fragment.to_be_bytes());
                out.extend([self.hop_limit, protocol, 0, 0]);
                out.extend(src.octets());
                out.extend(dst.octets());
                let sum = Sum::default().bytes(&out[start..]).finish();
                out[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
            }
            (src, dst) => {
                let first = 6 << 28 | u32::from(self.tos) << 20 | (self.flow_label & 0x000f_ffff);
                out.extend(first.to_be_bytes());
                out.extend((len as u16).to_be_bytes());
                out.extend([protocol, self.hop_limit]);
                out.extend(v6(src).octets());
                out.extend(v6(dst).octets());
            }
        }
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}

/// The header's length in bytes of a packet that [`parse`] accepted.
pub fn header_len(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b) if b >> 4 == 4 => usize::from(b & 0xf) * 4,
        _ => 40,
    }
}

/// IPv4's three flag bits with the fragment offset, as the header has them; 0 for IPv6.
pub fn flags_of(bytes: &[u8]) -> u16 {
    match bytes {
        [0x40..=0x4f, _, _, _, _, _, a, b, ..] => u16::from_be_bytes([*a, *b]),
        _ => 0,
    }
}

/// Header, protocol and payload.
pub fn parse(bytes: &[u8]) -> Result<(Ip, u8, &[u8]), Malformed> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => parse_v4(bytes),
        Some(6) => parse_v6(bytes),
        Some(other) => Err(Malformed::Version(other)),
        None => Err(Malformed::Truncated),
    }
}

fn parse_v4(bytes: &[u8]) -> Result<(Ip, u8, &[u8]), Malformed> {
    let head: &[u8; 20] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
    let header = header_len(bytes);
    if header < 20 {
        return Err(Malformed::Header);
    }
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let payload = bytes.get(header..total).ok_or(Malformed::Truncated)?;
    let fragment = flags_of(bytes);
    if fragment & 0x3fff != 0 {
        return Err(Malformed::Fragment);
    }
    let address = |at: usize| {
        IpAddr::V4(Ipv4Addr::new(
            head[at],
            head[at + 1],
            head[at + 2],
            head[at + 3],
        ))
    };
    let ip = Ip {
        src: address(12),
        dst: address(16),
        tos: head[1],
        hop_limit: head[8],
        flow_label: 0,
        id: u16::from_be_bytes([head[4], head[5]]),
        dont_fragment: fragment & 0x4000 != 0,
    };
    Ok((ip, head[9], payload))
}

fn parse_v6(bytes: &[u8]) -> Result<(Ip, u8, &[u8]), Malformed> {
    let head: &[u8; 40] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
    let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
    // A zero length is a jumbogram (BIG TCP): then what is there is the packet.
    let end = if len == 0 { bytes.len() } else { 40 + len };
    let mut payload = bytes.get(40..end).ok_or(Malformed::Truncated)?;
    let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&head[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let mut protocol = head[6];
    // Hop-by-hop and destination options (RFC 8200 §4.3, §4.6) are passed over: MLD has them.
    while matches!(protocol, 0 | 60) {
        let [next, units, ..] = payload else {
            return Err(Malformed::Truncated);
        };
        protocol = *next;
        payload = payload
            .get(8 + usize::from(*units) * 8..)
            .ok_or(Malformed::Truncated)?;
    }
    if protocol == 44 {
        return Err(Malformed::Fragment);
    }
    let ip = Ip {
        src: address(8),
        dst: address(24),
        tos: (first >> 20) as u8,
        hop_limit: head[7],
        flow_label: first & 0x000f_ffff,
        id: 0,
        dont_fragment: false,
    };
    Ok((ip, protocol, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_named() {
        let mut bytes = Vec::new();
        Ip::new([1, 2, 3, 4].into(), [5, 6, 7, 8].into()).emit(17, 0, &mut bytes);
        bytes[6] = 0x20;
        assert_eq!(parse(&bytes), Err(Malformed::Fragment));
    }

    #[test]
    fn extension_headers_are_passed_over() {
        let mut bytes = Vec::new();
        let any = IpAddr::V6(Ipv6Addr::LOCALHOST);
        Ip::new(any, any).emit(0, 12, &mut bytes);
        bytes.extend([58, 0, 5, 2, 0, 0, 0, 0, 143, 0, 0, 0]);
        let (_, protocol, rest) = parse(&bytes).unwrap();
        assert_eq!((protocol, rest.len()), (58, 4));
    }
}
