//! Makes what boots: kernels out of packages, the tools layer, the initramfs.
//!
//! ```text
//! apt's settings ─▶ Archive ─▶ Kernel ─┐
//!                      └─────▶ Tools ──┼─▶ Image
//!                              guest ──┘
//! ```
//!
//! Everything blocks; a caller that must not is to use a thread of its own.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use tunfarm_images::{Archive, ArchiveOptions, Cache, Image, ToolSet};
//!
//! let cache = Cache::open(&Cache::default_dir())?;
//! let archive = Archive::open(&ArchiveOptions::default(), cache.clone(), Arc::new(()))?;
//! let kernel = archive.kernel(&"debian:trixie/cloud".parse()?)?;
//! let tools = archive.tools(ToolSet::Standard)?;
//! let image = Image::build(&cache, &kernel, Some(&tools), Path::new("tunfarm-guest"))?;
//! println!("{} boots with {}", image.kernel.display(), image.initramfs.display());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod apt;
pub mod archive;
mod cache;
mod control;
mod deb;
mod digest;
mod error;
mod initramfs;
pub mod kernel;
mod modules;
mod progress;
mod selftests;
mod tools;
pub mod version;

pub use archive::{Archive, ArchiveOptions, Mirrors, Package, Suite};
pub use cache::{BlobWriter, Cache, Pruned, Removed};
pub use digest::{Digest, NoDigest};
pub use error::{Error, Result};
pub use initramfs::Image;
pub use kernel::{Flavour, Kernel, KernelSpec, Modules, Offer, Origin, SpecError};
pub use progress::{Progress, Step};
pub use selftests::Selftests;
pub use tools::{ToolPackage, ToolSet, Tools};
