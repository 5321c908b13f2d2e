//! System calls and expressions.

use super::{Cursor, MAX_DEPTH, Parse, quoted};
use crate::ast::{Expr, Field, Nanos, Span, Spanned, Syscall, SyscallResult};
use crate::diagnostic::Diagnostic;

/// What an expression may be, for messages.
const WHAT: &str = "a value: a number, a name, a string, `...`, `[…]` or `{…}`";

/// `NAME(ARGS) = RESULT ERRNO (note)`
pub(super) fn syscall(cursor: &mut Cursor<'_>, until: Option<Spanned<Nanos>>) -> Parse<Syscall> {
    let name = cursor.word("the name of a system call")?.map(str::to_owned);
    cursor.expect("(", "`(` and the arguments")?;
    let arguments = list(cursor, ")", 1)?;
    cursor.expect("=", "`=` and the result")?;
    let value = expr(cursor, 1)?;
    cursor.skip()?;
    let errno = match cursor.peek_word() {
        // On a line of its own, only what looks like an errno is one.
        word if word.starts_with('E')
            || !cursor.on_new_line() && word.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Some(cursor.word("the name of an errno")?.map(str::to_owned))
        }
        _ => None,
    };
    cursor.skip()?;
    let note = if cursor.sees("(") && !cursor.on_new_line() {
        Some(note(cursor)?)
    } else {
        None
    };
    Ok(Syscall {
        until,
        name,
        arguments,
        result: SyscallResult { value, errno, note },
    })
}

/// `(some words)`
fn note(cursor: &mut Cursor<'_>) -> Parse<Spanned<String>> {
    let start = cursor.at();
    cursor.take(1);
    let text = cursor.take_while(|character| !matches!(character, ')' | '\n'));
    if !cursor.sees(")") {
        return Err(Box::new(
            Diagnostic::new(Span::new(start as u32, start as u32 + 1), "note never ends")
                .label("expected `)` before the end of the line"),
        ));
    }
    cursor.take(1);
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(Spanned::new(words.join(" "), cursor.since(start)))
}

/// Expressions between commas up to `close`, which is taken too.
fn list(cursor: &mut Cursor<'_>, close: &str, depth: usize) -> Parse<Vec<Spanned<Expr>>> {
    let mut items = Vec::new();
    if cursor.eat(close)? {
        return Ok(items);
    }
    loop {
        items.push(expr(cursor, depth)?);
        if cursor.eat(close)? {
            return Ok(items);
        }
        cursor.expect(",", &format!("`,` or `{close}`"))?;
    }
}

/// One value, or several joined by `|`.
fn expr(cursor: &mut Cursor<'_>, depth: usize) -> Parse<Spanned<Expr>> {
    cursor.skip()?;
    if depth > MAX_DEPTH {
        return Err(Box::new(
            Diagnostic::new(cursor.here(), "values are nested too deep")
                .label(format!("expected at most {MAX_DEPTH} levels")),
        ));
    }
    let first = primary(cursor, depth)?;
    if !cursor.eat("|")? {
        return Ok(first);
    }
    let start = first.span.start as usize;
    let mut parts = vec![first];
    loop {
        parts.push(primary(cursor, depth)?);
        if !cursor.eat("|")? {
            // What follows may be past a line break: end at the last part.
            let end = parts.last().map_or(start as u32, |last| last.span.end);
            return Ok(Spanned::new(Expr::Or(parts), Span::new(start as u32, end)));
        }
    }
}

fn primary(cursor: &mut Cursor<'_>, depth: usize) -> Parse<Spanned<Expr>> {
    cursor.skip()?;
    let start = cursor.at();
    if cursor.eat("...")? {
        return Ok(Spanned::new(Expr::Ellipsis, cursor.since(start)));
    }
    let expr = match cursor.peek() {
        Some('[') => {
            cursor.take(1);
            Expr::Array(list(cursor, "]", depth + 1)?)
        }
        Some('{') => {
            cursor.take(1);
            Expr::Struct(fields(cursor, depth + 1)?)
        }
        Some('"') => {
            let string = quoted::string(cursor)?.node;
            if cursor.sees("...") {
                cursor.take(3);
                Expr::StringPrefix(string)
            } else {
                Expr::String(string)
            }
        }
        Some(first) if first.is_ascii_digit() || first == '-' => {
            Expr::Int(cursor.int_literal()?.node)
        }
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let word = cursor.word(WHAT)?;
            if cursor.sees("(") {
                cursor.take(1);
                let arguments = list(cursor, ")", depth + 1)?;
                Expr::Call {
                    function: word.map(str::to_owned),
                    arguments,
                }
            } else {
                Expr::Word(word.node.to_owned())
            }
        }
        _ => return Err(cursor.expected(WHAT)),
    };
    Ok(Spanned::new(expr, cursor.since(start)))
}

/// The members of a structure, the opening brace already taken.
fn fields(cursor: &mut Cursor<'_>, depth: usize) -> Parse<Vec<Field>> {
    let mut fields = Vec::new();
    if cursor.eat("}")? {
        return Ok(fields);
    }
    loop {
        fields.push(field(cursor, depth)?);
        if cursor.eat("}")? {
            return Ok(fields);
        }
        cursor.expect(",", "`,` or `}`")?;
    }
}

/// `name=value`, `name(count)=value` or a bare value.
fn field(cursor: &mut Cursor<'_>, depth: usize) -> Parse<Field> {
    let value = expr(cursor, depth)?;
    if !cursor.eat("=")? {
        return Ok(Field {
            name: None,
            count: None,
            value,
        });
    }
    let span = value.span;
    let (name, count) = match value.node {
        Expr::Word(name) => (Spanned::new(name, span), None),
        Expr::Call {
            function,
            mut arguments,
        } if arguments.len() == 1 => (function, arguments.pop()),
        _ => {
            return Err(Box::new(
                Diagnostic::new(span, "this cannot be the name of a member")
                    .label("expected `name=value` or `name(count)=value`"),
            ));
        }
    };
    let value = expr(cursor, depth)?;
    Ok(Field {
        name: Some(name),
        count,
        value,
    })
}
