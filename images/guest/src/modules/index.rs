//! The image's list of modules.
//!
//! One module a line, written when the image was made: `NAME<TAB>PATH<TAB>DEP,DEP<TAB>ALIAS ALIAS…`.
//! Names have `_` for `-`; PATH is `builtin` for what is part of the kernel itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::sys;

/// Where the image keeps it.
pub const PATH: &str = "/lib/modules/index";

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Part of the kernel image.
    BuiltIn,
    /// A file of the image.
    File(String),
}

#[derive(Clone, Debug)]
struct Module {
    source: Source,
    needs: Vec<String>,
    aliases: Vec<String>,
}

/// All modules of the image by name.
#[derive(Clone, Debug, Default)]
pub struct Index {
    modules: BTreeMap<String, Module>,
}

impl Index {
    /// The image's own index; empty where the image has none.
    pub fn of_image() -> Index {
        sys::read(PATH)
            .map(|text| Index::parse(&text))
            .unwrap_or_default()
    }

    /// Reads the text of an index; a line without a path is no module.
    pub fn parse(text: &str) -> Index {
        let module = |line: &str| {
            let mut fields = line.split('\t');
            let name = canonical(fields.next()?);
            let source = match fields.next()? {
                "" => return None,
                "builtin" => Source::BuiltIn,
                path => Source::File(path.to_owned()),
            };
            let needs = fields.next().unwrap_or_default();
            let aliases = fields.next().unwrap_or_default();
            let module = Module {
                source,
                needs: needs
                    .split(',')
                    .filter(|n| !n.is_empty())
                    .map(canonical)
                    .collect(),
                aliases: aliases.split_whitespace().map(canonical).collect(),
            };
            Some((name, module))
        };
        Index {
            modules: text.lines().filter_map(module).collect(),
        }
    }

    /// Where the module of this name is.
    pub fn source(&self, name: &str) -> Option<&Source> {
        Some(&self.modules.get(&canonical(name))?.source)
    }

    /// The names meant by a name or an alias (`net-pf-16-proto-4-type-2-6`); an alias may be
    /// several modules'.
    pub fn resolve(&self, wanted: &str) -> Vec<&str> {
        let wanted = canonical(wanted);
        if let Some((name, _)) = self.modules.get_key_value(&wanted) {
            return vec![name];
        }
        self.modules
            .iter()
            .filter(|(_, module)| module.aliases.iter().any(|alias| matches(alias, &wanted)))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The files to load for `name`, in order: what it needs first, itself last.
    ///
    /// # Errors
    /// The name of a module that is needed and not in the index.
    pub fn order(&self, name: &str) -> Result<Vec<(&str, &str)>, String> {
        let mut order = Vec::new();
        self.visit(&canonical(name), &mut BTreeSet::new(), &mut order)?;
        Ok(order)
    }

    fn visit<'a>(
        &'a self,
        name: &str,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<(&'a str, &'a str)>,
    ) -> Result<(), String> {
        let (name, module) = self
            .modules
            .get_key_value(name)
            .ok_or_else(|| name.to_owned())?;
        // A circle cannot be loaded anyway; here it only must not be walked for ever.
        if !seen.insert(name) {
            return Ok(());
        }
        for need in &module.needs {
            self.visit(need, seen, order)?;
        }
        if let Source::File(path) = &module.source {
            order.push((name, path));
        }
        Ok(())
    }
}

/// Module names and aliases treat `-` and `_` alike.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// Whether an alias, a shell pattern (`char-major-10-*`), means `wanted`.
fn matches(alias: &str, wanted: &str) -> bool {
    let (pattern, text) = (sys::c_string(alias), sys::c_string(wanted));
    // SAFETY: two NUL-terminated strings.
    unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tun\t/lib/modules/6/tun.ko\t\tchar-major-10-200 devname:net/tun\n\
        tcp_diag\t/lib/modules/6/tcp_diag.ko\tinet_diag\tnet-pf-16-proto-4-type-2-6\n\
        inet-diag\t/lib/modules/6/inet_diag.ko\t\tnet-pf-16-proto-4-type-2-*\n\
        unix\tbuiltin\t\t\n\
        a\t/a.ko\tb,unix\t\n\
        b\t/b.ko\ta,missing\t\n\
        broken line\n";

    #[test]
    fn needs_come_first_and_built_in_ones_are_no_files() {
        let index = Index::parse(TEXT);
        assert_eq!(
            index.order("tcp-diag").unwrap(),
            [
                ("inet_diag", "/lib/modules/6/inet_diag.ko"),
                ("tcp_diag", "/lib/modules/6/tcp_diag.ko")
            ]
        );
        assert_eq!(index.order("unix").unwrap(), []);
        assert_eq!(index.source("unix"), Some(&Source::BuiltIn));
        assert_eq!(index.source("broken line"), None);
    }

    #[test]
    fn a_circle_ends_and_a_missing_need_is_named() {
        assert_eq!(Index::parse(TEXT).order("a"), Err("missing".to_owned()));
    }

    #[test]
    fn aliases_are_patterns_and_dashes_are_underscores() {
        let index = Index::parse(TEXT);
        assert_eq!(index.resolve("char-major-10-200"), ["tun"]);
        assert_eq!(
            index.resolve("net-pf-16-proto-4-type-2-6"),
            ["inet_diag", "tcp_diag"]
        );
        assert_eq!(index.resolve("inet_diag"), ["inet_diag"]);
        assert!(index.resolve("net-pf-10").is_empty());
    }
}
