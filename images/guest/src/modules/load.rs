//! Loading a module.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

use super::index::Index;
use super::refusal;

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

/// One module file, without what it needs: `finit_module` (3.8) or else `init_module`.
fn insert(path: &str) -> io::Result<()> {
    let mut file = File::open(path)?;
    // SAFETY: an open descriptor and an empty NUL-terminated string.
    let ret = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    if ret == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(error);
    }
    let mut image = Vec::new();
    file.by_ref().take(LARGEST).read_to_end(&mut image)?;
    // SAFETY: `image` is that long and outlives the call; the string is empty and ends with NUL.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_init_module,
            image.as_ptr(),
            image.len(),
            c"".as_ptr(),
        )
    };
    if ret == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
