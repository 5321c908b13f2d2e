//! Making text that came from a guest fit to be shown.
//!
//! A guest prints what it likes: escape sequences that repaint a terminal, NUL bytes that no XML
//! may hold, marks that reverse the direction of writing, and as much of all that as it likes.

use std::borrow::Cow;

/// `text` with every character replaced that a terminal would obey or XML 1.0 forbids.
///
/// C0 controls become their pictures (ESC is `␛`), so what was there can still be read; C1
/// controls, non-characters and marks that reorder text become U+FFFD. Line feeds and tabs stay,
/// CR LF becomes LF.
///
/// The set of characters allowed in XML: <https://www.w3.org/TR/xml/#charsets>.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c == '\r' || replacement(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        out.push(replacement(c).unwrap_or(c));
    }
    Cow::Owned(out)
}

/// [`printable`] on one line: line feeds and tabs become spaces, ends are trimmed.
pub fn one_line(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn replacement(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => None,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32),
        '\x7f' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            Some(char::REPLACEMENT_CHARACTER)
        }
        // Marks and embeddings of the bidirectional algorithm.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(char::REPLACEMENT_CHARACTER)
        }
        _ => None,
    }
}

/// `text` if it has at most `limit` bytes, else its beginning and end with a note between them
/// that says how much is left out and that `whole` has it.
///
/// Of a console log the end matters most (the panic), then the beginning (what booted).
pub fn bounded<'a>(text: &'a str, limit: usize, whole: &str) -> Cow<'a, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let head = &text[..floor(text, limit / 3)];
    let tail = &text[floor(text, text.len() - (limit - limit / 3))..];
    let left_out = text.len() - head.len() - tail.len();
    Cow::Owned(format!(
        "{head}\n[… {left_out} bytes left out here; the whole is in {whole} …]\n{tail}"
    ))
}

/// `text` cut to `limit` characters, with `…` as the last of them when something was cut.
pub fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().count() <= limit {
        return Cow::Borrowed(text);
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    Cow::Owned(out)
}

/// The largest character boundary of `text` at or below `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

/// `1 cell`, `2 cells`: `word` in the plural where `count` asks for it.
pub fn counted(count: usize, word: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {word}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_obeys_is_left() {
        let noise: String = (0..=0xff_u8)
            .map(char::from)
            .chain(['\u{202e}', '\u{ffff}'])
            .collect();
        let clean = printable(&noise);
        assert!(clean.contains("␛") && clean.contains("␀"));
        assert!(
            clean
                .chars()
                .all(|c| c == '\n' || c == '\t' || !c.is_control())
        );
        assert!(!clean.contains('\u{202e}') && !clean.contains('\u{ffff}'));
    }

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(printable("FIN-WAIT-1\tµs\n"), Cow::Borrowed(_)));
        assert_eq!(printable("a\r\nb\rc"), "a\nb␍c");
    }

    #[test]
    fn one_line_has_no_gaps() {
        assert_eq!(one_line("  a\n\tb \u{1b}c\n"), "a b ␛c");
    }

    #[test]
    fn a_long_text_keeps_both_ends_within_characters() {
        let text = "ä".repeat(1000);
        let cut = bounded(&text, 301, "console.log");
        assert!(cut.starts_with("ää") && cut.ends_with("ää"));
        assert!(cut.contains("bytes left out here; the whole is in console.log"));
        assert!(cut.len() < 301 + 100);
        assert_eq!(shortened("CLOSING", 4), "CLO…");
    }
}
