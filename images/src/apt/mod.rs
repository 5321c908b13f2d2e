//! What this machine's apt is configured with: where packages come from, and through which proxy.

mod proxy;
mod sources;

pub use proxy::AptConfig;
pub(crate) use proxy::ProxyChoice;
pub use sources::{Source, read_sources};
