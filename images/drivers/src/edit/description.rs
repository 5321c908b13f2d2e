//! The YAML of an edit.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tunfarm_config::ConfigError;

/// A fault or a fix, described so that it holds across kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Its name: the file's without `.yaml`.
    pub name: String,
    /// One sentence: what it is.
    pub about: String,
    /// What it does to packets and to the socket, and why the verdict follows.
    pub shows: String,
    /// Is it the tun orphan bug?
    pub is_bug: IsBug,
    /// Statuses of which a farm that works gives one, on a TUN that is read lazily.
    pub expect: Vec<Expected>,
    /// What is changed, in this order.
    pub steps: Vec<Step>,
}

/// Is an edit the tun orphan bug?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsBug {
    /// Always.
    Yes,
    /// Under a condition that the edit names.
    UnderCondition,
    /// Never.
    No,
}

/// What a cell with a seeded fault may say: the words of a cell's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The scenario holds.
    Clean,
    /// The orphan bug.
    OrphanBug,
    /// The script fails, and not by the orphan bug.
    OtherFailure,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::Clean => "clean",
            Expected::OrphanBug => "orphan-bug",
            Expected::OtherFailure => "other-failure",
        })
    }
}

/// Names of which exactly one call must be found: kernels of different age call the same thing
/// differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<_> = self.0.iter().map(|n| format!("`{n}`")).collect();
        f.write_str(&quoted.join(" or "))
    }
}

/// Where something goes: before or after the statement that makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Before it.
    Before(Names),
    /// After it.
    After(Names),
}

