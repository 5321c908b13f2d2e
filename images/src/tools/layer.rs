//! Choosing the files of the tools layer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use object::read::elf::{Dyn as _, ElfFile64};
use object::{Endianness, elf};

use super::ToolSet;
use crate::deb::{self, Content};
use crate::initramfs::cpio::Writer;
use crate::{Error, Result};

/// What is taken of a package.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) package: &'static str,
    /// Programs, by name: in `/usr/bin` or `/usr/sbin`.
    programs: &'static [&'static str],
    /// Whole directories.
    directories: &'static [&'static str],
}

const STANDARD: [Part; 9] = [
    Part {
        package: "bash",
        programs: &["bash"],
        directories: &[],
    },
    Part {
        package: "coreutils",
        programs: &[
            "basename", "cat", "chmod", "cp", "cut", "date", "dd", "dirname", "echo", "env",
            "false", "head", "id", "ln", "ls", "mkdir", "mktemp", "mv", "nproc", "od", "printf",
            "readlink", "rm", "rmdir", "seq", "sleep", "sort", "stat", "tail", "tee", "test",
            "timeout", "touch", "tr", "true", "uname", "uniq", "wc", "[",
        ],
        directories: &[],
    },
    Part {
        package: "dash",
        programs: &["dash"],
        directories: &[],
    },
    Part {
        package: "ethtool",
        programs: &["ethtool"],
        directories: &[],
    },
    Part {
        package: "grep",
        programs: &["grep"],
        directories: &[],
    },
    Part {
        package: "iproute2",
        programs: &["ip", "nstat", "ss", "tc"],
        // Names of tables and protocols; netem's delay distributions.
        directories: &["etc/iproute2/", "usr/lib/tc/"],
    },
    Part {
        package: "mawk",
        programs: &["mawk"],
        directories: &[],
    },
    Part {
        package: "procps",
        programs: &["sysctl"],
        directories: &[],
    },
    Part {
        package: "sed",
        programs: &["sed"],
        directories: &[],
    },
];

const TCPDUMP: Part = Part {
    package: "tcpdump",
    programs: &["tcpdump"],
    directories: &[],
};

const PYTHON: [Part; 2] = [
    Part {
        package: "python3-minimal",
        programs: &["python3"],
        directories: &[],
    },
    Part {
        package: "python3.11-minimal",
        programs: &["python3.11"],
        directories: &["usr/lib/python3.11/"],
    },
];

/// Links that the packages' scripts would have made.
const LINKS: [(&str, &str); 2] = [("usr/bin/sh", "dash"), ("usr/bin/awk", "mawk")];

const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu/";

/// Where files that may be taken lie; documentation, translations and the rest are not even read.
const PLACES: [&str; 8] = [
    "usr/bin/",
    "usr/sbin/",
    "usr/lib64/",
    LIBRARIES,
    "usr/lib/tc/",
    "usr/lib/python3",
    "etc/iproute2/",
    "etc/python3",
];

pub(super) fn recipe(set: ToolSet) -> Vec<Part> {
    let mut parts = STANDARD.to_vec();
    parts.push(TCPDUMP);
    if set == ToolSet::WithPython {
        parts.extend(PYTHON);
    }
    parts
}

/// The files of several packages, by their path on a system where `/bin` is `/usr/bin`.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, Content>);

impl Files {
    pub(super) fn add_package(&mut self, deb: &Path) -> Result<()> {
        let wanted = |path: &str| {
            let path = merged(path);
            PLACES.iter().any(|place| path.starts_with(place))
        };
        deb::read(deb, wanted, |path, content| {
            self.0.insert(merged(&path), content);
            Ok(())
        })
    }

