//! Builds of tun for a kernel: stock, edited, patched.

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
