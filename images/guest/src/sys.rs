//! Small system calls and files, by means that Linux 2.6.32 has too.
//!
//! `std::fs::read_dir` and `fs::copy` depend on `fstat`, which today's glibc spells
//! `newfstatat(…, AT_EMPTY_PATH)`: unknown before 2.6.39. Opening, reading, writing and `stat` by
//! path are safe.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The largest file of `/proc` or `/sys` that is ever read here, in bytes.
const READ_LIMIT: u64 = 4 << 20;

/// Turns the `-1` of a libc call into the error in `errno`.
pub fn check<T: PartialOrd + Default>(ret: T) -> io::Result<T> {
    if ret < T::default() {
        Err(io::Error::last_os_error())
    } else {
        Ok(ret)
    }
}

/// Takes ownership of a descriptor a libc call has just returned.
pub fn owned(ret: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(ret)?;
    // SAFETY: the call succeeded, so `fd` is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A NUL-terminated copy; a string with a NUL inside is cut there.
pub fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

/// A whole file of the kernel's, as text.
pub fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file of `/proc/net` as the calling thread's own network namespace shows it; `/proc/net` itself
/// shows that of the process's first thread, which is all there is before 3.17.
pub fn read_net(name: &str) -> io::Result<String> {
    read(&format!("/proc/thread-self/net/{name}")).or_else(|_| read(&format!("/proc/net/{name}")))
}

/// The first line of a file of the kernel's, without its line end.
pub fn read_line(path: &str) -> Option<String> {
    Some(read(path).ok()?.lines().next()?.trim_end().to_owned())
}

/// Writes to a file of the kernel's, which must be there, in one `write`.
pub fn write(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

/// Adds a command to a file of the kernel's that takes one with each `write`.
pub fn append(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

/// Whether there is something at `path`.
pub fn exists(path: &str) -> bool {
    let path = c_string(path);
    // SAFETY: a NUL-terminated string that outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

/// A clock of the kernel, in nanoseconds.
pub fn clock_ns(clock: libc::clockid_t) -> i64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` outlives the call; on failure it stays 0.
    unsafe { libc::clock_gettime(clock, &mut t) };
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

/// CLOCK_MONOTONIC in nanoseconds: the clock every time of the guest is derived from.
pub fn monotonic_ns() -> i64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Sleeps until CLOCK_MONOTONIC reaches `deadline_ns`.
pub fn sleep_until(deadline_ns: i64) {
    let t = libc::timespec {
        tv_sec: deadline_ns.max(0) / 1_000_000_000,
        tv_nsec: deadline_ns.max(0) % 1_000_000_000,
    };
    loop {
        // SAFETY: `t` outlives the call; an absolute sleep needs no remainder.
        let error = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &t,
                std::ptr::null_mut(),
            )
        };
        if error != libc::EINTR {
            return;
        }
    }
}

/// Waits until one of the descriptors is readable (or in error), at most until `deadline_ns` on
/// CLOCK_MONOTONIC; `None` waits for ever. A descriptor of -1 is not waited for. Returns which are.
pub fn wait_readable<const N: usize>(
    fds: [RawFd; N],
    deadline_ns: Option<i64>,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let left = deadline_ns.map(|deadline| {
        let ns = (deadline - monotonic_ns()).max(0);
        libc::timespec {
            tv_sec: ns / 1_000_000_000,
            tv_nsec: ns % 1_000_000_000,
        }
    });
    let left = left.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `polled` and `left` live through the call, and the count is theirs.
    let ret = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            N as libc::nfds_t,
            left,
            std::ptr::null(),
        )
    };
    match check(ret) {
        Ok(_) => Ok(polled.map(|p| p.revents != 0)),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok([false; N]),
        Err(e) => Err(e),
    }
}

/// A pipe whose writing end, once dropped, wakes whoever waits for the reading end.
pub fn stop_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((owned(fds[0])?, owned(fds[1])?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_string_is_cut_at_its_nul() {
        assert_eq!(c_string("tun\0x").as_bytes(), b"tun");
        assert_eq!(c_string("").as_bytes(), b"");
    }

    #[test]
    fn kernel_files_are_read_whole() {
        assert!(read("/proc/self/status").unwrap().contains("Threads:"));
        assert!(read("/proc/no-such-file").is_err());
        assert!(read_line("/proc/sys/kernel/ostype").is_some_and(|l| l == "Linux"));
    }

    #[test]
    fn a_deadline_in_the_past_does_not_wait() {
        let (stopped, stop) = stop_pipe().unwrap();
        assert_eq!(
            wait_readable([stopped.as_raw_fd(), -1], Some(0)).unwrap(),
            [false, false]
        );
        drop(stop);
        assert_eq!(
            wait_readable([stopped.as_raw_fd(), -1], None).unwrap(),
            [true, false]
        );
        sleep_until(0);
    }
}
