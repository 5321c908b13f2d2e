//! Keeps an idle kernel idle.
//!
//! In virtual time an idle guest costs what its timer interrupts cost (about 0.4 ms of the host's
//! time each), so every periodic job of the kernel that has nothing to do with TCP is put off.
//! None of these settings touches how TCP behaves. One that a kernel does not have is left alone.

use crate::sys;

const SETTINGS: [(&str, &str); 19] = [
    // Per-CPU statistics are folded every second.
    ("/proc/sys/vm/stat_interval", "86400"),
    // No disk: nothing is ever dirty.
    ("/proc/sys/vm/dirty_writeback_centisecs", "0"),
    // kcompactd looks around every 500 ms unless compaction is not proactive (5.9 on).
    ("/proc/sys/vm/compaction_proactiveness", "0"),
    ("/proc/sys/vm/laptop_mode", "0"),
    // The lockup detectors' own timer, every 4 s.
    ("/proc/sys/kernel/watchdog", "0"),
    ("/proc/sys/kernel/nmi_watchdog", "0"),
    ("/proc/sys/kernel/soft_watchdog", "0"),
    ("/sys/kernel/mm/transparent_hugepage/enabled", "never"),
    ("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0"),
    ("/sys/kernel/mm/lru_gen/enabled", "n"),
    // The neighbour tables are looked through every half of this time.
    (
        "/proc/sys/net/ipv4/neigh/default/base_reachable_time_ms",
        "86400000",
    ),
    (
        "/proc/sys/net/ipv6/neigh/default/base_reachable_time_ms",
        "86400000",
    ),
    ("/proc/sys/net/ipv4/route/gc_interval", "86400"),
    // The scheduler's fair server wakes a second after each wake-up (6.8 on, one processor).
    ("/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0"),
    // A program for each device that comes (before udev took that over); there is none.
    ("/proc/sys/kernel/hotplug", "\n"),
    // Nobody answers on these links; the solicitations would only litter the captures.
    ("/proc/sys/net/ipv6/conf/default/router_solicitations", "0"),
    ("/proc/sys/net/ipv6/conf/all/router_solicitations", "0"),
    ("/proc/sys/net/ipv6/conf/default/accept_ra", "0"),
    ("/proc/sys/net/ipv6/conf/all/accept_ra", "0"),
];

/// Applies what this kernel knows.
pub fn quieten() {
    for (path, value) in SETTINGS {
        // An absent file is a kernel without that job.
        let _ = sys::write(path, value);
    }
}
