//! From text to tree, by recursive descent.
//!
//! An event that cannot be read is reported and left out; reading goes on at
//! the next line that starts an event, so that one run shows all errors.

mod code;
mod cursor;
mod encapsulation;
mod event;
mod expr;
mod icmp;
mod number;
mod option;
mod packet;
mod quoted;
mod tcp;
mod tcp_option;
mod when;

use crate::ast::{Script, Source, Span};
use crate::diagnostic::{Diagnostic, Errors};
use cursor::Cursor;

/// Longest script that is read, in octets: the memory that a script can make
/// the parser use is bounded by its length.
pub const MAX_SCRIPT: usize = 512 * 1024;

/// How deep arrays, structures and parentheses may nest.
const MAX_DEPTH: usize = 32;

/// What a piece of the parser gives: the piece, or the one thing wrong with it.
type Parse<T> = Result<T, Box<Diagnostic>>;

/// Reads the script `text`; `file` is its name in messages.
///
/// # Errors
/// Everything in it that is not of the language, or of the language but not
/// supported (with the reason).
pub fn parse(text: &str, file: &str) -> Result<Script, Errors> {
    let (script, errors) = parse_all(text, file);
    errors.into_result(script)
}

/// Reads as much of the script as can be read, with all that is wrong.
pub(crate) fn parse_all(text: &str, file: &str) -> (Script, Errors) {
    if text.len() > MAX_SCRIPT {
        let shown: String = text.chars().take(80).collect();
        let mut errors = Errors::none(Source::new(file, &shown));
        errors.push(
            Diagnostic::new(
                Span::new(0, 0),
                format!("the script has {} octets", text.len()),
            )
            .label(format!("expected at most {MAX_SCRIPT}")),
        );
        return (Script::default(), errors);
    }
    let source = Source::new(file, text);
    let mut script = Script {
        source: source.clone(),
        ..Script::default()
    };
    let mut errors = Errors::none(source);
    let mut cursor = Cursor::new(text);
    loop {
        let start = cursor.at();
        match event::item(&mut cursor, &mut script, &mut errors) {
            Ok(true) => {}
            Ok(false) => break,
            Err(diagnostic) => {
                recover(&mut cursor, start.max(diagnostic.span.start as usize));
                errors.push(*diagnostic);
            }
        }
    }
    (script, errors)
}

/// Goes to the first line after `from` that starts an event or an option; to
/// the end if there is none or the text ran out inside something unclosed.
fn recover(cursor: &mut Cursor<'_>, from: usize) {
    if cursor.at_end() {
        return;
    }
    cursor.go_to(from);
    loop {
        let rest = cursor.rest();
        let Some(line_break) = rest.find('\n') else {
            cursor.take(rest.len());
            return;
        };
        cursor.take(line_break + 1);
        let line = cursor.rest();
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        if when::starts_event(line) || line.trim_start().starts_with("--") {
            return;
        }
    }
}
