//! Numbers: decimal and hexadecimal integers, and seconds.

use super::{Cursor, Parse};
use crate::ast::{IntLiteral, Nanos, Number, Spanned};
use crate::diagnostic::Diagnostic;

/// No script lasts longer: 30 years, in seconds. Keeps sums of times in range.
const MAX_SECONDS: i64 = 1_000_000_000;

impl Cursor<'_> {
    /// An unsigned integer, decimal or `0x…`, of at most `T`'s size.
    pub(super) fn unsigned<T: TryFrom<u64>>(&mut self, what: &str) -> Parse<Spanned<T>> {
        let word = self.word(what)?;
        let value = unsigned_of(word.node).ok_or_else(|| {
            let diagnostic = Diagnostic::new(word.span, format!("`{}` is no number", word.node))
                .label(format!("expected {what}"));
            Box::new(diagnostic)
        })?;
        let fitting = value.and_then(|value| T::try_from(value).ok());
        let bits = 8 * size_of::<T>();
        fitting
            .map(|value| Spanned::new(value, word.span))
            .ok_or_else(|| {
                let limit = u64::MAX.checked_shr(64 - bits as u32).unwrap_or(0);
                Box::new(
                    Diagnostic::new(word.span, format!("`{}` is too large", word.node))
                        .label(format!("expected at most {limit} ({bits} bits)")),
                )
            })
    }

    /// An unsigned integer, or a name to be looked up among the definitions.
    pub(super) fn unsigned_or_name<T: TryFrom<u64>>(
        &mut self,
        what: &str,
    ) -> Parse<Spanned<Number<T>>> {
        self.skip()?;
        if is_name(self.peek_word()) {
            return Ok(self.word(what)?.map(|name| Number::Named(name.to_owned())));
        }
        Ok(self.unsigned::<T>(what)?.map(Number::Literal))
    }

    /// An integer with its sign and base.
    pub(super) fn int_literal(&mut self) -> Parse<Spanned<IntLiteral>> {
        const WHAT: &str = "an integer";
        self.skip()?;
        let start = self.at();
        let negative = self.eat("-")?;
        let digits = self.word(WHAT)?;
        let span = self.since(start);
        let hex = digits.node.starts_with("0x") || digits.node.starts_with("0X");
        let magnitude = unsigned_of(digits.node).ok_or_else(|| {
            let diagnostic = Diagnostic::new(span, format!("`{}` is no number", digits.node))
                .label(format!("expected {WHAT}"));
            Box::new(diagnostic)
        })?;
        let value = magnitude.and_then(|magnitude| match (hex, negative) {
            (true, false) => Some(magnitude as i64),
            (_, true) => 0i64.checked_sub_unsigned(magnitude),
            (false, false) => i64::try_from(magnitude).ok(),
        });
        value
            .map(|value| {
                Spanned::new(
                    IntLiteral {
                        value,
                        hex: hex && !negative,
                    },
                    span,
                )
            })
            .ok_or_else(|| {
                Box::new(
                    Diagnostic::new(span, format!("`{}` is too large", digits.node))
                        .label("expected an integer of at most 64 bits"),
                )
            })
    }

    /// Seconds with decimals: `0`, `.1`, `1.000001`.
    pub(super) fn seconds(&mut self) -> Parse<Spanned<Nanos>> {
        const WHAT: &str = "a time in seconds";
        self.skip()?;
        let start = self.at();
        let negative = self.sees("-");
        if negative {
            self.take(1);
        }
        let whole = self.take_while(|character| character.is_ascii_digit());
        let has_fraction =
            self.sees(".") && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit());
        let fraction = if has_fraction {
            self.take(1);
            self.take_while(|character| character.is_ascii_digit())
        } else {
            ""
        };
        if whole.is_empty() && fraction.is_empty() {
            self.go_to(start);
            return Err(self.expected(WHAT));
        }
        let span = self.since(start);
        if negative {
            return Err(Box::new(
                Diagnostic::new(span, "a time cannot be negative")
                    .label(format!("expected {WHAT}")),
            ));
        }
        let seconds = if whole.is_empty() {
            Ok(0)
        } else {
            whole.parse::<i64>()
        };
        let seconds = seconds
            .ok()
            .filter(|seconds| *seconds <= MAX_SECONDS)
            .ok_or_else(|| {
                Box::new(
                    Diagnostic::new(span, "this time is too far away")
                        .label(format!("expected at most {MAX_SECONDS} seconds")),
                )
            })?;
        let nanos = fraction
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(9)
            .fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Ok(Spanned::new(Nanos(seconds * 1_000_000_000 + nanos), span))
    }
}

/// Whether a word is a name rather than a number.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// The value of a run of digits: `None` if it is no number, `Some(None)` if it
/// does not fit.
fn unsigned_of(word: &str) -> Option<Option<u64>> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let (digits, base) = hex.map_or((word, 10), |digits| (digits, 16));
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    Some(u64::from_str_radix(digits, base).ok())
}
