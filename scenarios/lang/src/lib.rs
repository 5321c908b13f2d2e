//! packetdrill's language: syntax tree, parser, checker and printer.

pub mod ast;
