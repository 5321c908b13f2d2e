//! A driver for a kernel, from its spec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::compile::{Request, compile};
use crate::edit;
use crate::error::{DoesNotApply, io_error};
use crate::kernel::{Origin, TargetKernel};
use crate::modinfo::ModInfo;
use crate::root::build_root;
use crate::sandbox::Sandbox;
use crate::source::{Source, source_of};
use crate::spec::DriverSpec;
use crate::store::{Store, key_of, sha256};
use crate::{Error, Result};

/// Part of every key: raised by one when the same input would give another module.
const GENERATION: &str = "tunfarm-driver/1";

/// A driver that is ready to be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverModule {
    /// Its name in cell names.
    pub label: String,
    /// One sentence: what it is.
    pub about: String,
    /// Modules in the order in which they are loaded: name and bytes. Empty for `stock`: the
    /// kernel's own is loaded from the image.
    pub files: Vec<(String, Vec<u8>)>,
    /// sha256 in hexadecimal digits over names and bytes of all files; empty for `stock`.
    pub sha256: String,
    /// What a reader of the evidence must know: source of another version, fuzz of a patch.
    pub notes: Vec<String>,
    /// Seconds it took to build; those of the first build when it came from the cache.
    pub build_s: f64,
    /// It came from the cache.
    pub cached: bool,
}

/// What is kept of a build.
#[derive(Serialize, Deserialize)]
struct Built {
    /// Modules in load order: name and sha256 of the bytes.
    files: Vec<(String, String)>,
    notes: Vec<String>,
    build_s: f64,
}

/// Makes drivers.
pub struct Drivers<'a> {
    /// Where packages come from.
    pub archive: &'a dyn Archive,
    /// Where builds are kept.
    pub store: Store,
    /// Folders of the user with edits of his own.
    pub edit_folders: Vec<PathBuf>,
    /// Take the source of the nearest version where the archive has lost the exact one.
    pub nearest_source: bool,
}

/// What a spec changes: known before any kernel is looked at.
enum Change {
    Edit(Box<edit::Edit>),
    Source(BTreeMap<PathBuf, String>),
}

impl Drivers<'_> {
    /// The driver `spec` for `kernel`: out of the cache, or built now.
    pub fn build(&self, spec: &DriverSpec, kernel: &TargetKernel) -> Result<DriverModule> {
        let label = spec.label();
        let (about, change, content) = match spec {
            DriverSpec::Stock => {
                return Ok(DriverModule {
                    label,
                    about: "the kernel's own driver".into(),
                    files: Vec::new(),
                    sha256: String::new(),
                    notes: Vec::new(),
                    build_s: 0.0,
                    cached: true,
                });
            }
            DriverSpec::Ko(path) => return prebuilt(label, path, kernel),
            DriverSpec::Edit(name) => {
                let (edit, text) = edit::find(name, &self.edit_folders)?;
                (edit.about.clone(), Change::Edit(Box::new(edit)), vec![text])
            }
            DriverSpec::Source(folder) => {
                let files = folder_source(folder)?;
                let content = files
                    .iter()
                    .flat_map(|(name, text)| [name.display().to_string(), text.clone()])
                    .collect();
                let about = format!("the driver in {}", folder.display());
                (about, Change::Source(files), content)
            }
            DriverSpec::Patch(paths) => {
                return Err(Error::NoDriver {
                    path: paths.first().cloned().unwrap_or_default(),
                    why: "this version does not apply patches yet".into(),
                });
            }
        };
        let key = self.key(kernel, &content);
        if let Some(built) = self.store.record::<Built>("drivers", &key)
            && let Some(files) = self.load(&built)
        {
            return Ok(DriverModule {
                label,
                about,
                sha256: digest(&files),
                files,
                notes: built.notes,
                build_s: built.build_s,
                cached: true,
            });
        }
        let mut notes = Vec::new();
        let (files, own_makefile) = match change {
            Change::Source(files) => {
                let own_makefile = files
                    .keys()
                    .any(|f| f.ends_with("Makefile") || f.ends_with("Kbuild"));
                (files, own_makefile)
            }
            Change::Edit(edit) => {
                let source = self.source(kernel, &mut notes)?;
                let files =
                    edit::apply(&edit, &source.files).map_err(|why| Error::DoesNotApply {
                        driver: label.clone(),
                        kernel: kernel.release.clone(),
                        why: DoesNotApply::Edit(why),
                    })?;
                (files, false)
            }
        };
        let sandbox = self.sandbox(kernel)?;
        let request = Request {
            driver: &label,
            release: &kernel.release,
            files: &files,
            own_makefile,
        };
        let start = Instant::now();
        let mut modules = compile(&request, &sandbox, &self.store)?;
        let build_s = start.elapsed().as_secs_f64();
        in_load_order(&mut modules, kernel)?;
        self.keep(&key, &modules, &notes, build_s)?;
        Ok(DriverModule {
            label,
            about,
            sha256: digest(&modules),
            files: modules,
            notes,
            build_s,
            cached: false,
        })
    }

    /// The kernel's own source of the driver; what is to be said about it goes to `notes`.
    pub fn source(&self, kernel: &TargetKernel, notes: &mut Vec<String>) -> Result<Source> {
        let source = source_of(kernel, self.archive, &self.store, self.nearest_source)?;
        notes.extend(source.nearest.clone());
        Ok(source)
    }

    fn sandbox(&self, kernel: &TargetKernel) -> Result<Sandbox> {
        match &kernel.origin {
            Origin::Package { suite, version } => {
                let root = build_root(&kernel.release, suite, version, self.archive, &self.store)?;
                Ok(Sandbox::Root(root))
            }
            Origin::Tree { build_dir } => {
                let build_dir = build_dir
                    .canonicalize()
                    .map_err(io_error("looking for the kernel's tree", build_dir))?;
                Ok(Sandbox::Host { build_dir })
            }
            Origin::None => Err(Error::NoHeaders {
                kernel: kernel.release.clone(),
                why: "it came without packages; name its configured tree with build_dir".into(),
            }),
        }
    }

    /// Names everything that goes into a build. A package's version stands for its contents. The
    /// compiler's own updates are left out: the kernel's version pins which compiler it is.
    fn key(&self, kernel: &TargetKernel, content: &[String]) -> String {
        let mut parts = vec![GENERATION.to_owned(), kernel.release.clone()];
        match &kernel.origin {
            Origin::Package { suite, version } => {
                parts.extend([
                    suite.clone(),
                    version.clone(),
                    self.nearest_source.to_string(),
                ]);
            }
            Origin::Tree { build_dir } => {
                parts.push(build_dir.display().to_string());
                for file in [
                    "Module.symvers",
                    "include/generated/autoconf.h",
                    "include/generated/utsversion.h",
                    "include/generated/compile.h",
                    "drivers/net/tun.c",
                ] {
                    let data = std::fs::read(build_dir.join(file)).unwrap_or_default();
                    parts.push(sha256(&data));
                }
            }
            Origin::None => {}
        }
        parts.extend(content.iter().cloned());
        key_of(parts)
    }

    fn keep(
        &self,
        key: &str,
        modules: &[(String, Vec<u8>)],
        notes: &[String],
        build_s: f64,
    ) -> Result<()> {
        let mut files = Vec::new();
        for (name, data) in modules {
            let digest = sha256(data);
            self.store.folder("modules", &digest, |folder| {
                let path = folder.join("module.ko");
                std::fs::write(&path, data).map_err(io_error("writing", &path))
            })?;
            files.push((name.clone(), digest));
        }
        let built = Built {
            files,
            notes: notes.to_vec(),
            build_s,
        };
        self.store.put_record("drivers", key, &built)
    }

    /// The modules of an earlier build, verified; `None` when one is gone or damaged.
    fn load(&self, built: &Built) -> Option<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        for (name, digest) in &built.files {
            let folder = self.store.root().join("modules").join(digest);
            let data = std::fs::read(folder.join("module.ko")).ok()?;
            if sha256(&data) != *digest {
                // A second build writes it anew.
                let _ = std::fs::remove_dir_all(folder);
                return None;
            }
            files.push((name.clone(), data));
        }
        Some(files)
    }
}

