//! The loopback device of a network namespace.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use crate::sys;

/// Sets `lo` up, which a new kernel or namespace has down.
pub fn set_up() -> io::Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: no memory operands.
    let socket = sys::owned(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_LOOPBACK | libc::IFF_RUNNING) as i16;
    // SAFETY: `request` is the ifreq this request reads, and outlives the call.
    sys::check(unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw mut request,
        )
    })
    .map(drop)
}
