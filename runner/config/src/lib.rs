//! Reading YAML with errors that say where, what and what was probably meant.
//!
//! The only crate that knows `serde_yaml`: upstream is frozen, so changing it must stay a change
//! of one file.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not what was expected.
    #[error("{place}: {message}{}", hint(suggestion))]
    Parse {
        /// Where.
        place: Place,
        /// What is wrong there.
        message: String,
        /// The nearest known word.
        suggestion: Option<String>,
    },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|s| format!("; did you mean `{s}`?"))
        .unwrap_or_default()
}

/// A place in a file; line and column count from 1 and are 0 where the library does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub path: PathBuf,
    /// Line from 1.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Reads and deserialises `path`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// Deserialises `text`, which came from `path` (used in messages only).
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    serde_yaml::from_str(text).map_err(|error| {
        let at = error.location();
        let full = error.to_string();
        // The location is reported in `place`; the library repeats it at the end of its message.
        let message = match full.rfind(" at line ") {
            Some(end) => full[..end].to_owned(),
            None => full,
        };
        ConfigError::Parse {
            place: Place {
                path: path.to_owned(),
                line: at.as_ref().map_or(0, |l| l.line()),
                column: at.as_ref().map_or(0, |l| l.column()),
            },
            suggestion: suggestion(&message),
            message,
        }
    })
}

/// serde names the unknown word and the known ones in back-quotes: find the nearest.
fn suggestion(message: &str) -> Option<String> {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    nearest(word, quoted).map(str::to_owned)
}

/// The known word that `word` was probably meant to be: at most a third of its letters wrong.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|k| (distance(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Levenshtein distance with neighbouring letters exchanged counting as one mistake.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = usize::from(a[i - 1] != b[j - 1]);
                let mut d = (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + change);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    d = d.min(rows[i - 2][j - 2] + 1);
                }
                d
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Matrix {
        #[allow(dead_code)]
        kernels: Vec<String>,
    }

    #[test]
    fn an_unknown_key_has_its_line_and_the_nearest_known_one() {
        let error = parse::<Matrix>("kernels: []\nkernals: []\n", Path::new("m.yaml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "m.yaml:2:1: unknown field `kernals`, expected `kernels`; did you mean `kernels`?"
        );
    }

    #[test]
    fn a_wrong_type_has_its_place() {
        let error = parse::<Matrix>("kernels:\n  a: 1\n", Path::new("m.yaml")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("m.yaml:2:3: kernels: invalid type: map"),
            "{error}"
        );
    }

    #[test]
    fn nearest_knows_when_nothing_is_near() {
        assert_eq!(nearest("sackOk", ["mss", "sackOK"]), Some("sackOK"));
        assert_eq!(nearest("wsacle", ["wscale", "win"]), Some("wscale"));
        assert_eq!(nearest("elephant", ["mss", "sackOK"]), None);
    }
}
