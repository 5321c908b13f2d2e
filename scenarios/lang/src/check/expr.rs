//! Expressions: names that have a value, functions that exist.

use super::{Checker, structure};
use crate::ast::{Expr, Spanned};
use crate::diagnostic::Diagnostic;
use crate::symbols;

/// Functions that may stand in an expression.
const FUNCTIONS: [&str; 6] = [
    "htons",
    "htonl",
    "ntohs",
    "ntohl",
    "inet_addr",
    "inet6_addr",
];

pub(super) fn check(checker: &mut Checker<'_>, expr: &Spanned<Expr>) {
    match &expr.node {
        Expr::Ellipsis | Expr::Int(_) | Expr::String(_) | Expr::StringPrefix(_) => {}
        Expr::Word(word) => name(checker, expr, word),
        Expr::Or(parts) => {
            for part in parts {
                if !matches!(part.node, Expr::Int(_) | Expr::Word(_)) {
                    checker.report(
                        Diagnostic::new(part.span, "only numbers and names can be joined by `|`")
                            .label("expected a number or a name"),
                    );
                }
                check(checker, part);
            }
        }
        Expr::Array(items) => items.iter().for_each(|item| check(checker, item)),
        Expr::Struct(fields) => structure::check(checker, fields, expr.span),
        Expr::Call {
            function,
            arguments,
        } => {
            if !FUNCTIONS.contains(&function.node.as_str()) {
                checker.report(
                    Diagnostic::new(
                        function.span,
                        format!("unknown function `{}`", function.node),
                    )
                    .label(format!("expected one of {}", FUNCTIONS.join(", ")))
                    .suggest(&function.node, FUNCTIONS),
                );
                return;
            }
            call(checker, expr, &function.node, arguments);
        }
    }
}

fn name(checker: &mut Checker<'_>, expr: &Spanned<Expr>, word: &str) {
    if checker.definitions.value(word).is_some() || checker.definitions.string(word).is_some() {
        return;
    }
    let definitions = checker.definitions;
    let known = definitions
        .names()
        .chain(symbols::names().map(|name| name as &str));
    let diagnostic = Diagnostic::new(expr.span, format!("unknown name `{word}`"))
        .label("expected a number or a name with a value");
    let define = format!("define it: `-D {word}=…`, or a line `--define={word}=…`");
    checker.report_unknown(diagnostic, word, known, Some(define));
}

/// A function's argument: a number for those that swap octets, an address
/// between quotes for the others.
fn call(
    checker: &mut Checker<'_>,
    expr: &Spanned<Expr>,
    function: &str,
    arguments: &[Spanned<Expr>],
) {
    let [argument] = arguments else {
        checker.report(
            Diagnostic::new(
                expr.span,
                format!("`{function}` with {} arguments", arguments.len()),
            )
            .label("expected one"),
        );
        return;
    };
    let text = match &argument.node {
        Expr::String(octets) => std::str::from_utf8(octets).ok(),
        _ => None,
    };
    let (fits, expected) = match function {
        "inet_addr" => (
            text.is_some_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok()),
            "an IPv4 address between quotes",
        ),
        "inet6_addr" => (
            text.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok()),
            "an IPv6 address between quotes",
        ),
        _ => (
            matches!(argument.node, Expr::Int(_) | Expr::Word(_) | Expr::Ellipsis),
            "a number",
        ),
    };
    if fits || matches!(argument.node, Expr::Ellipsis) {
        if let Expr::Word(_) = argument.node {
            check(checker, argument);
        }
        return;
    }
    checker.report(
        Diagnostic::new(argument.span, format!("wrong argument of `{function}`"))
            .label(format!("expected {expected}")),
    );
}
