//! The names that scripts use, with their values on x86-64 Linux.
//!
//! Data, so that checker and engine share one truth.

mod errno;
mod file;
mod icmp;
mod ip;
mod selftests;
mod socket;
mod sockopt;
mod tcp;
mod tcp_info;
mod timestamping;

use std::collections::BTreeMap;

use crate::ast::Script;

pub use icmp::{ICMP_V4, ICMP_V6, IcmpType, code_number, type_number};
pub use selftests::IpVersion;
pub use tcp_info::{InfoField, SK_MEMINFO, TCP_CC_INFO, TCP_INFO};

/// Every table of names that may stand in an expression.
const TABLES: [&[(&str, i64)]; 7] = [
    socket::SOCKET,
    sockopt::SOCKOPT,
    ip::IP,
    tcp::TCP,
    file::FILE,
    timestamping::TIMESTAMPING,
    errno::ERRNO,
];

/// The value of `name`, such as `SOL_SOCKET`; `NULL` is 0.
#[must_use]
pub fn value(name: &str) -> Option<i64> {
    TABLES.iter().find_map(|table| find(table, name))
}

/// The number of the errno `name`, such as `ECONNRESET`.
#[must_use]
pub fn errno(name: &str) -> Option<i32> {
    find(errno::ERRNO, name).and_then(|number| i32::try_from(number).ok())
}

/// The name of an errno; of those that share a number, the usual one.
#[must_use]
pub fn errno_name(number: i32) -> Option<&'static str> {
    const ALIASES: [&str; 3] = ["EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"];
    let named = errno::ERRNO
        .iter()
        .filter(|(name, _)| !ALIASES.contains(name));
    named
        .into_iter()
        .find(|(_, value)| *value == i64::from(number))
        .map(|(name, _)| *name)
}

/// All names that may stand in an expression, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter().map(|(name, _)| *name))
}

/// All names of errnos, for suggestions.
pub fn errno_names() -> impl Iterator<Item = &'static str> {
    errno::ERRNO.iter().map(|(name, _)| *name)
}

fn find(table: &[(&str, i64)], name: &str) -> Option<i64> {
    let index = table
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    table.get(index).map(|(_, value)| *value)
}

/// What the user defined with `-D NAME=VALUE`, for use instead of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions(BTreeMap<String, String>);

impl Definitions {
    /// No definitions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Defines `name`; a later definition replaces an earlier one.
    pub fn define(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The same with the `--define=NAME=VALUE` lines of `script`.
    #[must_use]
    pub fn with_lines_of(mut self, script: &Script) -> Self {
        for line in script
            .options
            .iter()
            .filter(|line| line.name.node == "define")
        {
            let text = line
                .value
                .as_ref()
                .map(|value| value.to_string())
                .unwrap_or_default();
            if let Some((name, value)) = text.split_once('=') {
                self.define(name, value);
            }
        }
        self
    }

    /// What `name` was defined as.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The defined names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The number that `name` stands for: a definition, which may be a number
    /// (decimal or `0x…`) or another known name, or else a known name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<i64> {
        let Some(defined) = self.get(name) else {
            return value(name);
        };
        match defined.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok().map(|bits| bits as i64),
            None => defined.parse().ok().or_else(|| value(defined)),
        }
    }

    /// The string that `name` stands for, if it was defined between double quotes.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.get(name)?.strip_prefix('"')?.strip_suffix('"')
    }

    /// The octets that `name` stands for, if it was defined as pairs of
    /// hexadecimal digits.
    #[must_use]
    pub fn octets(&self, name: &str) -> Option<Vec<u8>> {
        let digits = self.get(name)?;
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let even = !digits.is_empty() && digits.len().is_multiple_of(2);
        if !even || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
            .collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Definitions {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        for table in TABLES {
            assert!(table.is_sorted_by(|a, b| a.0 < b.0), "{:?}", table.first());
        }
    }

    #[test]
    fn a_name_has_one_value() {
        let mut seen = BTreeMap::new();
        for (name, value) in TABLES.iter().flat_map(|table| table.iter()) {
            assert_eq!(seen.insert(name, value), None, "{name}");
        }
    }

    #[test]
    fn values_are_the_kernels() {
        assert_eq!(value("SOL_SOCKET"), Some(1));
        assert_eq!(value("MSG_ZEROCOPY"), Some(0x400_0000));
        assert_eq!(value("EPOLLET"), Some(1 << 31));
        assert_eq!(value("TCP_CLOSE"), Some(7));
        assert_eq!(value("IPPROTO_TCP"), Some(6));
        assert_eq!(value("NO_SUCH_NAME"), None);
        assert_eq!(errno("EINPROGRESS"), Some(115));
        assert_eq!(errno_name(11), Some("EAGAIN"));
    }

    #[test]
    fn definitions_stand_for_numbers_names_octets_and_strings() {
        let definitions: Definitions = [
            ("LEVEL", "SOL_IP"),
            ("SIZE", "0x10"),
            ("COOKIE", "3021b9d889017eeb"),
            ("CONTROL", "\"reno\""),
        ]
        .into_iter()
        .collect();
        assert_eq!(definitions.value("LEVEL"), Some(0));
        assert_eq!(definitions.value("SIZE"), Some(16));
        assert_eq!(definitions.value("SOL_TCP"), Some(6));
        assert_eq!(definitions.value("COOKIE"), None);
        assert_eq!(
            definitions.octets("COOKIE").map(|octets| octets.len()),
            Some(8)
        );
        assert_eq!(definitions.octets("LEVEL"), None);
        assert_eq!(definitions.string("CONTROL"), Some("reno"));
        assert_eq!(definitions.value("CONTROL"), None);
        assert_eq!(definitions.string("LEVEL"), None);
    }

    #[test]
    fn icmp_names_have_numbers() {
        assert_eq!(type_number(ICMP_V4, "unreachable"), Some(3));
        assert_eq!(code_number(ICMP_V4, "unreachable", "frag_needed"), Some(4));
        assert_eq!(type_number(ICMP_V6, "packet_too_big"), Some(2));
        assert_eq!(
            code_number(ICMP_V6, "unreachable", "admin_prohibited"),
            Some(1)
        );
        assert_eq!(type_number(ICMP_V4, "type_255"), Some(255));
        assert_eq!(type_number(ICMP_V4, "type_256"), None);
        assert_eq!(code_number(ICMP_V4, "type_3", "code_9"), Some(9));
    }

    #[test]
    fn fields_lie_in_their_order_and_read_their_bits() {
        assert!(TCP_INFO.is_sorted_by_key(|field| (field.offset, field.shift)));
        let wscale = TCP_INFO
            .iter()
            .find(|field| field.name == "tcpi_rcv_wscale");
        let info = [0, 0, 0, 0, 0, 0, 0x78, 0];
        assert_eq!(wscale.and_then(|field| field.read(&info)), Some(7));
        let rto = TCP_INFO.iter().find(|field| field.name == "tcpi_rto");
        assert_eq!(rto.and_then(|field| field.read(&info)), None);
    }
}
