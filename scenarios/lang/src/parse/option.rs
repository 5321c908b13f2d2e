//! Option lines: `--name=value`, `--name value`, `--name`.

use super::{Cursor, Parse};
use crate::ast::{OptionLine, OptionValue, Spanned};
use crate::diagnostic::Diagnostic;

pub(super) fn option_line(cursor: &mut Cursor<'_>) -> Parse<Spanned<OptionLine>> {
    let start = cursor.at();
    cursor.take("--".len());
    let name = cursor
        .word_here("the name of an option")?
        .map(str::to_owned);
    let value = if cursor.sees("=") {
        cursor.take(1);
        let value = value(cursor)?;
        if value.is_none() {
            return Err(cursor.expected("a value after `=`"));
        }
        value
    } else {
        cursor.take_while(|character| character == ' ' || character == '\t');
        value(cursor)?
    };
    let end = value.as_ref().map_or(name.span, |value| value.span);
    let span = crate::ast::Span::new(start as u32, end.end);
    Ok(Spanned::new(OptionLine { name, value }, span))
}

/// A value up to the next blank, if one stands here on this line.
fn value(cursor: &mut Cursor<'_>) -> Parse<Option<Spanned<OptionValue>>> {
    if ["//", "/*", "#", "--"].iter().any(|mark| cursor.sees(mark)) {
        return Ok(None);
    }
    let start = cursor.at();
    if cursor.sees("\"") {
        cursor.take(1);
        let text = cursor
            .take_while(|character| !matches!(character, '"' | '\n'))
            .to_owned();
        if !cursor.sees("\"") {
            return Err(Box::new(
                Diagnostic::new(cursor.since(start), "string never ends")
                    .label("expected `\"` before the end of the line"),
            ));
        }
        cursor.take(1);
        return Ok(Some(Spanned::new(
            OptionValue::Text(text),
            cursor.since(start),
        )));
    }
    let text = cursor.take_while(|character| !character.is_whitespace());
    if text.is_empty() {
        return Ok(None);
    }
    let int = match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16),
        _ => text.parse(),
    };
    // `+5` parses as a number, but is not how this language writes one.
    let value = match int {
        Ok(int) if !text.starts_with('+') => OptionValue::Int(int),
        _ => OptionValue::Text(text.to_owned()),
    };
    Ok(Some(Spanned::new(value, cursor.since(start))))
}
