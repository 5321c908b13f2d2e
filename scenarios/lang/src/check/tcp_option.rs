//! TCP options: values in range, and a list that fits the header.

use super::Checker;
use crate::ast::{AccEcnField, Bytes, Number, Spanned, TcpOption};
use crate::diagnostic::Diagnostic;

/// Octets that a TCP header has for options.
const MAX_OPTIONS: usize = 40;

pub(super) fn check(checker: &mut Checker<'_>, list: &[Spanned<TcpOption>]) {
    for option in list {
        one(checker, option);
    }
    let (Some(first), Some(last)) = (list.first(), list.last()) else {
        return;
    };
    let span = first.span.to(last.span);
    let lengths = list.iter().map(|option| length(checker, &option.node));
    // A cookie that is not defined has no length: no sum, no judgment.
    let Some(total) = lengths.sum::<Option<usize>>() else {
        return;
    };
    if total > MAX_OPTIONS {
        checker.report(
            Diagnostic::new(span, format!("the options take {total} octets"))
                .label(format!("expected at most {MAX_OPTIONS}")),
        );
    } else if !total.is_multiple_of(4) {
        let missing = 4 - total % 4;
        checker.report(
            Diagnostic::new(
                span,
                format!("the options take {total} octets, no multiple of 4"),
            )
            .label(format!("expected {missing} more `nop`")),
        );
    }
}

/// Octets of an option in the header; `None` if it depends on a name that is
/// not defined.
fn length(checker: &Checker<'_>, option: &TcpOption) -> Option<usize> {
    let octets = |bytes: &Option<Bytes>| match bytes {
        None => Some(0),
        Some(Bytes::Literal(octets)) => Some(octets.len()),
        Some(Bytes::Named(name)) => checker.definitions.octets(name).map(|octets| octets.len()),
    };
    Some(match option {
        TcpOption::EndOfList | TcpOption::NoOperation => 1,
        TcpOption::MaximumSegmentSize(_) => 4,
        TcpOption::WindowScale(_) => 3,
        TcpOption::SackPermitted => 2,
        TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
        TcpOption::Timestamps { .. } => 10,
        TcpOption::Md5(_) => 18,
        TcpOption::FastOpen(cookie) => 2 + octets(cookie)?,
        TcpOption::FastOpenExperimental(cookie) => 4 + octets(cookie)?,
        TcpOption::AccEcn(fields) => 2 + 3 * fields.len(),
        TcpOption::Unknown { data, .. } => 2 + data.len(),
    })
}

fn one(checker: &mut Checker<'_>, option: &Spanned<TcpOption>) {
    let named_octets = |bytes: &Option<Bytes>| match bytes {
        Some(Bytes::Named(name)) => Some(name.clone()),
        _ => None,
    };
    match &option.node {
        TcpOption::MaximumSegmentSize(Number::Named(name)) => {
            let value = checker
                .definitions
                .get(name)
                .and_then(|_| checker.definitions.value(name));
            if value.is_none_or(|value| u16::try_from(value).is_err()) {
                undefined(checker, option, name, "a segment size");
            }
        }
        TcpOption::FastOpen(bytes) | TcpOption::FastOpenExperimental(bytes) => {
            if let Some(name) = named_octets(bytes)
                && checker.definitions.octets(&name).is_none()
            {
                undefined(checker, option, &name, "octets in hexadecimal");
            }
        }
        TcpOption::Md5(bytes) => {
            let octets = match bytes {
                Some(Bytes::Literal(octets)) => Some(octets.clone()),
                Some(Bytes::Named(name)) => checker.definitions.octets(name),
                None => return,
            };
            match octets {
                None => {
                    let name = named_octets(bytes).unwrap_or_default();
                    undefined(checker, option, &name, "octets in hexadecimal");
                }
                Some(octets) if octets.len() != 16 => checker.report(
                    Diagnostic::new(option.span, format!("a digest of {} octets", octets.len()))
                        .label("expected 16 octets"),
                ),
                Some(_) => {}
            }
        }
        TcpOption::AccEcn(fields) => acc_ecn(checker, option, fields),
        TcpOption::Unknown { kind: 0 | 1, .. } => checker.report(
            Diagnostic::new(option.span, "kinds 0 and 1 have no length and no data")
                .label("expected `eol` or `nop`"),
        ),
        _ => {}
    }
}

fn undefined(checker: &mut Checker<'_>, option: &Spanned<TcpOption>, name: &str, what: &str) {
    let definitions = checker.definitions;
    let diagnostic = Diagnostic::new(option.span, format!("`{name}` is not defined as {what}"))
        .label(format!("expected {what}, or a name defined as such"));
    let define = format!("define it: `-D {name}=…`, or a line `--define={name}=…`");
    checker.report_unknown(diagnostic, name, definitions.names(), Some(define));
}

/// The two orders of AccECN's counters, each of which may end early.
fn acc_ecn(checker: &mut Checker<'_>, option: &Spanned<TcpOption>, fields: &[AccEcnField]) {
    let order: Vec<u8> = fields
        .iter()
        .map(|field| match field {
            AccEcnField::Ect0(_) => 0,
            AccEcnField::Ce(_) => 1,
            AccEcnField::Ect1(_) => 2,
        })
        .collect();
    if ![0u8, 1, 2].starts_with(&order) && ![2u8, 1, 0].starts_with(&order) {
        checker.report(
            Diagnostic::new(option.span, "AccECN's counters do not come in this order").label(
                "expected `e0b`, `ceb`, `e1b` or `e1b`, `ceb`, `e0b`; later ones may be left out",
            ),
        );
    }
    let large = fields.iter().any(|field| match field {
        AccEcnField::Ect0(octets) | AccEcnField::Ce(octets) | AccEcnField::Ect1(octets) => {
            *octets >= 1 << 24
        }
    });
    if large {
        checker.report(
            Diagnostic::new(option.span, "AccECN's counters have 24 bits")
                .label("expected at most 16777215"),
        );
    }
}
