//! Packet lines: direction, brackets, and what kind of packet it is.

use super::{Cursor, Parse, encapsulation, icmp, tcp};
use crate::ast::{Direction, Echoed, IpEcn, IpInfo, Packet, PacketBody, Spanned, UdpPacket};
use crate::diagnostic::Diagnostic;

/// Words of the brackets before a packet, for suggestions.
const IP_WORDS: [&str; 8] = [
    "noecn",
    "ect0",
    "ect1",
    "ect01",
    "ce",
    "tos",
    "flowlabel",
    "ttl",
];

pub(super) fn packet(cursor: &mut Cursor<'_>) -> Parse<Packet> {
    let start = cursor.at();
    let direction = match cursor.take(1) {
        "<" => Direction::Inbound,
        _ => Direction::Outbound,
    };
    let direction = Spanned::new(direction, cursor.since(start));
    let encapsulation = encapsulation::headers(cursor)?;
    let mut ip = IpInfo::default();
    let mut echoed = None;
    while cursor.eat("[")? {
        brackets(cursor, &mut ip, &mut echoed)?;
    }
    cursor.skip()?;
    if cursor.sees("(") {
        return Err(Box::new(
            Diagnostic::new(
                cursor.here(),
                "fields of the IP header stand in square brackets",
            )
            .label("expected `[` and, for example, `ect0`"),
        ));
    }
    let body = match cursor.peek_word() {
        "udp" => {
            let payload_len = udp(cursor)?;
            PacketBody::Udp(UdpPacket { payload_len })
        }
        "icmp" => PacketBody::Icmp(icmp::message(cursor, echoed.take())?),
        _ => PacketBody::Tcp(tcp::segment(cursor)?),
    };
    if let Some(echoed) = echoed {
        return Err(Box::new(
            Diagnostic::new(echoed.span, "only an icmp message can quote a packet")
                .label("expected no quoted packet here"),
        ));
    }
    Ok(Packet {
        direction,
        encapsulation,
        ip,
        body,
    })
}

/// A number where none belongs is a port.
pub(super) fn refuse_port(cursor: &Cursor<'_>) -> Parse<()> {
    let digits = cursor.rest().bytes().take_while(u8::is_ascii_digit).count();
    if digits < 2 || cursor.rest()[digits..].starts_with(':') {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(cursor.here(), "ports before a packet are not supported")
            .label("expected no port: a line is about the connection that was opened last"),
    ))
}

/// `udp (LEN)`
pub(super) fn udp(cursor: &mut Cursor<'_>) -> Parse<Spanned<u16>> {
    cursor.take("udp".len());
    cursor.skip()?;
    refuse_port(cursor)?;
    cursor.expect("(", "`(` and the length of the payload")?;
    let payload_len = cursor.unsigned("the length of the payload")?;
    cursor.expect(")", "`)`")?;
    Ok(payload_len)
}

/// What stands in brackets before a packet, the opening one already taken.
fn brackets(
    cursor: &mut Cursor<'_>,
    ip: &mut IpInfo,
    echoed: &mut Option<Spanned<Echoed>>,
) -> Parse<()> {
    cursor.skip()?;
    let quotes =
        cursor.peek_word() == "udp" || cursor.peek().is_some_and(|first| first.is_ascii_digit());
    if quotes {
        *echoed = Some(icmp::echoed(cursor)?);
        return Ok(());
    }
    loop {
        let word = cursor.word("a field of the IP header, such as `ect0` or `tos 0x28`")?;
        let ecn = match word.node {
            "noecn" | "nonect" => Some(IpEcn::NotEct),
            "ect0" => Some(IpEcn::Ect0),
            "ect1" => Some(IpEcn::Ect1),
            "ect01" => Some(IpEcn::Ect01),
            "ce" => Some(IpEcn::Ce),
            _ => None,
        };
        let given_before = match (ecn, word.node) {
            (Some(ecn), _) => ip.ecn.replace(Spanned::new(ecn, word.span)).is_some(),
            (None, "tos") => ip
                .tos
                .replace(cursor.unsigned("the octet after `tos`")?)
                .is_some(),
            (None, "ttl") => ip
                .ttl
                .replace(cursor.unsigned("the octet after `ttl`")?)
                .is_some(),
            (None, "flowlabel") => ip
                .flow_label
                .replace(cursor.unsigned("the flow label")?)
                .is_some(),
            (None, "raw") => {
                return Err(Box::new(
                    Diagnostic::new(word.span, "quoting a packet as raw octets is not supported")
                        .label("expected `1:1001(1000)` or `udp (1000)`"),
                ));
            }
            (None, unknown) => {
                return Err(Box::new(
                    Diagnostic::new(
                        word.span,
                        format!("unknown field `{unknown}` of the IP header"),
                    )
                    .label(format!("expected one of {}", IP_WORDS.join(", ")))
                    .suggest(unknown, IP_WORDS),
                ));
            }
        };
        if given_before {
            return Err(Box::new(
                Diagnostic::new(word.span, format!("`{}` given twice", word.node))
                    .label("expected once"),
            ));
        }
        if cursor.eat("]")? {
            return Ok(());
        }
        cursor.expect(",", "`,` or `]`")?;
    }
}
