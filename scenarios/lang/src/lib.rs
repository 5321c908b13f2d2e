//! packetdrill's language: syntax tree, parser, checker and printer.
//!
//! ```
//! let script = tunfarm_lang::parse("+0 < S 0:0(0) win 1000 <mss 1000>\n", "syn.pkt")?;
//! assert!(tunfarm_lang::check(&script).is_empty());
//! assert_eq!(tunfarm_lang::print(&script), "+0 < S 0:0(0) win 1000 <mss 1000>\n");
//! # Ok::<(), tunfarm_lang::Errors>(())
//! ```
//!
//! Written from the language's documentation, from public scripts and from the
//! behaviour of the original. No file is opened here, nothing panics on what a
//! script holds, and the memory used is bounded by [`MAX_SCRIPT`]: the guest
//! links this crate too.

pub mod ast;
mod check;
pub mod diagnostic;
mod parse;
mod print;
pub mod symbols;

pub use ast::Script;
pub use check::{check, check_with, parse_and_check};
pub use diagnostic::Errors;
pub use parse::{MAX_SCRIPT, parse};
pub use print::print;
