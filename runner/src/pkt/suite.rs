//! From scripts to a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tunfarm_images::Selftests;
use tunfarm_lang::symbols::{self, Definitions};
use tunfarm_protocol::{Datapath, IpVersion, Reader};
use tunfarm_reports::model::CellId;
use tunfarm_scenarios::{Scenario, Spec};

use super::Differences;
use super::companions::companions;
use crate::matrix::Matrix;
use crate::plan::{Plan, PlannedCell};

/// The program beside the kernel's own scripts that runs them.
const RUNNER: &str = "ksft_runner.sh";

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its file name without `.pkt`; with its folder's where two scripts have one name.
    pub name: String,
    /// Where it is, as it was named.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Its helpers by their path relative to its folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The kernel's own runner lies beside it: it is run with that runner's options on the IP
    /// versions that the runner knows.
    pub runner: Option<String>,
}

/// Scripts to be run.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// In the order of their names.
    pub scripts: Vec<Script>,
}

/// On what a suite is run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Kernel specs.
    pub kernels: Vec<String>,
    /// Driver spec.
    pub driver: String,
    /// Datapaths.
    pub datapaths: Vec<Datapath>,
    /// IP versions; by default those of the script itself or of its runner, or else IPv4.
    pub ip: Option<Vec<IpVersion>>,
}

/// Why there is no suite.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A script or one of its helpers cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is none.
    #[error("{} holds no script (*.pkt)", .0.display())]
    NoScript(PathBuf),
    /// Two scripts would have one name.
    #[error("{} and {} would both be called `{name}` in reports: rename one, or run them apart", first.display(), second.display())]
    SameName {
        /// The name.
        name: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Scripts are wrong; all errors of all of them, each with its place.
    #[error("{0}")]
    Wrong(String),
}

impl Suite {
    /// The scripts named, and those in the folders named.
    pub fn read(paths: &[PathBuf]) -> Result<Suite, SuiteError> {
        let mut scripts = Vec::new();
        for path in paths {
            if !path.is_dir() {
                scripts.push(read_script(path)?);
                continue;
            }
            let cannot = |source| SuiteError::Read {
                path: path.clone(),
                source,
            };
            let before = scripts.len();
            for entry in std::fs::read_dir(path).map_err(cannot)? {
                let entry = entry.map_err(cannot)?.path();
                if entry.extension().is_some_and(|e| e == "pkt") {
                    scripts.push(read_script(&entry)?);
                }
            }
            if scripts.len() == before {
                return Err(SuiteError::NoScript(path.clone()));
            }
        }
        Suite::of(scripts)
    }

    /// The kernel's own scripts.
    pub fn of_selftests(selftests: &Selftests) -> Result<Suite, SuiteError> {
        let is_script = |name: &str| name.ends_with(".pkt");
        let files: BTreeMap<String, Vec<u8>> = selftests
            .files
            .iter()
            .filter(|(name, _)| !is_script(name))
            .map(|(name, text)| (name.clone(), text.clone().into_bytes()))
            .collect();
        let scripts = selftests.files.iter().filter(|(name, _)| is_script(name));
        Suite::of(
            scripts
                .map(|(name, text)| Script {
                    name: stem(Path::new(name)),
                    path: PathBuf::from(name),
                    text: text.clone(),
                    files: files.clone(),
                    runner: selftests.files.get(RUNNER).cloned(),
                })
                .collect(),
        )
    }

    fn of(mut scripts: Vec<Script>) -> Result<Suite, SuiteError> {
        let mut count = BTreeMap::new();
        for script in &scripts {
            *count.entry(script.name.clone()).or_insert(0) += 1;
        }
        for script in scripts.iter_mut().filter(|s| count[&s.name] > 1) {
            let folder = script.path.parent().and_then(Path::file_name);
            if let Some(folder) = folder.map(|f| f.to_string_lossy()) {
                script.name = format!("{folder}/{}", script.name);
            }
        }
        scripts.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
        scripts.dedup_by(|a, b| a.path == b.path);
        if let Some([first, second]) = scripts.array_windows().find(|[a, b]| a.name == b.name) {
            return Err(SuiteError::SameName {
                name: first.name.clone(),
                first: first.path.clone(),
                second: second.path.clone(),
            });
        }
        Ok(Suite { scripts })
    }

    /// The script of this name.
    pub fn get(&self, name: &str) -> Option<&Script> {
        self.scripts.iter().find(|s| s.name == name)
    }

