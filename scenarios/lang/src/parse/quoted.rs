//! Things between quotes: commands and strings.

use super::{Cursor, Parse};
use crate::ast::{Command, Span, Spanned};
use crate::diagnostic::Diagnostic;

/// A command between back-ticks. A backslash keeps the next character from
/// ending it and stays in the command, for the shell.
pub(super) fn command(cursor: &mut Cursor<'_>) -> Parse<Spanned<Command>> {
    let start = cursor.at();
    cursor.take(1);
    let Some(end) = closing(cursor.rest(), '`') else {
        cursor.take(cursor.rest().len());
        return Err(Box::new(
            Diagnostic::new(
                Span::new(start as u32, start as u32 + 1),
                "command never ends",
            )
            .label("expected another back-tick before the end of the file"),
        ));
    };
    let text = cursor.take(end).to_owned();
    cursor.take(1);
    Ok(Spanned::new(Command(text), cursor.since(start)))
}

/// A string between double quotes on one line, as octets: `\n`, `\r`, `\t`,
/// `\0`, `\\`, `\"`, `\'` and `\xHH` are resolved.
pub(super) fn string(cursor: &mut Cursor<'_>) -> Parse<Spanned<Vec<u8>>> {
    let start = cursor.at();
    cursor.take(1);
    let rest = cursor.rest();
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let Some(end) = closing(line, '"') else {
        return Err(Box::new(
            Diagnostic::new(
                Span::new(start as u32, start as u32 + 1),
                "string never ends",
            )
            .label("expected another `\"` before the end of the line"),
        ));
    };
    let text = cursor.take(end);
    cursor.take(1);
    let octets = unescape(text, start + 1)?;
    Ok(Spanned::new(octets, cursor.since(start)))
}

/// Where in `text` the closing `quote` stands, those after a backslash not
/// counted.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.find(|character| {
        let closes = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    })
}

/// The octets that `text`, which starts at byte `at` of the script, stands for.
fn unescape(text: &str, at: usize) -> Parse<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(escape) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..escape]);
        rest = &rest[escape..];
        let position = (at + text.len() - rest.len()) as u32;
        let mut characters = rest.chars();
        characters.next();
        let (octet, len) = match characters.next() {
            Some('n') => (b'\n', 2),
            Some('r') => (b'\r', 2),
            Some('t') => (b'\t', 2),
            Some('0') => (0, 2),
            Some(same @ ('\\' | '"' | '\'')) => (same as u8, 2),
            Some('x') => {
                let digits = rest.get(2..4).unwrap_or_default();
                match u8::from_str_radix(digits, 16) {
                    Ok(octet) if !digits.starts_with('+') => (octet, 4),
                    _ => {
                        return Err(Box::new(
                            Diagnostic::new(Span::new(position, position + 2), "incomplete `\\x`")
                                .label("expected two hexadecimal digits after it"),
                        ));
                    }
                }
            }
            other => {
                let len = 1 + other.map_or(0, char::len_utf8) as u32;
                return Err(Box::new(
                    Diagnostic::new(Span::new(position, position + len), "unknown escape")
                        .label("expected \\n, \\r, \\t, \\0, \\\\, \\\", \\' or \\xHH"),
                ));
            }
        };
        octets.push(octet);
        rest = &rest[len..];
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}
