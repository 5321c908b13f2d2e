//! `%{ … }%` blocks: a closed subset of Python.

mod expression;
mod statement;
mod token;

use super::{Cursor, MAX_DEPTH, Parse};
use crate::ast::{Code, Span, Spanned};
use crate::diagnostic::{Diagnostic, Errors};

/// Longest block, in octets.
const MAX_BLOCK: usize = 64 * 1024;

/// A block. What is wrong inside goes to `errors`: the block's end is known
/// whatever it holds.
pub(super) fn block(cursor: &mut Cursor<'_>, errors: &mut Errors) -> Parse<Spanned<Code>> {
    let start = cursor.at();
    if !cursor.sees("%{") {
        return Err(cursor.expected("`%{`"));
    }
    cursor.take(2);
    let at = cursor.at();
    let rest = cursor.rest();
    let opening = Span::new(start as u32, start as u32 + 2);
    let Some(len) = rest.find("}%") else {
        cursor.take(rest.len());
        return Err(Box::new(
            Diagnostic::new(opening, "code block never ends")
                .label("expected `}%` before the end of the file"),
        ));
    };
    let text = cursor.take(len);
    cursor.take(2);
    let span = cursor.since(start);
    if len > MAX_BLOCK {
        return Err(Box::new(
            Diagnostic::new(opening, format!("the code block has {len} octets"))
                .label(format!("expected at most {MAX_BLOCK}")),
        ));
    }
    let body = token::tokens(text, at).and_then(|tokens| statement::statements(&tokens));
    let body = body.unwrap_or_else(|diagnostic| {
        errors.push(*diagnostic);
        Vec::new()
    });
    Ok(Spanned::new(
        Code {
            text: text.to_owned(),
            body,
        },
        span,
    ))
}