    /// Checks every script as it will be run, with `defines` besides its runner's.
    pub fn check(
        &self,
        asked: &Asked,
        defines: &BTreeMap<String, String>,
    ) -> Result<(), SuiteError> {
        let mut wrong = String::new();
        for script in &self.scripts {
            let name = script.path.display().to_string();
            for ip in script.ip(asked) {
                let defines = script.definitions(ip, defines);
                if let Err(errors) = tunfarm_lang::parse_and_check(&script.text, &name, &defines) {
                    wrong.push_str(&errors.to_string());
                    break;
                }
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(SuiteError::Wrong(wrong))
        }
    }

    /// What is run, and what is expected of it.
    pub fn plan(&self, asked: &Asked, differences: &Differences) -> (Plan, Matrix) {
        let mut cells = Vec::new();
        for kernel in &asked.kernels {
            for script in &self.scripts {
                for ip in script.ip(asked) {
                    cells.extend(asked.datapaths.iter().map(|datapath| PlannedCell {
                        kernel: kernel.clone(),
                        driver: match datapath {
                            Datapath::Tun => asked.driver.clone(),
                            Datapath::Loopback => CellId::NO_DRIVER.into(),
                        },
                        scenario: script.name.clone(),
                        datapath: *datapath,
                        ip,
                    }));
                }
            }
        }
        let scenarios: Vec<Scenario> = self.scripts.iter().map(Script::scenario).collect();
        let of_kernel = self.scripts.iter().any(|s| s.runner.is_some());
        let matrix = Matrix {
            kernels: asked.kernels.clone(),
            drivers: vec![asked.driver.clone()],
            scenarios: self.scripts.iter().map(|s| s.name.clone()).collect(),
            scenario_folders: Vec::new(),
            datapaths: asked.datapaths.clone(),
            ip: asked.ip.clone().unwrap_or_default(),
            positive_control: None,
            sysctls: BTreeMap::new(),
            expect: if of_kernel {
                differences.expectations()
            } else {
                Vec::new()
            },
        };
        (
            Plan {
                cells,
                scenarios,
                whole: None,
            },
            matrix,
        )
    }

    /// Whether a helper is written in Python.
    pub fn needs_python(&self) -> bool {
        self.scripts
            .iter()
            .flat_map(|s| &s.files)
            .any(|(name, _)| name.ends_with(".py"))
    }
}

impl Script {
    /// The IP versions it is run on.
    fn ip(&self, asked: &Asked) -> Vec<IpVersion> {
        let known = match &self.runner {
            Some(runner) if runner.contains("ipv4-mapped-ipv6") => {
                vec![IpVersion::Ipv4, IpVersion::Ipv6, IpVersion::Mapped]
            }
            Some(_) => vec![IpVersion::Ipv4, IpVersion::Ipv6],
            None => vec![IpVersion::Ipv4],
        };
        let own: Vec<IpVersion> = self.own_ip().into_iter().collect();
        match (&asked.ip, own.is_empty()) {
            (None, true) => known,
            (None, false) => own,
            (Some(asked), true) => asked.clone(),
            (Some(asked), false) => {
                let both: Vec<IpVersion> = asked
                    .iter()
                    .copied()
                    .filter(|ip| own.contains(ip))
                    .collect();
                // The guest says which version the script is for, and skips it.
                if both.is_empty() {
                    asked[..asked.len().min(1)].to_vec()
                } else {
                    both
                }
            }
        }
    }

    /// The version that its own `--ip_version` line names.
    fn own_ip(&self) -> Option<IpVersion> {
        let mut lines = self
            .text
            .lines()
            .filter_map(|l| l.strip_prefix("--ip_version="));
        match lines.next()?.trim() {
            "ipv4" => Some(IpVersion::Ipv4),
            "ipv6" => Some(IpVersion::Ipv6),
            "ipv4-mapped-ipv6" => Some(IpVersion::Mapped),
            _ => None,
        }
    }

    /// What is defined for it.
    fn definitions(&self, ip: IpVersion, more: &BTreeMap<String, String>) -> Definitions {
        let mut definitions = match &self.runner {
            Some(_) => Definitions::of_selftests(as_lang(ip)),
            None => Definitions::new(),
        };
        for (name, value) in more {
            definitions.define(name, value);
        }
        definitions
    }

    /// The same as a job has it.
    pub(super) fn defines(
        &self,
        ip: IpVersion,
        more: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let definitions = self.definitions(ip, more);
        let pair = |n: &str| Some((n.to_owned(), definitions.get(n)?.to_owned()));
        definitions.names().filter_map(pair).collect()
    }

    /// It as the schedule knows it.
    fn scenario(&self) -> Scenario {
        let sha256 = Sha256::digest(&self.text)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        Scenario {
            name: self.name.clone(),
            script: self.text.clone(),
            spec: Spec {
                title: self.title(),
                shows: String::new(),
                sources: Vec::new(),
                ip: Vec::new(),
                datapaths: Vec::new(),
                reader: Reader::default(),
                tun: Default::default(),
                sysctls: BTreeMap::new(),
                ss_at: Vec::new(),
                limit_s: LIMIT_S,
                applies: Default::default(),
                expect: Default::default(),
                differs: Vec::new(),
                witnesses: Vec::new(),
                breaks: Vec::new(),
                article: None,
            },
            path: self.path.clone(),
            sha256,
        }
    }

