//! TCP options: their bytes and their meaning.

use std::fmt;

/// Option kinds (IANA, "TCP Option Kind Numbers").
mod kind {
    pub const EOL: u8 = 0;
    pub const NOP: u8 = 1;
    pub const MSS: u8 = 2;
    pub const WINDOW_SCALE: u8 = 3;
    pub const SACK_PERMITTED: u8 = 4;
    pub const SACK: u8 = 5;
    pub const TIMESTAMP: u8 = 8;
    pub const MD5: u8 = 19;
    pub const FAST_OPEN: u8 = 34;
    pub const ACC_ECN_0: u8 = 172;
    pub const ACC_ECN_1: u8 = 174;
    pub const EXPERIMENT: u8 = 254;
}

/// The experiment identifier of TCP Fast Open before it had a kind of its own (RFC 7413 §4.1.1).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// One TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// End of the list.
    EndOfList,
    /// Padding.
    NoOperation,
    /// Maximum segment size.
    MaximumSegmentSize(u16),
    /// Window scale: the shift count.
    WindowScale(u8),
    /// SACK permitted.
    SackPermitted,
    /// SACK blocks, left and right edge.
    Sack(Vec<(u32, u32)>),
    /// Timestamps (RFC 7323).
    Timestamp {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// TCP Fast Open cookie; empty is a request.
    FastOpen {
        /// The cookie.
        cookie: Vec<u8>,
        /// Sent as kind 254 with a magic instead of kind 34.
        experimental: bool,
    },
    /// TCP MD5 signature (RFC 2385).
    Md5([u8; 16]),
    /// Accurate ECN byte counters, 24 bits each, in the order of the wire.
    AccEcn {
        /// Kind 174 (`e1b` first) instead of 172 (`e0b` first).
        order1: bool,
        /// At most three counters.
        counters: Vec<u32>,
    },
    /// Anything else, or a known kind with a length it should not have.
    Unknown {
        /// Kind.
        kind: u8,
        /// What follows the length byte.
        data: Vec<u8>,
    },
}

impl TcpOption {
    /// Appends the option's bytes.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            TcpOption::EndOfList => out.push(kind::EOL),
            TcpOption::NoOperation => out.push(kind::NOP),
            TcpOption::MaximumSegmentSize(mss) => put(out, kind::MSS, &[&mss.to_be_bytes()]),
            TcpOption::WindowScale(shift) => put(out, kind::WINDOW_SCALE, &[&[*shift]]),
            TcpOption::SackPermitted => put(out, kind::SACK_PERMITTED, &[]),
            TcpOption::Sack(blocks) => {
                out.extend([kind::SACK, (2 + blocks.len() * 8) as u8]);
                for (left, right) in blocks {
                    out.extend(left.to_be_bytes());
                    out.extend(right.to_be_bytes());
                }
            }
            TcpOption::Timestamp { val, ecr } => put(
                out,
                kind::TIMESTAMP,
                &[&val.to_be_bytes(), &ecr.to_be_bytes()],
            ),
            TcpOption::FastOpen {
                cookie,
                experimental: false,
            } => put(out, kind::FAST_OPEN, &[cookie]),
            TcpOption::FastOpen {
                cookie,
                experimental: true,
            } => put(out, kind::EXPERIMENT, &[&FAST_OPEN_MAGIC, cookie]),
            TcpOption::Md5(digest) => put(out, kind::MD5, &[digest]),
            TcpOption::AccEcn { order1, counters } => {
                let kind = if *order1 {
                    kind::ACC_ECN_1
                } else {
                    kind::ACC_ECN_0
                };
                out.extend([kind, (2 + counters.len() * 3) as u8]);
                for counter in counters {
                    out.extend(&counter.to_be_bytes()[1..]);
                }
            }
            TcpOption::Unknown { kind, data } => put(out, *kind, &[data]),
        }
    }

    fn understand(kind: u8, data: &[u8]) -> TcpOption {
        let unknown = || TcpOption::Unknown {
            kind,
            data: data.to_vec(),
        };
        match (kind, data) {
            (kind::MSS, [a, b]) => TcpOption::MaximumSegmentSize(u16::from_be_bytes([*a, *b])),
            (kind::WINDOW_SCALE, [shift]) => TcpOption::WindowScale(*shift),
            (kind::SACK_PERMITTED, []) => TcpOption::SackPermitted,
            (kind::SACK, data) if data.len() % 8 == 0 => TcpOption::Sack(
                data.as_chunks::<8>()
                    .0
                    .iter()
                    .map(|b| (word(&b[..4]), word(&b[4..])))
                    .collect(),
            ),
            (kind::TIMESTAMP, data) if data.len() == 8 => TcpOption::Timestamp {
                val: word(&data[..4]),
                ecr: word(&data[4..]),
            },
            (kind::MD5, data) => data.try_into().map_or_else(|_| unknown(), TcpOption::Md5),
            (kind::FAST_OPEN, cookie) => TcpOption::FastOpen {
                cookie: cookie.to_vec(),
                experimental: false,
            },
            (kind::EXPERIMENT, data) => match data.strip_prefix(&FAST_OPEN_MAGIC) {
                Some(cookie) => TcpOption::FastOpen {
                    cookie: cookie.to_vec(),
                    experimental: true,
                },
                None => unknown(),
            },
            (kind::ACC_ECN_0 | kind::ACC_ECN_1, data) if data.len() % 3 == 0 && data.len() <= 9 => {
                TcpOption::AccEcn {
                    order1: kind == kind::ACC_ECN_1,
                    counters: data
                        .as_chunks::<3>()
                        .0
                        .iter()
                        .map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c]))
                        .collect(),
                }
            }
            _ => unknown(),
        }
    }
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    out.extend([kind, (2 + len) as u8]);
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |w, b| (w << 8) | u32::from(*b))
}

