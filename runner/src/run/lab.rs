//! What executes: the real farm, or a made-up one in tests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellResult, DriverInfo, KernelInfo, Status};
use tunfarm_scenarios::Scenario;

/// Why something was not done, and which status that gives the cells it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// `infra` where it says nothing about kernel or driver, `other-failure` where it does (a
    /// patch that does not compile), `skipped` where nobody is to blame.
    pub status: Status,
    /// One sentence.
    pub reason: String,
}

/// A kernel that is ready to run cells, with its drivers.
#[derive(Clone, Debug)]
pub struct PreparedKernel<S> {
    /// What it is.
    pub info: KernelInfo,
    /// Where its cells are forked from.
    pub snapshot: S,
    /// Each driver spec's build for this kernel.
    pub drivers: BTreeMap<String, Result<PreparedDriver, Trouble>>,
}

/// A driver built for one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedDriver {
    /// What it is; `modules` has the one entry of this kernel.
    pub info: DriverInfo,
    /// Modules in load order, name and bytes; empty for the kernel's own.
    pub files: Vec<(String, Vec<u8>)>,
    /// What a reader of the evidence has to know: a nearest source, fuzz.
    pub notes: Vec<String>,
}

/// One cell, ready to run.
#[derive(Clone, Debug)]
pub struct CellJob<'a, S> {
    /// Its kernel.
    pub kernel: &'a PreparedKernel<S>,
    /// Its driver; `None` over loopback.
    pub driver: Option<&'a PreparedDriver>,
    /// Its scenario.
    pub scenario: &'a Scenario,
    /// Where packets pass.
    pub datapath: Datapath,
    /// On which IP version.
    pub ip: IpVersion,
    /// Its folder, which exists.
    pub folder: PathBuf,
    /// The slot it runs in, from 0; one cell at a time has it.
    pub slot: usize,
}

/// A cell that has run, judged by its own evidence; its controls are not heard yet.
pub type CellRun = CellResult;

/// Executes what the schedule decides.
pub trait Lab {
    /// Where a kernel's cells are forked from.
    type Snapshot;

    /// Fetches, builds and boots a kernel. Long; `slot` is the processor it may use.
    fn prepare(
        &self,
        spec: &str,
        drivers: &[String],
        slot: usize,
    ) -> impl Future<Output = Result<PreparedKernel<Self::Snapshot>, Trouble>>;

    /// Runs one cell in a fresh guest and judges it.
    fn cell(
        &self,
        job: CellJob<'_, Self::Snapshot>,
        id: tunfarm_reports::model::CellId,
    ) -> impl Future<Output = CellRun>;

    /// Whether loopback cells are controls of TUN cells, as they are of the close scenarios. Else
    /// every cell stands for itself.
    fn controls(&self) -> bool {
        true
    }

    /// What a driver spec is called before it is built.
    fn driver_label(&self, spec: &str) -> String;
}
