//! A cpio archive in the "newc" format, the same bytes for the same content.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use cpio::newc::{Builder, trailer};

use crate::{Error, Result};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// One file of the archive.
struct Node {
    mode: u32,
    device: (u32, u32),
    data: Vec<u8>,
}

/// Collects files, and writes them sorted by name, owned by root, without times.
#[derive(Default)]
pub(crate) struct Writer {
    nodes: BTreeMap<String, Node>,
}

impl Writer {
    /// A regular file; the directories above it are made.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, data: &[u8]) -> Result<()> {
        self.add(path, REGULAR | permissions, (0, 0), data.to_vec())
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.add(path, SYMLINK | 0o777, (0, 0), target.as_bytes().to_vec())
    }

    /// A directory.
    pub(crate) fn directory(&mut self, path: &str, permissions: u32) -> Result<()> {
        self.add(path, DIRECTORY | permissions, (0, 0), Vec::new())
    }

    /// A character device.
    pub(crate) fn device(
        &mut self,
        path: &str,
        permissions: u32,
        device: (u32, u32),
    ) -> Result<()> {
        self.add(path, CHARACTER | permissions, device, Vec::new())
    }

    fn add(&mut self, path: &str, mode: u32, device: (u32, u32), data: Vec<u8>) -> Result<()> {
        let bad = |why: &str| {
            let source = io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
            Error::Io {
                doing: "adding to the initramfs",
                path: path.into(),
                source,
            }
        };
        let usable = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !path.split('/').all(usable) {
            return Err(bad("no plain relative path"));
        }
        if u32::try_from(data.len()).is_err() {
            return Err(bad("larger than the format can say"));
        }
        for (end, _) in path.match_indices('/') {
            let above = Node {
                mode: DIRECTORY | 0o755,
                device: (0, 0),
                data: Vec::new(),
            };
            self.nodes.entry(path[..end].to_owned()).or_insert(above);
        }
        self.nodes
            .insert(path.to_owned(), Node { mode, device, data });
        Ok(())
    }

    /// Whether something is at `path`.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    /// The archive, filled up to a multiple of four so that another one can follow.
    pub(crate) fn finish(&self) -> Result<Vec<u8>> {
        let size: usize = self.nodes.values().map(|node| node.data.len() + 256).sum();
        let out = self.write(Vec::with_capacity(size));
        out.map_err(crate::error::io_error(
            "writing the initramfs",
            Path::new("(memory)"),
        ))
    }

    fn write(&self, mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        // Numbers begin anew in every archive; the kernel compares them only for hard links.
        for (number, (name, node)) in (1..).zip(&self.nodes) {
            let builder = Builder::new(name)
                .ino(number)
                .mode(node.mode)
                .nlink(if node.mode & DIRECTORY == DIRECTORY {
                    2
                } else {
                    1
                })
                .rdev_major(node.device.0)
                .rdev_minor(node.device.1);
            let mut writer = builder.write(out, node.data.len() as u32);
            writer.write_all(&node.data)?;
            out = writer.finish()?;
        }
        out = trailer(out)?;
        out.resize(out.len().next_multiple_of(4), 0);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(order: &[usize]) -> Vec<u8> {
        let mut writer = Writer::default();
        for step in order {
            match step {
                0 => writer.file("usr/bin/ss", 0o755, b"\x7fELF"),
                1 => writer.link("bin", "usr/bin"),
                2 => writer.device("dev/null", 0o666, (1, 3)),
                _ => writer.directory("proc", 0o555),
            }
            .unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let archive = sample(&[0, 1, 2, 3]);
        assert_eq!(archive, sample(&[3, 1, 0, 2]));
        assert_eq!(archive.len() % 4, 0);
    }

    #[test]
    fn the_archive_reads_back() {
        let archive = sample(&[0, 1, 2, 3]);
        let mut rest: Box<dyn io::Read> = Box::new(io::Cursor::new(archive));
        let mut seen = Vec::new();
        loop {
            let mut reader = cpio::newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut data = String::new();
            io::Read::read_to_string(&mut reader, &mut data).unwrap();
            let entry = reader.entry();
            assert_eq!((entry.mtime(), entry.uid(), entry.gid()), (0, 0, 0));
            let device = (entry.rdev_major(), entry.rdev_minor());
            seen.push(format!(
                "{:o} {} {device:?} {data:?}",
                entry.mode(),
                entry.name()
            ));
            rest = reader.finish().unwrap();
        }
        assert_eq!(
            seen,
            [
                "120777 bin (0, 0) \"usr/bin\"",
                "40755 dev (0, 0) \"\"",
                "20666 dev/null (1, 3) \"\"",
                "40555 proc (0, 0) \"\"",
                "40755 usr (0, 0) \"\"",
                "40755 usr/bin (0, 0) \"\"",
                "100755 usr/bin/ss (0, 0) \"\\u{7f}ELF\"",
            ]
        );
    }

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        let mut writer = Writer::default();
        for bad in ["", "/etc", "a/../b", "a//b", "./a", "a\0b"] {
            assert!(writer.file(bad, 0o644, b"").is_err(), "{bad:?}");
        }
    }
}
