//! What a kernel module says about itself, read before any kernel is asked to load it.

use object::read::elf::{ElfFile32, ElfFile64};
use object::{Architecture, Object, ObjectKind, ObjectSection};

/// What a module says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// `name=`; older kernels' modules have none.
    pub name: Option<String>,
    /// `vermagic=`: release and the options that change the ABI.
    pub vermagic: String,
    /// `depends=`: modules to be loaded first.
    pub depends: Vec<String>,
}

/// Why a file is no module for a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongModule {
    /// Not an ELF file, or not a relocatable one.
    #[error("it is no kernel module: {0}")]
    NotAModule(String),
    /// Of another machine.
    #[error("it is a module for {0}, not for x86-64")]
    Architecture(String),
    /// Built for another kernel.
    #[error("it was built for {built_for}")]
    Kernel {
        /// The release in its vermagic.
        built_for: String,
    },
}

impl ModInfo {
    /// The release it was built for.
    pub fn release(&self) -> &str {
        self.vermagic.split(' ').next().unwrap_or_default()
    }

    /// Reads `module`, the bytes of an uncompressed `.ko`.
    pub fn read(module: &[u8]) -> Result<ModInfo, WrongModule> {
        let not = |why: &str| WrongModule::NotAModule(why.to_owned());
        if !module.starts_with(b"\x7fELF") {
            return Err(not("it is no ELF file"));
        }
        // The fifth byte is the class: a 32-bit file cannot be read as a 64-bit one.
        if module.get(4) == Some(&1) {
            let file: ElfFile32 =
                ElfFile32::parse(module).map_err(|e| not(&format!("damaged ELF file: {e}")))?;
            return Err(WrongModule::Architecture(format!(
                "{:?}",
                file.architecture()
            )));
        }
        let file: ElfFile64 =
            ElfFile64::parse(module).map_err(|e| not(&format!("damaged ELF file: {e}")))?;
        if file.architecture() != Architecture::X86_64 {
            return Err(WrongModule::Architecture(format!(
                "{:?}",
                file.architecture()
            )));
        }
        if file.kind() != ObjectKind::Relocatable {
            return Err(not("it is a program or a library"));
        }
        let section = file
            .section_by_name(".modinfo")
            .ok_or_else(|| not("an object file without .modinfo"))?;
        let data = section
            .data()
            .map_err(|e| not(&format!("damaged .modinfo: {e}")))?;
        let mut info = ModInfo::default();
        for entry in data.split(|b| *b == 0) {
            let entry = String::from_utf8_lossy(entry);
            match entry.split_once('=') {
                Some(("name", value)) => info.name = Some(value.to_owned()),
                Some(("vermagic", value)) => info.vermagic = value.to_owned(),
                Some(("depends", value)) => {
                    let names = value.split(',').filter(|d| !d.is_empty());
                    info.depends = names.map(str::to_owned).collect();
                }
                _ => {}
            }
        }
        if info.vermagic.is_empty() {
            return Err(not("its .modinfo has no vermagic"));
        }
        Ok(info)
    }

    /// Checks that `module` is one for the kernel `release`.
    pub fn check(module: &[u8], release: &str) -> Result<ModInfo, WrongModule> {
        let info = Self::read(module)?;
        if info.release() != release {
            return Err(WrongModule::Kernel {
                built_for: info.release().to_owned(),
            });
        }
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_told() {
        for (bytes, why) in [
            (&b"#!/bin/sh\n"[..], "it is no ELF file"),
            (b"", "it is no ELF file"),
            (b"\x7fELF\x02\x01\x01", "damaged ELF file"),
        ] {
            let error = ModInfo::read(bytes).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_program_is_no_module() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = ModInfo::read(&this).unwrap_err();
        if cfg!(target_arch = "x86_64") {
            assert_eq!(
                error,
                WrongModule::NotAModule("it is a program or a library".into())
            );
        } else {
            assert!(matches!(error, WrongModule::Architecture(_)));
        }
    }
}
