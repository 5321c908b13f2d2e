//! Any packetdrill scripts as a suite: each script, IP version and datapath in a fresh guest, the
//! answer passed or not.

mod bench;
mod companions;
mod differences;
mod engine;
mod suite;

pub use bench::{Bench, Manner};
pub use differences::{Differences, DifferencesError};
pub use engine::{NoEngine, check_static};
pub use suite::{Asked, Script, Suite, SuiteError};