/// Reads the option bytes of a header. `None` when a length points outside of them.
///
/// Every end-of-list byte is an option of its own, so that padding is compared too.
pub fn parse_options(mut bytes: &[u8]) -> Option<Vec<TcpOption>> {
    let mut options = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        bytes = match *kind {
            kind::EOL => {
                options.push(TcpOption::EndOfList);
                rest
            }
            kind::NOP => {
                options.push(TcpOption::NoOperation);
                rest
            }
            kind => {
                let (len, rest) = rest.split_first()?;
                let (data, rest) = rest.split_at_checked(usize::from(*len).checked_sub(2)?)?;
                options.push(TcpOption::understand(kind, data));
                rest
            }
        };
    }
    Some(options)
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::EndOfList => f.write_str("eol"),
            TcpOption::NoOperation => f.write_str("nop"),
            TcpOption::MaximumSegmentSize(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks
                    .iter()
                    .try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOption::Timestamp { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
            TcpOption::FastOpen {
                cookie,
                experimental,
            } => {
                f.write_str(if *experimental { "FOEXP" } else { "FO" })?;
                if !cookie.is_empty() {
                    f.write_str(" ")?;
                }
                hex(f, cookie)
            }
            TcpOption::Md5(digest) => {
                f.write_str("md5 ")?;
                hex(f, digest)
            }
            TcpOption::AccEcn { order1, counters } => {
                let names = if *order1 {
                    ["e1b", "ceb", "e0b"]
                } else {
                    ["e0b", "ceb", "e1b"]
                };
                f.write_str("ECN")?;
                names
                    .iter()
                    .zip(counters)
                    .try_for_each(|(name, n)| write!(f, " {name} {n}"))
            }
            TcpOption::Unknown { kind, data } => {
                write!(f, "kind {kind} 0x")?;
                hex(f, data)
            }
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

/// Options as a script writes them, with the angle brackets.
pub fn show_options(options: &[TcpOption]) -> String {
    let list: Vec<String> = options.iter().map(ToString::to_string).collect();
    format!("<{}>", list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_trip() {
        let all = vec![
            TcpOption::MaximumSegmentSize(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamp { val: 100, ecr: 7 },
            TcpOption::NoOperation,
            TcpOption::WindowScale(8),
            TcpOption::Sack(vec![(1, 1001), (3001, 4001)]),
            TcpOption::FastOpen {
                cookie: vec![1, 2, 3, 4],
                experimental: false,
            },
            TcpOption::FastOpen {
                cookie: vec![],
                experimental: true,
            },
            TcpOption::Md5([7; 16]),
            TcpOption::AccEcn {
                order1: true,
                counters: vec![1, 0, 0xff_ffff],
            },
            TcpOption::Unknown {
                kind: 99,
                data: vec![5, 6],
            },
            TcpOption::EndOfList,
            TcpOption::EndOfList,
        ];
        let mut bytes = Vec::new();
        for option in &all {
            option.emit(&mut bytes);
        }
        assert_eq!(parse_options(&bytes), Some(all));
    }

    #[test]
    fn a_length_outside_is_no_option() {
        assert_eq!(parse_options(&[2, 4, 5]), None);
        assert_eq!(parse_options(&[2, 1, 5]), None);
        assert_eq!(parse_options(&[2]), None);
    }

    #[test]
    fn options_read_as_scripts_write_them() {
        let options = parse_options(&[2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2]).unwrap();
        assert_eq!(show_options(&options), "<mss 1460,nop,wscale 7,sackOK>");
    }
}
