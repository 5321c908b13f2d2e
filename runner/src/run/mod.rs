//! From a plan to results: one task decides, others execute.

mod board;
mod lab;
mod schedule;

pub use lab::{CellJob, CellRun, Lab, PreparedDriver, PreparedKernel, Trouble};
pub use schedule::{Executed, Options, execute};
