//! The collection of close scenarios and what each of them expects.
//!
//! A scenario is a script, `NAME.pkt`, with a YAML file beside it that says in plain words what it
//! shows, and in checkable words what must be seen. The collection is compiled into the binary, so
//! that `tunfarm` is one file; a folder of one's own is read in the same way.

mod article;
mod collection;
mod expect;
mod range;
mod spec;
mod version;

pub use article::{Article, Seen};
pub use collection::{Collection, CollectionError, Scenario, glob_matches};
pub use expect::{Expect, Repeats, Seconds, Segment, Wire, Witness};
pub use range::Range;
pub use spec::{Applies, Break, Difference, Need, Spec};
pub use version::{KernelRange, KernelVersion};
