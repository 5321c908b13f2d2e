//! The time of an event.

use super::{Cursor, Parse};
use crate::ast::{Nanos, Spanned, When};
use crate::diagnostic::Diagnostic;

/// What may stand at the start of an event.
pub(super) const WHAT: &str = "a time: `1.5`, `+.1`, `1~2`, `+.1~+.2` or `*`";

/// The time of an event and, for a blocking call, the time of its return.
pub(super) struct Times {
    pub when: Spanned<When>,
    pub until: Option<Spanned<Nanos>>,
}

pub(super) fn times(cursor: &mut Cursor<'_>) -> Parse<Times> {
    cursor.skip()?;
    let start = cursor.at();
    if cursor.eat("*")? {
        return Ok(Times {
            when: Spanned::new(When::Any, cursor.since(start)),
            until: None,
        });
    }
    let relative = cursor.eat("+")?;
    if !relative && !starts_number(cursor.rest()) {
        return Err(cursor.unexpected(WHAT));
    }
    let from = cursor.seconds()?.node;
    if cursor.eat("~")? {
        let relative_end = cursor.eat("+")?;
        let to = cursor.seconds()?;
        let span = cursor.since(start);
        if relative != relative_end {
            return Err(Box::new(
                Diagnostic::new(span, "a range of times is absolute or relative, not both")
                    .label("expected `1~2` or `+1~+2`"),
            ));
        }
        let when = if relative {
            When::RelativeRange(from, to.node)
        } else {
            When::AbsoluteRange(from, to.node)
        };
        return Ok(Times {
            when: Spanned::new(when, span),
            until: None,
        });
    }
    let when = if relative {
        When::Relative(from)
    } else {
        When::Absolute(from)
    };
    let when = Spanned::new(when, cursor.since(start));
    let until = if cursor.eat("...")? {
        Some(cursor.seconds()?)
    } else {
        None
    };
    Ok(Times { when, until })
}

/// Whether `text` starts like a number of seconds.
fn starts_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.strip_prefix('.').unwrap_or(text);
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a line starts an event, so that reading can go on there after an
/// error. Lines in the middle of a call can start with a number too, so a bare
/// number must be followed by what an event goes on with.
pub(super) fn starts_event(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('+') || line.starts_with('*') || line.starts_with('`') {
        return true;
    }
    if !starts_number(line) {
        return false;
    }
    let after = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if after.starts_with('~') {
        return true;
    }
    let dots = line.len() - after.len() >= 3 && line.contains("...");
    let after_blank = after.trim_start();
    (dots || after.len() != after_blank.len())
        && after_blank.starts_with(|c: char| {
            matches!(c, '<' | '>' | '`' | '%' | '.') || c.is_ascii_alphabetic()
        })
}
