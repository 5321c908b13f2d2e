//! The search over an ordered list of versions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::posterior::Posterior;
use crate::{Answer, Conclusion, End, Found, Noise, Terms};

/// How a search is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the two sides are called.
    pub terms: Terms,
    /// How often a run is wrong.
    pub noise: Noise,
    /// The probability with which the answer must be right, above ½ and below 1. Means something
    /// only with noise: without it the answer is proved.
    pub confidence: f64,
    /// Without noise: run the two neighbours of the answer once more, to check that one run is
    /// proof indeed.
    pub recheck: bool,
    /// After how many skips a version is given up.
    pub skip_tries: u32,
    /// After how many runs a version that still could be either is given up.
    pub max_runs: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            terms: Terms::default(),
            noise: Noise::NONE,
            confidence: 0.99,
            recheck: true,
            skip_tries: 1,
            max_runs: 100,
        }
    }
}

/// One run and what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which version, from 0.
    pub version: usize,
    /// What it said.
    pub answer: Answer,
}

/// Why a search cannot be made, or an answer not be taken.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SearchError {
    /// Fewer than two versions.
    #[error("cannot bisect {0} version(s): a search needs an old one and a new one")]
    TooFew(usize),
    /// A version is there twice.
    #[error("cannot bisect: version {0} is in the list twice")]
    Twice(String),
    /// No confidence.
    #[error("cannot bisect with confidence {0}: it must be above 0.5 and below 1")]
    Confidence(f64),
    /// An answer about a version that is not in the list.
    #[error("version {version} is not in the list of {versions}")]
    NoSuchVersion {
        /// Its number.
        version: usize,
        /// How many there are.
        versions: usize,
    },
    /// A stored search is about other versions.
    #[error(
        "the stored search is about other versions: it has {stored}, this one {given}; \
         go on with the stored list, or start anew"
    )]
    OtherVersions {
        /// What is stored.
        stored: String,
        /// What was given.
        given: String,
    },
}

/// A search: versions, settings, and every run so far. What to do next follows from these alone,
/// so storing it (it serialises) after each run is all that resuming takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawSearch")]
pub struct Search {
    versions: Vec<String>,
    settings: Settings,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSearch {
    versions: Vec<String>,
    settings: Settings,
    runs: Vec<Run>,
}

impl TryFrom<RawSearch> for Search {
    type Error = SearchError;

    fn try_from(raw: RawSearch) -> Result<Self, SearchError> {
        let mut search = Search::new(raw.versions, raw.settings)?;
        for run in raw.runs {
            search.record(run.version, run.answer)?;
        }
        Ok(search)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Run this version and record what it says.
    Try(Step),
    /// It is over.
    Done(Conclusion),
}

/// Why a version is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An end has to be what it was said to be.
    Verify(End),
    /// It halves what is left.
    Halve,
    /// It was run and still could be either.
    Repeat,
    /// One run should be proof: this one checks it.
    Recheck,
}

/// One run that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which version, from 0.
    pub version: usize,
    /// Why.
    pub purpose: Purpose,
    /// How many versions may still be the culprit.
    pub culprits: usize,
    /// How many versions are still to be tried, this one included, if none is skipped and none
    /// has to be repeated.
    pub versions_left: u32,
}

impl Search {
    /// A search over `versions`, oldest first; the first is said to be old, the last new.
    pub fn new(versions: Vec<String>, settings: Settings) -> Result<Self, SearchError> {
        if versions.len() < 2 {
            return Err(SearchError::TooFew(versions.len()));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = versions.iter().find(|v| !seen.insert(v.as_str())) {
            return Err(SearchError::Twice(twice.clone()));
        }
        if !(settings.confidence > 0.5 && settings.confidence < 1.0) {
            return Err(SearchError::Confidence(settings.confidence));
        }
        Ok(Search {
            versions,
            settings,
            runs: Vec::new(),
        })
    }

    /// The versions, oldest first.
    pub fn versions(&self) -> &[String] {
        &self.versions
    }

    /// How it is done.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every run so far, in order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Fails unless this search, read from storage, is about these versions.
    pub fn is_about(&self, versions: &[String]) -> Result<(), SearchError> {
        if self.versions == versions {
            return Ok(());
        }
        let in_words = |list: &[String]| match list {
            [] => "none".to_owned(),
            [first, .., last] => format!("{first} to {last} ({})", list.len()),
            [only] => only.clone(),
        };
        Err(SearchError::OtherVersions {
            stored: in_words(&self.versions),
            given: in_words(versions),
        })
    }

    /// Takes what a run of `version` said.
    pub fn record(&mut self, version: usize, answer: Answer) -> Result<(), SearchError> {
        if version >= self.versions.len() {
            return Err(SearchError::NoSuchVersion {
                version,
                versions: self.versions.len(),
            });
        }
        self.runs.push(Run { version, answer });
        Ok(())
    }

    /// What to do next.
    ///
    /// Both ends come first. Then the version whose answer is worth most: the smaller of the two
    /// probabilities that it splits, times `d/(d+1)` where `d` is the distance to the nearest
    /// version that was given up, since what breaks one version mostly breaks its neighbours too.
    /// A version that still could be either is repeated before another is tried, because another
    /// one would have to be built or booted first.
    pub fn next(&self) -> Next {
        let view = View::of(self);
        let last = self.versions.len() - 1;
        for (end, version) in [(End::Old, 0), (End::New, last)] {
            if let Some(next) = view.verify(end, version) {
                return next;
            }
        }
        let (lo, hi) = view.neighbours();
        if let Some(version) = view.undecided(lo, hi) {
            return view.step(version, Purpose::Repeat);
        }
        if let Some(version) = view.best_split(lo, hi) {
            return view.step(version, Purpose::Halve);
        }
        if self.settings.noise.is_none() && self.settings.recheck && !view.doubted {
            for version in [lo, hi] {
                if view.tally[version].runs < 2 && view.tally[version].skips == 0 {
                    return view.step(version, Purpose::Recheck);
                }
            }
        }
        Next::Done(Conclusion::Found(Found {
            last_old: lo,
            first_new: hi,
            between: (lo + 1..hi).collect(),
            confidence: view.posterior.between(lo, hi),
            doubted: view.doubted,
            rechecked: view.tally[lo].runs > 1 && view.tally[hi].runs > 1,
        }))
    }
}

/// What was answered about one version.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Runs that said old or new.
    runs: u32,
    /// Runs that could not be made.
    skips: u32,
    /// Number of its latest run among all, from 1.
    latest: usize,
}