fn digest(files: &[(String, Vec<u8>)]) -> String {
    match files {
        [(_, data)] => sha256(data),
        several => key_of(
            several
                .iter()
                .flat_map(|(n, d)| [n.as_bytes(), d.as_slice()]),
        ),
    }
}

fn prebuilt(label: String, path: &Path, kernel: &TargetKernel) -> Result<DriverModule> {
    let data = std::fs::read(path).map_err(io_error("reading the module", path))?;
    ModInfo::check(&data, &kernel.release).map_err(|why| Error::WrongModule {
        path: path.to_owned(),
        kernel: kernel.release.clone(),
        why,
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    let files = vec![(name.to_string_lossy().into_owned(), data)];
    Ok(DriverModule {
        label,
        about: format!("the module {}", path.display()),
        sha256: digest(&files),
        files,
        notes: Vec::new(),
        build_s: 0.0,
        cached: true,
    })
}

/// Puts modules that others depend on first, and checks that each is one for `kernel`.
fn in_load_order(modules: &mut Vec<(String, Vec<u8>)>, kernel: &TargetKernel) -> Result<()> {
    let mut waiting = Vec::new();
    for (name, data) in modules.drain(..) {
        let info = ModInfo::check(&data, &kernel.release).map_err(|why| Error::WrongModule {
            path: PathBuf::from(&name),
            kernel: kernel.release.clone(),
            why,
        })?;
        waiting.push((name, data, info));
    }
    while !waiting.is_empty() {
        let stem = |name: &str| name.trim_end_matches(".ko").replace('-', "_");
        let free = waiting.iter().position(|(_, _, info)| {
            !waiting
                .iter()
                .any(|(name, _, _)| info.depends.contains(&stem(name)))
        });
        // Modules that depend on each other cannot be loaded in any order; the kernel says so.
        let (name, data, _) = waiting.remove(free.unwrap_or(0));
        modules.push((name, data));
    }
    Ok(())
}

/// The text files of a user's driver.
fn folder_source(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
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

fn collect(
    folder: &Path,
    inside: &Path,
    depth: usize,
    files: &mut BTreeMap<PathBuf, String>,
) -> Result<()> {
    let here = folder.join(inside);
    for entry in std::fs::read_dir(&here).map_err(io_error("listing", &here))? {
        let entry = entry.map_err(io_error("listing", &here))?;
        let name = entry.file_name();
        let path = entry.path();
        let kind = entry.file_type().map_err(io_error("looking at", &path))?;
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth < 4 {
            collect(folder, &inside.join(name), depth + 1, files)?;
        } else if kind.is_file() {
            let source = [".c", ".h", ".S"]
                .iter()
                .any(|e| name.to_string_lossy().ends_with(e));
            if source || name == "Makefile" || name == "Kbuild" {
                let data = std::fs::read(&path).map_err(io_error("reading", &path))?;
                files.insert(
                    inside.join(name),
                    String::from_utf8_lossy(&data).into_owned(),
                );
            }
        }
    }
    Ok(())
}
