//! Patches: unified diffs, `git format-patch` output and mailboxes, on the kernel's own source.

mod apply;
mod mail;
mod parse;
#[cfg(test)]
mod tests;

pub use apply::{Applied, Hunk, PatchRefused, apply};
pub use mail::decode;
pub use parse::{DiffHunk, FileDiff, parse};
