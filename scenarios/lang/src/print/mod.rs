//! From tree to text: one event a line, in the language's own form.
//!
//! What is printed reads back as an equal tree. Comments and layout are lost.

mod code;
mod packet;
mod syscall;

use std::fmt;

use crate::ast::{Action, Event, OptionLine, OptionValue, Script, When};

/// The whole script as text.
#[must_use]
pub fn print(script: &Script) -> String {
    script.to_string()
}

impl fmt::Display for Script {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for option in &self.options {
            writeln!(out, "{}", option.node)?;
        }
        for command in &self.init {
            writeln!(out, "`{}`", command.0)?;
        }
        for event in &self.events {
            writeln!(out, "{event}")?;
        }
        for command in &self.cleanup {
            writeln!(out, "`{}`", command.0)?;
        }
        Ok(())
    }
}

impl fmt::Display for OptionLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "--{}", self.name.node)?;
        match self.value.as_deref() {
            None => Ok(()),
            Some(OptionValue::Int(value)) => write!(out, "={value}"),
            Some(OptionValue::Text(text)) if needs_quotes(text) => write!(out, "=\"{text}\""),
            Some(OptionValue::Text(text)) => write!(out, "={text}"),
        }
    }
}

/// Whether the text of an option would read back as something else.
fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.contains(char::is_whitespace)
        || ["//", "/*", "#", "--"]
            .iter()
            .any(|mark| text.starts_with(mark))
        || text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
            && !text.contains(['.', ':', '/', '"'])
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.when.node)?;
        match &self.action {
            Action::Packet(packet) => write!(out, " {packet}"),
            Action::Syscall(syscall) => {
                if let Some(until) = syscall.until {
                    write!(out, "...{}", until.node)?;
                }
                write!(out, " {syscall}")
            }
            Action::Command(command) => write!(out, " `{}`", command.0),
            Action::Code(code) => write!(out, " {}", code.node),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(at) => write!(out, "{at}"),
            Self::Relative(after) => write!(out, "+{after}"),
            Self::Any => out.write_str("*"),
            Self::AbsoluteRange(from, to) => write!(out, "{from}~{to}"),
            Self::RelativeRange(from, to) => write!(out, "+{from}~+{to}"),
        }
    }
}

/// Writes `items` with `separator` between them.
fn joined<T: fmt::Display>(
    out: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    separator: &str,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.write_str(separator)?;
        }
        write!(out, "{item}")?;
    }
    Ok(())
}
