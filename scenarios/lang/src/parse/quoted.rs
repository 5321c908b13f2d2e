//! Things between quotes: commands and strings.

use super::{Cursor, Parse};
use crate::ast::{Command, Span, Spanned};
use crate::diagnostic::Diagnostic;

/// A command between back-ticks. A backslash keeps the next character from
/// ending it and stays in the command, for the shell.
pub(super) fn command(cursor: &mut Cursor<'_>) -> Parse<Spanned<Command>> {
    let start = cursor.at();
    cursor.take(1);
    let text = until(cursor, start, '`', "command")?;
    Ok(Spanned::new(Command(text.to_owned()), cursor.since(start)))
}

/// A string between double quotes, as octets: `\n`, `\r`, `\t`, `\0`, `\\`,
/// `\"`, `\'` and `\xHH` are resolved.
pub(super) fn string(cursor: &mut Cursor<'_>) -> Parse<Spanned<Vec<u8>>> {
    let start = cursor.at();
    cursor.take(1);
    let text = until(cursor, start, '"', "string")?;
    let octets = unescape(text, start + 1)?;
    Ok(Spanned::new(octets, cursor.since(start)))
}

/// The text up to `quote`, which is taken too.
fn until<'t>(cursor: &mut Cursor<'t>, start: usize, quote: char, what: &str) -> Parse<&'t str> {
    let rest = cursor.rest();
    let mut escaped = false;
    let end = rest.find(|character| {
        let ends = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    let Some(end) = end else {
        cursor.take(rest.len());
        return Err(Box::new(
            Diagnostic::new(
                Span::new(start as u32, start as u32 + 1),
                format!("{what} never ends"),
            )
            .label(format!(
                "expected another `{quote}` before the end of the file"
            )),
        ));
    };
    let text = cursor.take(end);
    cursor.take(1);
    Ok(text)
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