    /// The layer as a cpio archive.
    pub(super) fn layer(&self, recipe: &[Part]) -> Result<Vec<u8>> {
        let mut paths = BTreeSet::new();
        for part in recipe {
            for program in part.programs {
                let places = ["usr/bin/", "usr/sbin/"].map(|dir| format!("{dir}{program}"));
                let place = places.into_iter().find(|place| self.0.contains_key(place));
                let place = place.ok_or_else(|| Error::Tools {
                    why: format!("the package {} has no program {program}", part.package),
                })?;
                self.take(&place, &mut paths)?;
            }
            let inside = |path: &&String| part.directories.iter().any(|d| path.starts_with(d));
            for path in self.0.keys().filter(inside) {
                self.take(path, &mut paths)?;
            }
        }
        let mut cpio = Writer::default();
        for path in paths {
            match &self.0[&path] {
                Content::File { mode, data } => cpio.file(&path, *mode, data)?,
                Content::Link(target) => cpio.link(&path, target)?,
            }
        }
        for (path, target) in LINKS {
            if !cpio.contains(path) {
                cpio.link(path, target)?;
            }
        }
        cpio.finish()
    }

    /// Takes a file, what it links to, and the libraries it needs.
    fn take(&self, path: &str, paths: &mut BTreeSet<String>) -> Result<()> {
        let missing = |why: String| Error::Tools { why };
        let content = self
            .0
            .get(path)
            .ok_or_else(|| missing(format!("none of the packages has /{path}")))?;
        if !paths.insert(path.to_owned()) {
            return Ok(());
        }
        match content {
            Content::Link(target) => self.take(&resolved(path, target), paths),
            Content::File { data, .. } if data.starts_with(b"\x7fELF") => {
                let needed = needs(data).map_err(|why| missing(format!("/{path}: {why}")))?;
                for library in needed {
                    let place = match library.strip_prefix('/') {
                        Some(interpreter) => merged(interpreter),
                        None => format!("{LIBRARIES}{library}"),
                    };
                    self.take(&place, paths)?;
                }
                Ok(())
            }
            Content::File { .. } => Ok(()),
        }
    }
}

/// The path where `/bin`, `/sbin`, `/lib` and `/lib64` are links into `/usr`.
fn merged(path: &str) -> String {
    let into_usr = ["bin/", "sbin/", "lib/", "lib64/"]
        .iter()
        .any(|dir| path.starts_with(dir));
    if into_usr {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

/// Where a link at `path` leads.
fn resolved(path: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return merged(absolute);
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    merged(&parts.join("/"))
}

/// The libraries (`DT_NEEDED`) and the interpreter (`PT_INTERP`, an absolute path) of an ELF file.
fn needs(data: &[u8]) -> std::result::Result<Vec<String>, String> {
    use object::read::elf::{FileHeader as _, ProgramHeader as _};
    let bad = |error: object::Error| error.to_string();
    let file: ElfFile64<Endianness> = ElfFile64::parse(data).map_err(bad)?;
    let endian = file.endian();
    let header = file.elf_header();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut needed = Vec::new();
    for segment in header.program_headers(endian, data).map_err(bad)? {
        if let Some(interpreter) = segment.interpreter(endian, data).map_err(bad)? {
            needed.push(text(interpreter));
        }
    }
    let sections = header.sections(endian, data).map_err(bad)?;
    if let Some((entries, link)) = sections.dynamic(endian, data).map_err(bad)? {
        let strings = sections.strings(endian, data, link).map_err(bad)?;
        for entry in entries {
            if entry.tag(endian) == elf::DT_NEEDED {
                let name = strings.get(entry.val32(endian).unwrap_or(u32::MAX));
                let name = name.map_err(|()| "a library's name lies outside of it".to_owned())?;
                needed.push(text(name));
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_as_the_merged_system_has_them() {
        assert_eq!(
            resolved("usr/lib64/ld.so", "/lib/x86_64-linux-gnu/ld.so"),
            format!("{LIBRARIES}ld.so")
        );
        assert_eq!(resolved("usr/sbin/ip", "/bin/ip"), "usr/bin/ip");
        assert_eq!(resolved("usr/lib/a/b.so", "../c/./d.so"), "usr/lib/c/d.so");
        assert_eq!(resolved("usr/bin/x", "../../../../etc/x"), "etc/x");
    }

    #[test]
    fn this_program_needs_the_c_library() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needed = needs(&own).unwrap();
        assert!(needed.iter().any(|name| name == "libc.so.6"), "{needed:?}");
        assert!(
            needed.iter().any(|name| name.starts_with('/')),
            "{needed:?}"
        );
        assert!(needs(b"\x7fELF").is_err());
    }
}
