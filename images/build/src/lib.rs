//! Kernels out of a source tree, with what the farm needs and nothing else.
//!
//! A distribution's configuration takes an hour to build. A [`Config`] begins with nothing at all
//! (`allnoconfig`) and adds what a guest needs, so that two processors need a few minutes, and a
//! step of a bisection, in the same build directory and through ccache, seconds to a minute.
//!
//! ```text
//! source tree ─┐
//! Config ──────┼─▶ Builder::build ─▶ bzImage (+ tun.ko)
//! directory ───┘
//! ```
//!
//! The same source and configuration give the same bytes: time, place and number of a build are
//! no part of it. So a kernel that did not change keeps its snapshot in the farm.

mod builder;
mod config;
mod error;
mod output;
mod source;

pub use builder::{Builder, Built};
pub use config::{BARE, Config, FARM, MODULE, WITNESSES};
pub use error::{BuildError, Result};
pub use source::{source_package, unpack_source};
