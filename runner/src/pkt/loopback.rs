//! Scripts that end otherwise over loopback, for true reasons.

use std::path::Path;

use serde::Deserialize;
use tunfarm_config::ConfigError;
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellId, Status};

use crate::matrix::Expectation;

const LIST: &str = include_str!("../../../scenarios/loopback.yaml");

/// The kernel's own scripts that cannot pass over loopback, each with its reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Differences(Vec<Difference>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// Name without `.pkt`.
    script: String,
    /// On which IP versions; all when absent.
    #[serde(default)]
    ip: Vec<IpVersion>,
    /// The true reason.
    because: String,
}

/// The list cannot be read.
pub type DifferencesError = ConfigError;

impl Differences {
    /// The list that is part of this program.
    pub fn built_in() -> Result<Differences, DifferencesError> {
        tunfarm_config::parse(LIST, Path::new("scenarios/loopback.yaml"))
    }

    /// Why `cell` cannot pass.
    pub fn because(&self, cell: &CellId) -> Option<&str> {
        let fits = |d: &&Difference| {
            d.script == cell.scenario && (d.ip.is_empty() || d.ip.contains(&cell.ip))
        };
        let found = self
            .0
            .iter()
            .find(fits)
            .filter(|_| cell.datapath == Datapath::Loopback);
        found.map(|d| d.because.as_str())
    }

    /// The list as expectations: a script that passes although it is listed is a surprise too.
    pub(super) fn expectations(&self) -> Vec<Expectation> {
        let expectation = |d: &Difference, ip| Expectation {
            kernel: "*".into(),
            driver: "*".into(),
            scenario: d.script.clone(),
            datapath: Some(Datapath::Loopback),
            ip,
            status: vec![Status::OtherFailure],
            because: d.because.clone(),
        };
        self.0
            .iter()
            .flat_map(|d| match d.ip.as_slice() {
                [] => vec![expectation(d, None)],
                some => some.iter().map(|ip| expectation(d, Some(*ip))).collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_script_has_one_reason() {
        let list = Differences::built_in().unwrap().0;
        for (at, d) in list.iter().enumerate() {
            assert!(d.because.len() > 20, "{}: a reason is a sentence", d.script);
            let again = list[..at].iter().any(|other| {
                other.script == d.script
                    && (other.ip.is_empty()
                        || d.ip.is_empty()
                        || d.ip.iter().any(|ip| other.ip.contains(ip)))
            });
            assert!(!again, "{} is listed twice", d.script);
        }
    }
}
