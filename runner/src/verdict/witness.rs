//! The witnesses: independent signals about the orphan bug, each with its number.
//!
//! The bug is that retransmissions are refused while the timer goes on backing off. So each
//! witness compares how often the timer fired with what came of it, and none asks for zero: on
//! 2.6.32 the first retransmission of a lone FIN still passes, and a driver may orphan only
//! sometimes.

use tunfarm_protocol::{Sample, TimerKind};
use tunfarm_reports::model::{Mechanism, WitnessReading, WitnessSays};
use tunfarm_scenarios::{KernelVersion, Witness};

use crate::evidence::Evidence;

/// Fewer time-outs than this tell nothing: the last one ends the connection and the first may be
/// covered by a tail-loss probe.
const ENOUGH_TIMEOUTS: i64 = 3;

/// Asks `witness`.
pub(super) fn ask(
    witness: Witness,
    evidence: &Evidence,
    kernel: Option<KernelVersion>,
) -> WitnessReading {
    let (says, reading) = match witness {
        Witness::Capture => capture(evidence),
        Witness::Counters => counters(evidence),
        Witness::Retrans => retrans(evidence),
        Witness::WmemAlloc => wmem_alloc(evidence, kernel),
        Witness::Probe => probe(evidence),
    };
    WitnessReading {
        witness: witness.word().to_owned(),
        says,
        reading,
    }
}

/// How often the retransmission timer fired: by the kernel's counter, else by what the socket
/// showed.
fn timeouts(evidence: &Evidence) -> Option<i64> {
    evidence.counter("TcpExtTCPTimeouts").or_else(|| {
        evidence
            .connection()
            .filter_map(|s| s.timer_retrans.or(s.retransmits))
            .max()
            .map(i64::from)
    })
}

/// `done` retransmissions for `due` time-outs. Giving up takes one time-out without a
/// retransmission; more than that, and at least a third of all, is a refusal.
fn compare(done: i64, due: i64) -> WitnessSays {
    let missing = due - done;
    if due < ENOUGH_TIMEOUTS {
        WitnessSays::Silent
    } else if missing <= 1 {
        WitnessSays::Healthy
    } else if missing * 3 >= due {
        WitnessSays::Bug
    } else {
        WitnessSays::Silent
    }
}

fn capture(evidence: &Evidence) -> (WitnessSays, String) {
    if evidence.wire.is_empty() {
        return (WitnessSays::Silent, "no capture".into());
    }
    let Some(due) = timeouts(evidence) else {
        return (
            WitnessSays::Silent,
            "no count of time-outs to compare with".into(),
        );
    };
    let done = evidence.wire.iter().filter(|s| s.out && s.again).count() as i64;
    (
        compare(done, due),
        format!("{done} retransmissions on the wire for {due} time-outs"),
    )
}

fn counters(evidence: &Evidence) -> (WitnessSays, String) {
    let (Some(done), Some(due)) = (
        evidence.counter("TcpRetransSegs"),
        evidence.counter("TcpExtTCPTimeouts"),
    ) else {
        return (WitnessSays::Silent, "no counters".into());
    };
    (
        compare(done, due),
        format!("TcpRetransSegs {done} for TcpExtTCPTimeouts {due}"),
    )
}

fn retrans(evidence: &Evidence) -> (WitnessSays, String) {
    // A zero-window probe backs off too, without a retransmission: only the retransmission timer
    // counts.
    let waiting = || {
        evidence
            .connection()
            .filter(|s| s.timer == Some(TimerKind::On))
    };
    let backoff = waiting().filter_map(|s| s.backoff).max();
    let done = waiting().filter_map(|s| s.total_retrans).max();
    let (Some(backoff), Some(done)) = (backoff, done) else {
        return (
            WitnessSays::Silent,
            "the socket was not seen waiting".into(),
        );
    };
    (
        compare(i64::from(done), i64::from(backoff)),
        format!("the socket counts {done} retransmissions at back-off {backoff}"),
    )
}

fn wmem_alloc(evidence: &Evidence, kernel: Option<KernelVersion>) -> (WitnessSays, String) {
    let waiting: Vec<u32> = evidence
        .connection()
        .filter(|s| s.timer == Some(TimerKind::On) && s.backoff.is_some_and(|b| b > 0))
        .filter_map(|s| s.wmem_alloc)
        .collect();
    let (Some(least), Some(most)) = (waiting.iter().min(), waiting.iter().max()) else {
        return freed(evidence, kernel).unwrap_or((
            WitnessSays::Silent,
            "sk_wmem_alloc was not seen while the timer backed off".into(),
        ));
    };
    let samples = waiting.len();
    if *most == 0 {
        (
            WitnessSays::Healthy,
            format!("sk_wmem_alloc was 0 in all {samples} samples of the wait"),
        )
    } else if *least > 0 {
        let says = if samples >= 2 {
            WitnessSays::Bug
        } else {
            WitnessSays::Silent
        };
        (
            says,
            format!("sk_wmem_alloc never fell below {least} in {samples} samples of the wait"),
        )
    } else {
        // Some were given back, some were not: what the driver does under a condition. The last
        // word is the last sample's.
        let held = waiting.iter().rev().take_while(|w| **w > 0).count();
        let says = if held >= 2 {
            WitnessSays::Bug
        } else {
            WitnessSays::Silent
        };
        (
            says,
            format!(
                "sk_wmem_alloc rose to {most} and stayed in the last {held} of {samples} samples"
            ),
        )
    }
}

