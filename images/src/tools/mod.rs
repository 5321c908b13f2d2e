//! The tools layer: real programs out of Debian's packages, with the libraries they need and
//! nothing else.
//!
//! Packages are unpacked, not installed: no script of theirs is run. Of the files only the
//! programs named here are taken, the libraries their ELF headers ask for, and a few data files.
//! They are bookworm's whatever the kernel is: its C library runs on Linux 3.2 and later.

mod layer;
mod resolve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::progress::Step;
use crate::{Archive, Digest, Result};

/// The suite the programs are from.
const SUITE: &str = "bookworm";
const VERSION: &str = "tools, version 1";
const KIND: &str = "tools";

/// Which programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToolSet {
    /// `ss`, `ip`, `tc`, `nstat`, `sysctl`, `tcpdump`, `ethtool`, shells and the usual filters.
    #[default]
    Standard,
    /// Those and Python, for scripts that call it.
    WithPython,
}

/// The tools layer, one part of the initramfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// A cpio archive.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: Digest,
    /// The packages it was made of.
    pub packages: Vec<ToolPackage>,
}

/// A package of the tools layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Hash of the package file.
    pub sha256: Digest,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    cpio: Digest,
    packages: Vec<ToolPackage>,
}

impl Archive {
    /// The tools layer, made once for each state of the suite it comes from.
    pub fn tools(&self, set: ToolSet) -> Result<Tools> {
        let suite = self.suite(SUITE)?;
        let recipe = layer::recipe(set);
        let mut lines = vec![VERSION.to_owned(), self.index_digest(&suite)?.to_string()];
        lines.extend(recipe.iter().map(|part| format!("{part:?}")));
        let key = Digest::of_lines(lines);
        if let Some(kept) = self.cache().record::<Kept>(KIND, &key)
            && let Some(path) = self.cache().blob(&kept.cpio)?
        {
            return Ok(kept.into_tools(path));
        }
        let index = self.all_packages(&suite)?;
        let packages = resolve::with_dependencies(&index, recipe.iter().map(|part| part.package))?;
        let mut files = layer::Files::default();
        for package in &packages {
            let deb = self.fetch(package)?;
            files.add_package(&deb)?;
        }
        self.progress().step(Step::Working {
            what: "building the tools layer",
        });
        let (cpio, path) = self.cache().put(&files.layer(&recipe)?)?;
        let package = |p: &crate::Package| ToolPackage {
            name: p.name.clone(),
            version: p.version.clone(),
            sha256: p.sha256,
        };
        let kept = Kept {
            cpio,
            packages: packages.into_iter().map(package).collect(),
        };
        self.cache().put_record(KIND, &key, &kept)?;
        Ok(kept.into_tools(path))
    }
}

impl Kept {
    fn into_tools(self, path: PathBuf) -> Tools {
        Tools {
            path,
            sha256: self.cpio,
            packages: self.packages,
        }
    }
}
