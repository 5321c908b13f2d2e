//! What the evidence says.
//!
//! A verdict is an agreement of witnesses, never one number: `witness` asks each of them,
//! `expect` compares with what the scenario wants to see, `decide` puts it together, and
//! `settle` holds it against the controls.

mod decide;
mod expect;
mod settle;
mod witness;

pub(crate) use decide::fatal;
pub use decide::{Case, Judgement, judge};
pub use settle::{Controls, settle};
