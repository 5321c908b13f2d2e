//! The witnesses: independent signals about the orphan bug, each with its number.
//!
//! The bug is that retransmissions are refused while the timer goes on backing off. So each
//! witness compares how often the timer fired with what came of it, and none asks for zero: on
//! 2.6.32 the first retransmission of a lone FIN still passes, and a driver may orphan only
//! sometimes.

use tunfarm_protocol::TimerKind;
use tunfarm_reports::model::{Mechanism, WitnessReading, WitnessSays};
use tunfarm_scenarios::{KernelVersion, Witness};

use crate::evidence::Evidence;

/// Fewer time-outs than this tell nothing: the last one ends the connection and the first may be
/// covered by a tail-loss probe.
const ENOUGH_TIMEOUTS: i64 = 3;

/// Asks `witness`.
pub(super) fn ask(witness: Witness, evidence: &Evidence) -> WitnessReading {
    let (says, reading) = match witness {
        Witness::Capture => capture(evidence),
        Witness::Counters => counters(evidence),
        Witness::Retrans => retrans(evidence),
        Witness::WmemAlloc => wmem_alloc(evidence),
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

fn wmem_alloc(evidence: &Evidence) -> (WitnessSays, String) {
    let waiting: Vec<u32> = evidence
        .connection()
        .filter(|s| s.timer == Some(TimerKind::On) && s.backoff.is_some_and(|b| b > 0))
        .filter_map(|s| s.wmem_alloc)
        .collect();
    let (Some(least), Some(most)) = (waiting.iter().min(), waiting.iter().max()) else {
        return (
            WitnessSays::Silent,
            "sk_wmem_alloc was not seen while the timer backed off".into(),
        );
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

/// What refused the retransmissions. The probe knows; without it, whether `sk_wmem_alloc` stays up
/// tells ownership from the rest, and the version tells whether TCP still had the older of the two
/// tests: `tcp_retransmit_skb()` compared `sk_wmem_alloc` with what is queued until 5.12.
pub(super) fn mechanism(
    readings: &[WitnessReading],
    evidence: &Evidence,
    kernel: Option<KernelVersion>,
) -> Option<Mechanism> {
    let says = |witness: Witness| {
        readings
            .iter()
            .find(|r| r.witness == witness.word())
            .map(|r| r.says)
    };
    let owned = says(Witness::WmemAlloc) != Some(WitnessSays::Healthy);
    let mut refusals = evidence
        .probe
        .iter()
        .flatten()
        .map(|c| c.returned)
        .filter(|r| *r != 0);
    match refusals.next_back() {
        Some(EAGAIN) => Some(Mechanism::Eagain),
        Some(EBUSY) if owned => Some(Mechanism::EbusyOwned),
        Some(EBUSY) => Some(Mechanism::EbusyOrphaned),
        Some(_) => None,
        None if !owned => Some(Mechanism::EbusyOrphaned),
        None if says(Witness::WmemAlloc) == Some(WitnessSays::Bug) => {
            let compared = kernel? < LAST_COMPARED && exceeds_queued(evidence);
            Some(if compared {
                Mechanism::Eagain
            } else {
                Mechanism::EbusyOwned
            })
        }
        None => None,
    }
}

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
