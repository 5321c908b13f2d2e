//! System calls and the expressions in them.

use super::{Nanos, Spanned};

/// `NAME(ARGS) = RESULT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Syscall {
    /// `0.1...0.3 connect(…)`: the call blocks, and returns at this time,
    /// counted like the event's own start (from the script's start, or, where
    /// the start is relative, from the previous event).
    pub until: Option<Spanned<Nanos>>,
    /// Name of the call.
    pub name: Spanned<String>,
    /// Arguments in order.
    pub arguments: Vec<Spanned<Expr>>,
    /// What it must return.
    pub result: SyscallResult,
}

/// `= VALUE ERRNO (note)`.
#[derive(Debug, Clone, PartialEq)]
pub struct SyscallResult {
    /// The value; [`Expr::Ellipsis`] is any.
    pub value: Spanned<Expr>,
    /// The expected errno by name, after `-1`.
    pub errno: Option<Spanned<String>>,
    /// The text in parentheses, for people only.
    pub note: Option<Spanned<String>>,
}

/// An integer and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntLiteral {
    /// Its value; a hexadecimal literal past `i64::MAX` is its bit pattern.
    pub value: i64,
    /// Whether it was written `0x…`.
    pub hex: bool,
}

/// An argument, a result, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `...`: the engine chooses (in) or does not look (out).
    Ellipsis,
    /// `1000`, `-1`, `0x2`.
    Int(IntLiteral),
    /// `SOCK_STREAM`: a name to look up; `NULL` is one too.
    Word(String),
    /// `"text"`: octets, escapes resolved.
    String(Vec<u8>),
    /// `"text"...`: octets that begin so.
    StringPrefix(Vec<u8>),
    /// `A|B|C`: at least two.
    Or(Vec<Spanned<Expr>>),
    /// `[a, b]`.
    Array(Vec<Spanned<Expr>>),
    /// `{fd=4, events=POLLIN}` or, without names, `{..., 1000}`.
    Struct(Vec<Field>),
    /// `htons(8080)`, `inet_addr("192.0.2.1")`.
    Call {
        /// Name of the function.
        function: Spanned<String>,
        /// Its arguments.
        arguments: Vec<Spanned<Expr>>,
    },
}

/// One member of a structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// `events` of `events=POLLIN`; none in `{..., 1000}`.
    pub name: Option<Spanned<String>>,
    /// `4` of `msg_iov(4)=[…]`, `...` of `msg_name(...)=...`.
    pub count: Option<Spanned<Expr>>,
    /// The value.
    pub value: Spanned<Expr>,
}
