//! Packets as text.

use std::fmt;

use super::joined;
use crate::ast::{
    AccEcnField, Bytes, Direction, Echoed, Encapsulation, GreHeader, IcmpPacket, IpEcn, IpInfo,
    MplsEntry, Number, Packet, PacketBody, PspHeader, SackBlock, Sequence, TcpFlags, TcpOption,
    TcpOptions, TcpPacket,
};

impl fmt::Display for Packet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.direction.node {
            Direction::Inbound => "< ",
            Direction::Outbound => "> ",
        })?;
        for header in &self.encapsulation {
            write!(out, "{} ", header.node)?;
        }
        write!(out, "{}", self.ip)?;
        match &self.body {
            PacketBody::Tcp(segment) => write!(out, "{segment}"),
            PacketBody::Udp(datagram) => write!(out, "udp ({})", datagram.payload_len.node),
            PacketBody::Icmp(message) => write!(out, "{message}"),
        }
    }
}

impl fmt::Display for IpInfo {
    /// With a blank after it; nothing if nothing is given.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Vec::new();
        fields.extend(self.ecn.map(|ecn| ecn.node.to_string()));
        fields.extend(self.tos.map(|tos| format!("tos {:#x}", tos.node)));
        fields.extend(
            self.flow_label
                .map(|label| format!("flowlabel {:#x}", label.node)),
        );
        fields.extend(self.ttl.map(|ttl| format!("ttl {}", ttl.node)));
        if fields.is_empty() {
            Ok(())
        } else {
            write!(out, "[{}] ", fields.join(", "))
        }
    }
}

impl fmt::Display for IpEcn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotEct => "noecn",
            Self::Ect0 => "ect0",
            Self::Ect1 => "ect1",
            Self::Ect01 => "ect01",
            Self::Ce => "ce",
        })
    }
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4 {
                source,
                destination,
            } => write!(out, "ipv4 {source} > {destination}:"),
            Self::Ipv6 {
                source,
                destination,
            } => write!(out, "ipv6 {source} > {destination}:"),
            Self::Gre(header) => write!(out, "gre{header}:"),
            Self::Mpls(stack) => {
                out.write_str("mpls ")?;
                joined(out, stack, " ")?;
                out.write_str(":")
            }
            Self::Psp(header) if header.transport_mode => write!(out, "encap {header}"),
            Self::Psp(header) => write!(out, "{header}:"),
        }
    }
}

impl fmt::Display for GreHeader {
    /// The given fields, each with what separates it from what comes before.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Vec::new();
        fields.extend(self.flags.map(|flags| format!(" flags {flags:#x}")));
        fields.extend(self.checksum.map(|sum| format!(" sum {sum}")));
        fields.extend(self.offset.map(|offset| format!(" off {offset}")));
        fields.extend(self.key.map(|key| format!(" key {key:#x}")));
        fields.extend(self.sequence.map(|sequence| format!(" seq {sequence}")));
        joined(out, fields, ",")
    }
}

impl fmt::Display for MplsEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bottom = if self.bottom { "[S], " } else { "" };
        write!(
            out,
            "(label {}, tc {}, {bottom}ttl {})",
            self.label, self.traffic_class, self.ttl
        )
    }
}

impl fmt::Display for PspHeader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "psp spi {:#x}", self.spi)?;
        self.virtual_cookie
            .map_or(Ok(()), |cookie| write!(out, ", vc {cookie:#x}"))
    }
}

impl fmt::Display for IcmpPacket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "icmp {}", self.icmp_type.node)?;
        if let Some(code) = &self.code {
            write!(out, " {}", code.node)?;
        }
        if let Some(mtu) = &self.mtu {
            write!(out, " mtu {}", mtu.node)?;
        }
        match self.echoed.as_deref() {
            None => Ok(()),
            Some(Echoed::Tcp(sequence)) => write!(out, " [{sequence}]"),
            Some(Echoed::Udp(len)) => write!(out, " [udp ({len})]"),
        }
    }
}

impl fmt::Display for TcpPacket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.flags.node, self.sequence.node)?;
        if let Some(ack) = self.ack {
            write!(out, " ack {}", ack.node)?;
        }
        if let Some(window) = self.window {
            write!(out, " win {}", window.node)?;
        }
        if let Some(urgent) = self.urgent {
            write!(out, " urg {}", urgent.node)?;
        }
        match &self.options {
            TcpOptions::Absent => Ok(()),
            TcpOptions::Any => out.write_str(" <...>"),
            TcpOptions::List(list) => {
                out.write_str(" <")?;
                joined(out, list.iter().map(|option| &option.node), ",")?;
                out.write_str(">")
            }
        }
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Self::LETTERS.iter().filter(|(_, bit)| self.bits & bit != 0);
        let mut text: String = letters.map(|(letter, _)| *letter).collect();
        text.extend(self.ace.map(|ace| ace.to_string()));
        out.write_str(if text.is_empty() { "-" } else { &text })
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}({})", self.start, self.end, self.payload_len)
    }
}

impl fmt::Display for SackBlock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.left, self.right)
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndOfList => out.write_str("eol"),
            Self::NoOperation => out.write_str("nop"),
            Self::MaximumSegmentSize(Number::Literal(size)) => write!(out, "mss {size}"),
            Self::MaximumSegmentSize(Number::Named(name)) => write!(out, "mss {name}"),
            Self::WindowScale(shift) => write!(out, "wscale {shift}"),
            Self::SackPermitted => out.write_str("sackOK"),
            Self::Sack(blocks) => {
                out.write_str("sack ")?;
                joined(out, blocks, " ")
            }
            Self::Timestamps { val, ecr } => write!(out, "TS val {val} ecr {ecr}"),
            Self::Md5(digest) => named_bytes(out, "md5", digest.as_ref()),
            Self::FastOpen(cookie) => named_bytes(out, "FO", cookie.as_ref()),
            Self::FastOpenExperimental(cookie) => named_bytes(out, "FOEXP", cookie.as_ref()),
            Self::AccEcn(fields) => {
                out.write_str("ECN ")?;
                joined(out, fields, " ")
            }
            Self::Unknown { kind, data } if data.is_empty() => write!(out, "kind {kind}"),
            Self::Unknown { kind, data } => {
                write!(out, "kind {kind} ")?;
                hex(out, data)
            }
        }
    }
}

impl fmt::Display for AccEcnField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ect0(octets) => write!(out, "e0b {octets}"),
            Self::Ce(octets) => write!(out, "ceb {octets}"),
            Self::Ect1(octets) => write!(out, "e1b {octets}"),
        }
    }
}

fn named_bytes(out: &mut fmt::Formatter<'_>, name: &str, bytes: Option<&Bytes>) -> fmt::Result {
    out.write_str(name)?;
    match bytes {
        None => Ok(()),
        Some(Bytes::Named(defined)) => write!(out, " {defined}"),
        Some(Bytes::Literal(octets)) => {
            out.write_str(" ")?;
            hex(out, octets)
        }
    }
}

fn hex(out: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets
        .iter()
        .try_for_each(|octet| write!(out, "{octet:02x}"))
}
