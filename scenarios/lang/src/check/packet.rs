//! Packets: numbers that add up, and fields that a packet can have.

use super::{Checker, tcp_option};
use crate::ast::{
    Direction, Encapsulation, IcmpPacket, IpEcn, IpInfo, Packet, PacketBody, Sequence, Span,
    Spanned, TcpOptions, TcpPacket,
};
use crate::diagnostic::Diagnostic;
use crate::symbols::{code_number, type_number};

/// Largest payload of an IP packet: 65535 octets less the smallest headers.
const MAX_PAYLOAD: u32 = 65_535 - 20;

pub(super) fn check(checker: &mut Checker<'_>, packet: &Packet) {
    let inbound = packet.direction.node == Direction::Inbound;
    ip_info(checker, &packet.ip, inbound);
    for header in &packet.encapsulation {
        encapsulation(checker, header);
    }
    match &packet.body {
        PacketBody::Tcp(tcp) => segment(checker, tcp, inbound, packet.direction.span),
        PacketBody::Udp(_) => {}
        PacketBody::Icmp(icmp) => message(checker, icmp),
    }
}

fn ip_info(checker: &mut Checker<'_>, ip: &IpInfo, inbound: bool) {
    if let (Some(ecn), Some(tos)) = (ip.ecn, ip.tos) {
        checker.report(
            Diagnostic::new(tos.span, "`tos` gives the ECN bits too")
                .label("expected one of `tos` and the ECN field")
                .help(format!("the ECN field is also given as `{}`", ecn.node)),
        );
    }
    if let Some(ecn) = ip.ecn.filter(|ecn| inbound && ecn.node == IpEcn::Ect01) {
        checker.report(
            Diagnostic::new(ecn.span, "a packet to inject needs one ECN field")
                .label("expected `ect0` or `ect1`"),
        );
    }
    if let Some(label) = ip.flow_label.filter(|label| label.node >= 1 << 20) {
        checker.report(
            Diagnostic::new(label.span, "a flow label has 20 bits")
                .label("expected at most 0xfffff"),
        );
    }
}

fn encapsulation(checker: &mut Checker<'_>, header: &Spanned<Encapsulation>) {
    let Encapsulation::Mpls(stack) = &header.node else {
        return;
    };
    for (index, entry) in stack.iter().enumerate() {
        if entry.label >= 1 << 20 {
            checker.report(
                Diagnostic::new(header.span, format!("label {} is too large", entry.label))
                    .label("expected at most 1048575 (20 bits)"),
            );
        }
        if entry.traffic_class > 7 {
            checker.report(
                Diagnostic::new(
                    header.span,
                    format!("traffic class {} is too large", entry.traffic_class),
                )
                .label("expected at most 7 (3 bits)"),
            );
        }
        if entry.bottom != (index + 1 == stack.len()) {
            checker.report(
                Diagnostic::new(header.span, "the bottom of the label stack is marked wrong")
                    .label("expected `[S]` in the last entry and in no other"),
            );
        }
    }
}

fn segment(checker: &mut Checker<'_>, tcp: &TcpPacket, inbound: bool, direction: Span) {
    sequence(checker, &tcp.sequence);
    match &tcp.options {
        TcpOptions::Absent => {}
        TcpOptions::Any if inbound => {
            let whole = direction.to(tcp.sequence.span);
            checker.report(
                Diagnostic::new(whole, "a packet to inject needs its options written out")
                    .label("expected no `<...>` after this"),
            );
        }
        TcpOptions::Any => {}
        TcpOptions::List(list) => tcp_option::check(checker, list),
    }
}

/// `START:END(LEN)`: the end is the start and the length, modulo 2^32.
fn sequence(checker: &mut Checker<'_>, sequence: &Spanned<Sequence>) {
    let Sequence {
        start,
        end,
        payload_len,
    } = sequence.node;
    let sum = start.wrapping_add(payload_len);
    if sum != end {
        checker.report(
            Diagnostic::new(
                sequence.span,
                "the sequence numbers and the length do not add up",
            )
            .label(format!(
                "expected {start}:{sum}({payload_len}) or {start}:{end}({})",
                end.wrapping_sub(start)
            )),
        );
    } else if payload_len > MAX_PAYLOAD {
        checker.report(
            Diagnostic::new(sequence.span, "the payload does not fit an IP packet")
                .label(format!("expected at most {MAX_PAYLOAD} octets")),
        );
    }
}

fn message(checker: &mut Checker<'_>, icmp: &IcmpPacket) {
    let name = &icmp.icmp_type;
    let tables = checker.icmp;
    let known = tables
        .iter()
        .any(|table| type_number(table, &name.node).is_some());
    if !known {
        let names = tables
            .iter()
            .flat_map(|table| table.iter().map(|known| known.name));
        checker.report(
            Diagnostic::new(
                name.span,
                format!("unknown type `{}` of ICMP message", name.node),
            )
            .label("expected a type such as `unreachable`, `packet_too_big` or `type_3`")
            .suggest(&name.node, names),
        );
        return;
    }
    if let Some(code) = &icmp.code {
        let known = tables
            .iter()
            .any(|table| code_number(table, &name.node, &code.node).is_some());
        if !known {
            let types = tables.iter().flat_map(|table| table.iter());
            let codes = types
                .filter(|known| known.name == name.node)
                .flat_map(|known| known.codes);
            checker.report(
                Diagnostic::new(
                    code.span,
                    format!("unknown code `{}` of `{}`", code.node, name.node),
                )
                .label("expected a code of this type, or `code_4` and the like")
                .suggest(&code.node, codes.map(|(code, _)| *code)),
            );
        }
    }
    let named = tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(|known| known.name == name.node);
    let mut named = named.peekable();
    if let (Some(mtu), true) = (icmp.mtu, named.peek().is_some())
        && !named.any(|known| known.has_mtu)
    {
        checker.report(
            Diagnostic::new(mtu.span, format!("`{}` has no MTU", name.node))
                .label("expected `mtu` only with `unreachable frag_needed` or `packet_too_big`"),
        );
    }
}
