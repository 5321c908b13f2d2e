//! The matrix: which kernels, drivers, scenarios and datapaths, and what is expected of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tunfarm_config::ConfigError;
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellId, Status};
use tunfarm_scenarios::glob_matches;

/// The matrix that is run when none is named.
pub const DEFAULT: &str = include_str!("../default-matrix.yaml");

/// A matrix file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Kernel specs.
    pub kernels: Vec<String>,
    /// Driver specs.
    #[serde(default = "stock")]
    pub drivers: Vec<String>,
    /// Globs over scenario names.
    #[serde(default = "everything")]
    pub scenarios: Vec<String>,
    /// Folders with scenarios of one's own, relative to the matrix file.
    #[serde(default)]
    pub scenario_folders: Vec<PathBuf>,
    /// Datapaths.
    #[serde(default = "all_datapaths")]
    pub datapaths: Vec<Datapath>,
    /// IP versions; each scenario runs on those that it names too.
    #[serde(default = "ipv4")]
    pub ip: Vec<IpVersion>,
    /// The driver with the seeded bug. Where it is not seen to have the bug, no other driver of the
    /// same kernel is called clean.
    #[serde(default)]
    pub positive_control: Option<String>,
    /// Sysctls set in every guest, after those of the scenarios.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Statuses other than `clean` that are expected.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

fn stock() -> Vec<String> {
    vec!["stock".into()]
}

fn everything() -> Vec<String> {
    vec!["*".into()]
}

fn all_datapaths() -> Vec<Datapath> {
    vec![Datapath::Tun, Datapath::Loopback]
}

fn ipv4() -> Vec<IpVersion> {
    vec![IpVersion::Ipv4]
}

/// What some cells are expected to be; the last entry that fits a cell counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Glob over kernel labels.
    #[serde(default = "any")]
    pub kernel: String,
    /// Glob over driver labels.
    #[serde(default = "any")]
    pub driver: String,
    /// Glob over scenario names.
    #[serde(default = "any")]
    pub scenario: String,
    /// Datapath; both when absent.
    #[serde(default)]
    pub datapath: Option<Datapath>,
    /// IP version; all when absent.
    #[serde(default)]
    pub ip: Option<IpVersion>,
    /// Any of these statuses.
    pub status: Vec<Status>,
    /// Why.
    pub because: String,
}

fn any() -> String {
    "*".into()
}

impl Expectation {
    fn fits(&self, cell: &CellId) -> bool {
        glob_matches(&self.kernel, &cell.kernel)
            && glob_matches(&self.driver, &cell.driver)
            && glob_matches(&self.scenario, &cell.scenario)
            && self.datapath.is_none_or(|d| d == cell.datapath)
            && self.ip.is_none_or(|ip| ip == cell.ip)
    }
}

impl Matrix {
    /// The matrix that is run when none is named.
    pub fn built_in() -> Result<Matrix, ConfigError> {
        tunfarm_config::parse(DEFAULT, Path::new("default-matrix.yaml"))
    }

    /// Reads a matrix file; folders in it become relative to the current one.
    pub fn load(path: &Path) -> Result<Matrix, ConfigError> {
        let mut matrix: Matrix = tunfarm_config::load(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        for folder in &mut matrix.scenario_folders {
            *folder = base.join(&*folder);
        }
        Ok(matrix)
    }

    /// What `cell` is expected to be.
    pub fn expected(&self, cell: &CellId) -> Vec<Status> {
        self.expect
            .iter()
            .rfind(|e| e.fits(cell))
            .map_or_else(|| vec![Status::Clean], |e| e.status.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_matrix_reads() {
        let matrix = Matrix::built_in().unwrap();
        assert!(matrix.kernels.len() >= 3);
        assert!(matrix.drivers.contains(&"stock".to_owned()));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_neighbour() {
        let error =
            tunfarm_config::parse::<Matrix>("kernels: []\ndatapath: [tun]\n", Path::new("m.yaml"))
                .unwrap_err()
                .to_string();
        assert!(
            error.starts_with("m.yaml:2:1: unknown field `datapath`"),
            "{error}"
        );
        assert!(error.ends_with("did you mean `datapaths`?"), "{error}");
    }

    #[test]
    fn the_last_expectation_that_fits_counts() {
        let matrix: Matrix = tunfarm_config::parse(
            "kernels: []\nexpect:\n- {driver: no-*, status: [orphan-bug], because: seeded}\n\
             - {driver: no-orphan, scenario: close-wait, status: [clean], because: no retransmission}\n",
            Path::new("m.yaml"),
        )
        .unwrap();
        let cell = |driver: &str, scenario: &str| {
            format!("6.12/{driver}/{scenario}/tun")
                .parse::<CellId>()
                .unwrap()
        };
        assert_eq!(matrix.expected(&cell("stock", "closing")), [Status::Clean]);
        assert_eq!(
            matrix.expected(&cell("no-orphan", "closing")),
            [Status::OrphanBug]
        );
        assert_eq!(
            matrix.expected(&cell("no-orphan", "close-wait")),
            [Status::Clean]
        );
    }
}
