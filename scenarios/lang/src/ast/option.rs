//! Option lines.

use super::Spanned;

/// `--name=value`, `--name value` or `--name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionLine {
    /// The name without its dashes (`ip_version`).
    pub name: Spanned<String>,
    /// The value, if one was given.
    pub value: Option<Spanned<OptionValue>>,
}

/// The value of an option line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// A decimal or hexadecimal integer.
    Int(i64),
    /// Anything else, quotes taken off: a word, an address, a network, a path.
    Text(String),
}

impl std::fmt::Display for OptionValue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => write!(out, "{value}"),
            Self::Text(text) => out.write_str(text),
        }
    }
}
