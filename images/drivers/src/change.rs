//! What a driver changes, read from what the user named, and made in a kernel's source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tunfarm_images::Digest;

use crate::edit::{self, Files};
use crate::error::{DoesNotApply, io_error};
use crate::kernel::TargetKernel;
use crate::patch::{self, FileDiff, PatchRefused};
use crate::sandbox::Sandbox;
use crate::source::Source;
use crate::spec::DriverSpec;
use crate::{Error, Result};

/// A change, known before any kernel is looked at.
pub(crate) struct Change {
    /// One sentence: what it is.
    pub(crate) about: String,
    /// Of everything it says.
    pub(crate) digest: Digest,
    /// One after the other.
    steps: Vec<Kind>,
}

enum Kind {
    Edit(Box<edit::Edit>),
    Patches(Vec<(PathBuf, Vec<FileDiff>)>),
    Folder(Files),
}

/// A kernel's driver after the change.
pub(crate) struct Changed {
    pub(crate) files: Files,
    /// The user brought a Makefile.
    pub(crate) own_makefile: bool,
    pub(crate) notes: Vec<String>,
}

impl Change {
    /// Reads the edit, the patches or the folder that `spec` names.
    pub(crate) fn load(spec: &DriverSpec, edit_folders: &[PathBuf]) -> Result<Change> {
        let paths = |paths: &[PathBuf]| {
            let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            names.join(", ")
        };
        if let DriverSpec::EditPatch(name, files) = spec {
            let first = Change::load(&DriverSpec::Edit(name.clone()), edit_folders)?;
            let second = Change::load(&DriverSpec::Patch(files.clone()), edit_folders)?;
            return Ok(Change {
                about: format!("{}, then {}", first.about, paths(files)),
                digest: Digest::of_lines([first.digest.to_string(), second.digest.to_string()]),
                steps: first.steps.into_iter().chain(second.steps).collect(),
            });
        }
        let mut lines = Vec::new();
        let mut add = |name: &str, data: &[u8]| lines.push(format!("{name} {}", Digest::of(data)));
        let (about, kind) = match spec {
            DriverSpec::Edit(name) => {
                let (edit, text) = edit::find(name, edit_folders)?;
                add(name, text.as_bytes());
                (edit.about.clone(), Kind::Edit(Box::new(edit)))
            }
            DriverSpec::Patch(files) => {
                let mut patches = Vec::new();
                for file in files {
                    let data = std::fs::read(file).map_err(io_error("reading the patch", file))?;
                    add("patch", &data);
                    patches.push((file.clone(), patch::parse(&patch::decode(&data))));
                }
                let about = format!("the kernel's own driver with {}", paths(files));
                (about, Kind::Patches(patches))
            }
            DriverSpec::Source(folder) => {
                let files = folder_source(folder)?;
                for (name, text) in &files {
                    add(&name.display().to_string(), text.as_bytes());
                }
                (
                    format!("the driver in {}", folder.display()),
                    Kind::Folder(files),
                )
            }
            DriverSpec::Stock | DriverSpec::Ko(_) | DriverSpec::EditPatch(..) => {
                ("nothing is changed".to_owned(), Kind::Patches(Vec::new()))
            }
        };
        Ok(Change {
            about,
            digest: Digest::of_lines(lines),
            steps: vec![kind],
        })
    }

    /// It changes the kernel's own source; otherwise it brings its own.
    pub(crate) fn needs_source(&self) -> bool {
        !self
            .steps
            .iter()
            .any(|step| matches!(step, Kind::Folder(_)))
    }

    /// Makes the change in `source`; `scratch` is an empty folder.
    pub(crate) fn apply(
        &self,
        label: &str,
        kernel: &TargetKernel,
        source: &Source,
        sandbox: &Sandbox,
        scratch: &Path,
    ) -> Result<Changed> {
        let refused = |why: DoesNotApply| Error::DoesNotApply {
            driver: label.to_owned(),
            kernel: kernel.release.clone(),
            why: Box::new(why),
        };
        let mut changed = Changed {
            files: source.files.clone(),
            own_makefile: false,
            notes: Vec::new(),
        };
        for step in &self.steps {
            match step {
                Kind::Edit(edit) => {
                    changed.files =
                        edit::apply(edit, &changed.files).map_err(|e| refused(e.into()))?;
                }
                Kind::Patches(patches) => {
                    for (path, diffs) in patches {
                        let headers =
                            sandbox.headers_of(kernel, diffs.iter().map(|d| d.path.as_str()));
                        for (name, text) in headers {
                            changed.files.entry(name).or_insert(text);
                        }
                        let applied = patch::apply(path, diffs, &changed.files, scratch)
                            .map_err(|e: PatchRefused| refused(e.into()))?;
                        changed.files = applied.files;
                        changed.notes.extend(applied.notes);
                    }
                }
                Kind::Folder(files) => {
                    let makefile = |f: &PathBuf| f.ends_with("Makefile") || f.ends_with("Kbuild");
                    changed.own_makefile = files.keys().any(makefile);
                    changed.files = files.clone();
                }
            }
        }
        Ok(changed)
    }
}

/// The text files of a user's driver.
fn folder_source(folder: &Path) -> Result<Files> {
    let mut files = BTreeMap::new();
    collect(folder, Path::new(""), 0, &mut files)?;
    let named = |name: &str| files.contains_key(Path::new(name));
    if !["Makefile", "Kbuild", "tun.c"].into_iter().any(named) {
        return Err(Error::NoDriver {
            path: folder.to_owned(),
            why: "neither a Makefile nor tun.c is in it".into(),
        });
    }
    Ok(files)
}

/// So deep below a driver's folder are its files looked for.
const DEPTH: usize = 4;

fn collect(folder: &Path, inside: &Path, depth: usize, files: &mut Files) -> Result<()> {
    let here = folder.join(inside);
    for entry in std::fs::read_dir(&here).map_err(io_error("listing", &here))? {
        let entry = entry.map_err(io_error("listing", &here))?;
        let name = entry.file_name();
        let path = entry.path();
        let kind = entry.file_type().map_err(io_error("looking at", &path))?;
        let text = name.to_string_lossy();
        if text.starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth < DEPTH {
            collect(folder, &inside.join(&name), depth + 1, files)?;
        } else if kind.is_file() {
            let source = [".c", ".h", ".S"].iter().any(|end| text.ends_with(end));
            if source || name == "Makefile" || name == "Kbuild" {
                let data = std::fs::read(&path).map_err(io_error("reading", &path))?;
                files.insert(
                    inside.join(&name),
                    String::from_utf8_lossy(&data).into_owned(),
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_driver_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("README.c"), "").unwrap();
        let error = Change::load(&DriverSpec::Source(dir.path().into()), &[])
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .ends_with("neither a Makefile nor tun.c is in it")
        );
    }

    #[test]
    fn the_digest_follows_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let digest = |text: &str| {
            std::fs::write(dir.path().join("tun.c"), text).unwrap();
            let spec = DriverSpec::Source(dir.path().into());
            Change::load(&spec, &[]).unwrap().digest
        };
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
    }
}
