//! Packets: direction, headers around, and what is inside.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Sequence, Spanned, TcpPacket};

/// A number written as a literal or as a name defined on the command line
/// (`-D NAME=VALUE`), such as `mss MSS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number<T> {
    /// Written out.
    Literal(T),
    /// To be looked up among the definitions.
    Named(String),
}

/// Which way a packet goes, seen from the kernel under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`: injected into the kernel.
    Inbound,
    /// `>`: expected from the kernel.
    Outbound,
}

/// A packet line.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Which way it goes.
    pub direction: Spanned<Direction>,
    /// Headers around the packet's own, the outermost first. Empty for most.
    pub encapsulation: Vec<Spanned<Encapsulation>>,
    /// What the brackets say of the IP header.
    pub ip: IpInfo,
    /// The packet itself.
    pub body: PacketBody,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq)]
pub enum PacketBody {
    /// A TCP segment.
    Tcp(TcpPacket),
    /// A UDP datagram.
    Udp(UdpPacket),
    /// An ICMP or ICMPv6 message.
    Icmp(IcmpPacket),
}

/// `[…]` before the flags: fields of the IP header. What is not given is not
/// set (inbound: zero) and not checked (outbound).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpInfo {
    /// `[ect0]` and its like.
    pub ecn: Option<Spanned<IpEcn>>,
    /// `[tos 0x28]`: the whole octet (IPv6: the traffic class).
    pub tos: Option<Spanned<u8>>,
    /// `[flowlabel 0x1]`: IPv6's flow label.
    pub flow_label: Option<Spanned<u32>>,
    /// `[ttl 64]`: time to live (IPv6: hop limit).
    pub ttl: Option<Spanned<u8>>,
}

/// The ECN bits of the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpEcn {
    /// `noecn`: 00.
    NotEct,
    /// `ect1`: 01.
    Ect1,
    /// `ect0`: 10.
    Ect0,
    /// `ce`: 11.
    Ce,
    /// `ect01`: either ECT(0) or ECT(1) (outbound only).
    Ect01,
}

/// `udp (LEN)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpPacket {
    /// Octets of payload.
    pub payload_len: Spanned<u16>,
}

/// `icmp TYPE CODE mtu MTU [ECHOED]`. The word is `icmp` for ICMPv6 too; the
/// IP version of the packet says which is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpPacket {
    /// The part of the offending packet that it quotes.
    pub echoed: Option<Spanned<Echoed>>,
    /// Type: a name of the symbols module's ICMP tables (`unreachable`), or
    /// `type_3`.
    pub icmp_type: Spanned<String>,
    /// Code: a name (`frag_needed`), or `code_4`.
    pub code: Option<Spanned<String>>,
    /// The next hop's MTU, for the messages that have one.
    pub mtu: Option<Spanned<u32>>,
}

/// What an ICMP message quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echoed {
    /// `[1:1461(1460)]`: a TCP segment with these sequence numbers.
    Tcp(Sequence),
    /// `[udp (1000)]`: a UDP datagram with so many octets.
    Udp(u16),
}

/// One header around the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encapsulation {
    /// `ipv4 A > B:`
    Ipv4 {
        /// Source address.
        source: Ipv4Addr,
        /// Destination address.
        destination: Ipv4Addr,
    },
    /// `ipv6 A > B:`
    Ipv6 {
        /// Source address.
        source: Ipv6Addr,
        /// Destination address.
        destination: Ipv6Addr,
    },
    /// `gre:` or `gre flags 0xb000, sum 511, …:`
    Gre(GreHeader),
    /// `mpls (label 123, tc 1, [S], ttl 255) …:`: the stack, top first.
    Mpls(Vec<MplsEntry>),
    /// `psp spi 12, vc 0x1:`, or after `encap`, in transport mode.
    Psp(PspHeader),
}

/// A GRE header; `None` is a field that was not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GreHeader {
    /// Flags and version, in host order.
    pub flags: Option<u16>,
    /// Checksum.
    pub checksum: Option<u16>,
    /// Offset.
    pub offset: Option<u16>,
    /// Key.
    pub key: Option<u32>,
    /// Sequence number.
    pub sequence: Option<u32>,
}

/// One entry of an MPLS label stack (RFC 3032).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MplsEntry {
    /// Label, 20 bits.
    pub label: u32,
    /// Traffic class, 3 bits.
    pub traffic_class: u8,
    /// `[S]`: bottom of the stack.
    pub bottom: bool,
    /// Time to live.
    pub ttl: u8,
}

/// A PSP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PspHeader {
    /// Security parameters index.
    pub spi: u32,
    /// Virtualization cookie.
    pub virtual_cookie: Option<u64>,
    /// Whether it followed `encap` (transport mode: no IP header of its own).
    pub transport_mode: bool,
}
