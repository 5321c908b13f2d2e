//! The original packetdrill as a file that a guest can run.

use std::path::Path;

/// The ELF magic, 64 bits, little-endian.
const ELF64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const MACHINE_X86_64: u16 = 62;
/// The program header that names the loader of a dynamic program.
const PT_INTERP: u32 = 3;

/// Why a file is no engine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEngine {
    /// Not a program for the guests' processor.
    #[error("{0} is no program for x86-64 Linux")]
    NoProgram(String),
    /// It wants a loader and libraries, and a guest has neither.
    #[error(
        "{file} is not static: it wants {loader}, which no guest has; link packetdrill with -static"
    )]
    NotStatic {
        /// The file.
        file: String,
        /// The loader it names.
        loader: String,
    },
}

/// Whether `program`, read from `file`, runs without a loader.
///
/// # Errors
/// What is wrong with it.
pub fn check_static(file: &Path, program: &[u8]) -> Result<(), NoEngine> {
    let file = file.display().to_string();
    let Some(headers) = program_headers(program) else {
        return Err(NoEngine::NoProgram(file));
    };
    for header in headers {
        if number::<4>(header, 0) != Some(u64::from(PT_INTERP)) {
            continue;
        }
        let text = || {
            let at = usize::try_from(number::<8>(header, 8)?).ok()?;
            let len = usize::try_from(number::<8>(header, 32)?).ok()?;
            program.get(at..at.checked_add(len)?)
        };
        let loader = String::from_utf8_lossy(text().unwrap_or(b"a loader"));
        let loader = loader.trim_end_matches('\0').to_owned();
        return Err(NoEngine::NotStatic { file, loader });
    }
    Ok(())
}

/// The program headers of an ELF file for this processor.
fn program_headers(program: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let machine = number::<2>(program, 18)?;
    if !program.starts_with(&ELF64_LITTLE) || machine != u64::from(MACHINE_X86_64) {
        return None;
    }
    let at = usize::try_from(number::<8>(program, 32)?).ok()?;
    let size = number::<2>(program, 54)? as usize;
    let count = number::<2>(program, 56)? as usize;
    let table = program.get(at..at.checked_add(size.checked_mul(count)?)?)?;
    (size > 0).then(|| table.chunks_exact(size))
}

/// The number of so many bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(N)?)?;
    let value = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
    Some(bytes.iter().rev().fold(0, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one program header of this kind.
    fn elf(kind: u32, text: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 64 + 56];
        out[..6].copy_from_slice(&ELF64_LITTLE);
        out[18..20].copy_from_slice(&MACHINE_X86_64.to_le_bytes());
        out[32] = 64;
        (out[54], out[56]) = (56, 1);
        out[64..68].copy_from_slice(&kind.to_le_bytes());
        out[64 + 8] = 64 + 56;
        out[64 + 32] = text.len() as u8;
        out.extend(text);
        out
    }

    #[test]
    fn only_a_static_program_is_taken() {
        let file = Path::new("packetdrill");
        assert_eq!(check_static(file, &elf(1, b"")), Ok(()));
        let dynamic = check_static(file, &elf(PT_INTERP, b"/lib64/ld.so\0"));
        let message = dynamic.unwrap_err().to_string();
        assert!(
            message.starts_with("packetdrill is not static: it wants /lib64/ld.so,"),
            "{message}"
        );
        for bytes in [&b"#!/bin/sh\n"[..], b"", &elf(PT_INTERP, b"x")[..70]] {
            let wrong = check_static(file, bytes).unwrap_err();
            assert_eq!(wrong, NoEngine::NoProgram("packetdrill".into()));
        }
    }
}
