//! What is kept of a search over commits.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tunfarm_bisect::Answer;

use super::git::Commit;
use super::state::{self, StateError};
use super::{Judge, Question};

/// The file in the search's folder.
pub const FILE: &str = "bisect-commits.json";

const SCHEMA: &str = "tunfarm-bisect-commits/1";

/// The files of the driver: where only these differ, the kernel is the same.
const DRIVER: &str = "drivers/net/tun";

/// One commit that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitStep {
    /// Which.
    pub commit: Commit,
    /// The folder of its run, relative to the search's.
    pub folder: PathBuf,
    /// What it answered.
    pub answer: Answer,
    /// Why.
    pub because: String,
    /// Only the driver's module was built.
    pub module_only: bool,
    /// Seconds of building.
    pub build_s: f64,
    /// Seconds of booting and running.
    pub run_s: f64,
}

/// A search over commits and everything that was found out so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commits {
    schema: String,
    /// What was asked.
    pub question: Question,
    /// The older end.
    pub old: Commit,
    /// The newer end.
    pub new: Commit,
    /// How cells become answers.
    pub judge: Judge,
    /// Every commit that was tried, the ends first.
    pub steps: Vec<CommitStep>,
    /// The commit whose whole kernel is in the build directory.
    pub built: Option<String>,
}

impl Commits {
    /// A search that has tried nothing.
    pub fn new(question: Question, old: Commit, new: Commit, judge: Judge) -> Commits {
        Commits {
            schema: SCHEMA.to_owned(),
            question,
            old,
            new,
            judge,
            steps: Vec::new(),
            built: None,
        }
    }

    /// The search that was begun in `dir`, if one was.
    pub fn load(dir: &Path) -> Result<Option<Commits>, StateError> {
        state::load(dir, FILE, SCHEMA, |commits: &Commits| &commits.schema)
    }

    /// Writes it into `dir`, whole or not at all.
    pub fn save(&self, dir: &Path) -> Result<(), StateError> {
        state::save(dir, FILE, self)
    }

    /// The step of a commit.
    pub fn step(&self, id: &str) -> Option<&CommitStep> {
        self.steps.iter().find(|s| s.commit.id == id)
    }

    /// The answers to tell git: all but the ends.
    pub fn answers(&self) -> Vec<(String, Answer)> {
        self.steps
            .iter()
            .filter(|s| s.commit.id != self.old.id && s.commit.id != self.new.id)
            .map(|s| (s.commit.id.clone(), s.answer))
            .collect()
    }
}

/// Whether these changed files are the driver's alone.
pub fn driver_alone(changed: &[String]) -> bool {
    let drivers = |file: &String| {
        let rest = file.strip_prefix(DRIVER);
        rest.is_some_and(|r| !r.contains('/') && (r.ends_with(".c") || r.ends_with(".h")))
    };
    changed.iter().all(drivers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_drivers_own_files_leave_the_kernel_as_it_is() {
        let alone = |files: &[&str]| {
            driver_alone(&files.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>())
        };
        assert!(alone(&[]));
        assert!(alone(&["drivers/net/tun.c", "drivers/net/tun_vnet.h"]));
        assert!(!alone(&["drivers/net/tun.c", "net/ipv4/tcp.c"]));
        assert!(!alone(&["drivers/net/tap.c"]));
        assert!(!alone(&["include/linux/if_tun.h"]));
        assert!(!alone(&["drivers/net/tunnel/x.c"]));
    }
}
