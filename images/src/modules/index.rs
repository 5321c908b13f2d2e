//! The index the guest loads modules by: `/lib/modules/index`.
//!
//! One module a line, `NAME<TAB>PATH<TAB>DEP,DEP<TAB>ALIAS ALIAS…`, in order of the names: the
//! name with `_`, the absolute path of its file (`builtin` if it is part of the kernel), the
//! modules it needs directly, the aliases it is asked for by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Module;
use super::modinfo::{ModInfo, underscored};

/// What is built into the kernel, by name with `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Builtin(BTreeMap<String, Vec<String>>);

impl Builtin {
    /// Adds the paths of `modules.builtin`, one a line.
    pub(crate) fn add_paths(&mut self, text: &str) {
        for line in text.lines() {
            let base = line.trim().rsplit('/').next().unwrap_or_default();
            if let Some(name) = base.strip_suffix(".ko") {
                self.0.entry(underscored(name)).or_default();
            }
        }
    }

    /// Adds the aliases of `modules.builtin.modinfo`: `MODULE.alias=…`, each ended by a zero byte.
    pub(crate) fn add_modinfo(&mut self, data: &[u8]) {
        for text in data.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(text);
            let Some((module, rest)) = text.split_once('.') else {
                continue;
            };
            let aliases = self.0.entry(underscored(module)).or_default();
            aliases.extend(ModInfo::parse(rest.as_bytes()).aliases);
        }
        self.0.remove("");
    }
}

/// The text of the index.
pub(crate) fn index_text(release: &str, modules: &[Module], builtin: &Builtin) -> String {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for (name, aliases) in &builtin.0 {
        lines.insert(name, format!("builtin\t\t{}", joined(aliases)));
    }
    for module in modules {
        // A soft dependency is loaded first if it is there, so it counts as one that is needed.
        let there = |name: &&String| modules.iter().any(|m| m.info.name == **name);
        let wishes = module.info.wishes.iter().filter(there);
        let mut depends: Vec<&str> = Vec::new();
        for name in module.info.depends.iter().chain(wishes) {
            if !depends.contains(&name.as_str()) {
                depends.push(name);
            }
        }
        let rest = format!(
            "/lib/modules/{release}/{}\t{}\t{}",
            module.path,
            depends.join(","),
            joined(&module.info.aliases)
        );
        lines.insert(&module.info.name, rest);
    }
    lines.iter().fold(String::new(), |mut text, (name, rest)| {
        let _ = writeln!(text, "{name}\t{rest}");
        text
    })
}

/// Aliases with blanks or tabs in them would break the line; none has.
fn joined(aliases: &[String]) -> String {
    let plain = |alias: &&String| !alias.contains(char::is_whitespace);
    aliases
        .iter()
        .filter(plain)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_names_files_and_built_ins() {
        let mut builtin = Builtin::default();
        builtin.add_paths("kernel/net/unix/unix.ko\nkernel/lib/crc-t10dif.ko\n\n");
        builtin.add_modinfo(b"unix.license=GPL\0unix.alias=net-pf-1\0crc_t10dif.file=lib/x\0\0");
        let module = |path: &str, section: &[u8]| Module {
            path: path.to_owned(),
            info: ModInfo::parse(section),
            data: Vec::new(),
        };
        let modules = [
            module(
                "kernel/drivers/net/tun.ko",
                b"name=tun\0alias=devname:net/tun\0alias=char-major-10-200\0",
            ),
            module("kernel/net/ipv4/inet_diag.ko", b"name=inet_diag\0"),
            module(
                "kernel/net/ipv4/tcp_diag.ko",
                b"name=tcp_diag\0depends=inet_diag\0softdep=pre: tun inet_diag gone\0",
            ),
        ];
        assert_eq!(
            index_text("6.1.0-47-cloud-amd64", &modules, &builtin),
            "crc_t10dif\tbuiltin\t\t\n\
             inet_diag\t/lib/modules/6.1.0-47-cloud-amd64/kernel/net/ipv4/inet_diag.ko\t\t\n\
             tcp_diag\t/lib/modules/6.1.0-47-cloud-amd64/kernel/net/ipv4/tcp_diag.ko\tinet_diag,tun\t\n\
             tun\t/lib/modules/6.1.0-47-cloud-amd64/kernel/drivers/net/tun.ko\t\tdevname:net/tun char-major-10-200\n\
             unix\tbuiltin\t\tnet-pf-1\n"
        );
    }
}
