//! TCP segments, named as in RFC 9293.

use super::{Number, Spanned};

/// `FLAGS SEQ ack N win N urg N <OPTIONS>`.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpPacket {
    /// Control bits.
    pub flags: Spanned<TcpFlags>,
    /// Sequence numbers and payload length.
    pub sequence: Spanned<Sequence>,
    /// Acknowledgment number, relative like the script's others.
    pub ack: Option<Spanned<u32>>,
    /// Window field, unscaled. Not given: 0 (inbound), not checked (outbound).
    pub window: Option<Spanned<u16>>,
    /// Urgent pointer. Not given: 0 (inbound), not checked (outbound).
    pub urgent: Option<Spanned<u16>>,
    /// Options.
    pub options: TcpOptions,
}

/// The control bits of a segment as written: letters, and perhaps a digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags {
    /// The bits that letters named, as in the header ([`TcpFlags::FIN`] …).
    pub bits: u16,
    /// `P.5`: the three bits of AccECN's ACE field (AE, CWR, ECE) as a number.
    pub ace: Option<u8>,
}

impl TcpFlags {
    /// `F`
    pub const FIN: u16 = 0x001;
    /// `S`
    pub const SYN: u16 = 0x002;
    /// `R`
    pub const RST: u16 = 0x004;
    /// `P`
    pub const PSH: u16 = 0x008;
    /// `.`
    pub const ACK: u16 = 0x010;
    /// `U`
    pub const URG: u16 = 0x020;
    /// `E`
    pub const ECE: u16 = 0x040;
    /// `W`
    pub const CWR: u16 = 0x080;
    /// `A`: accurate ECN, once NS.
    pub const AE: u16 = 0x100;

    /// Letters and bits, in the order in which they are printed.
    pub const LETTERS: [(char, u16); 9] = [
        ('S', Self::SYN),
        ('E', Self::ECE),
        ('W', Self::CWR),
        ('A', Self::AE),
        ('F', Self::FIN),
        ('R', Self::RST),
        ('P', Self::PSH),
        ('U', Self::URG),
        ('.', Self::ACK),
    ];

    /// All nine bits as they stand in the header, the ACE digit's among them.
    #[must_use]
    pub const fn header_bits(self) -> u16 {
        match self.ace {
            Some(ace) => self.bits | ((ace as u16 & 7) << 6),
            None => self.bits,
        }
    }

    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u16) -> bool {
        self.header_bits() & bits == bits
    }
}

/// `START:END(LEN)`, relative to the initial sequence number of its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// First sequence number.
    pub start: u32,
    /// One past the payload's last, SYN and FIN not counted.
    pub end: u32,
    /// Octets of payload; more than a segment's worth is a super-segment (GSO).
    pub payload_len: u32,
}

/// The options of a segment.
#[derive(Debug, Clone, PartialEq)]
pub enum TcpOptions {
    /// Nothing was written: none to send, none expected.
    Absent,
    /// `<...>`: not checked (outbound only).
    Any,
    /// `<mss 1460,…>`: exactly these in this order; padding is added to the
    /// next 32-bit boundary only where the script's own options need it.
    List(Vec<Spanned<TcpOption>>),
}

/// Octets written out as hexadecimal digits, or a name for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// `abcd1234`
    Literal(Vec<u8>),
    /// `TFO_COOKIE`, defined on the command line.
    Named(String),
}

/// One TCP option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpOption {
    /// `eol`, kind 0.
    EndOfList,
    /// `nop`, kind 1.
    NoOperation,
    /// `mss N`, kind 2.
    MaximumSegmentSize(Number<u16>),
    /// `wscale N`, kind 3.
    WindowScale(u8),
    /// `sackOK`, kind 4.
    SackPermitted,
    /// `sack A:B C:D`, kind 5.
    Sack(Vec<SackBlock>),
    /// `TS val N ecr N`, kind 8.
    Timestamps {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// `md5 HEX`, kind 19; without digits the digest is not checked.
    Md5(Option<Bytes>),
    /// `FO COOKIE`, kind 34; no cookie is a request for one.
    FastOpen(Option<Bytes>),
    /// `FOEXP COOKIE`, kind 254 with magic 0xF989.
    FastOpenExperimental(Option<Bytes>),
    /// `ECN e1b N ceb N e0b N`: AccECN's byte counters, kinds 172 (order 0,
    /// e0b first) and 174 (order 1, e1b first), in the order written; later
    /// ones may be left out.
    AccEcn(Vec<AccEcnField>),
    /// `kind N 0xHEX`: any other kind; data without kind and length octets.
    Unknown {
        /// Option kind.
        kind: u8,
        /// Its data.
        data: Vec<u8>,
    },
}

/// One block of a SACK option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SackBlock {
    /// First sequence number of the block.
    pub left: u32,
    /// One past its last.
    pub right: u32,
}

/// One byte counter of AccECN (24 bits each).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccEcnField {
    /// `e0b`: octets that came with ECT(0).
    Ect0(u32),
    /// `ceb`: octets that came with CE.
    Ce(u32),
    /// `e1b`: octets that came with ECT(1).
    Ect1(u32),
}
