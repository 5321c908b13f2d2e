//! A place in the script and the small things that can be read from there.
//!
//! There is no separate list of tokens: what a run of characters means depends
//! on where it stands (`1122` is a number after `mss` and octets after `FO`;
//! `.5` is a time at the start of a line and two flags after `<`).

use super::Parse;
use crate::ast::{Span, Spanned};
use crate::diagnostic::Diagnostic;

/// Lines for a preprocessor, which one fork of the original has. To take them
/// for comments would run both branches of an `#ifdef`.
const DIRECTIVES: [&str; 7] = [
    "#ifdef", "#ifndef", "#if ", "#else", "#endif", "#define", "#include",
];

/// A place in the script.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// End of the last thing read: where something missing should have stood.
    last_end: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            last_end: 0,
        }
    }

    /// The place as a byte offset.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes (back) to a place that [`Cursor::at`] gave.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
        self.last_end = self.last_end.min(at);
    }

    /// What is left, from here.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether `text` comes next.
    pub(super) fn sees(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Takes `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> &'t str {
        let end = (self.at + len).min(self.text.len());
        let taken = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        self.last_end = end;
        taken
    }

    /// Takes characters as long as `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let len = rest
            .find(|character| !wanted(character))
            .unwrap_or(rest.len());
        self.take(len)
    }

    /// The span from `start` to the end of the last thing read.
    pub(super) fn since(&self, start: usize) -> Span {
        Span::new(start as u32, self.last_end.max(start) as u32)
    }

    /// Skips blanks, line breaks and comments.
    ///
    /// # Errors
    /// A comment `/*` that never ends.
    pub(super) fn skip(&mut self) -> Parse<()> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.at += blank;
            } else if let Some(directive) = DIRECTIVES.iter().find(|known| rest.starts_with(*known))
            {
                let span = Span::new(self.at as u32, (self.at + directive.len()) as u32);
                return Err(Box::new(
                    Diagnostic::new(span, format!("`{directive}` is not supported"))
                        .label("expected a script without lines for a preprocessor"),
                ));
            } else if rest.starts_with("//") || rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let Some(len) = rest.find("*/") else {
                    let span = Span::new(self.at as u32, self.at as u32 + 2);
                    self.at = self.text.len();
                    return Err(Box::new(
                        Diagnostic::new(span, "comment never ends")
                            .label("`*/` expected before the end of the file"),
                    ));
                };
                self.at += len + 2;
            } else {
                return Ok(());
            }
        }
    }

    /// Skips blanks and comments, then takes `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> Parse<bool> {
        self.skip()?;
        let found = self.sees(text);
        if found {
            self.take(text.len());
        }
        Ok(found)
    }

    /// Skips blanks and comments, then takes `text`, or says that `what` was
    /// expected.
    pub(super) fn expect(&mut self, text: &str, what: &str) -> Parse<Span> {
        self.skip()?;
        let start = self.at;
        if self.eat(text)? {
            Ok(self.since(start))
        } else {
            Err(self.expected(what))
        }
    }

    /// The word that comes next, without taking it; empty if none does.
    pub(super) fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let len = rest
            .find(|character| !is_word(character))
            .unwrap_or(rest.len());
        &rest[..len]
    }

    /// Skips blanks and comments, then takes the word `keyword` if just that
    /// comes next.
    pub(super) fn eat_word(&mut self, keyword: &str) -> Parse<bool> {
        self.skip()?;
        let found = self.peek_word() == keyword;
        if found {
            self.take(keyword.len());
        }
        Ok(found)
    }

    /// Whether a line break was skipped since the last thing read.
    pub(super) fn on_new_line(&self) -> bool {
        self.text
            .get(self.last_end..self.at)
            .unwrap_or_default()
            .contains('\n')
    }

    /// Takes a word that starts right here, or says that `what` was expected.
    pub(super) fn word_here(&mut self, what: &str) -> Parse<Spanned<&'t str>> {
        if self.peek_word().is_empty() {
            Err(self.expected(what))
        } else {
            self.word(what)
        }
    }

    /// Takes a word, or says that `what` was expected.
    pub(super) fn word(&mut self, what: &str) -> Parse<Spanned<&'t str>> {
        self.skip()?;
        let start = self.at;
        let word = self.peek_word();
        if word.is_empty() {
            return Err(self.expected(what));
        }
        self.take(word.len());
        Ok(Spanned::new(word, self.since(start)))
    }

    /// That `what` was expected here: points at what stands here, or, where
    /// the line is over, at its end.
    pub(super) fn expected(&self, what: &str) -> Box<Diagnostic> {
        let over = self.peek().is_none_or(|next| matches!(next, '\n' | '\r'));
        if over || self.on_new_line() {
            let span = Span::new(self.last_end as u32, self.last_end as u32);
            return Box::new(
                Diagnostic::new(span, "something is missing here")
                    .label(format!("expected {what}")),
            );
        }
        self.unexpected(what)
    }

    /// That `what` was expected where the next thing stands, on whatever line.
    pub(super) fn unexpected(&self, what: &str) -> Box<Diagnostic> {
        let span = self.here();
        let found = self
            .text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default();
        Box::new(
            Diagnostic::new(span, format!("unexpected `{found}`"))
                .label(format!("expected {what}")),
        )
    }

    /// The span of what stands here: a word, `...`, or one character.
    pub(super) fn here(&self) -> Span {
        let len = match self.peek_word().len() {
            0 if self.sees("...") => 3,
            0 => self.peek().map_or(0, char::len_utf8),
            word => word,
        };
        Span::new(self.at as u32, (self.at + len) as u32)
    }
}

/// Whether a character may stand in a word.
pub(super) fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
