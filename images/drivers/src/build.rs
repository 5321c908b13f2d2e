//! A driver for a kernel, from its spec.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tunfarm_images::{Cache, Digest};

use crate::archive::PackageSource;
use crate::change::Change;
use crate::compile::{Request, compile};
use crate::edit;
use crate::error::io_error;
use crate::kernel::{Origin, TargetKernel};
use crate::modinfo::ModInfo;
use crate::root::build_root;
use crate::sandbox::Sandbox;
use crate::source::{Source, source_of};
use crate::spec::DriverSpec;
use crate::store::Store;
use crate::{Error, Result};

/// Part of every key: raised by one when the same input would give another module.
const GENERATION: &str = "driver, version 1";
const KIND: &str = "drivers";

/// Modules in load order: name and bytes.
pub type ModuleFiles = Vec<(String, Vec<u8>)>;

/// A driver that is ready to be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverModule {
    /// Its name in cell names.
    pub label: String,
    /// One sentence: what it is.
    pub about: String,
    /// Modules in the order in which they are loaded: name and bytes. Empty for `stock`: the
    /// kernel's own is loaded from the image.
    pub files: ModuleFiles,
    /// Over the bytes of all files: of the one file, where there is one. `None` for `stock`.
    pub sha256: Option<Digest>,
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
    /// Modules in load order.
    files: Vec<(String, Digest)>,
    notes: Vec<String>,
    build_s: f64,
}

/// Makes drivers.
pub struct Drivers<'a> {
    packages: &'a dyn PackageSource,
    store: Store,
    edit_folders: Vec<PathBuf>,
    nearest_source: bool,
}

impl<'a> Drivers<'a> {
    /// Drivers out of `packages`, kept in `cache`.
    pub fn new(packages: &'a dyn PackageSource, cache: Cache) -> Self {
        Drivers {
            packages,
            store: Store::new(cache),
            edit_folders: Vec::new(),
            nearest_source: false,
        }
    }

    /// Looks for edits in `folders` first, before those that come with tunfarm.
    pub fn with_edits(mut self, folders: Vec<PathBuf>) -> Self {
        self.edit_folders = folders;
        self
    }

    /// Takes the source of the nearest version of the same series where the archive has lost the
    /// exact one. A note of the driver says so.
    pub fn with_nearest_source(mut self, take: bool) -> Self {
        self.nearest_source = take;
        self
    }

    /// What the driver is, in one sentence, and whether it can be had at all: everything that is
    /// known without a kernel.
    pub fn about(&self, spec: &DriverSpec) -> Result<String> {
        Ok(match spec {
            DriverSpec::Stock => "the kernel's own driver".to_owned(),
            DriverSpec::Ko(path) => format!("the module {}", path.display()),
            other => Change::load(other, &self.edit_folders)?.about,
        })
    }

    /// The driver `spec` for `kernel`: out of the cache, or built now. Several may be built at
    /// once, also by several processes.
    pub fn build(&self, spec: &DriverSpec, kernel: &TargetKernel) -> Result<DriverModule> {
        match spec {
            DriverSpec::Stock => Ok(DriverModule {
                label: spec.label(),
                about: self.about(spec)?,
                files: Vec::new(),
                sha256: None,
                notes: Vec::new(),
                build_s: 0.0,
                cached: true,
            }),
            DriverSpec::Ko(path) => self.prebuilt(spec, path, kernel),
            _ => self.changed(spec, kernel),
        }
    }

    fn changed(&self, spec: &DriverSpec, kernel: &TargetKernel) -> Result<DriverModule> {
        let label = spec.label();
        let change = Change::load(spec, &self.edit_folders)?;
        let key = self.key(kernel, &change);
        let about = change.about.clone();
        let module = |files: ModuleFiles, built: Built, cached| DriverModule {
            label: label.clone(),
            about,
            sha256: Some(digest(&files)),
            files,
            notes: built.notes,
            build_s: built.build_s,
            cached,
        };
        if let Some(built) = self.store.record::<Built>(KIND, &key)
            && let Some(files) = self.load(&built)?
        {
            return Ok(module(files, built, true));
        }
        let mut notes = Vec::new();
        // The user's own driver needs nothing of the kernel's.
        let source = match change.needs_source() {
            true => self.source(kernel, &mut notes)?,
            false => Source::default(),
        };
        let sandbox = self.sandbox(kernel)?;
        let scratch = self.store.scratch()?;
        let changed = change.apply(&label, kernel, &source, &sandbox, scratch.path())?;
        notes.extend(changed.notes);
        let request = Request {
            driver: &label,
            release: &kernel.release,
            files: &changed.files,
            own_makefile: changed.own_makefile,
        };
        let start = Instant::now();
        let mut modules = compile(&request, &sandbox, &self.store)?;
        let build_s = start.elapsed().as_secs_f64();
        in_load_order(&mut modules, kernel)?;
        let mut built = Built {
            files: Vec::new(),
            notes,
            build_s,
        };
        for (name, data) in &modules {
            built
                .files
                .push((name.clone(), self.store.cache().put(data)?.0));
        }
        self.store.put_record(KIND, &key, &built)?;
        Ok(module(modules, built, false))
    }

