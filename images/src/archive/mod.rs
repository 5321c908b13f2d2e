//! Debian's archive: suites, their signed indices, and the files those list.
//!
//! Trust goes one way: the keyring vouches for `InRelease`, that for the `Packages` index by its
//! hash, and the index for each file by its hash. Nothing is used before its link is checked,
//! neither from the network nor from the cache.

mod fetch;
mod http;
mod index;
mod mirror;
mod package;
mod release;
mod suite;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use mirror::Mirrors;
pub use package::{Dependency, Package};
pub use suite::Suite;

use crate::apt::AptConfig;
use crate::{Cache, Progress, Result};
use http::Http;

/// How to reach the archive; the default is what apt on this machine is configured with.
#[derive(Clone, Debug, Default)]
pub struct ArchiveOptions {
    /// `MAIN[,SECURITY]`, in the place of apt's addresses; see [`Mirrors::from_option`].
    pub mirror: Option<String>,
    /// The keyring, in the place of Debian's.
    pub keyring: Option<PathBuf>,
    /// For how long an index is used without asking the server whether it changed; ten minutes
    /// if not given.
    pub fresh_for: Option<Duration>,
}

/// Debian's archive, as far as this machine can reach it.
pub struct Archive {
    mirrors: Mirrors,
    keyring: PathBuf,
    fresh_for: Duration,
    check_valid_until: bool,
    http: Http,
    cache: Cache,
    progress: Arc<dyn Progress>,
}

impl Archive {
    /// Finds the archive; nothing is asked of the network yet.
    pub fn open(
        options: &ArchiveOptions,
        cache: Cache,
        progress: Arc<dyn Progress>,
    ) -> Result<Archive> {
        let mirrors = match &options.mirror {
            Some(text) => Mirrors::from_option(text)?,
            None => Mirrors::from_apt(Path::new("/etc/apt"))?,
        };
        let apt = AptConfig::system();
        let keyring = options.keyring.clone().or_else(|| mirrors.keyring.clone());
        Ok(Archive {
            mirrors,
            keyring: keyring.unwrap_or_else(debian_keyring),
            fresh_for: options.fresh_for.unwrap_or(Duration::from_secs(600)),
            check_valid_until: apt.check_valid_until(),
            http: Http::new(apt),
            cache,
            progress,
        })
    }

    /// Where it is.
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// The cache it keeps everything in.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Who is told what is being done.
    pub fn progress(&self) -> &dyn Progress {
        &*self.progress
    }
}

/// Where the package debian-archive-keyring has the keys; the ending changed in trixie.
fn debian_keyring() -> PathBuf {
    let dir = Path::new("/usr/share/keyrings");
    let newer = dir.join("debian-archive-keyring.pgp");
    if newer.exists() {
        newer
    } else {
        dir.join("debian-archive-keyring.gpg")
    }
}