/// What all runs together say about each version.
struct View<'a> {
    settings: &'a Settings,
    posterior: Posterior,
    /// Runs that were taken for proof contradicted each other.
    doubted: bool,
    tally: Vec<Tally>,
    /// What is left of probability on the wrong side of a decision.
    epsilon: f64,
}

impl<'a> View<'a> {
    fn of(search: &'a Search) -> Self {
        let Search {
            versions,
            settings,
            runs,
        } = search;
        let mut tally = vec![Tally::default(); versions.len()];
        for (number, run) in runs.iter().enumerate() {
            let tally = &mut tally[run.version];
            match run.answer {
                Answer::Skip => tally.skips += 1,
                Answer::Old | Answer::New => tally.runs += 1,
            }
            tally.latest = number + 1;
        }
        let certain = Posterior::of(versions.len(), runs, settings.noise);
        View {
            settings,
            doubted: certain.is_none(),
            posterior: certain.unwrap_or_else(|| {
                Posterior::of(versions.len(), runs, settings.noise.doubted())
                    .expect("where every answer is possible, so are all together")
            }),
            tally,
            epsilon: (1.0 - settings.confidence) / 2.0,
        }
    }

    /// What a version was found to be, if it was run and that is sure enough.
    fn decided(&self, version: usize) -> Option<Answer> {
        let new = self.posterior.is_new(version);
        match self.tally[version].runs {
            0 => None,
            _ if new <= self.epsilon => Some(Answer::Old),
            _ if new >= 1.0 - self.epsilon => Some(Answer::New),
            _ => None,
        }
    }

    /// It cannot be tried, or not be decided.
    fn given_up(&self, version: usize) -> bool {
        let Tally { runs, skips, .. } = self.tally[version];
        self.decided(version).is_none()
            && (skips >= self.settings.skip_tries.max(1) || runs >= self.settings.max_runs.max(1))
    }

    /// What there is to do or to say about an end; nothing, once it is what it should be.
    fn verify(&self, end: End, version: usize) -> Option<Next> {
        let should = match end {
            End::Old => Answer::Old,
            End::New => Answer::New,
        };
        let new = self.posterior.is_new(version);
        match self.decided(version) {
            Some(says) if says == should => None,
            Some(says) => Some(Next::Done(Conclusion::WrongEnd {
                end,
                says,
                confidence: new.max(1.0 - new),
            })),
            None if !self.given_up(version) => Some(self.step(version, Purpose::Verify(end))),
            None if self.tally[version].runs == 0 => {
                Some(Next::Done(Conclusion::EndUntestable { end }))
            }
            None => Some(Next::Done(Conclusion::EndUndecided { end, new })),
        }
    }

    /// The newest version known to be old and the oldest known to be new, the ends at worst.
    fn neighbours(&self) -> (usize, usize) {
        let last = self.tally.len() - 1;
        let is = |answer| move |v: &usize| self.decided(*v) == Some(answer);
        (
            (0..=last).rev().find(is(Answer::Old)).unwrap_or(0),
            (0..=last).find(is(Answer::New)).unwrap_or(last),
        )
    }

    /// The version run last among those that still could be either.
    fn undecided(&self, lo: usize, hi: usize) -> Option<usize> {
        (lo + 1..hi)
            .filter(|v| self.tally[*v].latest > 0 && !self.given_up(*v))
            .max_by_key(|v| self.tally[*v].latest)
    }

    /// The version never run whose answer is worth most.
    fn best_split(&self, lo: usize, hi: usize) -> Option<usize> {
        let given_up: Vec<usize> = (lo + 1..hi).filter(|v| self.given_up(*v)).collect();
        let worth = |version: usize| {
            let split = self
                .posterior
                .between(lo, version)
                .min(self.posterior.between(version, hi));
            let nearest = given_up.iter().map(|g| g.abs_diff(version)).min();
            split * nearest.map_or(1.0, |d| d as f64 / (d + 1) as f64)
        };
        (lo + 1..hi)
            .filter(|v| self.tally[*v].latest == 0)
            .max_by(|a, b| worth(*a).total_cmp(&worth(*b)))
    }

    fn step(&self, version: usize, purpose: Purpose) -> Next {
        let (lo, hi) = self.neighbours();
        let open = (lo + 1..hi).filter(|v| !self.given_up(*v)).count() as u32;
        let ends = [0, self.tally.len() - 1]
            .iter()
            .filter(|v| self.decided(**v).is_none())
            .count() as u32;
        Next::Try(Step {
            version,
            purpose,
            culprits: hi.saturating_sub(lo),
            // ⌈log₂(open + 1)⌉ halvings leave one culprit of open + 1.
            versions_left: ends + (open + 1).next_power_of_two().trailing_zeros(),
        })
    }
}
