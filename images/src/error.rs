//! Why a kernel or an image could not be had.

use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// Why something could not be fetched, unpacked or built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine's apt knows no Debian mirror.
    #[error(
        "no Debian mirror is configured in {}{found}; name one with --mirror or TUNFARM_MIRROR",
        root.display()
    )]
    NoMirror {
        /// The apt directory that was read.
        root: PathBuf,
        /// What was found instead, as ` (found only …)`, or nothing.
        found: String,
    },
    /// A mirror address that cannot be used.
    #[error("`{address}` is no mirror address: {why}")]
    BadMirror {
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server could not be reached, or the connection broke repeatedly.
    #[error("cannot fetch {url}: {why}; check the network and the proxy settings")]
    Network {
        /// What was asked for.
        url: String,
        /// Why it failed.
        why: String,
    },
    /// The server says there is no such file.
    #[error("{url} is not in the archive (404)")]
    Missing {
        /// What was asked for.
        url: String,
    },
    /// The server answered with another status than those a file comes with.
    #[error("cannot fetch {url}: the server answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Fewer or more bytes than the signed index says.
    #[error("{url} has {got} bytes, but the index says {expected}: truncated or not the same file")]
    Truncated {
        /// What was asked for.
        url: String,
        /// Size in the index.
        expected: u64,
        /// Size that came.
        got: u64,
    },
    /// Other bytes than the signed index says.
    #[error("{what} has sha256 {got}, expected {expected}: the copy is damaged or was replaced")]
    WrongHash {
        /// URL or path.
        what: String,
        /// Hash in the index.
        expected: Digest,
        /// Hash that came.
        got: Digest,
    },
    /// The disk is full.
    #[error(
        "no space left for {} while {doing}; free some, or choose another cache with \
         XDG_CACHE_HOME", path.display()
    )]
    NoSpace {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
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
    /// A program that is needed could not be run.
    #[error("cannot run {program}: {source}; install the package {package}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// No keyring to check the archive with.
    #[error("no archive keyring at {}; install the package debian-archive-keyring", path.display())]
    NoKeyring {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The suite's signature is not good.
    #[error("the signature of {url} does not verify with {}: {why}", keyring.display())]
    Signature {
        /// The InRelease file.
        url: String,
        /// The keyring used.
        keyring: PathBuf,
        /// What gpgv says.
        why: String,
    },
    /// A signed index does not have the expected form.
    #[error("the index of {suite} cannot be used: {why}")]
    Index {
        /// Suite.
        suite: String,
        /// What is wrong with it.
        why: String,
    },
    /// The archive has no such suite.
    #[error("the suite `{suite}` is not in the archive at {mirrors}{hint}")]
    NoSuite {
        /// What was asked for.
        suite: String,
        /// Where it was looked for.
        mirrors: String,
        /// The nearest known name, as `; did you mean …?`, or nothing.
        hint: String,
    },
    /// No kernel answers to a spec.
    #[error("no kernel for `{spec}`: {why}")]
    NoKernel {
        /// The spec.
        spec: String,
        /// What is there instead.
        why: String,
    },
    /// A kernel's own packetdrill tests cannot be had.
    #[error("no packetdrill selftests for {kernel}: {why}")]
    NoSelftests {
        /// Its release.
        kernel: String,
        /// Why.
        why: String,
    },
    /// A package is not readable.
    #[error("the package {} cannot be unpacked: {why}", path.display())]
    Package {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that should be a kernel is none.
    #[error("{} is no bootable x86 kernel: {why}", path.display())]
    NotAKernel {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A module is not readable.
    #[error("the kernel module {module} cannot be used: {why}")]
    Module {
        /// Path or name.
        module: String,
        /// What is wrong with it.
        why: String,
    },
    /// The tools layer could not be put together.
    #[error("the tools of the guest cannot be put together: {why}")]
    Tools {
        /// What is missing.
        why: String,
    },
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Turns an I/O error into [`Error`] with what was being done; a full disk is a kind of its own.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
            doing,
            path: path.to_owned(),
        },
        _ => Error::Io {
            doing,
            path: path.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_kind_of_its_own() {
        let of = |kind: io::ErrorKind| io_error("writing", Path::new("/c/blob"))(kind.into());
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = of(kind);
            assert!(matches!(error, Error::NoSpace { .. }));
            assert!(
                error
                    .to_string()
                    .starts_with("no space left for /c/blob while writing")
            );
        }
        let denied = of(io::ErrorKind::PermissionDenied);
        assert_eq!(denied.to_string(), "writing /c/blob: permission denied");
    }

    #[test]
    fn the_disk_says_so() {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let error = io::Write::write(&mut &full, b"x").unwrap_err();
        let error = io_error("writing", Path::new("/dev/full"))(error);
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    }
}
