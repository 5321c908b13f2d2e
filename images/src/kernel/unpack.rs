//! Taking a kernel and its modules out of packages or directories, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Kernel, KernelSpec, Modules, Origin, bzimage};
use crate::deb::{self, Content};
use crate::digest::Hasher;
use crate::error::io_error;
use crate::initramfs::cpio::Writer;
use crate::modules::{Builtin, Module, index_text, is_candidate, pick};
use crate::progress::{Progress, Step};
use crate::{Cache, Digest, Error, Result};

/// What is kept of an unpacked kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Unpacked {
    release: String,
    vmlinuz: Digest,
    /// The cpio archive, and the names of the modules in it.
    modules: Option<(Digest, Vec<String>)>,
    config: Option<Digest>,
}

/// Changes whenever the same input would be unpacked differently.
const VERSION: &str = "unpacked kernel, version 1";
const KIND: &str = "kernels";

/// The files of a kernel, wherever they are from.
#[derive(Default)]
struct Files {
    vmlinuz: Option<Vec<u8>>,
    config: Option<Vec<u8>>,
    builtin: Builtin,
    /// Path below `/lib/modules/RELEASE/`, and the file.
    modules: Vec<Module>,
}

impl Unpacked {
    pub(super) fn of_debs(
        cache: &Cache,
        progress: &dyn Progress,
        what: &str,
        debs: &[PathBuf],
        hashes: &[Digest],
    ) -> Result<Unpacked> {
        let key = key(hashes);
        if let Some(kept) = kept(cache, &key)? {
            return Ok(kept);
        }
        progress.step(Step::Working { what });
        let mut files = Files::default();
        for deb in debs {
            deb::read(
                deb,
                |path| place(path).is_some(),
                |path, content| match (place(&path), content) {
                    (Some(place), Content::File { data, .. }) => files.add(place, data),
                    _ => Ok(()),
                },
            )?;
        }
        if files.vmlinuz.is_none() {
            let path = debs.first().cloned().unwrap_or_default();
            let why = "there is no vmlinuz in it; from 6.19 on the files are in linux-binary-… \
                       and linux-modules-…"
                .to_owned();
            return Err(Error::Package { path, why });
        }
        let label = debs.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
        let unpacked = files.keep(cache, label, true, &[])?;
        cache.put_record(KIND, &key, &unpacked)?;
        Ok(unpacked)
    }

    pub(super) fn of_path(
        cache: &Cache,
        vmlinuz: &Path,
        modules: Option<&Path>,
        extra: &[String],
    ) -> Result<Unpacked> {
        let image = fs::read(vmlinuz).map_err(io_error("reading the kernel", vmlinuz))?;
        let release = bzimage::release(vmlinuz, &image)?;
        let mut files = Files {
            vmlinuz: Some(image),
            ..Files::default()
        };
        let extra: Vec<String> = extra.iter().map(|name| name.replace('-', "_")).collect();
        if let Some(dir) = modules {
            files.add_tree(&tree_for(dir, &release)?)?;
            for name in &extra {
                if !files.modules.iter().any(|module| module.info.name == *name) {
                    return Err(Error::Module {
                        module: name.clone(),
                        why: format!(
                            "initrd-modules= names it, but it is not in {}",
                            dir.display()
                        ),
                    });
                }
            }
        }
        // No record of it: the directory may change at any time, and reading it is quick.
        files.keep(cache, vmlinuz, modules.is_some(), &extra)
    }

    pub(super) fn into_kernel(
        self,
        cache: &Cache,
        spec: &KernelSpec,
        origin: Option<Origin>,
    ) -> Result<Kernel> {
        let path = |digest: &Digest| {
            cache.blob(digest)?.ok_or_else(|| Error::Io {
                doing: "finding the unpacked kernel in",
                path: cache.root().to_owned(),
                source: std::io::ErrorKind::NotFound.into(),
            })
        };
        let modules = match &self.modules {
            Some((sha256, names)) => Some(Modules {
                path: path(sha256)?,
                sha256: *sha256,
                names: names.clone(),
            }),
            None => None,
        };
        let parts = [Some(self.vmlinuz), modules.as_ref().map(|m| m.sha256)];
        let digest = Digest::of_lines(
            parts
                .iter()
                .map(|part| part.map_or("none".to_owned(), |digest| digest.to_string())),
        );
        Ok(Kernel {
            label: self.release,
            spec: spec.clone(),
            origin,
            vmlinuz: path(&self.vmlinuz)?,
            vmlinuz_sha256: self.vmlinuz,
            modules,
            config: self.config.as_ref().map(path).transpose()?,
            digest,
        })
    }
}

fn key(hashes: &[Digest]) -> Digest {
    let hashes = hashes.iter().map(Digest::to_string);
    Digest::of_lines(std::iter::once(VERSION.to_owned()).chain(hashes))
}

/// The record of an earlier unpacking, if all its blobs are still good.
fn kept(cache: &Cache, key: &Digest) -> Result<Option<Unpacked>> {
    let Some(kept) = cache.record::<Unpacked>(KIND, key) else {
        return Ok(None);
    };
    let modules = kept.modules.as_ref().map(|(digest, _)| *digest);
    for digest in [Some(kept.vmlinuz), modules, kept.config]
        .into_iter()
        .flatten()
    {
        if cache.blob(&digest)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(kept))
}

