//! Edits: changes to the driver described by what they mean, not by the lines around them.
//!
//! "In function F of file G, drop the call H" holds across kernels in which every line around
//! the call has moved. An edit is refused when it matches nothing or more than one place.

mod apply;
mod description;
mod shipped;
#[cfg(test)]
mod tests;

pub use apply::{EditRefused, Files, Refusal, apply, apply_step};
pub use description::{Action, Anchor, Edit, EditError, Expected, IsBug, Names, Step};
pub use shipped::{SHIPPED, find, shipped};
