//! What a run found out: cells, statuses, witnesses, and the events in which it became known.

mod cell;
mod event;
mod run;
mod status;

pub use cell::{
    CellId, CellResult, Finding, FindingKind, Plot, Timings, WitnessReading, WitnessSays,
};
pub use event::Event;
pub use run::{
    DriverInfo, Host, IsBug, KernelInfo, RunResults, SCHEMA, ScenarioInfo, Seeded, Summary,
};
pub use status::{Mechanism, Status};
