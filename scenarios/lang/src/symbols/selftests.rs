//! What the kernel's own runner defines for its scripts.

use super::Definitions;

/// The three ways in which a script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpVersion {
    /// `ipv4`: IPv4 sockets and packets.
    V4,
    /// `ipv6`: IPv6 sockets and packets.
    V6,
    /// `ipv4-mapped-ipv6`: IPv6 sockets, IPv4 packets.
    V4Mapped,
}

impl IpVersion {
    /// All three, in the order in which the kernel's runner takes them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::V4Mapped];

    /// The word after `--ip_version=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
            Self::V4Mapped => "ipv4-mapped-ipv6",
        }
    }
}

impl std::fmt::Display for IpVersion {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Definitions {
    /// What `ksft_runner.sh` of Linux 7.3 defines: the fast-open cookies of its
    /// key and addresses, and the level and type of the error queue's messages.
    #[must_use]
    pub fn of_selftests(ip_version: IpVersion) -> Self {
        let (cookie, zero) = match ip_version {
            IpVersion::V4 | IpVersion::V4Mapped => ("3021b9d889017eeb", "b7c12350a90dc8f5"),
            IpVersion::V6 => ("c1d1e9742a47a9bc", "82af1a8f9a205c34"),
        };
        let (level, kind) = match ip_version {
            IpVersion::V4 => ("SOL_IP", "IP_RECVERR"),
            IpVersion::V6 | IpVersion::V4Mapped => ("SOL_IPV6", "IPV6_RECVERR"),
        };
        [
            ("TFO_COOKIE", cookie),
            ("TFO_COOKIE_ZERO", zero),
            ("CMSG_LEVEL_IP", level),
            ("CMSG_TYPE_RECVERR", kind),
        ]
        .into_iter()
        .collect()
    }
}
