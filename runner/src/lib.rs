//! Boots kernels, runs close scenarios in them and judges what they did.
//!
//! Data flows one way: matrix → cells → image → snapshot → run → evidence → verdict → reports.

pub mod bisect;
pub mod evidence;
pub mod fan_out;
pub mod farm;
pub mod matrix;
pub mod merge;
pub mod pkt;
pub mod plan;
pub mod plan_file;
pub mod predict;
pub mod run;
pub mod shard;
pub mod simulate;
pub mod validate;
pub mod verdict;
