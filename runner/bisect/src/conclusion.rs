//! What a search ends with.

use serde::Serialize;

use crate::Answer;

/// One end of the list of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The first version, said to be old.
    Old,
    /// The last version, said to be new.
    New,
}

/// What a search ends with. Versions are positions in the list, from 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "conclusion", rename_all = "kebab-case")]
pub enum Conclusion {
    /// The change is between two neighbours.
    Found(Found),
    /// An end is not what it was said to be, so there is nothing to search between.
    WrongEnd {
        /// Which end.
        end: End,
        /// What its runs say instead.
        says: Answer,
        /// How sure that is, from 0 to 1.
        confidence: f64,
    },
    /// An end cannot be tried at all: another version is needed there.
    EndUntestable {
        /// Which end.
        end: End,
    },
    /// An end was run as often as is allowed and still could be either.
    EndUndecided {
        /// Which end.
        end: End,
        /// The probability that it is new, from 0 to 1.
        new: f64,
    },
}

/// The change is after [`Found::last_old`] and not after [`Found::first_new`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The newest version known to be old.
    pub last_old: usize,
    /// The oldest version known to be new: the culprit, if nothing lies between.
    pub first_new: usize,
    /// What lies between and could not be tried or decided; each of these may be the culprit too.
    pub between: Vec<usize>,
    /// The probability that the change is where this says, from 0 to 1.
    pub confidence: f64,
    /// Runs that were taken for proof contradicted each other; the confidence allows for it.
    pub doubted: bool,
    /// Both neighbours were run at least twice.
    pub rechecked: bool,
}

impl Found {
    /// The culprits that are left: one, or a range that skips have widened.
    pub fn culprits(&self) -> impl Iterator<Item = usize> + use<> {
        self.last_old + 1..=self.first_new
    }

    /// Nothing lies between the neighbours.
    pub fn is_exact(&self) -> bool {
        self.between.is_empty()
    }
}
