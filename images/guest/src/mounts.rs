//! The file systems and device nodes a guest needs, with what bare kernels need instead.

use std::io;
use std::ptr;

use crate::sys;

/// What there is of optional file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mounted {
    /// sysfs on `/sys`.
    pub sysfs: bool,
    /// devtmpfs on `/dev`.
    pub devtmpfs: bool,
    /// tracefs, here or inside debugfs.
    pub tracefs: Option<&'static str>,
}

/// Where tracefs may be found, newest habit first (tracefs has its own mount since 4.1).
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Character devices: path, mode, major, minor (Linux, `Documentation/admin-guide/devices.txt`).
const NODES: [(&str, libc::mode_t, u32, u32); 10] = [
    ("/dev/null", 0o666, 1, 3),
    ("/dev/zero", 0o666, 1, 5),
    ("/dev/random", 0o666, 1, 8),
    ("/dev/urandom", 0o666, 1, 9),
    ("/dev/mem", 0o600, 1, 1),
    ("/dev/port", 0o600, 1, 4),
    ("/dev/kmsg", 0o600, 1, 11),
    ("/dev/tty", 0o666, 5, 0),
    ("/dev/console", 0o600, 5, 1),
    ("/dev/ptmx", 0o666, 5, 2),
];

/// The node of the tun driver, which a kernel without sysfs or devtmpfs does not make by itself.
const TUN_NODE: (&str, libc::mode_t, u32, u32) = ("/dev/net/tun", 0o600, 10, 200);

/// Symbolic links a shell's redirections expect.
const LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Mounts what there is.
///
/// # Errors
/// When `/proc` is missing: nothing can be observed without it.
pub fn mount_all() -> io::Result<Mounted> {
    for dir in ["/proc", "/sys", "/dev", "/tmp", "/run", "/job"] {
        make_dir(dir);
    }
    mount("proc", "/proc", "proc")?;
    let sysfs = mount("sysfs", "/sys", "sysfs").is_ok();
    // An initramfs is a tmpfs or ramfs already, so nodes can be made in it where devtmpfs is not.
    let devtmpfs = mount("devtmpfs", "/dev", "devtmpfs").is_ok();
    for dir in ["/dev/pts", "/dev/shm", "/dev/net"] {
        make_dir(dir);
    }
    for (path, mode, major, minor) in NODES {
        make_node(path, mode, major, minor);
    }
    for (target, link) in LINKS {
        let (target, link) = (sys::c_string(target), sys::c_string(link));
        // SAFETY: two NUL-terminated strings; a link that is there already stays.
        unsafe { libc::symlink(target.as_ptr(), link.as_ptr()) };
    }
    let _ = mount("devpts", "/dev/pts", "devpts");
    for dir in ["/dev/shm", "/tmp", "/run"] {
        let _ = mount("tmpfs", dir, "tmpfs");
    }
    let _ = mount("debugfs", "/sys/kernel/debug", "debugfs");
    let _ = mount("tracefs", "/sys/kernel/tracing", "tracefs");
    let tracefs = tracefs();
    Ok(Mounted {
        sysfs,
        devtmpfs,
        tracefs,
    })
}

/// Where tracefs is mounted, by itself or inside debugfs.
pub fn tracefs() -> Option<&'static str> {
    TRACEFS
        .into_iter()
        .find(|dir| sys::exists(&format!("{dir}/trace")))
}

/// Makes `/dev/net/tun` where the kernel has not; called once a driver is loaded.
pub fn make_tun_node() {
    make_dir("/dev/net");
    let (path, mode, major, minor) = TUN_NODE;
    make_node(path, mode, major, minor);
}

fn make_dir(path: &str) {
    let path = sys::c_string(path);
    // SAFETY: a NUL-terminated string; a directory that is there already stays.
    unsafe { libc::mkdir(path.as_ptr(), 0o755) };
}

fn make_node(path: &str, mode: libc::mode_t, major: u32, minor: u32) {
    let path = sys::c_string(path);
    // SAFETY: a NUL-terminated string; a node that is there already stays.
    unsafe {
        libc::mknod(
            path.as_ptr(),
            libc::S_IFCHR | mode,
            libc::makedev(major, minor),
        )
    };
}

fn mount(source: &str, target: &str, kind: &str) -> io::Result<()> {
    let (source, target, kind) = (
        sys::c_string(source),
        sys::c_string(target),
        sys::c_string(kind),
    );
    // SAFETY: three NUL-terminated strings and no data.
    sys::check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            ptr::null(),
        )
    })
    .map(drop)
}