impl Anchor {
    /// The call it is about.
    pub fn names(&self) -> &Names {
        match self {
            Anchor::Before(names) | Anchor::After(names) => names,
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The file, relative to the kernel's source.
    pub file: PathBuf,
    /// Calls that the function must not make already.
    pub unless: Option<Names>,
    /// What is done.
    pub action: Action,
}

impl Action {
    /// The function it is about; `None` where it is about the file.
    pub fn function(&self) -> Option<&str> {
        match self {
            Action::Drop { function, .. }
            | Action::Move { function, .. }
            | Action::Insert { function, .. }
            | Action::Replace { function, .. } => Some(function),
            Action::Include { .. } => None,
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Drops the statement that is a call.
    Drop {
        /// In this function.
        function: String,
        /// The call.
        call: Names,
    },
    /// Moves the statement that is a call.
    Move {
        /// In this function.
        function: String,
        /// The call.
        call: Names,
        /// Where it goes.
        to: Anchor,
    },
    /// Inserts code.
    Insert {
        /// In this function.
        function: String,
        /// The code; it is indented like its neighbour.
        code: String,
        /// Where it goes.
        to: Anchor,
    },
    /// Replaces the statement that is a call by code.
    Replace {
        /// In this function.
        function: String,
        /// The call.
        call: Names,
        /// The code.
        code: String,
    },
    /// Adds `#include <…>` after the file's last one.
    Include {
        /// The header, e.g. `linux/tcp.h`.
        header: String,
    },
}

/// Why a description is not taken.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The YAML does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A step says too little or too much.
    #[error("{}: edit {step}: {message}", path.display())]
    Step {
        /// The description.
        path: PathBuf,
        /// Which step, from 1.
        step: usize,
        /// What is wrong.
        message: &'static str,
    },
    /// The file has no name to go by.
    #[error("{}: an edit's file must be called NAME.yaml", path.display())]
    Name {
        /// The description.
        path: PathBuf,
    },
    /// No such edit.
    #[error("there is no edit `{name}`{}; known: {}",
            nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default(),
            known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdit {
    about: String,
    shows: String,
    is_bug: RawIsBug,
    expect: OneOrMore<Expected>,
    edits: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`true`, `false` or `under-condition`")]
enum RawIsBug {
    Plain(bool),
    Word(UnderCondition),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum UnderCondition {
    UnderCondition,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a word or a list of words")]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    fn list(self) -> Vec<T> {
        match self {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    file: PathBuf,
    function: Option<String>,
    drop: Option<OneOrMore<String>>,
    #[serde(rename = "move")]
    moved: Option<OneOrMore<String>>,
    replace: Option<OneOrMore<String>>,
    insert: Option<String>,
    with: Option<String>,
    before: Option<OneOrMore<String>>,
    after: Option<OneOrMore<String>>,
    include: Option<String>,
    unless: Option<OneOrMore<String>>,
}

impl Edit {
    /// Reads and checks the description in `path`.
    pub fn load(path: &Path) -> Result<Edit, EditError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Edit::parse(&text, path)
    }

    /// Checks the description `text`, which came from `path`; its file name is the edit's name.
    pub fn parse(text: &str, path: &Path) -> Result<Edit, EditError> {
        let name = path
            .file_stem()
            .and_then(|s| s.to_str())
            .filter(|s| !s.is_empty())
            .ok_or_else(|| EditError::Name { path: path.into() })?;
        let raw: RawEdit = tunfarm_config::parse(text, path)?;
        let wrong = |step, message| EditError::Step {
            path: path.to_owned(),
            step,
            message,
        };
        if raw.edits.is_empty() {
            return Err(wrong(0, "an edit changes something: `edits` is empty"));
        }
        let mut steps = Vec::new();
        for (number, step) in raw.edits.into_iter().enumerate() {
            steps.push(check(step).map_err(|message| wrong(number + 1, message))?);
        }
        Ok(Edit {
            name: name.to_owned(),
            about: one_line(&raw.about),
            shows: one_line(&raw.shows),
            is_bug: match raw.is_bug {
                RawIsBug::Plain(true) => IsBug::Yes,
                RawIsBug::Plain(false) => IsBug::No,
                RawIsBug::Word(UnderCondition::UnderCondition) => IsBug::UnderCondition,
            },
            expect: raw.expect.list(),
            steps,
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(raw: RawStep) -> Result<Step, &'static str> {
    let names = |n: OneOrMore<String>| Names(n.list());
    let to = match (raw.before, raw.after) {
        (None, None) => None,
        (Some(n), None) => Some(Anchor::Before(names(n))),
        (None, Some(n)) => Some(Anchor::After(names(n))),
        (Some(_), Some(_)) => return Err("`before` and `after` exclude each other"),
    };
    const ONE: &str = "needs exactly one of `drop`, `move`, `replace`, `insert` and `include`";
    if let Some(header) = raw.include {
        let others = [&raw.drop, &raw.moved, &raw.replace];
        if others.iter().any(|o| o.is_some()) || raw.insert.is_some() {
            return Err(ONE);
        }
        if raw.function.is_some() || to.is_some() || raw.with.is_some() || raw.unless.is_some() {
            return Err("`include` needs the file and the header, nothing else");
        }
        return Ok(Step {
            file: raw.file,
            unless: None,
            action: Action::Include { header },
        });
    }
    let function = raw.function.ok_or("needs `function`")?;
    if raw.replace.is_none() && raw.with.is_some() {
        return Err("`with` goes with `replace`");
    }
    let place = || to.clone().ok_or("needs `before` or `after`");
    let nowhere = || {
        to.is_none()
            .then_some(())
            .ok_or("`before` and `after` go with `move` and `insert`")
    };
    let action = match (raw.drop, raw.moved, raw.replace, raw.insert) {
        (Some(call), None, None, None) => {
            nowhere()?;
            Action::Drop {
                function,
                call: names(call),
            }
        }
        (None, Some(call), None, None) => Action::Move {
            function,
            call: names(call),
            to: place()?,
        },
        (None, None, Some(call), None) => {
            nowhere()?;
            Action::Replace {
                function,
                call: names(call),
                code: raw.with.ok_or("`replace` needs `with`")?,
            }
        }
        (None, None, None, Some(code)) => Action::Insert {
            function,
            code,
            to: place()?,
        },
        _ => return Err(ONE),
    };
    Ok(Step {
        file: raw.file,
        unless: raw.unless.map(names),
        action,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(steps: &str) -> Result<Edit, String> {
        let text = format!("about: a\nshows: b\nis_bug: false\nexpect: clean\nedits:\n{steps}");
        Edit::parse(&text, Path::new("edits/x.yaml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_description_is_read() {
        let edit = parse("- {file: t.c, function: f, move: g, after: [h, i]}\n").unwrap();
        assert_eq!(edit.name, "x");
        assert_eq!(edit.is_bug, IsBug::No);
        assert_eq!(
            edit.steps[0].action,
            Action::Move {
                function: "f".into(),
                call: Names(vec!["g".into()]),
                to: Anchor::After(Names(vec!["h".into(), "i".into()])),
            }
        );
    }

    #[test]
    fn the_bug_under_a_condition_has_its_own_word() {
        let text = "about: a\nshows: b\nis_bug: under-condition\nexpect: [clean, orphan-bug]\n\
                    edits: [{file: t.c, function: f, drop: g}]\n";
        let edit = Edit::parse(text, Path::new("x.yaml")).unwrap();
        assert_eq!(edit.is_bug, IsBug::UnderCondition);
        assert_eq!(edit.expect, [Expected::Clean, Expected::OrphanBug]);
        let error = Edit::parse(
            &text.replace("under-condition", "maybe"),
            Path::new("x.yaml"),
        )
        .unwrap_err()
        .to_string();
        assert!(error.contains("`under-condition`"), "{error}");
    }

    #[test]
    fn half_a_step_is_refused() {
        for (steps, message) in [
            ("- {file: t.c, drop: g}\n", "needs `function`"),
            (
                "- {file: t.c, function: f, move: g}\n",
                "needs `before` or `after`",
            ),
            (
                "- {file: t.c, function: f, drop: g, before: h}\n",
                "go with `move` and `insert`",
            ),
            (
                "- {file: t.c, function: f, replace: g}\n",
                "`replace` needs `with`",
            ),
            (
                "- {file: t.c, function: f, drop: g, insert: h}\n",
                "needs exactly one of",
            ),
            ("- {file: t.c, function: f, include: a.h}\n", "nothing else"),
            (
                "- {file: t.c, function: f, drop: g, with: h}\n",
                "`with` goes with",
            ),
            (
                "- {file: t.c, function: f, dorp: g}\n",
                "did you mean `drop`?",
            ),
            ("  []\n", "`edits` is empty"),
        ] {
            let error = parse(steps).unwrap_err();
            assert!(error.contains(message), "{steps}{error}");
        }
    }
}
