//! Kernel modules: which of them a guest needs, decompressed, and the index that says how they
//! depend on each other.

mod index;
mod modinfo;
mod pick;

pub(crate) use index::{Builtin, index_text};
pub(crate) use modinfo::ModInfo;
pub(crate) use pick::{is_candidate, pick};

use crate::deb::decompressor;
use crate::{Error, Result};

/// One module file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Below `/lib/modules/RELEASE/`, without compression: `kernel/drivers/net/tun.ko`.
    pub(crate) path: String,
    /// What its own `.modinfo` section says.
    pub(crate) info: ModInfo,
    /// The ELF file.
    pub(crate) data: Vec<u8>,
}

impl Module {
    /// Reads a `.ko`, `.ko.xz`, `.ko.zst` or `.ko.gz`.
    pub(crate) fn read(path: &str, file: &[u8]) -> Result<Module> {
        let bad = |why: String| Error::Module {
            module: path.to_owned(),
            why,
        };
        let end = path
            .rfind(".ko")
            .ok_or_else(|| bad("its name has no .ko".to_owned()))?
            + 3;
        let (plain, extension) = path.split_at(end);
        let mut data = Vec::new();
        decompressor(extension, file)
            .and_then(|mut reader| reader.read_to_end(&mut data))
            .map_err(|error| bad(error.to_string()))?;
        let info = ModInfo::of_elf(plain, &data).map_err(bad)?;
        Ok(Module {
            path: plain.to_owned(),
            info,
            data,
        })
    }
}
