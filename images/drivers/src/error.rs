//! Why there is no driver.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::edit::{EditError, EditRefused};
use crate::modinfo::WrongModule;
use crate::patch::PatchRefused;

/// Why a driver could not be had for a kernel. Each kind is told apart: a driver that does not
/// build is never reported as a scenario's failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An edit or a patch does not fit this kernel's source.
    #[error("{driver} does not apply to {kernel}: {why}")]
    DoesNotApply {
        /// The driver's label.
        driver: String,
        /// The kernel's release.
        kernel: String,
        /// What does not fit.
        why: Box<DoesNotApply>,
    },
    /// The compiler refuses it.
    #[error("{driver} does not build for {kernel}: {first}")]
    DoesNotCompile {
        /// The driver's label.
        driver: String,
        /// The kernel's release.
        kernel: String,
        /// The compiler's first error.
        first: Box<CompilerError>,
        /// The build's whole output, cut to its last 64 KiB.
        output: String,
    },
    /// The archive has no source for this kernel.
    #[error("no driver source for {kernel}: {why}{}", offer(nearest))]
    NoSource {
        /// The kernel's release.
        kernel: String,
        /// What was looked for, and where.
        why: String,
        /// The version of the same series that is nearest, to be had with `--nearest-source`.
        nearest: Option<String>,
    },
    /// The archive has no headers for this kernel.
    #[error("no headers for {kernel}: {why}")]
    NoHeaders {
        /// The kernel's release.
        kernel: String,
        /// What was looked for, and where.
        why: String,
    },
    /// The compiler's root cannot be made or entered: says nothing about the driver.
    #[error("cannot build for {kernel}: {why}")]
    Toolchain {
        /// The kernel's release.
        kernel: String,
        /// What failed, and what to do.
        why: String,
    },
    /// The module is not one for this kernel.
    #[error("{} cannot be loaded by {kernel}: {why}", path.display())]
    WrongModule {
        /// The module.
        path: PathBuf,
        /// The kernel's release.
        kernel: String,
        /// What is wrong with it.
        why: WrongModule,
    },
    /// The description of an edit is wrong.
    #[error(transparent)]
    Edit(Box<EditError>),
    /// A directory that should hold a driver's source holds none.
    #[error("{} holds no driver source: {why}", path.display())]
    NoDriver {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// An index or a package could not be fetched, or the cache not be used.
    #[error(transparent)]
    Archive(Box<tunfarm_images::Error>),
    /// A package could not be unpacked.
    #[error("cannot unpack {what}: {why}")]
    Package {
        /// The package and its version.
        what: String,
        /// Why.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Error {
        Error::Edit(Box::new(error))
    }
}

impl From<tunfarm_images::Error> for Error {
    fn from(error: tunfarm_images::Error) -> Error {
        Error::Archive(Box::new(error))
    }
}

fn offer(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|v| format!("; the nearest of the same series is {v}: take it with --nearest-source"))
        .unwrap_or_default()
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a change does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoesNotApply {
    /// An edit was refused.
    #[error("{0}")]
    Edit(#[from] EditRefused),
    /// A patch was refused.
    #[error("{0}")]
    Patch(#[from] PatchRefused),
}

/// The first error of the compiler, the linker or the kernel's own build checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerError {
    /// File relative to the kernel's source, e.g. `drivers/net/tun.c`; empty when none is named.
    pub file: String,
    /// Line, 0 when none is named.
    pub line: u32,
    /// The message.
    pub message: String,
}

impl fmt::Display for CompilerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => {}
            (file, 0) => write!(f, "{file}: ")?,
            (file, line) => write!(f, "{file}:{line}: ")?,
        }
        f.write_str(&self.message)
    }
}

/// Turns an I/O error into [`Error`] with what was being done.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
