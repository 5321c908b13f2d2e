//! Why there is no kernel.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, BuildError>;

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The source does not build: says something about the source, nothing about the farm.
    #[error("{} does not build: {first}", tree.display())]
    DoesNotBuild {
        /// Which tree.
        tree: PathBuf,
        /// The first error of the build.
        first: String,
        /// Its whole output, the end of it if it is long.
        output: String,
    },
    /// The configuration asks for what this source cannot have.
    #[error(
        "{} cannot be configured with {}: unknown to this source, or something they depend on is \
         off", tree.display(), options.join(", ")
    )]
    Options {
        /// Which tree.
        tree: PathBuf,
        /// What is not there.
        options: Vec<String>,
    },
    /// It is no kernel source.
    #[error("{} is no kernel source: it has no {missing}", tree.display())]
    NoSource {
        /// Which tree.
        tree: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// No such source package.
    #[error("{suite} has no {name}; `apt-cache search linux-source` lists what there is")]
    NoPackage {
        /// Its name.
        name: String,
        /// Where it was looked for.
        suite: String,
    },
    /// The archive or the cache.
    #[error(transparent)]
    Images(#[from] tunfarm_images::Error),
    /// A program that a build needs is not there.
    #[error("cannot run {program} to build a kernel: {source}; install it")]
    Program {
        /// Which.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A file.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl BuildError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> BuildError {
        let path = path.to_owned();
        move |source| BuildError::Io {
            doing,
            path: path.clone(),
            source,
        }
    }
}