/// Whether the socket was freed when its connection ended: what `sk_wmem_alloc` counts keeps it,
/// and the machine's count of sockets shows that where nothing shows the memory itself.
fn freed(evidence: &Evidence, kernel: Option<KernelVersion>) -> Option<(WitnessSays, String)> {
    if kernel? < COUNTED_UNTIL_FREED {
        return None;
    }
    let of_end = |sample: &&Sample| sample.state == "GONE";
    let before = evidence.connection().take_while(|s| !of_end(s)).last()?;
    // Only where TCP gave up, since a socket that ends otherwise may still be in a TIME-WAIT; and
    // only where no program holds it any more.
    if before.timer != Some(TimerKind::On) || before.inode != Some(0) {
        return None;
    }
    let before = before.sockets_in_use?;
    let after = evidence.connection().find(of_end)?.sockets_in_use?;
    Some(if after < before {
        (
            WitnessSays::Healthy,
            format!("the socket was freed with its connection ({before} in use, then {after})"),
        )
    } else {
        (
            WitnessSays::Bug,
            format!(
                "the socket outlived its connection, so sk_wmem_alloc held it ({before} in use, \
                 then {after})"
            ),
        )
    })
}

/// The first series that counts a socket until it is freed, and not until it is closed.
const COUNTED_UNTIL_FREED: KernelVersion = KernelVersion {
    major: 4,
    minor: 16,
    patch: 0,
};

fn probe(evidence: &Evidence) -> (WitnessSays, String) {
    let Some(calls) = &evidence.probe else {
        return (WitnessSays::Silent, "no probe on this kernel".into());
    };
    let refused: Vec<i64> = calls
        .iter()
        .map(|c| c.returned)
        .filter(|r| *r != 0)
        .collect();
    let says = if calls.len() < 2 {
        WitnessSays::Silent
    } else if refused.is_empty() {
        WitnessSays::Healthy
    } else if refused.len() >= 2 && refused.len() * 3 >= calls.len() {
        WitnessSays::Bug
    } else {
        WitnessSays::Silent
    };
    let names: std::collections::BTreeSet<String> = refused.iter().map(|r| errno(*r)).collect();
    let reading = match refused.len() {
        0 => format!(
            "the retransmit function returned 0 all {} times",
            calls.len()
        ),
        n => format!(
            "the retransmit function returned {} {n} of {} times",
            names.into_iter().collect::<Vec<_>>().join(" and "),
            calls.len()
        ),
    };
    (says, reading)
}

const EAGAIN: i64 = -11;
const EBUSY: i64 = -16;

fn errno(returned: i64) -> String {
    match returned {
        EAGAIN => "-EAGAIN".into(),
        EBUSY => "-EBUSY".into(),
        other => other.to_string(),
    }
}

/// What refused the retransmissions.
///
/// Which test it was, the probe knows; without it the kernel's own count of refusals by
/// `skb_still_in_host_queue()`, and where that has not moved, the version: `tcp_retransmit_skb()`
/// had no other test than that of `sk_wmem_alloc` before 3.15, and has none of it since 5.12.
/// Whether the packet still belonged to the socket, `sk_wmem_alloc` tells, and where that is not
/// seen, that TCP asks for it since 3.18.
pub(super) fn mechanism(
    readings: &[WitnessReading],
    evidence: &Evidence,
    kernel: Option<KernelVersion>,
) -> Option<Mechanism> {
    let memory = readings
        .iter()
        .find(|r| r.witness == Witness::WmemAlloc.word())
        .map_or(WitnessSays::Silent, |r| r.says);
    let seen = match memory {
        WitnessSays::Healthy => Some(Mechanism::EbusyOrphaned),
        WitnessSays::Bug => Some(Mechanism::EbusyOwned),
        WitnessSays::Silent => None,
    };
    let asks_whose = kernel.is_some_and(|k| k >= ASKS_WHOSE);
    let busy = seen.or(asks_whose.then_some(Mechanism::EbusyOwned));
    let mut returns = evidence.probe.iter().flatten().map(|c| c.returned);
    match returns.rfind(|r| *r != 0) {
        Some(EAGAIN) => return Some(Mechanism::Eagain),
        Some(EBUSY) => return busy,
        Some(_) => return None,
        None => {}
    }
    if counted_busy(evidence) {
        return busy;
    }
    if kernel.is_some_and(|k| k < FIRST_BUSY) {
        return Some(Mechanism::Eagain);
    }
    match seen? {
        Mechanism::EbusyOwned if kernel? < LAST_COMPARED && exceeds_queued(evidence) => {
            Some(Mechanism::Eagain)
        }
        busy => Some(busy),
    }
}

/// Whether the kernel counted as many refusals as make the bug: each is one that found the
/// segment's clone still in this host's queues.
fn counted_busy(evidence: &Evidence) -> bool {
    let refused = evidence.counter("TcpExtTCPSpuriousRtxHostQueues");
    let due = timeouts(evidence);
    matches!((refused, due), (Some(n), Some(due)) if n >= 2 && n * 3 >= due)
}

/// The first series in which TCP looks whether a segment's clone is still queued.
const FIRST_BUSY: KernelVersion = KernelVersion {
    major: 3,
    minor: 15,
    patch: 0,
};

/// The first series in which it also looks whether the clone is still the socket's.
const ASKS_WHOSE: KernelVersion = KernelVersion {
    major: 3,
    minor: 18,
    patch: 0,
};

/// The first series without the comparison of `sk_wmem_alloc`.
const LAST_COMPARED: KernelVersion = KernelVersion {
    major: 5,
    minor: 12,
    patch: 0,
};

/// The comparison itself, on the last sample of the wait.
fn exceeds_queued(evidence: &Evidence) -> bool {
    evidence
        .connection()
        .filter_map(|s| Some((s.wmem_alloc?, s.wmem_queued?)))
        .last()
        .is_some_and(|(alloc, queued)| alloc > queued + queued / 4)
}
