//! Finding scenarios: the built-in collection, or a folder or file of one's own.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use tunfarm_config::ConfigError;

use crate::Spec;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/close");

/// A scenario: script, expectations, name.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The script's file name without `.pkt`.
    pub name: String,
    /// The script's text.
    pub script: String,
    /// The YAML beside it.
    pub spec: Spec,
    /// Where the script came from, for messages.
    pub path: PathBuf,
    /// sha256 of script and YAML, in hex.
    pub sha256: String,
}

/// Why scenarios could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// The YAML is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The script is wrong; all its errors, each with line and column.
    #[error("{0}")]
    Script(String),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A script has no YAML beside it.
    #[error("{} has no {} beside it; a script without expectations can be run by `tunfarm pkt`", script.display(), yaml.display())]
    NoSpec {
        /// The script.
        script: PathBuf,
        /// The file that is missing.
        yaml: PathBuf,
    },
    /// Two scenarios have one name.
    #[error("two scenarios are called `{0}`: rename one")]
    Double(String),
}

/// Scenarios by name.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    scenarios: Vec<Scenario>,
}

impl Collection {
    /// The collection that is part of this binary.
    pub fn built_in() -> Result<Collection, CollectionError> {
        let mut collection = Collection::default();
        let mut folders = vec![&BUILT_IN];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            for file in folder.files().filter(|f| has_extension(f.path(), "pkt")) {
                let yaml = file.path().with_extension("yaml");
                let path = Path::new("scenarios/close").join(file.path());
                let text =
                    |f: &include_dir::File<'_>| f.contents_utf8().unwrap_or_default().to_owned();
                let Some(spec) = BUILT_IN.get_file(&yaml) else {
                    return Err(CollectionError::NoSpec {
                        yaml: path.with_extension("yaml"),
                        script: path,
                    });
                };
                collection.add(path, text(file), text(spec))?;
            }
        }
        collection.sort();
        Ok(collection)
    }

    /// Adds every `*.pkt` of a folder, or one file.
    pub fn read(&mut self, path: &Path) -> Result<(), CollectionError> {
        let cannot = |path: &Path, source| CollectionError::Read {
            path: path.to_owned(),
            source,
        };
        let mut scripts = Vec::new();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(|e| cannot(path, e))? {
                let entry = entry.map_err(|e| cannot(path, e))?.path();
                if has_extension(&entry, "pkt") {
                    scripts.push(entry);
                }
            }
        } else {
            scripts.push(path.to_owned());
        }
        for script in scripts {
            let yaml = script.with_extension("yaml");
            if !yaml.exists() {
                return Err(CollectionError::NoSpec { script, yaml });
            }
            let text = std::fs::read_to_string(&script).map_err(|e| cannot(&script, e))?;
            let spec = std::fs::read_to_string(&yaml).map_err(|e| cannot(&yaml, e))?;
            self.add(script, text, spec)?;
        }
        self.sort();
        Ok(())
    }

    fn add(&mut self, path: PathBuf, script: String, yaml: String) -> Result<(), CollectionError> {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if self.get(&name).is_some() {
            return Err(CollectionError::Double(name));
        }
        let spec = tunfarm_config::parse(&yaml, &path.with_extension("yaml"))?;
        let digest = Sha256::new()
            .chain_update(&script)
            .chain_update([0])
            .chain_update(&yaml);
        let sha256 = digest
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        self.scenarios.push(Scenario {
            name,
            script,
            spec,
            path,
            sha256,
        });
        Ok(())
    }

    fn sort(&mut self) {
        self.scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// The scenario of this name.
    pub fn get(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|s| s.name == name)
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter()
    }

    /// Those whose name matches `glob` (`*` and `?`).
    pub fn matching<'a>(&'a self, glob: &'a str) -> impl Iterator<Item = &'a Scenario> {
        self.scenarios
            .iter()
            .filter(move |s| glob_matches(glob, &s.name))
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

/// `*` any letters, `?` one letter.
pub fn glob_matches(glob: &str, name: &str) -> bool {
    let (mut glob, mut name) = (glob.chars(), name.chars());
    loop {
        match (glob.next(), name.clone().next()) {
            (None, end) => return end.is_none(),
            (Some('*'), _) => {
                let rest = glob.as_str();
                return (0..=name.as_str().len())
                    .filter(|at| name.as_str().is_char_boundary(*at))
                    .any(|at| glob_matches(rest, &name.as_str()[at..]));
            }
            (Some(_), None) => return false,
            (Some(g), Some(n)) if g == '?' || g == n => {
                name.next();
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, fits) in [
            ("closing*", "closing-bulk", true),
            ("closing", "closing-bulk", false),
            ("*wait*", "close-wait", true),
            ("fin-wait-?", "fin-wait-1", true),
            ("fin-wait-?", "fin-wait-", false),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(glob, name), fits, "{glob} {name}");
        }
    }

    #[test]
    fn the_built_in_collection_reads() {
        let collection = Collection::built_in().unwrap();
        for name in [
            "closing",
            "closing-bulk",
            "close-wait",
            "shutdown-vs-close",
            "fin-wait-1",
        ] {
            assert!(collection.get(name).is_some(), "{name}");
        }
    }
}
