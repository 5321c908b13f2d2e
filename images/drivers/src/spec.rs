//! What a matrix says about a driver.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A build of tun, as asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriverSpec {
    /// The kernel's own.
    Stock,
    /// A module that is already built.
    Ko(PathBuf),
    /// A directory with a driver's source: a Makefile, or `tun.c` alone.
    Source(PathBuf),
    /// Patches on the kernel's own source, in this order.
    Patch(Vec<PathBuf>),
    /// A described edit of the kernel's own source.
    Edit(String),
    /// Patches on the kernel's own source after an edit: a fix on top of a seeded fault.
    EditPatch(String, Vec<PathBuf>),
}

const KINDS: [&str; 5] = ["stock", "ko", "source", "patch", "edit"];

/// Why a text is no driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not a kind of driver.
    #[error(
        "`{given}` is no driver: expected stock, ko:FILE, source:DIR, patch:FILE[,FILE] or \
         edit:NAME{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
    )]
    Unknown {
        /// What was given.
        given: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The part after the colon is missing or empty.
    #[error("`{given}` is incomplete: expected {expected}")]
    Incomplete {
        /// What was given.
        given: String,
        /// The form it should have.
        expected: &'static str,
    },
    /// The name of an edit is not a plain word.
    #[error("`{0}` is no name of an edit: letters, digits, `-` and `_` only")]
    EditName(String),
}

impl DriverSpec {
    /// The name of this driver in cell names: `stock`, an edit's name, `patch-STEM`, `ko-STEM`,
    /// `source-NAME`. Characters that do not belong in a file name become `-`.
    pub fn label(&self) -> String {
        let stem = |path: &Path| {
            let name = path.file_stem().unwrap_or(path.as_os_str());
            safe(&name.to_string_lossy())
        };
        match self {
            DriverSpec::Stock => "stock".to_owned(),
            DriverSpec::Ko(path) => format!("ko-{}", stem(path)),
            DriverSpec::Source(path) => {
                let absolute = path.canonicalize();
                format!("source-{}", stem(absolute.as_deref().unwrap_or(path)))
            }
            DriverSpec::Patch(paths) => {
                let stems: Vec<_> = paths.iter().map(|p| stem(p)).collect();
                format!("patch-{}", stems.join("+"))
            }
            DriverSpec::Edit(name) => name.clone(),
            DriverSpec::EditPatch(name, paths) => {
                format!("{name}+{}", DriverSpec::Patch(paths.clone()).label())
            }
        }
    }

    /// The shipped or described edit that it names.
    pub fn edit(&self) -> Option<&str> {
        match self {
            DriverSpec::Edit(name) | DriverSpec::EditPatch(name, _) => Some(name),
            _ => None,
        }
    }
}

fn safe(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '+' => c,
            _ => '-',
        })
        .collect()
}

impl fmt::Display for DriverSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DriverSpec::Stock => f.write_str("stock"),
            DriverSpec::Ko(path) => write!(f, "ko:{}", path.display()),
            DriverSpec::Source(path) => write!(f, "source:{}", path.display()),
            DriverSpec::Patch(paths) => {
                let paths: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
                write!(f, "patch:{}", paths.join(","))
            }
            DriverSpec::Edit(name) => write!(f, "edit:{name}"),
            DriverSpec::EditPatch(name, paths) => {
                write!(f, "edit:{name}+{}", DriverSpec::Patch(paths.clone()))
            }
        }
    }
}

impl FromStr for DriverSpec {
    type Err = SpecError;

