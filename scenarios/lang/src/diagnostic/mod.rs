//! What is wrong with a script, where, and what would be right.

mod nearest;
mod render;

use crate::ast::{Source, Span};

pub use nearest::nearest;

/// How many errors of one file are kept; more are only counted.
pub const MAX_DIAGNOSTICS: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line, lowercase.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write under the mark: mostly what was expected there.
    pub label: String,
    /// What to do about it, such as the nearest known word.
    pub help: Option<String>,
}

impl Diagnostic {
    /// `message` about `span`.
    #[must_use]
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            label: String::new(),
            help: None,
        }
    }

    /// The same with `label` under the mark.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, asking whether the known word nearest to `word` was meant, if
    /// one is near.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, known) {
            Some(known) => self.help(format!("did you mean `{known}`?")),
            None => self,
        }
    }
}

/// Everything wrong with one script, in the order of its lines.
///
/// Displayed, each error shows the line, marks the column and says what was
/// expected there.
#[derive(Debug, Clone, Default, thiserror::Error)]
pub struct Errors {
    source_text: Source,
    found: Vec<Diagnostic>,
    left_out: usize,
}

impl Errors {
    /// No errors yet, in `source`.
    #[must_use]
    pub fn none(source: Source) -> Self {
        Self {
            source_text: source,
            found: Vec::new(),
            left_out: 0,
        }
    }

    /// Adds one; past [`MAX_DIAGNOSTICS`] it is only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MAX_DIAGNOSTICS {
            self.found.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds those of the same script that another pass found.
    pub fn extend(&mut self, other: Self) {
        self.left_out += other.left_out;
        for diagnostic in other.found {
            self.push(diagnostic);
        }
    }

    /// In the order of the lines, each once.
    pub fn sort(&mut self) {
        self.found.sort_by_key(|one| (one.span.start, one.span.end));
        self.found.dedup();
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are, those that were only counted included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len() + self.left_out
    }

    /// The errors themselves.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.found
    }

    /// The script they are about.
    #[must_use]
    pub fn source_text(&self) -> &Source {
        &self.source_text
    }

    /// `Ok(value)` if nothing is wrong.
    ///
    /// # Errors
    /// These errors, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}
