//! System calls: known names, arguments in number and kind, results.

use super::{Checker, expr};
use crate::ast::{Expr, Syscall};
use crate::diagnostic::Diagnostic;
use crate::symbols;

/// What an argument must be.
#[derive(Clone, Copy)]
enum Kind {
    /// A number or a name.
    Number,
    /// A number or a name, or `...` for what the script's set-up says.
    NumberOrAny,
    /// Octets: `...`, a string or NULL.
    Buffer,
    /// A socket address: `...`, a structure, NULL, or a family alone.
    Address,
    /// The length of an address: `...`, a number or `[number]`.
    AddressLen,
    /// The value of a socket option: `[number]`, a structure, a string, `...`
    /// or NULL.
    OptionValue,
    /// `[…]`, or a structure or string in it.
    Array,
    /// A file's name.
    Path,
    /// A structure.
    Struct,
    /// An offset: NULL, or `[number]`.
    Offset,
    /// Anything.
    Any,
}

/// A call: its name, its arguments, and how many of them may be left out.
type Signature = (&'static str, &'static [Kind], usize);

use Kind::{
    Address, AddressLen, Any, Array, Buffer, Number, NumberOrAny, Offset, OptionValue, Path, Struct,
};

/// Every call of the language.
const CALLS: &[Signature] = &[
    ("accept", &[Number, Address, AddressLen], 0),
    ("accept4", &[Number, Address, AddressLen, Number], 0),
    ("bind", &[Number, Address, AddressLen], 0),
    ("close", &[Number], 0),
    ("connect", &[Number, Address, AddressLen], 0),
    ("dup", &[Number], 0),
    ("dup2", &[Number, Number], 0),
    ("epoll_create", &[Number], 0),
    ("epoll_ctl", &[Number, Number, Number, Struct], 0),
    ("epoll_wait", &[Number, Struct, Number, Number], 0),
    ("fcntl", &[Number, Number, Any], 1),
    (
        "getsockopt",
        &[Number, Number, Number, OptionValue, AddressLen],
        0,
    ),
    ("getpeername", &[Number, Address, AddressLen], 0),
    ("getsockname", &[Number, Address, AddressLen], 0),
    ("ioctl", &[Number, Number, Any], 1),
    ("listen", &[Number, Number], 0),
    ("open", &[Path, Number, Number], 1),
    ("pipe", &[Array], 0),
    ("poll", &[Array, Number, Number], 0),
    ("psp_key_rotate", &[], 0),
    ("psp_rx_assoc", &[Number, Array], 0),
    ("psp_tx_assoc", &[Number, Number], 0),
    ("read", &[Number, Buffer, Number], 0),
    ("readv", &[Number, Array, Number], 0),
    ("recv", &[Number, Buffer, Number, Number], 0),
    (
        "recvfrom",
        &[Number, Buffer, Number, Number, Address, AddressLen],
        0,
    ),
    ("recvmsg", &[Number, Struct, Number], 0),
    ("send", &[Number, Buffer, Number, Number], 0),
    ("sendfile", &[Number, Number, Offset, Number], 0),
    ("sendmsg", &[Number, Struct, Number], 0),
    (
        "sendto",
        &[Number, Buffer, Number, Number, Address, AddressLen],
        0,
    ),
    (
        "setsockopt",
        &[Number, Number, Number, OptionValue, Number],
        0,
    ),
    ("shutdown", &[Number, Number], 0),
    ("socket", &[NumberOrAny, Number, Number], 0),
    (
        "splice",
        &[Number, Offset, Number, Offset, Number, Number],
        0,
    ),
    ("write", &[Number, Buffer, Number], 0),
    ("writev", &[Number, Array, Number], 0),
];

pub(super) fn check(checker: &mut Checker<'_>, syscall: &Syscall) {
    for argument in &syscall.arguments {
        expr::check(checker, argument);
    }
    result(checker, syscall);
    let name = &syscall.name;
    let Some((_, kinds, optional)) = CALLS.iter().find(|(known, ..)| *known == name.node) else {
        checker.report(
            Diagnostic::new(name.span, format!("unknown system call `{}`", name.node))
                .label("expected a system call of the language")
                .suggest(&name.node, CALLS.iter().map(|(known, ..)| *known)),
        );
        return;
    };
    let given = syscall.arguments.len();
    if given > kinds.len() || given + optional < kinds.len() {
        let least = kinds.len() - optional;
        let expected = if *optional == 0 {
            least.to_string()
        } else {
            format!("{least} to {}", kinds.len())
        };
        checker.report(
            Diagnostic::new(name.span, format!("`{}` with {given} arguments", name.node))
                .label(format!("expected {expected}")),
        );
        return;
    }
    for (index, (argument, kind)) in syscall.arguments.iter().zip(*kinds).enumerate() {
        if !fits(*kind, &argument.node) {
            let position = index + 1;
            checker.report(
                Diagnostic::new(
                    argument.span,
                    format!("wrong argument {position} of `{}`", name.node),
                )
                .label(format!("expected {}", expected(*kind))),
            );
        }
    }
    let buffers = matches!(name.node.as_str(), "readv" | "writev" | "poll");
    if let (true, [_, _, _]) = (buffers, syscall.arguments.as_slice()) {
        counted(checker, syscall);
    }
}

