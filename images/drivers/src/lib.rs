//! Builds of tun for a kernel: stock, edited, patched.
//!
//! ```text
//! spec ─▶ change (edit, patches, folder) ─┐
//! linux-source-X.Y ─▶ source ─────────────┴▶ changed source ─┐
//! linux-headers-… and compiler ─▶ root ─▶ sandbox ───────────┴▶ compile ─▶ module ─▶ cache
//! ```
//!
//! Everything is built from packages of the kernel's own suite, unpacked and never installed, in
//! a sandbox without network. The same input gives the same module, byte for byte, so a module's
//! hash says what was tested. Everything blocks; a caller that must not uses a thread of its own.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tunfarm_drivers::archive::DebianPackages;
//! use tunfarm_drivers::{Drivers, TargetKernel};
//! use tunfarm_images::{Archive, ArchiveOptions, Cache};
//!
//! let cache = Cache::open(&Cache::default_dir())?;
//! let archive = Archive::open(&ArchiveOptions::default(), cache.clone(), Arc::new(()))?;
//! let kernel = archive.kernel(&"debian:trixie/cloud".parse()?)?;
//! let packages = DebianPackages::new(&archive);
//! let drivers = Drivers::new(&packages, cache);
//! let module = drivers.build(&"edit:no-orphan".parse()?, &TargetKernel::of(&kernel, None))?;
//! println!("{}: {} ({:.1} s)", module.label, module.about, module.build_s);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod archive;
mod build;
pub mod c;
mod change;
mod compile;
mod deb;
mod diff;
pub mod edit;
mod error;
mod kernel;
pub mod modinfo;
pub mod patch;
mod root;
mod sandbox;
mod source;
mod spec;
mod store;
mod version;

pub use build::{DriverModule, Drivers, ModuleFiles};
pub use compile::first_error;
pub use diff::unified;
pub use error::{CompilerError, DoesNotApply, Error, Result};
pub use kernel::{Origin, TargetKernel};
pub use root::BuildRoot;
pub use sandbox::Sandbox;
pub use source::{DRIVER_FOLDER, Source};
pub use spec::{DriverSpec, SpecError};
pub use store::Store;
