//! What came of each expiry of the RTO timer: the packet it sent, or nothing.
//!
//! The sampler sees an expiry a little after it happened, so the packet that an expiry sent lies
//! *before* the time at which the expiry was seen.

use serde::Serialize;

use crate::model::Plot;

/// How long after an expiry was seen its packet may still be captured, in seconds: capture and
/// sampler are threads of their own.
const SLACK: f64 = 0.05;

/// One expiry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expiry {
    /// When it happened, seconds: the time of the packet it sent, else when it was seen.
    pub t: f64,
    /// The RTO that ended, milliseconds.
    pub rto_ms: Option<f64>,
    /// What came of it.
    pub came: Came,
}

/// What came of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// A packet left the kernel.
    Packet,
    /// Nothing reached the wire.
    Nothing,
    /// It was the last: the kernel dropped the socket.
    TheEnd,
}

impl Came {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Came::Packet => "sent again",
            Came::Nothing => "nothing reaches the wire",
            Came::TheEnd => "gives up, the socket is dropped",
        }
    }
}

/// The expiries of a cell, in order of time.
pub fn expiries(plot: &Plot) -> Vec<Expiry> {
    let mut before = f64::NEG_INFINITY;
    plot.timeouts
        .iter()
        .filter(|seen| seen.is_finite())
        .map(|&seen| {
            let rto_ms = plot.rto_ms.iter().rfind(|(since, _)| *since < seen);
            let rto_ms = rto_ms.map(|(_, ms)| *ms);
            // Timers double: within three quarters of an RTO there is no other expiry.
            let reach = rto_ms.map_or(f64::INFINITY, |ms| 0.75 * ms / 1000.0);
            let from = (seen - reach).max(before);
            let packet = plot
                .packets
                .iter()
                .filter(|(t, leaves, _)| *leaves && *t > from && *t <= seen + SLACK)
                .map(|(t, ..)| *t)
                .next_back();
            before = seen + SLACK;
            let dropped = plot
                .states
                .iter()
                .any(|(t, state)| state == "GONE" && (t - seen).abs() < 1.0);
            let came = match (packet, dropped) {
                (Some(_), _) => Came::Packet,
                (None, true) => Came::TheEnd,
                (None, false) => Came::Nothing,
            };
            Expiry {
                t: packet.unwrap_or(seen),
                rto_ms,
                came,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(packets: &[f64], timeouts: &[f64]) -> Plot {
        Plot {
            packets: packets.iter().map(|t| (*t, true, String::new())).collect(),
            timeouts: timeouts.to_vec(),
            rto_ms: vec![(0.4, 296.0), (1.05, 592.0), (1.7, 1184.0)],
            states: vec![(0.5, "CLOSING".into()), (3.1, "GONE".into())],
            ..Plot::default()
        }
    }

    #[test]
    fn an_expiry_seen_late_finds_its_packet() {
        let found = expiries(&plot(&[0.4, 0.712, 1.032, 1.640], &[1.05, 1.7]));
        let expected = |t, ms| Expiry {
            t,
            rto_ms: Some(ms),
            came: Came::Packet,
        };
        assert_eq!(found, [expected(1.032, 296.0), expected(1.640, 592.0)]);
    }

    #[test]
    fn a_refused_retransmission_finds_none() {
        let found = expiries(&plot(&[0.4, 0.5], &[1.05, 1.7, 3.0]));
        let came: Vec<Came> = found.iter().map(|e| e.came).collect();
        assert_eq!(came, [Came::Nothing, Came::Nothing, Came::TheEnd]);
    }
}
