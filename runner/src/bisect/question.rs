//! What is asked: between which kernels, and about which behaviour.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tunfarm_bisect::Terms;
use tunfarm_config::ConfigError;
use tunfarm_protocol::{Datapath, IpVersion};

use crate::matrix::Matrix;

/// Where the kernels come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Every kernel of the archive between the two ends, of their flavour.
    Archive,
    /// The specs in this file, one a line, oldest first.
    List(PathBuf),
    /// The kernel files in this folder, by their releases.
    Folder(PathBuf),
    /// Commits of a kernel's repository, each built.
    Commits {
        /// The repository.
        tree: PathBuf,
        /// A fragment of configuration on top of what the farm needs.
        config: Option<PathBuf>,
        /// Only commits that touch these paths; all when empty.
        only: Vec<String>,
    },
}

/// What is asked, as it was typed: a search that goes on must have been asked the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The end that is clean.
    pub good: Option<String>,
    /// The end that fails.
    pub bad: Option<String>,
    /// The kernels.
    pub kernels: Kernels,
    /// Driver spec.
    pub driver: String,
    /// Globs over scenario names.
    pub scenarios: Vec<String>,
    /// Folders with scenarios of one's own.
    pub scenario_folders: Vec<PathBuf>,
    /// Datapaths that are asked about.
    pub datapaths: Vec<Datapath>,
    /// IP version.
    pub ip: IpVersion,
    /// What the sides are called, if that was said.
    pub terms: Option<Terms>,
    /// How sure the answer must be, where runs may err.
    pub confidence: f64,
    /// Guests run on the host's clock, so that runs may err.
    pub real_clock: bool,
}

impl Question {
    /// The matrix of one kernel: what is asked about, and loopback as its control.
    pub fn matrix(&self, kernel: &str) -> Result<Matrix, ConfigError> {
        self.matrix_of(kernel, &self.driver)
    }

    /// The same with another driver.
    pub fn matrix_of(&self, kernel: &str, driver: &str) -> Result<Matrix, ConfigError> {
        let mut datapaths = self.datapaths.clone();
        if !datapaths.contains(&Datapath::Loopback) {
            datapaths.push(Datapath::Loopback);
        }
        Ok(Matrix {
            kernels: vec![kernel.to_owned()],
            drivers: vec![driver.to_owned()],
            scenarios: self.scenarios.clone(),
            scenario_folders: self.scenario_folders.clone(),
            datapaths,
            ip: vec![self.ip],
            positive_control: None,
            expect: Vec::new(),
            ..Matrix::built_in()?
        })
    }

    /// What the sides are called: as was said, else `good` and `bad`, or, when the failing end is
    /// the older one, `broken` and `fixed`.
    pub fn terms(&self, good_is_old: bool) -> Terms {
        let broken = || Terms::new("broken", "fixed").unwrap_or_default();
        match &self.terms {
            Some(terms) => terms.clone(),
            None if good_is_old => Terms::default(),
            None => broken(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            good: Some("a".into()),
            bad: Some("b".into()),
            kernels: Kernels::Archive,
            driver: "edit:no-orphan".into(),
            scenarios: vec!["closing".into()],
            scenario_folders: Vec::new(),
            datapaths: vec![Datapath::Tun],
            ip: IpVersion::Ipv4,
            terms: None,
            confidence: 0.99,
            real_clock: false,
        }
    }

    #[test]
    fn a_step_is_one_kernel_with_its_control_and_nothing_expected() {
        let matrix = question().matrix("debian:trixie").unwrap();
        assert_eq!(matrix.kernels, ["debian:trixie"]);
        assert_eq!(matrix.datapaths, [Datapath::Tun, Datapath::Loopback]);
        assert!(matrix.expect.is_empty() && matrix.positive_control.is_none());
    }

    #[test]
    fn the_sides_are_called_by_what_is_looked_for() {
        assert_eq!(question().terms(true).to_string(), "good/bad");
        assert_eq!(question().terms(false).to_string(), "broken/fixed");
    }
}
