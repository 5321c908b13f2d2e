//! System calls as text.

use std::fmt;

use super::joined;
use crate::ast::{Expr, Field, IntLiteral, Syscall, SyscallResult};

impl fmt::Display for Syscall {
    /// Without the time of its return, which is printed with the event's.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}(", self.name.node)?;
        joined(
            out,
            self.arguments.iter().map(|argument| &argument.node),
            ", ",
        )?;
        write!(out, ") = {}", self.result)
    }
}

impl fmt::Display for SyscallResult {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.value.node)?;
        if let Some(errno) = &self.errno {
            write!(out, " {}", errno.node)?;
        }
        self.note
            .as_ref()
            .map_or(Ok(()), |note| write!(out, " ({})", note.node))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ellipsis => out.write_str("..."),
            Self::Int(int) => write!(out, "{int}"),
            Self::Word(word) => out.write_str(word),
            Self::String(octets) => quoted(out, octets),
            Self::StringPrefix(octets) => {
                quoted(out, octets)?;
                out.write_str("...")
            }
            Self::Or(parts) => joined(out, parts.iter().map(|part| &part.node), "|"),
            Self::Array(items) => {
                out.write_str("[")?;
                joined(out, items.iter().map(|item| &item.node), ", ")?;
                out.write_str("]")
            }
            Self::Struct(fields) => {
                out.write_str("{")?;
                joined(out, fields, ", ")?;
                out.write_str("}")
            }
            Self::Call {
                function,
                arguments,
            } => {
                write!(out, "{}(", function.node)?;
                joined(out, arguments.iter().map(|argument| &argument.node), ", ")?;
                out.write_str(")")
            }
        }
    }
}

impl fmt::Display for IntLiteral {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hex {
            write!(out, "{:#x}", self.value)
        } else {
            write!(out, "{}", self.value)
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(out, "{}", name.node)?;
            if let Some(count) = &self.count {
                write!(out, "({})", count.node)?;
            }
            out.write_str("=")?;
        }
        write!(out, "{}", self.value.node)
    }
}

/// Octets between quotes: printable ASCII as it is, the rest as `\xHH`.
fn quoted(out: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    out.write_str("\"")?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => write!(out, "\\{}", char::from(octet))?,
            b'\n' => out.write_str("\\n")?,
            b' '..=b'~' => write!(out, "{}", char::from(octet))?,
            other => write!(out, "\\x{other:02x}")?,
        }
    }
    out.write_str("\"")
}
