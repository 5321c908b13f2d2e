//! What this kernel has, found out before "ready".

use std::ffi::CStr;

use tunfarm_protocol::KernelFacts;

use crate::collectors::Equipment;
use crate::modules::{Index, load_first, load_named};
use crate::mounts::Mounted;
use crate::probe::Probe;
use crate::sampler::{MEANS, Means};
use crate::{driver, ss, sys};

/// Finds out what the kernel has and gets ready what a job will need of it.
///
/// `open_tun` also loads a tun module to ask for its features (see [`driver::describe`]).
pub fn gather(mounted: &Mounted, index: &Index, open_tun: bool) -> (KernelFacts, Equipment) {
    let (initrd_modules, mut notes) = load_first(index);
    // What is no module of this kernel is either built in or shows as missing below.
    for module in ["af_packet", "ipv6", "inet_diag", "tcp_diag"] {
        if index.source(module).is_some()
            && let Err(why) = load_named(index, module)
        {
            notes.push(why);
        }
    }
    let tried = MEANS
        .into_iter()
        .find_map(|means| Some((means, means.try_out().ok()?)));
    let probe = match mounted.tracefs {
        Some(tracefs) if sys::exists(&format!("{tracefs}/kprobe_events")) => Probe::start(tracefs)
            .map_err(|why| notes.push(format!("no return probe: {why}")))
            .ok(),
        _ => {
            notes.push("no kprobe events: judged without the return probe".into());
            None
        }
    };
    let packet_sockets = can_open(libc::AF_PACKET, libc::SOCK_RAW);
    if !packet_sockets {
        notes.push("no AF_PACKET sockets (CONFIG_PACKET): no capture".into());
    }
    match tried {
        None => notes.push("nothing shows this kernel's sockets: no samples".into()),
        Some((Means::SockDiag, _)) => {}
        Some((means, _)) => notes.push(format!(
            "no sock_diag: sockets are read by {}",
            means.name()
        )),
    }
    if tried.is_some_and(|(_, memory)| !memory) {
        notes.push("samples come without memory: sk_wmem_alloc is not seen".into());
    }
    let timer_resolution_ns = timer_resolution_ns();
    if timer_resolution_ns > 1 {
        notes.push(format!(
            "no high-resolution timers: a tick is {} ms, and scripts wait its last part awake",
            timer_resolution_ns / 1_000_000
        ));
    }
    let ss = ss::starts();
    if !ss {
        notes.push("ss does not start here: ss.txt is the agent's own rendering".into());
    }
    let ipv6 = can_open(libc::AF_INET6, libc::SOCK_STREAM);
    let (release, version) = uname();
    let facts = KernelFacts {
        release,
        version,
        clocksource: sys::read_line(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
        timer_resolution_ns,
        tun: driver::describe(index, open_tun),
        sampler: tried
            .map(|(means, _)| means.name().to_owned())
            .unwrap_or_default(),
        skmeminfo: tried.is_some_and(|(_, memory)| memory),
        packet_sockets,
        kprobe_events: probe.is_some(),
        ipv6,
        initrd_modules,
        netns: sys::exists("/proc/self/ns/net"),
        sysfs: mounted.sysfs,
        devtmpfs: mounted.devtmpfs,
        tools: ss,
        modules: sys::exists("/proc/modules"),
        notes,
    };
    let sampler = tried.map(|(means, _)| means);
    (
        facts,
        Equipment {
            sampler,
            probe,
            packet_sockets,
            ipv6,
            ss,
        },
    )
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

fn can_open(family: libc::c_int, kind: libc::c_int) -> bool {
    // SAFETY: a system call without memory operands.
    sys::owned(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) }).is_ok()
}
