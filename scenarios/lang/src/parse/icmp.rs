//! ICMP and ICMPv6 messages.

use super::{Cursor, Parse, packet, tcp};
use crate::ast::{Echoed, IcmpPacket, Spanned};
use crate::diagnostic::Diagnostic;

/// `icmp TYPE CODE mtu MTU [ECHOED]`; what is echoed may also come before.
pub(super) fn message(
    cursor: &mut Cursor<'_>,
    mut echoed_before: Option<Spanned<Echoed>>,
) -> Parse<IcmpPacket> {
    cursor.take("icmp".len());
    let icmp_type = cursor.word("the type of the message")?.map(str::to_owned);
    let mut code = None;
    let mut mtu = None;
    loop {
        cursor.skip()?;
        if cursor.on_new_line() {
            break;
        }
        match cursor.peek_word() {
            "mtu" if mtu.is_none() => {
                cursor.take(3);
                mtu = Some(cursor.unsigned("the MTU")?);
            }
            "" if cursor.sees("[") => {
                let start = cursor.here();
                cursor.take(1);
                if echoed_before.replace(echoed(cursor)?).is_some() {
                    return Err(Box::new(
                        Diagnostic::new(start, "a second quoted packet").label("expected only one"),
                    ));
                }
            }
            "id" => {
                return Err(Box::new(
                    Diagnostic::new(cursor.here(), "the identifier of an echo is not supported")
                        .label("expected `mtu`, `[` or the end of the message"),
                ));
            }
            "" => break,
            _ if code.is_none() && mtu.is_none() => {
                code = Some(cursor.word("the code of the message")?.map(str::to_owned));
            }
            _ => return Err(cursor.expected("`mtu`, `[` or the end of the message")),
        }
    }
    Ok(IcmpPacket {
        echoed: echoed_before,
        icmp_type,
        code,
        mtu,
    })
}

/// `1:1461(1460)]` or `udp (1000)]`, the opening bracket already taken.
pub(super) fn echoed(cursor: &mut Cursor<'_>) -> Parse<Spanned<Echoed>> {
    cursor.skip()?;
    let start = cursor.at();
    let echoed = if cursor.peek_word() == "udp" {
        Echoed::Udp(packet::udp(cursor)?.node)
    } else {
        Echoed::Tcp(tcp::sequence(cursor)?.node)
    };
    let span = cursor.since(start);
    cursor.expect("]", "`]`")?;
    Ok(Spanned::new(echoed, span))
}
