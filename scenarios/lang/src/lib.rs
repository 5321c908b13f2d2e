//! packetdrill's language: syntax tree, parser, checker and printer.

pub mod ast;
pub mod diagnostic;
mod parse;
mod print;
pub mod symbols;

pub use ast::Script;
pub use diagnostic::Errors;
pub use parse::{MAX_SCRIPT, parse};
pub use print::print;
