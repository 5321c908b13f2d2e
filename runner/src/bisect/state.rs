//! What is kept of a search, so that it goes on where it was.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tunfarm_bisect::{Answer, Search};

use super::{Judge, Question};

/// The file in the search's folder.
pub const FILE: &str = "bisect.json";

const SCHEMA: &str = "tunfarm-bisect/1";

/// One step that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its kernel's spec.
    pub spec: String,
    /// What its kernel calls itself.
    pub label: String,
    /// The folder of its run, relative to the search's.
    pub folder: PathBuf,
    /// What it answered.
    pub answer: Answer,
    /// Why.
    pub because: String,
    /// How long it took.
    pub seconds: f64,
}

/// A search and everything that was found out so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    schema: String,
    /// What was asked.
    pub question: Question,
    /// The kernels and every answer.
    pub search: Search,
    /// How cells become answers.
    pub judge: Judge,
    /// Every step, in order: those of `search`, with what they left.
    pub steps: Vec<StepRecord>,
    /// Kernels that an index lists and the archive has no more.
    pub gone: Vec<String>,
}

/// Why a state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something else is in the file.
    #[error(
        "{} is no search of this version of tunfarm: {why}; start anew in another folder",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl State {
    /// A search that has made no step.
    pub fn new(question: Question, search: Search, judge: Judge, gone: Vec<String>) -> State {
        State {
            schema: SCHEMA.to_owned(),
            question,
            search,
            judge,
            steps: Vec::new(),
            gone,
        }
    }

    /// The search that was begun in `dir`, if one was.
    pub fn load(dir: &Path) -> Result<Option<State>, StateError> {
        let state = load(dir, FILE, SCHEMA, |state: &State| &state.schema)?;
        match state {
            Some(state) if state.steps.len() != state.search.runs().len() => {
                Err(StateError::Foreign {
                    path: dir.join(FILE),
                    why: "its steps and its answers differ in number".to_owned(),
                })
            }
            state => Ok(state),
        }
    }

    /// Writes it into `dir`: whenever tunfarm is killed, the old or the new file is there whole.
    pub fn save(&self, dir: &Path) -> Result<(), StateError> {
        save(dir, FILE, self)
    }

    /// Takes a step's answer; `version` is its place in the list.
    pub fn record(
        &mut self,
        version: usize,
        step: StepRecord,
    ) -> Result<(), tunfarm_bisect::SearchError> {
        self.search.record(version, step.answer)?;
        self.steps.push(step);
        Ok(())
    }

    /// Kernels that were booted: a second run of one is forked from the same snapshot.
    pub fn boots(&self) -> usize {
        let run = self.steps.iter().filter(|s| s.answer != Answer::Skip);
        let specs: std::collections::BTreeSet<&str> = run.map(|s| s.spec.as_str()).collect();
        specs.len()
    }

    /// Seconds that a step takes, as far as is known.
    pub fn seconds_per_step(&self) -> Option<f64> {
        let run: Vec<f64> = self
            .steps
            .iter()
            .filter(|s| s.answer != Answer::Skip)
            .map(|s| s.seconds)
            .collect();
        (!run.is_empty()).then(|| run.iter().sum::<f64>() / run.len() as f64)
    }

    /// The latest step of a version that answered.
    pub fn latest(&self, version: usize) -> Option<&StepRecord> {
        let spec = self.search.versions().get(version)?;
        self.steps
            .iter()
            .rfind(|s| s.spec == *spec && s.answer != Answer::Skip)
    }
}

/// Reads what [`save`] wrote, if it did; `schema_of` finds the schema in it.
pub(super) fn load<T: DeserializeOwned>(
    dir: &Path,
    file: &str,
    schema: &str,
    schema_of: impl Fn(&T) -> &String,
) -> Result<Option<T>, StateError> {
    let path = dir.join(file);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StateError::Io {
                doing: "read",
                path,
                source,
            });
        }
    };
    let foreign = |why: String| StateError::Foreign {
        path: path.clone(),
        why,
    };
    let state: T = serde_json::from_slice(&text).map_err(|e| foreign(e.to_string()))?;
    let found = schema_of(&state);
    if found != schema {
        return Err(foreign(format!("its schema is {found}, not {schema}")));
    }
    Ok(Some(state))
}

/// Writes a file whole or not at all, and onto the disk.
pub(super) fn save<T: Serialize>(dir: &Path, file: &str, state: &T) -> Result<(), StateError> {
    let path = dir.join(file);
    let failed = |source| StateError::Io {
        doing: "write",
        path: path.clone(),
        source,
    };
    let mut text = serde_json::to_vec_pretty(state).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    let next = dir.join(format!("{file}.next"));
    let mut out = std::fs::File::create(&next).map_err(failed)?;
    out.write_all(&text).map_err(failed)?;
    out.sync_all().map_err(failed)?;
    std::fs::rename(&next, &path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bisect::Kernels;
    use tunfarm_bisect::Settings;

    fn state() -> State {
        let question = Question {
            good: None,
            bad: None,
            kernels: Kernels::List("kernels.txt".into()),
            driver: "stock".into(),
            scenarios: vec!["closing".into()],
            scenario_folders: Vec::new(),
            datapaths: vec![tunfarm_protocol::Datapath::Tun],
            ip: tunfarm_protocol::IpVersion::Ipv4,
            terms: None,
            confidence: 0.99,
            real_clock: false,
        };
        let versions = ["a", "b", "c"].map(str::to_owned).to_vec();
        let search = Search::new(versions, Settings::default()).unwrap();
        State::new(question, search, Judge::new(true), Vec::new())
    }

    fn step(spec: &str, answer: Answer, seconds: f64) -> StepRecord {
        StepRecord {
            spec: spec.into(),
            label: spec.into(),
            folder: "steps/01".into(),
            answer,
            because: "clean".into(),
            seconds,
        }
    }

    #[test]
    fn a_search_reads_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), None);
        let mut state = state();
        state.record(0, step("a", Answer::Old, 2.0)).unwrap();
        state.save(dir.path()).unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), Some(state));
    }

    #[test]
    fn what_is_no_search_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{}").unwrap();
        let error = State::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("bisect.json is no search"), "{error}");
    }

    #[test]
    fn a_second_run_of_a_kernel_is_no_second_boot() {
        let mut state = state();
        assert_eq!(state.seconds_per_step(), None);
        for (at, spec, answer, seconds) in [
            (0, "a", Answer::Old, 20.0),
            (2, "c", Answer::New, 30.0),
            (1, "b", Answer::Skip, 99.0),
            (0, "a", Answer::Old, 1.0),
        ] {
            state.record(at, step(spec, answer, seconds)).unwrap();
        }
        assert_eq!(state.boots(), 2);
        assert_eq!(state.seconds_per_step(), Some(17.0));
        assert_eq!(state.latest(0).unwrap().seconds, 1.0);
        assert_eq!(state.latest(1), None);
    }
}