/// What a file of a kernel package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    Vmlinuz,
    Config,
    Builtin,
    BuiltinModinfo,
    Module(&'a str),
}

/// `boot/vmlinuz-R`, or `usr/lib/modules/R/vmlinuz` from 6.19 on; modules below `lib/modules/R/`,
/// or `usr/lib/modules/R/`.
fn place(path: &str) -> Option<Place<'_>> {
    if let Some(name) = path.strip_prefix("boot/") {
        return match name.split('-').next() {
            Some("vmlinuz") => Some(Place::Vmlinuz),
            Some("config") => Some(Place::Config),
            _ => None,
        };
    }
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let (_release, inside) = path.strip_prefix("lib/modules/")?.split_once('/')?;
    place_in_tree(inside)
}

fn place_in_tree(inside: &str) -> Option<Place<'_>> {
    match inside {
        "vmlinuz" => Some(Place::Vmlinuz),
        "config" => Some(Place::Config),
        "modules.builtin" => Some(Place::Builtin),
        "modules.builtin.modinfo" => Some(Place::BuiltinModinfo),
        module if is_candidate(module) => Some(Place::Module(module)),
        _ => None,
    }
}

impl Files {
    fn add(&mut self, place: Place<'_>, data: Vec<u8>) -> Result<()> {
        match place {
            Place::Vmlinuz => self.vmlinuz = Some(data),
            Place::Config => self.config = Some(data),
            Place::Builtin => self.builtin.add_paths(&String::from_utf8_lossy(&data)),
            Place::BuiltinModinfo => self.builtin.add_modinfo(&data),
            Place::Module(path) => self.modules.push(Module::read(path, &data)?),
        }
        Ok(())
    }

    /// Reads a `/lib/modules/RELEASE` directory. Links are not followed: `build` and `source`
    /// lead to whole kernel trees.
    fn add_tree(&mut self, root: &Path) -> Result<()> {
        let mut pending = vec![root.to_owned()];
        while let Some(dir) = pending.pop() {
            let listing = || io_error("listing the modules in", &dir);
            for entry in fs::read_dir(&dir).map_err(listing())? {
                let entry = entry.map_err(listing())?;
                let path = entry.path();
                let kind = entry.file_type().map_err(listing())?;
                if kind.is_dir() {
                    pending.push(path);
                    continue;
                }
                let Some(inside) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
                    continue;
                };
                match place_in_tree(inside) {
                    Some(Place::Vmlinuz | Place::Config) | None => {}
                    Some(place) if kind.is_file() => {
                        let data = fs::read(&path).map_err(io_error("reading", &path))?;
                        self.add(place, data)?;
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn keep(
        self,
        cache: &Cache,
        label: &Path,
        with_modules: bool,
        extra: &[String],
    ) -> Result<Unpacked> {
        let vmlinuz = self.vmlinuz.unwrap_or_default();
        let release = bzimage::release(label, &vmlinuz)?;
        let modules = match with_modules {
            false => None,
            true => {
                let picked = pick(self.modules, extra);
                let cpio = modules_cpio(&release, &picked, &self.builtin, extra)?;
                let (digest, _) = cache.put(&cpio)?;
                Some((
                    digest,
                    picked.into_iter().map(|module| module.info.name).collect(),
                ))
            }
        };
        let config = match self.config {
            Some(data) => Some(cache.put(&data)?.0),
            None => None,
        };
        Ok(Unpacked {
            release,
            vmlinuz: cache.put(&vmlinuz)?.0,
            modules,
            config,
        })
    }
}

fn modules_cpio(
    release: &str,
    modules: &[Module],
    builtin: &Builtin,
    first: &[String],
) -> Result<Vec<u8>> {
    let mut cpio = Writer::default();
    for module in modules {
        cpio.file(
            &format!("usr/lib/modules/{release}/{}", module.path),
            0o644,
            &module.data,
        )?;
    }
    let index = index_text(release, modules, builtin);
    cpio.file("usr/lib/modules/index", 0o644, index.as_bytes())?;
    if !first.is_empty() {
        let names: String = first.iter().map(|name| format!("{name}\n")).collect();
        cpio.file("usr/lib/modules/load", 0o644, names.as_bytes())?;
    }
    cpio.finish()
}

/// `dir` itself, or the tree of this release in it, wherever `make modules_install` put that.
fn tree_for(dir: &Path, release: &str) -> Result<PathBuf> {
    let places = [
        dir.join("lib/modules").join(release),
        dir.join(release),
        dir.to_owned(),
    ];
    places
        .into_iter()
        .find(|place| place.is_dir())
        .ok_or_else(|| Error::Io {
            doing: "listing the modules in",
            path: dir.to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        })
}

pub(super) fn hash_file(path: &Path) -> Result<Digest> {
    let mut file = File::open(path).map_err(io_error("opening the package", path))?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(io_error("reading", path))? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}