    /// The first line of its first comment that says something.
    fn title(&self) -> String {
        let comments = self
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("//"));
        let mut said = comments
            .map(str::trim)
            .filter(|c| c.len() > 3 && !c.starts_with("SPDX"));
        said.next().unwrap_or(&self.name).to_owned()
    }
}

/// Seconds of the guest's clock after which a script is ended as failed.
pub(super) const LIMIT_S: u64 = 3600;

fn as_lang(ip: IpVersion) -> symbols::IpVersion {
    match ip {
        IpVersion::Ipv4 => symbols::IpVersion::V4,
        IpVersion::Ipv6 => symbols::IpVersion::V6,
        IpVersion::Mapped => symbols::IpVersion::V4Mapped,
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read_script(path: &Path) -> Result<Script, SuiteError> {
    let cannot = |source| SuiteError::Read {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read(path).map_err(cannot)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let runner = std::fs::read_to_string(folder.join(RUNNER)).ok();
    Ok(Script {
        name: stem(path),
        path: path.to_owned(),
        files: companions(&text, folder).map_err(cannot)?,
        text,
        runner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: &str = "// SPDX\n// Closes.\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";

    fn asked(ip: Option<Vec<IpVersion>>) -> Asked {
        Asked {
            kernels: vec!["debian:trixie/cloud".into()],
            driver: "stock".into(),
            datapaths: vec![Datapath::Tun, Datapath::Loopback],
            ip,
        }
    }

    fn selftests(files: &[(&str, &str)]) -> Suite {
        let files = files
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
            .collect();
        Suite::of_selftests(&Selftests {
            from: "linux-source-7.3".into(),
            files,
        })
        .unwrap()
    }

    fn planned(suite: &Suite, ip: Option<Vec<IpVersion>>) -> Vec<String> {
        let (plan, _) = suite.plan(&asked(ip), &Differences::built_in().unwrap());
        let word = |c: &PlannedCell| format!("{} {} {:?}", c.driver, c.scenario, c.ip);
        plan.cells.iter().map(word).collect()
    }

    #[test]
    fn the_kernels_tests_run_as_their_runner_runs_them() {
        let runner = "[ipv4] [ipv6] [ipv4-mapped-ipv6]";
        let suite = selftests(&[
            ("defaults.sh", "#!/bin/bash\n"),
            ("ksft_runner.sh", runner),
            ("tcp_a.pkt", CLOSE),
            ("tcp_b.pkt", &format!("--ip_version=ipv6\n{CLOSE}")),
        ]);
        assert!(!suite.needs_python());
        assert_eq!(suite.scripts[0].title(), "Closes.");
        assert_eq!(
            planned(&suite, None),
            [
                "stock tcp_a Ipv4",
                "none tcp_a Ipv4",
                "stock tcp_a Ipv6",
                "none tcp_a Ipv6",
                "stock tcp_a Mapped",
                "none tcp_a Mapped",
                "stock tcp_b Ipv6",
                "none tcp_b Ipv6",
            ]
        );
        let defines = suite.scripts[0].defines(IpVersion::Mapped, &BTreeMap::new());
        assert_eq!(defines["CMSG_LEVEL_IP"], "SOL_IPV6");
        assert!(suite.scripts[0].files.contains_key("defaults.sh"));
        // 6.12's runner knows no mapped addresses.
        let suite = selftests(&[("ksft_runner.sh", "ipv4 ipv6"), ("tcp_a.pkt", CLOSE)]);
        assert_eq!(planned(&suite, None).len(), 4);
    }

    #[test]
    fn a_script_for_another_ip_version_is_still_planned_once() {
        let suite = selftests(&[("b.pkt", &format!("--ip_version=ipv6\n{CLOSE}"))]);
        let both = vec![IpVersion::Ipv4, IpVersion::Mapped];
        assert_eq!(planned(&suite, Some(both)), ["stock b Ipv4", "none b Ipv4"]);
    }

    #[test]
    fn all_errors_of_all_scripts_come_at_once() {
        let suite = selftests(&[
            ("a.pkt", "0 sockett() = 3\n"),
            ("b.pkt", "0 < S 0:0(0) wni 1\n"),
        ]);
        let error = suite
            .check(&asked(None), &BTreeMap::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a.pkt") && error.contains("b.pkt"),
            "{error}"
        );
    }

    #[test]
    fn scripts_of_one_name_are_told_apart_by_their_folders() {
        let dir = tempfile::tempdir().unwrap();
        let mut folders = Vec::new();
        for name in ["one", "two"] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("a.pkt"), CLOSE).unwrap();
            folders.push(folder);
        }
        let suite = Suite::read(&folders).unwrap();
        let names: Vec<&str> = suite.scripts.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["one/a", "two/a"]);
        let empty = dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert!(matches!(
            Suite::read(&[empty]),
            Err(SuiteError::NoScript(_))
        ));
    }
}
