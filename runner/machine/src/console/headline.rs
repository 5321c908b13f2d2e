//! The first lines of kernel reports.

use tunfarm_reports::model::FindingKind;

/// What a line announces, if it is the headline of a report.
pub fn kind(text: &str) -> Option<FindingKind> {
    use FindingKind::*;
    let text = text.trim_start();
    let starts = |words: &[&str]| words.iter().any(|w| text.starts_with(w));

    if starts(&["Kernel panic - not syncing", "Kernel Panic - not syncing"]) {
        return Some(Panic);
    }
    if text.contains("BUG: soft lockup - CPU#") {
        return Some(SoftLockup);
    }
    if text.starts_with("INFO: task ") && text.contains(" blocked for more than ") {
        return Some(HungTask);
    }
    if text.starts_with("INFO: possible recursive locking detected")
        || LOCKDEP.iter().any(|phrase| text.contains(phrase))
    {
        return Some(Lockdep);
    }
    if (text.contains("INFO: rcu_") || text.starts_with("INFO: rcu")) && text.contains("stall") {
        return Some(RcuStall);
    }
    if starts(&[
        "BUG: unable to handle",
        "BUG: kernel NULL pointer dereference",
        "general protection fault",
        "Oops: ",
        "Oops[",
        "invalid opcode: ",
        "divide error: ",
        "stack segment: ",
        "double fault: ",
        "PANIC: double fault",
        "int3: ",
    ]) {
        return Some(Oops);
    }
    if starts(&["kernel BUG at ", "BUG: "]) {
        return Some(Bug);
    }
    if starts(&["WARNING: CPU: ", "WARNING: at "])
        || (text.starts_with("WARNING: ") && text.contains(" at ") && text.contains("+0x"))
    {
        return Some(Warning);
    }
    None
}

/// Headlines of `kernel/locking/lockdep.c` and its users.
const LOCKDEP: [&str; 12] = [
    "possible circular locking dependency detected",
    "possible recursive locking detected",
    "possible irq lock inversion dependency detected",
    "-safe -> ",
    "inconsistent lock state",
    "inconsistent {",
    "bad unlock balance detected",
    "held lock freed!",
    "lock held when returning to user space",
    "suspicious RCU usage",
    "Invalid wait context",
    "Nested lock was not taken",
];

#[cfg(test)]
mod tests {
    use super::*;
    use FindingKind::*;

    #[test]
    fn headlines_of_many_kernels() {
        for (line, expected) in [
            (
                "Kernel panic - not syncing: VFS: Unable to mount root fs",
                Some(Panic),
            ),
            (
                "BUG: kernel NULL pointer dereference, address: 0000000000000000",
                Some(Oops),
            ),
            (
                "BUG: unable to handle kernel NULL pointer dereference at (null)",
                Some(Oops),
            ),
            (
                "general protection fault, probably for non-canonical address",
                Some(Oops),
            ),
            ("kernel BUG at net/core/skbuff.c:110!", Some(Bug)),
            ("BUG: scheduling while atomic: init/1/0x00000002", Some(Bug)),
            (
                "BUG: KASAN: slab-use-after-free in tun_net_xmit+0x1/0x2",
                Some(Bug),
            ),
            (
                "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:1]",
                Some(SoftLockup),
            ),
            (
                "BUG: soft lockup - CPU#0 stuck for 61s! [init:1]",
                Some(SoftLockup),
            ),
            (
                "INFO: task init:1 blocked for more than 120 seconds.",
                Some(HungTask),
            ),
            (
                "rcu: INFO: rcu_preempt self-detected stall on CPU",
                Some(RcuStall),
            ),
            (
                "INFO: rcu_sched_state detected stall on CPU 0 (t=15000 jiffies)",
                Some(RcuStall),
            ),
            (
                "WARNING: possible circular locking dependency detected",
                Some(Lockdep),
            ),
            (
                "[ INFO: possible circular locking dependency detected ]",
                Some(Lockdep),
            ),
            ("WARNING: suspicious RCU usage", Some(Lockdep)),
            (
                "WARNING: CPU: 0 PID: 1 at net/ipv4/tcp.c:1 tcp_close+0x1/0x2",
                Some(Warning),
            ),
            (
                "WARNING: at net/sched/sch_generic.c:261 dev_watchdog+0x1/0x2()",
                Some(Warning),
            ),
            (
                "WARNING: net/core/dev.c:1 at f+0x1/0x2, CPU#0: init/1",
                Some(Warning),
            ),
            ("warning: `init' uses 32-bit capabilities", None),
            ("WARNING: running out of patience", None),
            ("audit: initializing netlink subsys (disabled)", None),
            ("Oops, said the user", None),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }
}
