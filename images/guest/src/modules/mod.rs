//! Kernel modules: which there are, loading them and taking them out, and why one would not load.

mod first;
mod index;
mod load;
mod modprobe;
mod refusal;
mod unload;

pub use first::load_first;
pub use index::{Index, Source};
pub use load::{load_file, load_named};
pub use modprobe::run as modprobe;
pub use unload::{can_unload, loaded, unload};
