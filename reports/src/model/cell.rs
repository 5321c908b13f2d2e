//! One cell: kernel × driver × scenario × datapath × IP version, and what it showed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tunfarm_protocol::{Datapath, Failure, IpVersion};

use super::{Mechanism, Status};

/// The name of a cell, unique in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellId {
    /// Kernel label, e.g. `6.12.95+deb12-cloud-amd64`.
    pub kernel: String,
    /// Driver label, e.g. `stock` or `no-orphan`; `none` for loopback, which does not depend on it.
    pub driver: String,
    /// Scenario name, e.g. `closing`.
    pub scenario: String,
    /// Where packets pass.
    pub datapath: Datapath,
    /// On which IP version.
    pub ip: IpVersion,
}

impl CellId {
    /// The driver label of cells that do not depend on the driver.
    pub const NO_DRIVER: &'static str = "none";

    /// Datapath and IP version in one word: `tun`, `tun-ipv6`, `loopback`, `loopback-mapped`.
    pub fn lane(&self) -> String {
        let path = match self.datapath {
            Datapath::Tun => "tun",
            Datapath::Loopback => "loopback",
        };
        match self.ip {
            IpVersion::Ipv4 => path.to_owned(),
            IpVersion::Ipv6 => format!("{path}-ipv6"),
            IpVersion::Mapped => format!("{path}-mapped"),
        }
    }

    /// The cell's folder relative to the run's: `cells/KERNEL/DRIVER/SCENARIO/LANE`.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from("cells").join(self.to_string())
    }
}

/// `KERNEL/DRIVER/SCENARIO/LANE`.
impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.kernel,
            self.driver,
            self.scenario,
            self.lane()
        )
    }
}

impl FromStr for CellId {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` is no cell: expected KERNEL/DRIVER/SCENARIO/LANE");
        let parts: Vec<&str> = s.split('/').collect();
        // A scenario may be in a folder of its own (`close/closing`), so take the ends.
        let [kernel, driver, scenario @ .., lane] = parts.as_slice() else {
            return Err(wrong());
        };
        if scenario.is_empty() {
            return Err(wrong());
        }
        let (path, ip) = lane.split_once('-').unwrap_or((lane, "ipv4"));
        Ok(CellId {
            kernel: (*kernel).to_owned(),
            driver: (*driver).to_owned(),
            scenario: scenario.join("/"),
            datapath: match path {
                "tun" => Datapath::Tun,
                "loopback" => Datapath::Loopback,
                _ => return Err(wrong()),
            },
            ip: match ip {
                "ipv4" => IpVersion::Ipv4,
                "ipv6" => IpVersion::Ipv6,
                "mapped" => IpVersion::Mapped,
                _ => return Err(wrong()),
            },
        })
    }
}

/// What one witness says about the bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessSays {
    /// It saw the bug.
    Bug,
    /// It saw a healthy kernel.
    Healthy,
    /// It was not there, or saw nothing that decides.
    Silent,
}

/// One witness with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessReading {
    /// Name: `capture`, `counters`, `retrans`, `wmem_alloc`, `probe`, `loopback`.
    pub witness: String,
    /// What it says.
    pub says: WitnessSays,
    /// The statement with its numbers, e.g. `0 FIN retransmissions on the wire for 9 time-outs`.
    pub reading: String,
}

/// What kind of trouble a console line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// `Kernel panic - not syncing`.
    Panic,
    /// Oops, general protection fault, NULL dereference, page fault in the kernel.
    Oops,
    /// `BUG:` or `kernel BUG at`.
    Bug,
    /// `WARNING:`.
    Warning,
    /// A lockdep report.
    Lockdep,
    /// `INFO: task … blocked for more than`.
    HungTask,
    /// `watchdog: BUG: soft lockup`.
    SoftLockup,
    /// RCU stall.
    RcuStall,
    /// The guest went silent before it was done.
    Silent,
    /// QEMU ended or the guest reset without a word.
    Died,
}

/// Trouble recognised on the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// The console's own headline.
    pub headline: String,
    /// The top frames of its backtrace, innermost first.
    pub frames: Vec<String>,
}

/// Wall-clock durations of one cell on the host in milliseconds. Not part of what is compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// From starting QEMU until it answered.
    pub start_ms: f64,
    /// Restoring the snapshot until the guest ran.
    pub restore_ms: f64,
    /// The guest's run until its evidence began to arrive.
    pub guest_ms: f64,
    /// Evidence until its last frame.
    pub evidence_ms: f64,
    /// Judging it.
    pub verdict_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// What the plots and diagrams of a cell are drawn from; derived from the evidence files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plot {
    /// Times in seconds on the script's clock at which the RTO timer was seen to have fired.
    pub timeouts: Vec<f64>,
    /// Times of FINs on the wire, first transmission included.
    pub fins: Vec<f64>,
    /// Times of all retransmissions on the wire.
    pub retransmissions: Vec<f64>,
    /// (time, `sk_wmem_alloc`) whenever it changed.
    pub wmem_alloc: Vec<(f64, u32)>,
    /// (time, state as `ss` names it) whenever it changed.
    pub states: Vec<(f64, String)>,
    /// (time, rto in milliseconds) whenever it changed.
    pub rto_ms: Vec<(f64, f64)>,
    /// Packets as the diagram shows them: (time, leaves the kernel under test, one-line summary).
    pub packets: Vec<(f64, bool, String)>,
}

/// What a cell showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Which cell.
    pub id: CellId,
    /// Its status.
    pub status: Status,
    /// Statuses that were expected: `clean` unless the matrix or a baseline says otherwise.
    pub expected: Vec<Status>,
    /// One sentence that says why.
    pub reason: String,
    /// What refused retransmissions, when witnesses tell.
    #[serde(default)]
    pub mechanism: Option<Mechanism>,
    /// Each witness with its number.
    #[serde(default)]
    pub witnesses: Vec<WitnessReading>,
    /// The script's failure.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Trouble on the console.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The control of this cell (the same scenario over loopback).
    #[serde(default)]
    pub control: Option<CellId>,
    /// Statuses of earlier attempts in this run, oldest first (a real clock may repeat a cell).
    #[serde(default)]
    pub earlier: Vec<Status>,
    /// The command that repeats this cell.
    pub command: String,
    /// Evidence files in the cell's folder, name → sha256.
    #[serde(default)]
    pub evidence: std::collections::BTreeMap<String, String>,
    /// What plots and diagrams are drawn from.
    #[serde(default)]
    pub plot: Plot,
    /// Seconds of the guest's clock that the script took.
    #[serde(default)]
    pub virtual_s: f64,
    /// Host-side durations.
    #[serde(default)]
    pub timings: Timings,
}

impl CellResult {
    /// The status is one of those expected. A skipped cell surprises nobody.
    pub fn as_expected(&self) -> bool {
        self.status == Status::Skipped || self.expected.contains(&self.status)
    }

    /// The cell passed at last after having failed: flaky.
    pub fn flaky(&self) -> bool {
        self.earlier.iter().any(|s| *s != self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_name_reads_back() {
        for lane in ["tun", "tun-ipv6", "loopback", "loopback-mapped"] {
            let name = format!("6.12.95+deb12-cloud-amd64/no-orphan/closing/{lane}");
            assert_eq!(name.parse::<CellId>().unwrap().to_string(), name);
        }
        assert!("a/b/tun".parse::<CellId>().is_err());
        assert!("a/b/c/ether".parse::<CellId>().is_err());
    }
}
