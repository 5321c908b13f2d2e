//! What this kernel has, found out before "ready".

use std::ffi::CStr;
use std::io;

use tunfarm_protocol::KernelFacts;

use crate::mounts::Mounted;
use crate::sys;

/// Looks at the kernel.
pub fn gather(mounted: &Mounted) -> KernelFacts {
    let (release, version) = uname();
    KernelFacts {
        release,
        version,
        clocksource: sys::read_line(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
        timer_resolution_ns: timer_resolution_ns(),
        packet_sockets: can_open_socket(libc::AF_PACKET, libc::SOCK_RAW).is_ok(),
        kprobe_events: mounted
            .tracefs
            .is_some_and(|dir| sys::exists(&format!("{dir}/kprobe_events"))),
        ipv6: can_open_socket(libc::AF_INET6, libc::SOCK_STREAM).is_ok(),
        netns: sys::exists("/proc/self/ns/net"),
        sysfs: mounted.sysfs,
        devtmpfs: mounted.devtmpfs,
        modules: sys::exists("/proc/modules"),
        ..KernelFacts::default()
    }
}

/// `uname -r` and `uname -v`.
pub fn uname() -> (String, String) {
    // SAFETY: all-zero is a valid utsname.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` outlives the call.
    unsafe { libc::uname(&mut name) };
    let text = |field: &[libc::c_char]| {
        // SAFETY: the kernel ends each field with a NUL, and so does the zeroing above.
        unsafe { CStr::from_ptr(field.as_ptr()) }
            .to_string_lossy()
            .into_owned()
    };
    (text(&name.release), text(&name.version))
}

/// `clock_getres(CLOCK_MONOTONIC)`: 1 where timers are high-resolution, a tick where not.
fn timer_resolution_ns() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` outlives the call.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

fn can_open_socket(family: libc::c_int, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: a system call without memory operands.
    sys::owned(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) }).map(drop)
}
