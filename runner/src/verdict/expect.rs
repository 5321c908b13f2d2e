//! Comparing the evidence with what the scenario wants to see.

use tunfarm_protocol::Mismatch;
use tunfarm_scenarios::{Expect, Repeats, Segment, Wire};

use crate::evidence::{Evidence, seconds};

/// The timer never fires early by more than the millisecond in which TCP counts.
const EARLY_S: f64 = 0.001;
/// A jiffy at HZ=100, the coarsest there is.
const JIFFY_S: f64 = 0.010;

/// Everything that is not as expected.
pub(super) fn compare(expect: &Expect, evidence: &Evidence) -> Vec<Mismatch> {
    let mut wrong = Vec::new();
    states(&expect.states, evidence, &mut wrong);
    for wire in &expect.wire {
        segments(wire, evidence, &mut wrong);
    }
    if evidence.counters.is_some() {
        for (name, range) in &expect.counters {
            let moved = evidence.counter(name).unwrap_or(0);
            if !range.contains(moved) {
                wrong.push(mismatch(format!("counter {name}"), range, moved));
            }
        }
        for name in &expect.unmoved {
            let moved = evidence.counter(name).unwrap_or(0);
            if moved != 0 {
                wrong.push(mismatch(format!("counter {name}"), "not to move", moved));
            }
        }
    }
    wrong
}

fn mismatch(field: impl Into<String>, expected: impl ToString, actual: impl ToString) -> Mismatch {
    Mismatch {
        field: field.into(),
        expected: expected.to_string(),
        actual: actual.to_string(),
    }
}

fn states(expected: &[String], evidence: &Evidence, wrong: &mut Vec<Mismatch>) {
    if expected.is_empty() {
        return;
    }
    let seen: Vec<String> = evidence
        .states()
        .into_iter()
        .map(|(_, state)| state)
        .skip_while(|s| (s == "SYN-RECV" || s == "SYN-SENT" || s == "ESTAB") && *s != expected[0])
        .filter(|s| s != "SYN-RECV" || expected.contains(s))
        .collect();
    // The last expected state has to be reached; what the sampler sees after it (GONE) is the end
    // of the script.
    let seen_until = &seen[..seen.len().min(expected.len())];
    let rest_is_end = seen[seen_until.len()..].iter().all(|s| s == "GONE");
    if seen_until != expected || !rest_is_end {
        wrong.push(mismatch("states", expected.join(" → "), seen.join(" → ")));
    }
}

fn segments(wire: &Wire, evidence: &Evidence, wrong: &mut Vec<Mismatch>) {
    if evidence.wire.is_empty() {
        return;
    }
    let after_us = wire.after_s.map_or(i64::MIN, |s| s.0 * 1000);
    let sent: Vec<i64> = evidence
        .wire
        .iter()
        .filter(|s| s.out && s.kind == wire.segment && s.t_us >= after_us)
        .map(|s| s.t_us)
        .collect();
    if !wire.count.contains(sent.len() as i64) {
        wrong.push(mismatch(
            format!("{} segments sent", wire.segment),
            wire.count,
            sent.len(),
        ));
    }
    if wire.repeats == Some(Repeats::AtRto) {
        at_rto(wire.segment, &sent, evidence, wrong);
    }
}

/// Each repetition came when the RTO that was in force ran out. The first may be a tail-loss
/// probe, which comes earlier by design (RFC 8985).
fn at_rto(segment: Segment, sent: &[i64], evidence: &Evidence, wrong: &mut Vec<Mismatch>) {
    for (n, pair) in sent.windows(2).enumerate() {
        let gap = seconds(pair[1] - pair[0]);
        let in_force = evidence
            .connection()
            .filter(|s| s.t_us > pair[0] && s.t_us < pair[1])
            .filter_map(|s| s.rto_us)
            .last();
        let Some(rto) = in_force.map(|us| f64::from(us) / 1e6) else {
            continue;
        };
        let early = gap < rto - EARLY_S && n > 0;
        let late = gap > rto * 1.125 + JIFFY_S + EARLY_S;
        if early || late {
            wrong.push(mismatch(
                format!("repetition {} of the {segment}", n + 1),
                format!("the RTO in force, {rto:.3} s (up to an eighth and a jiffy more)"),
                format!(
                    "{gap:.3} s after the one before, at {:.3} s",
                    seconds(pair[1])
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Segment as Sent;
    use tunfarm_protocol::{Sample, TimerKind};
    use tunfarm_scenarios::Range;

    fn fin(t_us: i64, again: bool) -> Sent {
        Sent {
            t_us,
            out: true,
            kind: Segment::Fin,
            ports: (8080, 5000),
            seq: 1,
            ack: 1,
            flags: "F.".into(),
            window: 1,
            len: 0,
            again,
            summary: String::new(),
        }
    }

    fn sample(t_us: i64, rto_us: u32) -> Sample {
        serde_json::from_value(serde_json::json!({
            "t_us": t_us, "local": "192.168.0.1:8080", "remote": "192.0.2.1:5000",
            "state": "CLOSING", "timer": TimerKind::On, "rto_us": rto_us,
        }))
        .unwrap()
    }

    fn fins() -> Wire {
        Wire {
            segment: Segment::Fin,
            count: Range { min: 3, max: None },
            repeats: Some(Repeats::AtRto),
            after_s: None,
        }
    }

    #[test]
    fn repetitions_at_the_rto_pass_and_others_do_not() {
        let mut evidence = Evidence {
            // The reference trace: probe at 0.712, time-outs after it.
            wire: [400_000, 711_683, 1_031_684, 1_639_685]
                .map(|t| fin(t, t > 400_000))
                .into(),
            samples: vec![sample(720_000, 296_000), sample(1_040_000, 592_000)],
            ..Evidence::default()
        };
        let mut wrong = Vec::new();
        segments(&fins(), &evidence, &mut wrong);
        assert_eq!(wrong, []);

        evidence.wire[3].t_us = 1_500_000;
        segments(&fins(), &evidence, &mut wrong);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].field, "repetition 3 of the FIN");
    }

    #[test]
    fn states_must_come_in_order_and_be_all() {
        let mut evidence = Evidence {
            samples: vec![sample(1, 1)],
            ..Evidence::default()
        };
        let mut wrong = Vec::new();
        states(&["CLOSING".into()], &evidence, &mut wrong);
        assert_eq!(wrong, []);
        evidence.samples[0].state = "ESTAB".into();
        states(&["ESTAB".into(), "CLOSING".into()], &evidence, &mut wrong);
        assert_eq!(wrong[0].actual, "ESTAB");
    }
}
