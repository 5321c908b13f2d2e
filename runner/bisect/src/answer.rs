//! What a run says, and what the two sides are called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one run of one version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It behaves as the old end does.
    Old,
    /// It behaves as the new end does.
    New,
    /// It could not be tried: says nothing about the behaviour.
    Skip,
}

impl Answer {
    /// The exit status that `git bisect run` takes for this answer.
    pub fn exit_status(self) -> u8 {
        match self {
            Answer::Old => 0,
            Answer::New => 1,
            Answer::Skip => 125,
        }
    }

    /// The word for this answer in these terms; git's own word for a skip.
    pub fn word(self, terms: &Terms) -> &str {
        match self {
            Answer::Old => &terms.old,
            Answer::New => &terms.new,
            Answer::Skip => "skip",
        }
    }
}

/// What the two sides are called: git's `--term-old` and `--term-new`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawTerms")]
pub struct Terms {
    old: String,
    new: String,
}

#[derive(Deserialize)]
struct RawTerms {
    old: String,
    new: String,
}

impl TryFrom<RawTerms> for Terms {
    type Error = BadTerms;

    fn try_from(raw: RawTerms) -> Result<Self, BadTerms> {
        Terms::new(&raw.old, &raw.new)
    }
}

/// Why two words cannot be terms. The rules are git's, so that one pair serves both.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTerms {
    /// The same word twice.
    #[error("both terms are `{0}`: old and new need different words")]
    Same(String),
    /// A word that git cannot use as the name of a reference.
    #[error("`{0}` cannot be a term: use letters, digits, `-` and `_`, and begin with a letter")]
    NotAName(String),
    /// A word that is a command of `git bisect`.
    #[error("`{0}` cannot be a term: `git bisect {0}` means something else")]
    Command(String),
    /// A word that has the other meaning already.
    #[error("`{0}` cannot be a term for this side: git uses it for the other one")]
    Swapped(String),
}

impl Terms {
    /// Terms of one's own, e.g. `broken` and `fixed` when looking for a fix.
    pub fn new(old: &str, new: &str) -> Result<Self, BadTerms> {
        const COMMANDS: [&str; 11] = [
            "help",
            "start",
            "skip",
            "next",
            "reset",
            "visualize",
            "view",
            "replay",
            "log",
            "run",
            "terms",
        ];
        for (word, taken) in [(old, ["bad", "new"]), (new, ["good", "old"])] {
            let mut letters = word.chars();
            let named = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if !named {
                return Err(BadTerms::NotAName(word.to_owned()));
            }
            if COMMANDS.contains(&word) {
                return Err(BadTerms::Command(word.to_owned()));
            }
            if taken.contains(&word) {
                return Err(BadTerms::Swapped(word.to_owned()));
            }
        }
        if old == new {
            return Err(BadTerms::Same(old.to_owned()));
        }
        Ok(Terms {
            old: old.to_owned(),
            new: new.to_owned(),
        })
    }

    /// What the old side is called.
    pub fn old_term(&self) -> &str {
        &self.old
    }

    /// What the new side is called.
    pub fn new_term(&self) -> &str {
        &self.new
    }
}

/// `good` and `bad`.
impl Default for Terms {
    fn default() -> Self {
        Terms {
            old: "good".to_owned(),
            new: "bad".to_owned(),
        }
    }
}

/// `old/new`.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.old, self.new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_follow_the_rules_of_git() {
        assert!(Terms::new("good", "bad").is_ok());
        assert!(Terms::new("old", "new").is_ok());
        assert!(Terms::new("broken", "fixed").is_ok());
        let error = |old, new| Terms::new(old, new).unwrap_err();
        assert_eq!(error("same", "same"), BadTerms::Same("same".into()));
        assert_eq!(error("skip", "x"), BadTerms::Command("skip".into()));
        assert_eq!(error("bad", "good"), BadTerms::Swapped("bad".into()));
        assert_eq!(error("ok", "old"), BadTerms::Swapped("old".into()));
        assert_eq!(error("", "x"), BadTerms::NotAName(String::new()));
        assert_eq!(error("a b", "x"), BadTerms::NotAName("a b".into()));
        assert_eq!(error("-a", "x"), BadTerms::NotAName("-a".into()));
    }

    #[test]
    fn stored_terms_are_checked_when_read() {
        let text = r#"{"old":"skip","new":"bad"}"#;
        assert!(serde_json::from_str::<Terms>(text).is_err());
        let terms = Terms::new("broken", "fixed").unwrap();
        let text = serde_json::to_string(&terms).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), terms);
    }

    #[test]
    fn answers_are_those_of_git_bisect_run() {
        let terms = Terms::new("broken", "fixed").unwrap();
        let all = [Answer::Old, Answer::New, Answer::Skip];
        assert_eq!(all.map(Answer::exit_status), [0, 1, 125]);
        assert_eq!(all.map(|a| a.word(&terms)), ["broken", "fixed", "skip"]);
    }
}
