//! What a kernel file says about itself, before anybody boots it (Documentation/arch/x86/boot.rst).

use std::path::Path;

use crate::{Error, Result};

/// The release in the setup header: what `uname -r` will say.
pub(super) fn release(path: &Path, file: &[u8]) -> Result<String> {
    let no = |why: &str| Error::NotAKernel {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    if file.starts_with(b"\x7fELF") {
        return Err(no(
            "it is an ELF file, perhaps `vmlinux`; the compressed `arch/x86/boot/bzImage` is needed",
        ));
    }
    if file.get(0x202..0x206) != Some(b"HdrS".as_slice()) {
        return Err(no("it has no Linux setup header"));
    }
    let word = |at: usize| {
        file.get(at..at + 2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
    };
    let (Some(protocol), Some(version_at)) = (word(0x206), word(0x20e)) else {
        return Err(no("it ends within its setup header"));
    };
    if protocol < 0x200 || version_at == 0 {
        return Err(no("its setup header has no version"));
    }
    // Protected-mode code loaded high: `bzImage`, as opposed to `zImage` of the last century.
    if file.get(0x211).is_none_or(|flags| flags & 1 == 0) {
        return Err(no("it is a zImage; a bzImage is needed"));
    }
    let text = file
        .get(usize::from(version_at) + 0x200..)
        .unwrap_or_default();
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    // `6.12.95+deb12-cloud-amd64 (builder) #1 SMP …`
    let release = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let release = std::str::from_utf8(release).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._~".contains(c);
    if release.is_empty() || release.len() > 64 || !release.chars().all(plain) {
        return Err(no("its setup header has no version"));
    }
    Ok(release.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The setup header of a kernel, and nothing else of it.
    pub(crate) fn fake(release: &str) -> Vec<u8> {
        let mut file = vec![0; 0x1000];
        file[0x202..0x206].copy_from_slice(b"HdrS");
        file[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        file[0x20e..0x210].copy_from_slice(&0x300_u16.to_le_bytes());
        file[0x211] = 1;
        let text = format!("{release} (builder@example) #1 SMP\0");
        file[0x500..0x500 + text.len()].copy_from_slice(text.as_bytes());
        file
    }

    #[test]
    fn the_release_is_in_the_setup_header() {
        let read = |file: &[u8]| release(Path::new("k"), file);
        let name = "6.12.95+deb12-cloud-amd64";
        assert_eq!(read(&fake(name)).unwrap(), name);
        let mut zimage = fake(name);
        zimage[0x211] = 0;
        for bad in [
            &b""[..],
            b"\x7fELF\x02",
            &[0; 0x400],
            &fake("../etc"),
            &zimage,
        ] {
            assert!(matches!(read(bad), Err(Error::NotAKernel { .. })));
        }
        // Cut anywhere it is an error or a shorter release, never a panic.
        for end in 0..0x600 {
            let _ = read(&fake(name)[..end]);
        }
    }
}
