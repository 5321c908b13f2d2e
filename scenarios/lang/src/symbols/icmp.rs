//! Types and codes of ICMP (RFC 792 and those after it) and ICMPv6 (RFC 4443).

/// A type of message with the names of its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpType {
    /// Name, as scripts write it.
    pub name: &'static str,
    /// Number.
    pub number: u8,
    /// Codes by name.
    pub codes: &'static [(&'static str, u8)],
    /// Whether the message has an MTU (for `unreachable`: with `frag_needed`).
    pub has_mtu: bool,
}

/// A type without named codes.
const fn plain(name: &'static str, number: u8) -> IcmpType {
    IcmpType {
        name,
        number,
        codes: &[],
        has_mtu: false,
    }
}

/// ICMP for IPv4.
pub const ICMP_V4: &[IcmpType] = &[
    plain("echo_reply", 0),
    IcmpType {
        name: "unreachable",
        number: 3,
        codes: &[
            ("net_unreachable", 0),
            ("host_unreachable", 1),
            ("protocol_unreachable", 2),
            ("port_unreachable", 3),
            ("frag_needed", 4),
            ("source_route_failed", 5),
            ("net_unknown", 6),
            ("host_unknown", 7),
            ("source_host_isolated", 8),
            ("net_prohibited", 9),
            ("host_prohibited", 10),
            ("net_unreachable_for_tos", 11),
            ("host_unreachable_for_tos", 12),
            ("packet_filtered", 13),
            ("precedence_violation", 14),
            ("precedence_cutoff", 15),
        ],
        has_mtu: true,
    },
    plain("source_quench", 4),
    plain("redirect", 5),
    plain("echo_request", 8),
    IcmpType {
        name: "time_exceeded",
        number: 11,
        codes: &[("exc_ttl", 0), ("exc_fragtime", 1)],
        has_mtu: false,
    },
    plain("parameter_problem", 12),
    plain("timestamp_request", 13),
    plain("timestamp_reply", 14),
    plain("information_request", 15),
    plain("information_reply", 16),
    plain("address_mask_request", 17),
    plain("address_mask_reply", 18),
];

/// ICMP for IPv6.
pub const ICMP_V6: &[IcmpType] = &[
    IcmpType {
        name: "unreachable",
        number: 1,
        codes: &[
            ("net_unreachable", 0),
            ("no_route", 0),
            ("noroute", 0),
            ("adm_prohibited", 1),
            ("admin_prohibited", 1),
            ("not_neighbour", 2),
            ("addr_unreach", 3),
            ("addr_unreachable", 3),
            ("address_unreachable", 3),
            ("port_unreach", 4),
            ("port_unreachable", 4),
        ],
        has_mtu: false,
    },
    IcmpType {
        name: "packet_too_big",
        number: 2,
        codes: &[],
        has_mtu: true,
    },
    IcmpType {
        name: "time_exceeded",
        number: 3,
        codes: &[
            ("exc_hoplimit", 0),
            ("exceeded_hop_limit", 0),
            ("exc_fragtime", 1),
            ("exceeded_frag_time", 1),
        ],
        has_mtu: false,
    },
    IcmpType {
        name: "parameter_problem",
        number: 4,
        codes: &[
            ("hdr_field", 0),
            ("header_field", 0),
            ("unk_nexthdr", 1),
            ("unknown_next_header", 1),
            ("unk_option", 2),
            ("unknown_option", 2),
        ],
        has_mtu: false,
    },
    plain("echo_request", 128),
    plain("echo_reply", 129),
];

/// The number of a type: by name, or `type_N`.
#[must_use]
pub fn type_number(table: &[IcmpType], name: &str) -> Option<u8> {
    let known = table
        .iter()
        .find(|known| known.name == name)
        .map(|known| known.number);
    known.or_else(|| name.strip_prefix("type_")?.parse().ok())
}

/// The number of a code of the type `icmp_type`: by name, or `code_N`.
#[must_use]
pub fn code_number(table: &[IcmpType], icmp_type: &str, name: &str) -> Option<u8> {
    let codes = table
        .iter()
        .find(|known| known.name == icmp_type)
        .map(|known| known.codes);
    let known = codes.and_then(|codes| codes.iter().find(|(code, _)| *code == name));
    known
        .map(|(_, number)| *number)
        .or_else(|| name.strip_prefix("code_")?.parse().ok())
}
