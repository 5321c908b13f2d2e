//! As much C as it takes to find a call inside a function without being fooled by comments,
//! strings, braces or the preprocessor.
//!
//! This is no compiler: macros are not expanded and types are not known. What it cannot tell
//! apart it refuses, so that an edit never lands somewhere by accident.

mod function;
mod statement;
mod token;

pub use function::{Function, FunctionError, functions_named};
pub use statement::{Statement, StatementKind, statements};
pub use token::{Token, TokenKind, line_of, tokenise};
