//! Scripts of the kernel that do not pass, for true reasons.

use std::path::Path;

use serde::Deserialize;
use tunfarm_config::ConfigError;
use tunfarm_protocol::{Datapath, IpVersion};
use tunfarm_reports::model::{CellId, Status};
use tunfarm_scenarios::glob_matches;

use crate::matrix::Expectation;

const LIST: &str = include_str!("../../../scenarios/selftests.yaml");

/// The kernel's own scripts that do not pass somewhere, each with its reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Differences(Vec<Difference>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// Glob over names without `.pkt`.
    script: String,
    /// Where it does not pass.
    datapath: Datapath,
    /// Glob over kernel labels; all when absent.
    #[serde(default = "all")]
    kernel: String,
    /// On which IP versions; all when absent.
    #[serde(default)]
    ip: Vec<IpVersion>,
    /// The true reason.
    because: String,
}

fn all() -> String {
    "*".into()
}

/// The list cannot be read.
pub type DifferencesError = ConfigError;

impl Difference {
    fn fits(&self, cell: &CellId) -> bool {
        glob_matches(&self.script, &cell.scenario)
            && self.datapath == cell.datapath
            && glob_matches(&self.kernel, &cell.kernel)
            && (self.ip.is_empty() || self.ip.contains(&cell.ip))
    }
}

impl Differences {
    /// The list that is part of this program.
    pub fn built_in() -> Result<Differences, DifferencesError> {
        tunfarm_config::parse(LIST, Path::new("scenarios/selftests.yaml"))
    }

    /// Why `cell` cannot pass.
    pub fn because(&self, cell: &CellId) -> Option<&str> {
        let found = self.0.iter().find(|d| d.fits(cell));
        found.map(|d| d.because.as_str())
    }

    /// The list as expectations: a script that passes although it is listed is a surprise too.
    pub(super) fn expectations(&self) -> Vec<Expectation> {
        let expectation = |d: &Difference, ip| Expectation {
            kernel: d.kernel.clone(),
            driver: "*".into(),
            scenario: d.script.clone(),
            datapath: Some(d.datapath),
            ip,
            // A script for another IP version is skipped.
            status: vec![Status::OtherFailure, Status::Skipped],
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

    fn cell(kernel: &str, scenario: &str, datapath: Datapath) -> CellId {
        CellId {
            kernel: kernel.into(),
            driver: "stock".into(),
            scenario: scenario.into(),
            datapath,
            ip: IpVersion::Ipv4,
        }
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for d in Differences::built_in().unwrap().0 {
            assert!(d.because.len() > 40, "{}", d.script);
        }
    }

    #[test]
    fn a_reason_is_found_where_it_holds() {
        let list = Differences::built_in().unwrap();
        let because = |kernel, datapath| {
            list.because(&cell(kernel, "tcp_advmss_pmtu_ipv4", datapath))
                .unwrap_or_default()
                .to_owned()
        };
        assert!(because("7.3.4+deb13-cloud-amd64", Datapath::Tun).contains("ipv4_mtu()"));
        assert_eq!(because("7.4.1+deb13-cloud-amd64", Datapath::Tun), "");
        assert!(because("7.4.1+deb13-cloud-amd64", Datapath::Loopback).contains("offload"));
    }
}
