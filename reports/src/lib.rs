//! Turns the results of a run into what people and machines read.
//!
//! [`model`] is what a run *is*; every other module is a consumer of it, and none is special.
//!
//! * While a run goes on, its [`model::Event`]s go to a [`Reporter`], which hands each of them to
//!   every [`Consumer`]: the console ([`Console`]) and the event log ([`EventLog`]).
//! * When it is over, [`write_all`] writes every file of the run's folder at once, one
//!   [`export::Exporter`] for each; [`load`] reads a run back from its `results.json`.

pub mod attention;
pub mod compare;
pub mod confusion;
pub mod console;
pub mod export;
pub mod files;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod history;
pub mod model;
pub mod overview;
pub mod report;
pub mod reporter;
pub mod sentence;
pub mod story;
pub mod text;
pub mod timer;

pub use compare::{Change, apply_baseline, diff};
pub use console::Console;
pub use export::events::EventLog;
pub use files::{FileError, load, write_all};
pub use history::{History, HistoryError, Past};
pub use report::Report;
pub use reporter::{Consumer, Reporter};
pub use sentence::sentence;
