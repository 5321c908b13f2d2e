//! Which kernel, or which commit, changed a behaviour.
//!
//! The search itself is `tunfarm-bisect`, which knows nothing of kernels. Here is what lies
//! between it and the farm: the list of kernels between two ends ([`versions`]), what a run of
//! one of them answers ([`reading`]), what is kept so that an interrupted search goes on
//! ([`state`]), and the two neighbours of the answer side by side ([`pair`]). Over commits it is git
//! that searches ([`git`], [`commits`]).

pub mod commits;
pub mod git;
pub mod pair;
pub mod question;
pub mod reading;
pub mod state;
pub mod versions;

pub use question::{Kernels, Question};
pub use reading::{Judge, Reading};
pub use state::{State, StepRecord};
