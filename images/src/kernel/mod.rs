//! Kernels: from what a user typed to a kernel file and the modules a guest needs.

mod bzimage;
mod catalogue;
mod spec;
mod unpack;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use catalogue::Offer;
pub use spec::{Flavour, KernelSpec, SpecError};

use crate::{Archive, Cache, Digest, Result};
use unpack::Unpacked;

/// A kernel that is ready to become part of an image; its files are in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The release, `6.12.95+deb12-cloud-amd64`: used as its name everywhere.
    pub label: String,
    /// How it was asked for.
    pub spec: KernelSpec,
    /// The package it came from, if it came from the archive.
    pub origin: Option<Origin>,
    /// The bzImage.
    pub vmlinuz: PathBuf,
    /// Its hash.
    pub vmlinuz_sha256: Digest,
    /// Its modules and their index as a cpio archive, absent if no modules were given.
    pub modules: Option<Modules>,
    /// Its build configuration, where that is known.
    pub config: Option<PathBuf>,
    /// Changes when anything of it changes.
    pub digest: Digest,
}

/// Where in the archive a kernel is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `linux-image-6.12.95+deb12-cloud-amd64`.
    pub package: String,
    /// `6.12.95-1~bpo12+1`.
    pub version: String,
    /// Source package.
    pub source: String,
    /// Its version.
    pub source_version: String,
    /// Suite.
    pub suite: String,
}

/// The modules of a kernel that a guest gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// A cpio archive, one part of the initramfs.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: Digest,
    /// Names with `_`.
    pub names: Vec<String>,
}

impl Archive {
    /// Fetches and unpacks the kernel `spec` means.
    pub fn kernel(&self, spec: &KernelSpec) -> Result<Kernel> {
        match spec {
            KernelSpec::Newest { .. } | KernelSpec::Exact { .. } => {
                let (offer, debs) = self.fetch_kernel(spec)?;
                let hashes: Vec<_> = offer.parts.iter().map(|part| part.sha256).collect();
                let what = format!("unpacking {}", offer.release);
                let unpacked =
                    Unpacked::of_debs(self.cache(), self.progress(), &what, &debs, &hashes)?;
                let image = offer.image;
                let origin = Origin {
                    package: image.name,
                    version: image.version,
                    source: image.source,
                    source_version: image.source_version,
                    suite: image.suite,
                };
                unpacked.into_kernel(self.cache(), spec, Some(origin))
            }
            KernelSpec::Debs(_) | KernelSpec::Path { .. } => {
                Kernel::local(self.cache(), self.progress(), spec)
            }
        }
    }
}

impl Kernel {
    /// A kernel out of files of this machine (`deb:` or `path:`), without any archive.
    pub fn local(
        cache: &Cache,
        progress: &dyn crate::Progress,
        spec: &KernelSpec,
    ) -> Result<Kernel> {
        let unpacked = match spec {
            KernelSpec::Debs(files) => {
                let hashes = files
                    .iter()
                    .map(|f| unpack::hash_file(f))
                    .collect::<Result<Vec<_>>>();
                Unpacked::of_debs(cache, progress, "unpacking packages", files, &hashes?)?
            }
            KernelSpec::Path {
                vmlinuz,
                modules,
                initrd_modules,
            } => Unpacked::of_path(cache, vmlinuz, modules.as_deref(), initrd_modules)?,
            KernelSpec::Newest { .. } | KernelSpec::Exact { .. } => {
                return Err(crate::Error::NoKernel {
                    spec: spec.to_string(),
                    why: "it has to be fetched, and no archive is at hand".to_owned(),
                });
            }
        };
        unpacked.into_kernel(cache, spec, None)
    }
}
