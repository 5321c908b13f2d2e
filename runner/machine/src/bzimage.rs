//! Is this file a kernel at all? Asked before QEMU starts, because QEMU takes anything and then
//! sits there silently.
//!
//! Offsets from the kernel's `Documentation/arch/x86/boot.rst`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const HEADER: usize = 0x238;

/// Why a file is no kernel for this farm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKernel {
    /// Too short to hold the setup header.
    #[error("it has only {0} bytes")]
    Short(usize),
    /// Something else, named where its own magic tells.
    #[error("it is {0}")]
    Other(&'static str),
    /// A boot protocol from before bzImages (before 2.00).
    #[error("its boot protocol {major}.{minor:02} is older than 2.00", major = .0 >> 8, minor = .0 & 0xff)]
    Old(u16),
}

/// Reads the setup header of `path`; returns the boot protocol's version, e.g. `0x20f`.
pub fn check(path: &Path) -> io::Result<Result<u16, NotAKernel>> {
    let mut head = Vec::with_capacity(HEADER);
    File::open(path)?
        .take(HEADER as u64)
        .read_to_end(&mut head)?;
    Ok(protocol(&head))
}

/// The boot protocol's version of the kernel that begins with `head`.
pub fn protocol(head: &[u8]) -> Result<u16, NotAKernel> {
    if let Some(what) = stranger(head) {
        return Err(NotAKernel::Other(what));
    }
    if head.len() < HEADER {
        return Err(NotAKernel::Short(head.len()));
    }
    if head[BOOT_FLAG..BOOT_FLAG + 2] != [0x55, 0xaa] || head[MAGIC..MAGIC + 4] != *b"HdrS" {
        return Err(NotAKernel::Other(
            "no x86 bzImage (no `HdrS` at offset 0x202)",
        ));
    }
    let version = u16::from_le_bytes([head[VERSION], head[VERSION + 1]]);
    if version < 0x200 {
        return Err(NotAKernel::Old(version));
    }
    Ok(version)
}

/// Files that people hand over by mistake.
fn stranger(head: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 8] = [
        (
            b"\x7fELF",
            "an ELF file; `vmlinux` has to be given as the bzImage made from it (arch/x86/boot/bzImage)",
        ),
        (b"!<arch>\n", "an ar archive; give a package as `deb:FILE`"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"070701", "a cpio archive (an initramfs?)"),
        (b"<!DOCTYPE", "an HTML page"),
        (b"<html", "an HTML page"),
    ];
    if head.is_empty() {
        return Some("empty");
    }
    known
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(version: u16) -> Vec<u8> {
        let mut head = vec![0; HEADER];
        head[BOOT_FLAG..BOOT_FLAG + 2].copy_from_slice(&[0x55, 0xaa]);
        head[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        head[VERSION..VERSION + 2].copy_from_slice(&version.to_le_bytes());
        head
    }

    #[test]
    fn a_kernel_says_its_protocol() {
        assert_eq!(protocol(&kernel(0x20f)), Ok(0x20f));
        assert_eq!(
            protocol(&kernel(0x105)).unwrap_err().to_string(),
            "its boot protocol 1.05 is older than 2.00"
        );
    }

    #[test]
    fn strangers_are_named() {
        let says = |head: &[u8]| protocol(head).unwrap_err().to_string();
        assert_eq!(says(b""), "it is empty");
        assert_eq!(says(b"MZ"), "it has only 2 bytes");
        assert_eq!(says(b"<html><body>404"), "it is an HTML page");
        assert!(says(b"\x7fELF\x02").contains("bzImage"));
        assert!(says(&[b'x'; 4096]).contains("HdrS"));
    }

    #[test]
    fn no_part_of_a_header_panics() {
        let whole = kernel(0x20f);
        for len in 0..whole.len() {
            assert!(protocol(&whole[..len]).is_err(), "{len}");
        }
    }
}
