//! Why a kernel would not take a module.
//!
//! The system call gives an errno; the reason stands in the kernel's log.

use std::fs::File;
use std::io::{self, Read};

use crate::sys;

/// How much of the log's end is read, in bytes.
const LOG_TAIL: usize = 64 * 1024;
/// The log's newest lines about the module that are quoted.
const QUOTED: usize = 3;
/// `SYSLOG_ACTION_READ_ALL` of syslog(2).
const READ_ALL: libc::c_int = 3;
/// ELF machine number of x86-64.
const EM_X86_64: u16 = 62;
/// ELF type of an object file, which a module is.
const ET_REL: u16 = 1;

/// One sentence: what was refused, what the errno means for a module, what the kernel itself said.
pub fn explain(name: &str, path: &str, error: &io::Error) -> String {
    let meaning = match error.raw_os_error() {
        Some(libc::ENOEXEC) => {
            foreign(path).unwrap_or("it was built for another kernel or with another compiler")
        }
        Some(libc::ENOENT) if sys::exists(path) => "it needs a symbol this kernel does not export",
        Some(libc::ENOENT) => "the file is not there",
        Some(libc::EINVAL) => "a symbol's version, a relocation or a parameter does not fit",
        Some(libc::EEXIST) => "a module of this name is loaded already, or the driver is built in",
        Some(libc::EBUSY) => "a resource it registers is taken, perhaps by a built-in driver",
        Some(libc::EKEYREJECTED | libc::EBADMSG) => {
            "its signature does not match its contents; strip it or sign it anew"
        }
        Some(libc::EPERM | libc::ENOKEY) => {
            "this kernel only takes modules signed with a key it knows, or none at all"
        }
        Some(libc::ENOSYS) => "this kernel has no module loading (CONFIG_MODULES)",
        Some(libc::ENOMEM) => "the machine has too little memory for it",
        _ => "its own start failed",
    };
    let said = about(name, &kernel_log());
    let said = if said.is_empty() {
        String::new()
    } else {
        format!("; the kernel says: {said}")
    };
    format!("loading module {name} from {path} failed: {meaning} ({error}){said}")
}

/// What a file is, if it is no module for this machine.
fn foreign(path: &str) -> Option<&'static str> {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut f| f.read_exact(&mut head));
    if read.is_err() || head[..4] != *b"\x7fELF" {
        return Some("the file is no ELF object (a compressed module must be decompressed first)");
    }
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    if half(18) != EM_X86_64 {
        return Some("it was built for another machine than x86-64");
    }
    (half(16) != ET_REL).then_some("the file is a program or a library, not a module")
}

/// The end of the kernel's log.
fn kernel_log() -> String {
    let mut buffer = vec![0; LOG_TAIL];
    // SAFETY: writes at most `LOG_TAIL` bytes into `buffer`.
    let len = unsafe { libc::klogctl(READ_ALL, buffer.as_mut_ptr().cast(), LOG_TAIL as i32) };
    buffer.truncate(usize::try_from(len).unwrap_or(0));
    String::from_utf8_lossy(&buffer).into_owned()
}

/// The newest lines that speak of the module, joined.
fn about(name: &str, log: &str) -> String {
    let prefix = format!("{name}: ");
    let lines: Vec<&str> = log
        .lines()
        .map(text_of)
        .filter(|line| line.starts_with(&prefix))
        .collect();
    lines[lines.len().saturating_sub(QUOTED)..].join("; ")
}

/// A log line without its level (`<4>`) and time (`[    3.141592] `).
fn text_of(line: &str) -> &str {
    let line = match line.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map_or(line, |(_, text)| text),
        None => line,
    };
    match line.strip_prefix('[') {
        Some(rest) => rest.split_once("] ").map_or(line, |(_, text)| text),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "<6>[    0.1] random: crng init done\n\
        <4>[    5.2] tun: loading out-of-tree module taints kernel.\n\
        <3>[    5.3] tun: version magic '6.1.0 SMP ' should be '6.12.95 SMP '\n\
        <4>stuntun: not this one\n";

    #[test]
    fn the_kernels_own_words_are_quoted() {
        assert_eq!(
            about("tun", LOG),
            "tun: loading out-of-tree module taints kernel.; \
             tun: version magic '6.1.0 SMP ' should be '6.12.95 SMP '"
        );
        assert_eq!(about("tcp_diag", LOG), "");
    }

    #[test]
    fn a_file_that_is_no_module_is_told_from_one_for_another_kernel() {
        let error = io::Error::from_raw_os_error(libc::ENOEXEC);
        assert!(explain("x", "/proc/version", &error).contains("no ELF object"));
        assert!(explain("x", "/proc/self/exe", &error).contains("a program or a library"));
    }
}
