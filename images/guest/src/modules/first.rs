//! The modules that a user wants loaded before anything else (`initrd-modules=`).

use super::index::{Index, Source};
use super::load::load_named;
use crate::sys;

/// Where the image names them, one a line.
const LIST: &str = "/lib/modules/load";

/// Loads them in their order: those that are there now, and why others are not.
pub fn load_first(index: &Index) -> (Vec<String>, Vec<String>) {
    let list = sys::read(LIST).unwrap_or_default();
    let mut notes = Vec::new();
    for name in names(&list) {
        if let Err(why) = load_named(index, name) {
            notes.push(format!("initrd-modules=: {why}"));
        }
    }
    // The kernel's own word, and not that of a system call.
    let loaded = sys::read("/proc/modules").unwrap_or_default();
    let there =
        |name: &&str| index.source(name) == Some(&Source::BuiltIn) || is_loaded(&loaded, name);
    let there = names(&list).filter(there).map(str::to_owned).collect();
    (there, notes)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|name| !name.is_empty())
}

/// Whether `/proc/modules` has a module of this name.
fn is_loaded(modules: &str, name: &str) -> bool {
    let name = name.replace('-', "_");
    modules
        .lines()
        .any(|line| line.split(' ').next() == Some(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_module_is_a_line_that_begins_with_its_name() {
        let modules = "sctp 442368 2 - Live 0x0\nlibcrc32c 12288 1 sctp, Live 0x0\n";
        assert!(is_loaded(modules, "sctp") && is_loaded(modules, "libcrc32c"));
        assert!(!is_loaded(modules, "crc32c") && !is_loaded("", "sctp"));
        assert!(is_loaded("sch_netem 1 0 - Live 0x0\n", "sch-netem"));
    }

    #[test]
    fn names_are_lines() {
        assert_eq!(
            names("sctp\n\n dummy \n").collect::<Vec<_>>(),
            ["sctp", "dummy"]
        );
    }
}
