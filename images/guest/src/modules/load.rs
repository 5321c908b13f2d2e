//! Loading a module.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

use super::index::Index;
use super::refusal;
use crate::sys;

/// The largest module that is loaded, in bytes.
const LARGEST: u64 = 64 << 20;

/// Loads a module of the image and what it needs. What is loaded already, or built in, is fine.
///
/// # Errors
/// One sentence: which module, and why this kernel refuses it.
pub fn load_named(index: &Index, name: &str) -> Result<(), String> {
    let order = index.order(name).map_err(|missing| {
        if missing == name.replace('-', "_") {
            format!("the image has no module {name}, and it is not built in")
        } else {
            format!("module {name} needs {missing}, which the image does not have")
        }
    })?;
    order
        .into_iter()
        .try_for_each(|(name, path)| match insert(path) {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => other.map_err(|e| refusal::explain(name, path, &e)),
        })
}

/// Loads a module from a file that must not be loaded yet.
///
/// # Errors
/// One sentence: which module, and why this kernel refuses it.
pub fn load_file(path: &str) -> Result<(), String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".ko").unwrap_or(name);
    insert(path).map_err(|e| refusal::explain(name, path, &e))
}

/// One module file, without what it needs.
///
/// A signature is left off where the kernel can do without: checking one is 40 million
/// instructions, more than a whole script takes. What it signs stays the same to the byte.
fn insert(path: &str) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut image = Vec::new();
    file.by_ref().take(LARGEST).read_to_end(&mut image)?;
    if let Some(bare) = without_signature(&image) {
        match insert_image(bare) {
            Err(e) if wants_signature(&e) => {}
            other => return other,
        }
        // SAFETY: an open descriptor and an empty NUL-terminated string.
        let ret =
            unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
        // What came in 3.8 may be all that a locked-down kernel takes.
        if ret == 0 {
            return Ok(());
        }
    }
    insert_image(&image)
}

fn insert_image(image: &[u8]) -> io::Result<()> {
    // SAFETY: `image` is that long and outlives the call; the string is empty and ends with NUL.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_init_module,
            image.as_ptr(),
            image.len(),
            c"".as_ptr(),
        )
    };
    sys::check(ret).map(drop)
}

/// Whether a kernel refused a module because it was not signed.
fn wants_signature(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOKEY | libc::EKEYREJECTED | libc::EPERM)
    )
}

/// The module in front of an appended signature: its bytes, then `struct module_signature` whose
/// last word is their number, then a mark (Linux, `include/linux/module_signature.h`).
fn without_signature(image: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"~Module signature appended~\n";
    const TRAILER: usize = 12;
    let signed = image.strip_suffix(MARK)?;
    let (_, length) = signed.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    signed.get(..signed.len().checked_sub(length.checked_add(TRAILER)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_cut_off_and_nothing_else() {
        let mut image = b"\x7fELF module".to_vec();
        assert_eq!(without_signature(&image), None);
        image.extend_from_slice(b"signature");
        image.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0, 0]);
        image.extend_from_slice(&9u32.to_be_bytes());
        image.extend_from_slice(b"~Module signature appended~\n");
        assert_eq!(without_signature(&image), Some(&b"\x7fELF module"[..]));
        // A length that lies.
        let at = image.len() - 30;
        image[at] = 255;
        assert_eq!(without_signature(&image), None);
    }
}
