//! Taking a module out again.

use std::ffi::CStr;
use std::io;

use crate::sys;

/// Whether a module of this name is loaded.
pub fn loaded(name: &str) -> bool {
    let modules = sys::read("/proc/modules").unwrap_or_default();
    modules
        .lines()
        .any(|line| line.split_whitespace().next() == Some(name))
}

/// Whether this kernel can unload modules at all (CONFIG_MODULE_UNLOAD).
pub fn can_unload() -> bool {
    // Asked about a name that no module has, a kernel that can says that there is none.
    delete(c"").is_err_and(|e| e.raw_os_error() == Some(libc::ENOENT))
}

/// Unloads a module that nobody uses.
///
/// # Errors
/// One sentence: which module, and why it stays.
pub fn unload(name: &str) -> Result<(), String> {
    delete(&sys::c_string(name)).map_err(|e| format!("unloading module {name} failed: {e}"))
}

fn delete(name: &CStr) -> io::Result<()> {
    // SAFETY: a NUL-terminated string that outlives the call.
    let ret = unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) };
    sys::check(ret).map(drop)
}
