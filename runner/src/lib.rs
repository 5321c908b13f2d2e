//! Boots kernels, runs close scenarios in them and judges what they did.
//!
//! Data flows one way: matrix → cells → image → snapshot → run → evidence → verdict → reports.

pub mod evidence;
pub mod farm;
pub mod matrix;
pub mod plan;
pub mod predict;
pub mod run;
pub mod shard;
pub mod verdict;