/// `readv(3, [a, b], 2)`, `poll([a], 1, 0)`: the number after the array.
fn counted(checker: &mut Checker<'_>, syscall: &Syscall) {
    let array = syscall
        .arguments
        .iter()
        .position(|argument| matches!(argument.node, Expr::Array(_)));
    let Some(Expr::Array(items)) = array.map(|at| &syscall.arguments[at].node) else {
        return;
    };
    let Some(count) = array.and_then(|at| syscall.arguments.get(at + 1)) else {
        return;
    };
    if let Expr::Int(int) = count.node
        && int.value != items.len() as i64
    {
        checker.report(
            Diagnostic::new(count.span, format!("the array has {} members", items.len()))
                .label(format!("expected {}", items.len())),
        );
    }
}

/// The result: a number or `...`; an errno only after -1.
fn result(checker: &mut Checker<'_>, syscall: &Syscall) {
    let result = &syscall.result;
    if !fits(Kind::NumberOrAny, &result.value.node) {
        checker.report(
            Diagnostic::new(result.value.span, "a call cannot return this")
                .label("expected a number, a name or `...`"),
        );
    }
    expr::check(checker, &result.value);
    let Some(errno) = &result.errno else { return };
    if symbols::errno(&errno.node).is_none() {
        checker.report(
            Diagnostic::new(errno.span, format!("unknown errno `{}`", errno.node))
                .label("expected the name of an errno, such as EAGAIN")
                .suggest(&errno.node, symbols::errno_names()),
        );
    } else if !matches!(result.value.node, Expr::Int(int) if int.value == -1) {
        checker.report(
            Diagnostic::new(
                result.value.span,
                format!("a call that fails with {} returns -1", errno.node),
            )
            .label("expected -1"),
        );
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Int(_) | Expr::Word(_) | Expr::Or(_) | Expr::Call { .. }
    )
}

/// `[NUMBER]`
fn is_boxed_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Array(items) if matches!(items.as_slice(), [one] if is_number(&one.node)))
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Word(word) if word == "NULL")
}

fn fits(kind: Kind, expr: &Expr) -> bool {
    let ellipsis = matches!(expr, Expr::Ellipsis);
    match kind {
        Kind::Number => is_number(expr),
        Kind::NumberOrAny => is_number(expr) || ellipsis,
        Kind::Buffer => {
            matches!(expr, Expr::String(_) | Expr::StringPrefix(_)) || ellipsis || is_null(expr)
        }
        Kind::Address => matches!(expr, Expr::Struct(_) | Expr::Word(_)) || ellipsis,
        Kind::AddressLen => is_number(expr) || is_boxed_number(expr) || ellipsis,
        Kind::OptionValue => {
            matches!(expr, Expr::Array(_) | Expr::Struct(_) | Expr::String(_))
                || is_number(expr)
                || ellipsis
        }
        Kind::Array => matches!(expr, Expr::Array(_)) || ellipsis,
        Kind::Path => matches!(expr, Expr::String(_)),
        Kind::Struct => matches!(expr, Expr::Struct(_)) || ellipsis || is_null(expr),
        Kind::Offset => is_boxed_number(expr) || is_null(expr) || ellipsis,
        Kind::Any => true,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "a number or a name",
        Kind::NumberOrAny => "a number, a name or `...`",
        Kind::Buffer => "`...`, a string or NULL",
        Kind::Address => "`...`, NULL or `{sa_family = AF_INET, …}`",
        Kind::AddressLen => "`...`, a number or `[number]`",
        Kind::OptionValue => "`[number]`, `{…}`, a string, `...` or NULL",
        Kind::Array => "`[…]`",
        Kind::Path => "a file's name between quotes",
        Kind::Struct => "`{…}`",
        Kind::Offset => "NULL or `[number]`",
        Kind::Any => "a value",
    }
}
