//! Packets: their bytes, and what the bytes mean.
//!
//! [`Packet::parse`] reads any bytes without panicking; [`Packet::emit`] writes lengths and
//! checksums itself. What a script can say about a packet, and nothing else, is in [`Packet`].

mod checksum;
mod ip;
mod options;
mod summary;
mod transport;

use std::net::IpAddr;

pub use ip::{Ip, flags_of};
pub use options::{TcpOption, parse_options, show_options};
pub use transport::{Icmp, Tcp, TcpFlags, Transport, Udp};

use checksum::Sum;

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
}

/// One IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The network layer.
    pub ip: Ip,
    /// The transport header.
    pub transport: Transport,
    /// What the transport carries.
    pub payload: Vec<u8>,
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than a header, or than its own length field says.
    #[error("truncated")]
    Truncated,
    /// Neither IPv4 nor IPv6.
    #[error("of IP version {0}")]
    Version(u8),
    /// A TCP data offset or option length that points outside of the header.
    #[error("with a damaged header")]
    Header,
    /// A piece of a fragmented datagram.
    #[error("a fragment")]
    Fragment,
}

/// Whether the checksums in a packet's bytes are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksums {
    /// The IPv4 header's; IPv6 has none.
    pub ip: bool,
    /// TCP's, UDP's or ICMP's.
    pub transport: bool,
}

impl Packet {
    /// Reads a packet that begins with its IP header. Bytes after the length in the IP header
    /// are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
        let (ip, protocol, rest) = ip::parse(bytes)?;
        let (transport, payload) = transport::parse(protocol, rest)?;
        Ok(Packet {
            ip,
            transport,
            payload: payload.to_vec(),
        })
    }

    /// The packet's bytes, with right lengths and checksums.
    pub fn emit(&self) -> Vec<u8> {
        let mut segment = Vec::with_capacity(60 + self.payload.len());
        self.transport.emit(self.payload.len(), &mut segment);
        segment.extend_from_slice(&self.payload);
        let protocol = self.transport.protocol_for(self.ip.src.is_ipv6());
        if let Some(at) = self.transport.checksum_at() {
            let sum = transport_sum(&self.ip, protocol, &segment).finish();
            // RFC 768: a computed UDP checksum of zero is sent as all ones.
            let sum = if protocol == protocol::UDP && sum == 0 {
                0xffff
            } else {
                sum
            };
            segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let mut out = Vec::with_capacity(40 + segment.len());
        self.ip.emit(protocol, segment.len(), &mut out);
        out.extend_from_slice(&segment);
        out
    }

    /// The TCP header, if this is TCP.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Source and destination, address and port; the ports of ICMP are 0.
    pub fn flow(&self) -> ((IpAddr, u16), (IpAddr, u16)) {
        let (from, to) = match &self.transport {
            Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Transport::Udp(udp) => (udp.src_port, udp.dst_port),
            Transport::Icmp(_) | Transport::Other(_) => (0, 0),
        };
        ((self.ip.src, from), (self.ip.dst, to))
    }
}

/// Checks the checksums of a packet that parses; `None` for bytes that do not.
pub fn verify_checksums(bytes: &[u8]) -> Option<Checksums> {
    let (ip, protocol, rest) = ip::parse(bytes).ok()?;
    let (transport, _) = transport::parse(protocol, rest).ok()?;
    let header = ip::header_len(bytes);
    let unset_udp = protocol == protocol::UDP && rest.get(6..8) == Some(&[0, 0]);
    Some(Checksums {
        ip: ip.src.is_ipv6() || Sum::default().bytes(&bytes[..header]).finish() == 0,
        transport: transport.checksum_at().is_none()
            || (unset_udp && ip.src.is_ipv4())
            || transport_sum(&ip, protocol, rest).finish() == 0,
    })
}

fn transport_sum(ip: &Ip, protocol: u8, segment: &[u8]) -> Sum {
    let sum = Sum::default();
    let sum = if protocol == protocol::ICMP {
        sum
    } else {
        sum.pseudo_header(ip.src, ip.dst, protocol, segment.len())
    };
    sum.bytes(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn syn(v6: bool) -> Packet {
        let (src, dst) = if v6 {
            ("fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1")
        } else {
            ("192.0.2.1", "192.168.0.1")
        };
        Packet {
            ip: Ip::new(src.parse().unwrap(), dst.parse().unwrap()),
            transport: Transport::Tcp(Tcp {
                src_port: 40_000,
                dst_port: 8080,
                seq: 5,
                ack: 0,
                flags: TcpFlags::SYN,
                window: 32792,
                urgent: 0,
                options: vec![
                    TcpOption::MaximumSegmentSize(1460),
                    TcpOption::NoOperation,
                    TcpOption::WindowScale(7),
                ],
            }),
            payload: b"odd".to_vec(),
        }
    }

    #[test]
    fn packets_survive_the_trip() {
        for v6 in [false, true] {
            let packet = syn(v6);
            let bytes = packet.emit();
            assert_eq!(Packet::parse(&bytes), Ok(packet));
            assert_eq!(
                verify_checksums(&bytes),
                Some(Checksums {
                    ip: true,
                    transport: true
                })
            );
        }
    }

    #[test]
    fn a_changed_byte_breaks_a_checksum() {
        let good = syn(false).emit();
        for at in 12..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let sums = verify_checksums(&bad);
            assert!(
                sums.is_none_or(|s| !s.ip || !s.transport),
                "byte {at} changed unnoticed"
            );
        }
    }

    #[test]
    fn no_prefix_panics_or_passes() {
        for v6 in [false, true] {
            let bytes = syn(v6).emit();
            for len in 0..bytes.len() {
                assert!(Packet::parse(&bytes[..len]).is_err(), "{len}");
            }
        }
    }

    #[test]
    fn udp_and_icmp_survive_too() {
        let mut packet = syn(false);
        packet.transport = Transport::Udp(Udp {
            src_port: 1,
            dst_port: 2,
        });
        assert_eq!(Packet::parse(&packet.emit()), Ok(packet.clone()));
        for v6 in [false, true] {
            let mut packet = syn(v6);
            packet.transport = Transport::Icmp(Icmp {
                kind: 3,
                code: 4,
                rest: 1200,
            });
            let bytes = packet.emit();
            assert_eq!(Packet::parse(&bytes), Ok(packet));
            assert!(verify_checksums(&bytes).unwrap().transport);
        }
    }

    #[test]
    fn a_summary_reads_like_a_script_line() {
        assert_eq!(
            syn(false).to_string(),
            "192.0.2.1:40000 > 192.168.0.1:8080: S 5:8(3) win 32792 <mss 1460,nop,wscale 7>"
        );
    }
}
