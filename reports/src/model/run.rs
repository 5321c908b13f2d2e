//! A whole run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tunfarm_protocol::KernelFacts;

use super::{CellResult, Status};

/// Schema of `results.json`; the number rises when a reader would have to change.
pub const SCHEMA: &str = "tunfarm-results/1";

/// One kernel of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelInfo {
    /// Label used in cell names: the release.
    pub label: String,
    /// The spec it was asked for by, e.g. `debian:trixie/cloud`.
    pub spec: String,
    /// Package version, when it came from a package.
    #[serde(default)]
    pub package_version: Option<String>,
    /// sha256 of the kernel image.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What it told about itself; absent if it never came up.
    #[serde(default)]
    pub facts: Option<KernelFacts>,
}

/// One driver of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverInfo {
    /// Label used in cell names.
    pub label: String,
    /// The spec it was asked for by, e.g. `edit:no-orphan`.
    pub spec: String,
    /// One sentence: what it is.
    pub about: String,
    /// sha256 of each module by kernel label.
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    /// What a shipped edit is known to be; absent for every other driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeded: Option<Seeded>,
}

/// What a seeded fault or fix is known to be: the truth that verdicts are held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// Is it the tun orphan bug?
    pub is_bug: IsBug,
    /// Statuses of which a farm that works gives one, on a TUN that is read lazily.
    pub expect: Vec<Status>,
}

/// Is a seeded fault the tun orphan bug?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsBug {
    /// Always.
    Yes,
    /// Under a condition that the edit names.
    UnderCondition,
    /// Never.
    No,
}

/// One scenario of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// Name used in cell names.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it shows and why it matters, in plain words.
    pub shows: String,
    /// sha256 of script and YAML.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// The machine of a run. Not part of what is compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// QEMU version line.
    pub qemu: String,
    /// `tcg` or `kvm`.
    pub accel: String,
    /// CPUs of the host.
    pub cpus: usize,
}

/// A whole run: `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResults {
    /// [`SCHEMA`].
    pub schema: String,
    /// `tunfarm` version.
    pub tool: String,
    /// Digest of the plan: same plan, same digest, on any machine.
    pub plan: String,
    /// Shard `i/n` when this is a part of a plan.
    #[serde(default)]
    pub shard: Option<String>,
    /// When it began, RFC 3339 UTC.
    pub started: String,
    /// Wall-clock seconds.
    pub duration_s: f64,
    /// `virtual` or `real`.
    pub clock: String,
    /// The machine.
    #[serde(default)]
    pub host: Host,
    /// It was interrupted: cells are missing.
    #[serde(default)]
    pub interrupted: bool,
    /// Kernels in matrix order.
    pub kernels: Vec<KernelInfo>,
    /// Drivers in matrix order.
    pub drivers: Vec<DriverInfo>,
    /// Scenarios in name order.
    pub scenarios: Vec<ScenarioInfo>,
    /// Cells in plan order.
    pub cells: Vec<CellResult>,
    /// What concerns the whole run (a control that was not seen, a package that is gone).
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Counts over a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Cells by status word.
    pub by_status: BTreeMap<String, usize>,
    /// Cells whose status was not expected.
    pub unexpected: usize,
}

impl RunResults {
    /// Counts over the run.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for cell in &self.cells {
            *summary
                .by_status
                .entry(cell.status.word().to_owned())
                .or_default() += 1;
            summary.unexpected += usize::from(!cell.as_expected());
        }
        summary
    }

    /// The documented exit status: 0 all as expected · 1 a verdict that was not expected ·
    /// 3 infrastructure, nothing can be said.
    ///
    /// A verdict about a kernel outranks infrastructure: somebody has to look at it either way.
    pub fn exit_status(&self) -> u8 {
        let unexpected = |infra: bool| {
            self.cells
                .iter()
                .any(|c| !c.as_expected() && (c.status == Status::Infra) == infra)
        };
        if unexpected(false) {
            1
        } else if unexpected(true) || self.interrupted || self.cells.is_empty() {
            3
        } else {
            0
        }
    }
}
