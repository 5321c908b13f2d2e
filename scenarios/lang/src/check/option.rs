//! Option lines: known names and values of the right kind.

use std::net::IpAddr;

use super::Checker;
use crate::ast::{OptionLine, OptionValue, Spanned};
use crate::diagnostic::Diagnostic;

/// What the value of an option must be.
#[derive(Clone, Copy)]
enum Kind {
    /// None, or an integer as a truth value.
    Flag,
    /// An integer of at least the first and at most the second.
    Int(i64, i64),
    /// An IPv4 or IPv6 address.
    Address,
    /// An address, or a network with its prefix length.
    Network,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Words of these, separated by commas.
    Choices(&'static [&'static str]),
    /// Any text.
    Text,
    /// Known to the original and not supported here, for this reason.
    Refused(&'static str),
}

const WIRE: &str = "two machines on a wire are not supported: datapaths are tun and loopback";
const PORT: Kind = Kind::Int(0, 65_535);

/// Every option line of the original.
const OPTIONS: &[(&str, Kind)] = &[
    ("bind_port", PORT),
    (
        "code_command",
        Kind::Refused("code blocks are not given to another interpreter here"),
    ),
    (
        "code_format",
        Kind::Refused("code blocks are not given to another interpreter here"),
    ),
    (
        "code_sockopt",
        Kind::Refused(
            "code blocks see all that the kernel tells: TCP_INFO, SO_MEMINFO, TCP_CC_INFO",
        ),
    ),
    ("connect_port", PORT),
    ("debug", Kind::Flag),
    ("define", Kind::Text),
    ("dry_run", Kind::Flag),
    ("gateway_ip", Kind::Address),
    ("init_scripts", Kind::Text),
    (
        "ip_version",
        Kind::Choice(&["ipv4", "ipv4-mapped-ipv6", "ipv6"]),
    ),
    (
        "is_anyip",
        Kind::Refused("a script's local address is the device's own here"),
    ),
    ("local_ip", Kind::Network),
    ("mss", Kind::Int(1, 65_535)),
    ("mtu", Kind::Int(68, 65_535)),
    ("netmask_ip", Kind::Address),
    ("no_cleanup", Kind::Flag),
    ("non_fatal", Kind::Choices(&["packet", "syscall"])),
    ("persistent_tun_dev", Kind::Flag),
    ("psp_udp_port", PORT),
    ("remote_ip", Kind::Network),
    ("send_omit_free", Kind::Flag),
    (
        "so_filename",
        Kind::Refused("a network stack in a shared object is not supported: the kernel is tested"),
    ),
    (
        "so_flags",
        Kind::Refused("a network stack in a shared object is not supported: the kernel is tested"),
    ),
    ("speed", Kind::Int(0, i64::MAX)),
    ("strict_segments", Kind::Flag),
    ("tcp_ts_ecr_scaled", Kind::Flag),
    ("tcp_ts_tick_usecs", Kind::Int(0, 1_000_000)),
    ("tolerance_percent", Kind::Int(0, 100)),
    ("tolerance_usecs", Kind::Int(0, 1_000_000_000)),
    ("verbose", Kind::Flag),
    ("wire_client", Kind::Refused(WIRE)),
    ("wire_client_dev", Kind::Refused(WIRE)),
    ("wire_server", Kind::Refused(WIRE)),
    ("wire_server_dev", Kind::Refused(WIRE)),
    ("wire_server_ip", Kind::Refused(WIRE)),
    ("wire_server_port", Kind::Refused(WIRE)),
];

pub(super) fn check(checker: &mut Checker<'_>, line: &Spanned<OptionLine>) {
    let name = &line.name;
    let Some((_, kind)) = OPTIONS.iter().find(|(known, _)| *known == name.node) else {
        let known = OPTIONS.iter().map(|(known, _)| *known);
        checker.report(
            Diagnostic::new(name.span, format!("unknown option `--{}`", name.node))
                .label("expected an option of packetdrill")
                .suggest(&name.node, known),
        );
        return;
    };
    if let Kind::Refused(reason) = kind {
        checker.report(Diagnostic::new(
            name.span,
            format!("`--{}`: {reason}", name.node),
        ));
        return;
    }
    let (span, problem) = match &line.value {
        None if matches!(kind, Kind::Flag) => return,
        None => (line.span, "no value given"),
        Some(value) if fits(*kind, &value.node) => return,
        Some(value) => (value.span, "wrong value"),
    };
    let diagnostic = Diagnostic::new(span, format!("{problem} for `--{}`", name.node))
        .label(format!("expected {}", expected(*kind)));
    let choices = match kind {
        Kind::Choice(words) | Kind::Choices(words) => *words,
        _ => &[],
    };
    let written = line
        .value
        .as_ref()
        .map(|value| value.to_string())
        .unwrap_or_default();
    checker.report(diagnostic.suggest(&written, choices.iter().copied()));
}

fn fits(kind: Kind, value: &OptionValue) -> bool {
    match (kind, value) {
        (Kind::Flag, OptionValue::Int(0 | 1)) | (Kind::Text, _) => true,
        (Kind::Int(least, most), OptionValue::Int(value)) => (least..=most).contains(value),
        (Kind::Address, OptionValue::Text(text)) => text.parse::<IpAddr>().is_ok(),
        (Kind::Network, OptionValue::Text(text)) => {
            let (address, prefix) = text.split_once('/').unwrap_or((text, "0"));
            let most = match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most)
        }
        (Kind::Choice(words), OptionValue::Text(text)) => words.contains(&text.as_str()),
        (Kind::Choices(words), OptionValue::Text(text)) => {
            text.split(',').all(|word| words.contains(&word))
        }
        _ => false,
    }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Flag => "no value, 0 or 1".to_owned(),
        Kind::Int(least, i64::MAX) => format!("an integer of at least {least}"),
        Kind::Int(least, most) => format!("an integer from {least} to {most}"),
        Kind::Address => "an IPv4 or IPv6 address".to_owned(),
        Kind::Network => "an IPv4 or IPv6 address or a network such as 192.0.2.0/24".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Choices(words) => format!("{}, with commas between them", words.join(" or ")),
        Kind::Text | Kind::Refused(_) => "a text".to_owned(),
    }
}
