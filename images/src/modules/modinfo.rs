//! What a module says about itself in its `.modinfo` section.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

/// The parts of `.modinfo` that loading needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModInfo {
    /// Name with `_`.
    pub(crate) name: String,
    /// Modules it needs, by name with `_`.
    pub(crate) depends: Vec<String>,
    /// Modules it would like to have loaded first (`softdep: pre: …`), by name with `_`.
    pub(crate) wishes: Vec<String>,
    /// Names it is asked for by.
    pub(crate) aliases: Vec<String>,
    /// `VERMAGIC`, which begins with the release it was built for.
    pub(crate) vermagic: String,
}

impl ModInfo {
    /// Reads the section of an ELF file; `path` names the module if the section does not (before
    /// 2.6.38 or so none does).
    pub(crate) fn of_elf(path: &str, elf: &[u8]) -> Result<ModInfo, String> {
        let file: ElfFile64 =
            ElfFile64::parse(elf).map_err(|e| format!("no x86-64 module: {e}"))?;
        let section = file
            .section_by_name(".modinfo")
            .ok_or("it has no .modinfo section")?;
        let data = section.data().map_err(|error| error.to_string())?;
        let mut info = ModInfo::parse(data);
        if info.name.is_empty() {
            let base = path.rsplit('/').next().unwrap_or(path);
            info.name = underscored(base.strip_suffix(".ko").unwrap_or(base));
        }
        Ok(info)
    }

    /// Reads `key=value` texts, each ended by a zero byte.
    pub(crate) fn parse(section: &[u8]) -> ModInfo {
        let mut info = ModInfo::default();
        for text in section.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(text);
            let Some((key, value)) = text.split_once('=') else {
                continue;
            };
            match key {
                "name" => info.name = underscored(value),
                "depends" => info.depends.extend(
                    value
                        .split(',')
                        .filter(|name| !name.is_empty())
                        .map(underscored),
                ),
                "alias" => info.aliases.push(value.to_owned()),
                "softdep" => info.wishes.extend(pre(value)),
                "vermagic" => info.vermagic = value.to_owned(),
                _ => {}
            }
        }
        info
    }
}

/// The names after `pre:` of `pre: a b post: c`.
fn pre(softdep: &str) -> Vec<String> {
    let mut before = false;
    let mut names = Vec::new();
    for word in softdep.split_ascii_whitespace() {
        match word {
            "pre:" => before = true,
            "post:" => before = false,
            name if before => names.push(underscored(name)),
            _ => {}
        }
    }
    names
}

/// Module names are compared with `-` and `_` alike; the kernel shows `_`.
pub(crate) fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_section() {
        let section = b"license=GPL\0alias=devname:net/tun\0alias=char-major-10-200\0\0\0depends=\
            af-packet,inet_diag\0softdep=pre: crypto-sha256 x post: y\0name=tun\0junk\0\
            vermagic=6.12.95+deb12-cloud-amd64 SMP preempt\0";
        let info = ModInfo::parse(section);
        assert_eq!(info.name, "tun");
        assert_eq!(info.depends, ["af_packet", "inet_diag"]);
        assert_eq!(info.wishes, ["crypto_sha256", "x"]);
        assert_eq!(info.aliases, ["devname:net/tun", "char-major-10-200"]);
        assert!(info.vermagic.starts_with("6.12.95+deb12-cloud-amd64 "));
        assert_eq!(ModInfo::parse(b"depends=\0").depends, [""; 0]);
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bad in [&b""[..], b"\x7fELF", &[0; 100]] {
            assert!(ModInfo::of_elf("x.ko", bad).is_err());
        }
    }
}