    fn prebuilt(
        &self,
        spec: &DriverSpec,
        path: &Path,
        kernel: &TargetKernel,
    ) -> Result<DriverModule> {
        let data = std::fs::read(path).map_err(io_error("reading the module", path))?;
        ModInfo::check(&data, &kernel.release).map_err(|why| Error::WrongModule {
            path: path.to_owned(),
            kernel: kernel.release.clone(),
            why,
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let files = vec![(name.to_string_lossy().into_owned(), data)];
        Ok(DriverModule {
            label: spec.label(),
            about: self.about(spec)?,
            sha256: Some(digest(&files)),
            files,
            notes: Vec::new(),
            build_s: 0.0,
            cached: true,
        })
    }

    /// The unified diff of what `spec` changes in the driver of `kernel`, without building it.
    pub fn diff(&self, spec: &DriverSpec, kernel: &TargetKernel) -> Result<String> {
        if matches!(spec, DriverSpec::Stock | DriverSpec::Ko(_)) {
            return Ok(String::new());
        }
        let change = Change::load(spec, &self.edit_folders)?;
        let source = self.source(kernel, &mut Vec::new())?;
        let scratch = self.store.scratch()?;
        let sandbox = self.sandbox(kernel)?;
        let changed = change.apply(&spec.label(), kernel, &source, &sandbox, scratch.path())?;
        Ok(crate::unified(&source.files, &changed.files))
    }

    /// The edits at hand: those that come with tunfarm, and the user's own, which come first.
    pub fn list(&self) -> Result<Vec<edit::Edit>> {
        let mut names: Vec<String> = edit::SHIPPED.iter().map(|(n, _)| (*n).to_owned()).collect();
        for folder in &self.edit_folders {
            for entry in std::fs::read_dir(folder).map_err(io_error("listing", folder))? {
                let path = entry.map_err(io_error("listing", folder))?.path();
                if path.extension().is_some_and(|e| e == "yaml")
                    && let Some(stem) = path.file_stem()
                {
                    names.push(stem.to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names.dedup();
        let load = |name: &String| Ok(edit::find(name, &self.edit_folders)?.0);
        names.iter().map(load).collect()
    }

    /// The YAML text of an edit and, for a kernel, the diff it comes to.
    pub fn show(&self, name: &str, kernel: Option<&TargetKernel>) -> Result<(String, String)> {
        let (_, text) = edit::find(name, &self.edit_folders)?;
        let diff = match kernel {
            Some(kernel) => self.diff(&DriverSpec::Edit(name.to_owned()), kernel)?,
            None => String::new(),
        };
        Ok((text, diff))
    }

    /// The kernel's own source of the driver; what is to be said about it goes to `notes`.
    pub fn source(&self, kernel: &TargetKernel, notes: &mut Vec<String>) -> Result<Source> {
        let source = source_of(kernel, self.packages, &self.store, self.nearest_source)?;
        notes.extend(source.nearest.clone());
        Ok(source)
    }

    fn sandbox(&self, kernel: &TargetKernel) -> Result<Sandbox> {
        match &kernel.origin {
            Origin::Package { suite, version } => {
                let root = build_root(&kernel.release, suite, version, self.packages, &self.store)?;
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
    fn key(&self, kernel: &TargetKernel, change: &Change) -> Digest {
        let mut lines = vec![GENERATION.to_owned(), kernel.release.clone()];
        match &kernel.origin {
            Origin::Package { suite, version } => {
                lines.extend([
                    suite.clone(),
                    version.clone(),
                    self.nearest_source.to_string(),
                ]);
            }
            Origin::Tree { build_dir } => {
                lines.push(build_dir.display().to_string());
                for file in [
                    "Module.symvers",
                    "include/generated/autoconf.h",
                    "include/generated/utsversion.h",
                    "include/generated/compile.h",
                    "drivers/net/tun.c",
                ] {
                    let data = std::fs::read(build_dir.join(file)).unwrap_or_default();
                    lines.push(Digest::of(&data).to_string());
                }
            }
            Origin::None => {}
        }
        lines.push(change.digest.to_string());
        Digest::of_lines(lines)
    }

    /// The modules of an earlier build, verified; `None` when one is gone or was damaged.
    fn load(&self, built: &Built) -> Result<Option<ModuleFiles>> {
        let mut files = Vec::new();
        for (name, digest) in &built.files {
            let Some(path) = self.store.cache().blob(digest)? else {
                return Ok(None);
            };
            let data = std::fs::read(&path).map_err(io_error("reading", &path))?;
            files.push((name.clone(), data));
        }
        Ok(Some(files))
    }
}

fn digest(files: &[(String, Vec<u8>)]) -> Digest {
    match files {
        [(_, data)] => Digest::of(data),
        several => Digest::of_lines(
            several
                .iter()
                .map(|(name, data)| format!("{name} {}", Digest::of(data))),
        ),
    }
}

/// Puts modules that others depend on first, and checks that each is one for `kernel`.
fn in_load_order(modules: &mut ModuleFiles, kernel: &TargetKernel) -> Result<()> {
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
            let needs = |name: &str| info.depends.contains(&stem(name));
            !waiting.iter().any(|(name, _, _)| needs(name))
        });
        // Modules that depend on each other cannot be loaded in any order; the kernel says so.
        let (name, data, _) = waiting.remove(free.unwrap_or(0));
        modules.push((name, data));
    }
    Ok(())
}
