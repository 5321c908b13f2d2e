//! TCP segments.

use super::{Cursor, Parse, packet, tcp_option};
use crate::ast::{Sequence, Spanned, TcpFlags, TcpOptions, TcpPacket};
use crate::diagnostic::Diagnostic;

/// What may stand for the flags, for messages.
const FLAGS: &str = "flags: letters of S F R P . U E W A, a digit 0-7 (ACE), or `-` for none";

/// Packets that other programs of this name know and this one does not.
const REFUSED: [(&str, &str); 3] = [
    ("sctp", "SCTP is not supported: this tool tests TCP"),
    ("udplite", "UDP-Lite is not supported: this tool tests TCP"),
    (
        "addr",
        "packets of several addresses (Multipath TCP) are not supported",
    ),
];

pub(super) fn segment(cursor: &mut Cursor<'_>) -> Parse<TcpPacket> {
    let flags = flags(cursor)?;
    let sequence = sequence(cursor)?;
    let (mut ack, mut window, mut urgent) = (None, None, None);
    loop {
        cursor.skip()?;
        let start = cursor.at();
        let field = cursor.peek_word();
        let given_before = match field {
            "ack" => {
                cursor.take(3);
                ack.replace(cursor.unsigned("the acknowledgment number")?)
                    .is_some()
            }
            "win" => {
                cursor.take(3);
                window.replace(cursor.unsigned("the window")?).is_some()
            }
            "urg" => {
                cursor.take(3);
                urgent
                    .replace(cursor.unsigned("the urgent pointer")?)
                    .is_some()
            }
            "" => break,
            _ if cursor.on_new_line() => break,
            unknown => {
                return Err(Box::new(
                    Diagnostic::new(cursor.here(), format!("unknown field `{unknown}`"))
                        .label("expected `ack`, `win`, `urg`, `<` and options, or the end of the packet")
                        .suggest(unknown, ["ack", "win", "urg"]),
                ));
            }
        };
        if given_before {
            return Err(Box::new(
                Diagnostic::new(cursor.since(start), format!("`{field}` given twice"))
                    .label("expected once"),
            ));
        }
    }
    let options = if cursor.eat("<")? {
        tcp_option::options(cursor)?
    } else {
        TcpOptions::Absent
    };
    Ok(TcpPacket {
        flags,
        sequence,
        ack,
        window,
        urgent,
        options,
    })
}

/// `START:END(LEN)`
pub(super) fn sequence(cursor: &mut Cursor<'_>) -> Parse<Spanned<Sequence>> {
    cursor.skip()?;
    let at = cursor.at();
    let start = cursor
        .unsigned("sequence numbers such as `1:1001(1000)`")?
        .node;
    cursor.expect(":", "`:` and the end of the sequence numbers")?;
    let end = cursor.unsigned("the end of the sequence numbers")?.node;
    cursor.expect("(", "`(` and the length of the payload")?;
    let payload_len = cursor.unsigned("the length of the payload")?.node;
    cursor.expect(")", "`)`")?;
    Ok(Spanned::new(
        Sequence {
            start,
            end,
            payload_len,
        },
        cursor.since(at),
    ))
}

fn flags(cursor: &mut Cursor<'_>) -> Parse<Spanned<TcpFlags>> {
    cursor.skip()?;
    let start = cursor.at();
    let word = cursor.peek_word();
    if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| *name == word) {
        return Err(Box::new(
            Diagnostic::new(cursor.here(), *reason).label("expected a TCP, UDP or ICMP packet"),
        ));
    }
    packet::refuse_port(cursor)?;
    let written = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let span = cursor.since(start);
    let is_sequence = cursor.sees(":") && written.bytes().all(|digit| digit.is_ascii_digit());
    if written.is_empty() || is_sequence {
        cursor.go_to(start);
        return Err(cursor.expected(FLAGS));
    }
    let wrong = |message: String| {
        Box::new(Diagnostic::new(span, message).label(format!("expected {FLAGS}")))
    };
    if written == "-" {
        return Ok(Spanned::new(TcpFlags::default(), span));
    }
    let mut flags = TcpFlags::default();
    for letter in written.chars() {
        if let Some(digit) = letter.to_digit(8) {
            if flags.ace.replace(digit as u8).is_some() {
                return Err(wrong(format!("`{written}` has two digits")));
            }
            continue;
        }
        let Some((_, bit)) = TcpFlags::LETTERS.iter().find(|(known, _)| *known == letter) else {
            let upper = written.to_ascii_uppercase();
            let known = upper
                .chars()
                .all(|upper| TcpFlags::LETTERS.iter().any(|(l, _)| *l == upper));
            let error = wrong(match written.len() {
                1 => format!("unknown TCP flag `{letter}`"),
                _ => format!("unknown TCP flag `{letter}` in `{written}`"),
            });
            return Err(if known {
                Box::new(error.help(format!("did you mean `{upper}`?")))
            } else {
                error
            });
        };
        if flags.bits & bit != 0 {
            return Err(wrong(format!("flag `{letter}` given twice in `{written}`")));
        }
        flags.bits |= bit;
    }
    if flags.ace.is_some() && flags.bits & (TcpFlags::ECE | TcpFlags::CWR | TcpFlags::AE) != 0 {
        return Err(wrong(format!(
            "`{written}` gives the ACE bits as a digit and as letters"
        )));
    }
    Ok(Spanned::new(flags, span))
}