    fn from_str(given: &str) -> Result<Self, SpecError> {
        let (kind, rest) = given.split_once(':').unwrap_or((given, ""));
        let rest = rest.trim();
        let needs = |expected| match rest {
            "" => Err(SpecError::Incomplete {
                given: given.to_owned(),
                expected,
            }),
            rest => Ok(rest),
        };
        match kind {
            "stock" if given == "stock" => Ok(DriverSpec::Stock),
            "ko" => Ok(DriverSpec::Ko(needs("ko:FILE")?.into())),
            "source" => Ok(DriverSpec::Source(needs("source:DIR")?.into())),
            "patch" => {
                let files: Vec<PathBuf> = needs("patch:FILE[,FILE]")?
                    .split(',')
                    .map(|f| f.trim().into())
                    .collect();
                if files.iter().any(|f| f.as_os_str().is_empty()) {
                    return Err(SpecError::Incomplete {
                        given: given.to_owned(),
                        expected: "patch:FILE[,FILE]",
                    });
                }
                Ok(DriverSpec::Patch(files))
            }
            "edit" => {
                let (name, patch) = match needs("edit:NAME")?.split_once('+') {
                    None => (rest, None),
                    Some((name, patch)) => (name, Some(patch.parse()?)),
                };
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                // The name becomes a file name and a cell's folder.
                if !name.chars().all(plain) || KINDS.contains(&name) || name == "none" {
                    return Err(SpecError::EditName(name.to_owned()));
                }
                match patch {
                    None => Ok(DriverSpec::Edit(name.to_owned())),
                    Some(DriverSpec::Patch(files)) => {
                        Ok(DriverSpec::EditPatch(name.to_owned(), files))
                    }
                    Some(_) => Err(SpecError::Incomplete {
                        given: given.to_owned(),
                        expected: "edit:NAME+patch:FILE[,FILE]",
                    }),
                }
            }
            _ => Err(SpecError::Unknown {
                given: given.to_owned(),
                nearest: nearest(kind, rest),
            }),
        }
    }
}

/// A misspelt kind, or the name of an edit without `edit:`.
fn nearest(kind: &str, rest: &str) -> Option<String> {
    if let Some(known) = tunfarm_config::nearest(kind, KINDS) {
        return Some(match known {
            "stock" => known.to_owned(),
            _ => format!("{known}:{rest}"),
        });
    }
    let edits = crate::edit::SHIPPED.iter().map(|(name, _)| *name);
    tunfarm_config::nearest(kind, edits).map(|name| format!("edit:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(s: &str) -> Result<DriverSpec, String> {
        s.parse().map_err(|e: SpecError| e.to_string())
    }

    #[test]
    fn a_spec_reads_back() {
        for (spec, label) in [
            ("stock", "stock"),
            ("ko:/a/tun.ko", "ko-tun"),
            ("edit:no-orphan+patch:/a/fix.patch", "no-orphan+patch-fix"),
            ("source:/nowhere/my tun", "source-my-tun"),
            ("patch:a/0001-fix.patch", "patch-0001-fix"),
            ("patch:a.diff,b.diff", "patch-a+b"),
            ("edit:no-orphan", "no-orphan"),
        ] {
            let parsed = parse(spec).unwrap();
            assert_eq!(parsed.to_string(), spec);
            assert_eq!(parsed.label(), label);
        }
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        for (spec, hint) in [
            ("stok", "did you mean `stock`?"),
            ("edti:no-orphan", "did you mean `edit:no-orphan`?"),
            ("no-orphan", "did you mean `edit:no-orphan`?"),
            ("pach:x.patch", "did you mean `patch:x.patch`?"),
        ] {
            let error = parse(spec).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
        assert!(!parse("elephant").unwrap_err().contains("did you mean"));
    }

    #[test]
    fn half_a_spec_is_refused() {
        for spec in ["ko:", "source", "patch:", "patch:a,,b", "edit:"] {
            assert!(parse(spec).unwrap_err().contains("is incomplete"), "{spec}");
        }
        for spec in ["edit:../x", "edit:a b", "edit:stock", "edit:none"] {
            assert!(
                parse(spec).unwrap_err().contains("no name of an edit"),
                "{spec}"
            );
        }
        assert!(parse("stock:x").is_err());
    }
}
