//! A packet in one line, with live numbers.

use std::fmt;
use std::net::IpAddr;

use super::{Packet, TcpFlags, Transport, show_options};

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((src, from), (dst, to)) = self.flow();
        write!(f, "{} > {}: ", End(src, from), End(dst, to))?;
        f.write_str(&self.gist())
    }
}

impl Packet {
    /// The transport part in a script's notation, without addresses.
    pub fn gist(&self) -> String {
        let len = self.payload.len();
        match &self.transport {
            Transport::Tcp(tcp) => {
                let end = tcp.seq.wrapping_add(len as u32);
                let mut line = format!("{} {}:{end}({len})", tcp.flags, tcp.seq);
                if tcp.flags.has(TcpFlags::ACK) {
                    line += &format!(" ack {}", tcp.ack);
                }
                line += &format!(" win {}", tcp.window);
                if tcp.flags.has(TcpFlags::URG) {
                    line += &format!(" urg {}", tcp.urgent);
                }
                if !tcp.options.is_empty() {
                    line += &format!(" {}", show_options(&tcp.options));
                }
                line
            }
            Transport::Udp(_) => format!("udp ({len})"),
            Transport::Icmp(icmp) => format!(
                "{} type {} code {} ({len})",
                if self.ip.src.is_ipv6() {
                    "icmpv6"
                } else {
                    "icmp"
                },
                icmp.kind,
                icmp.code
            ),
            Transport::Other(number) => format!("protocol {number} ({len})"),
        }
    }
}

/// An address with its port, if it has one.
struct End(IpAddr, u16);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End(address, 0) => write!(f, "{address}"),
            End(IpAddr::V4(address), port) => write!(f, "{address}:{port}"),
            End(IpAddr::V6(address), port) => write!(f, "[{address}]:{port}"),
        }
    }
}
