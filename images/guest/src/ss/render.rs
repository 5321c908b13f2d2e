//! A rendering like `ss`'s, for kernels on which it does not start.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tunfarm_protocol::Sample;

use super::heading;

/// What `ss` would say at these marks, from the agent's own samples.
pub fn render(samples: &[Sample], marks_ms: &[u64]) -> String {
    let mut marks_ms = marks_ms.to_vec();
    marks_ms.sort_unstable();
    let mut text = String::new();
    for mark_ms in marks_ms {
        let mark_us = i64::try_from(mark_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        heading(&mut text, mark_us);
        text.push_str("State Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n");
        let mut newest = BTreeMap::new();
        for sample in samples.iter().take_while(|s| s.t_us <= mark_us) {
            newest.insert((&sample.local, &sample.remote), sample);
        }
        for sample in newest
            .into_values()
            .filter(|s| s.state != "GONE" && s.state != "LISTEN")
        {
            line(&mut text, sample);
        }
    }
    text
}

fn line(text: &mut String, s: &Sample) {
    let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    let _ = writeln!(
        text,
        "{} {} {} {} {}",
        s.state,
        number(s.rqueue),
        number(s.wqueue),
        s.local,
        s.remote
    );
    let mut facts = Vec::new();
    if let Some(t) = s.wmem_alloc {
        facts.push(format!("skmem:(t{t},w{})", number(s.wmem_queued)));
    }
    let ms = |us: Option<u32>| us.map(|us| format!("{}", f64::from(us) / 1000.0));
    let named = [
        ("rto", ms(s.rto_us)),
        (
            "backoff",
            s.backoff.filter(|n| *n > 0).map(|n| n.to_string()),
        ),
        ("rtt", ms(s.rtt_us)),
        ("cwnd", s.cwnd.map(|n| n.to_string())),
        (
            "unacked",
            s.unacked.filter(|n| *n > 0).map(|n| n.to_string()),
        ),
    ];
    facts.extend(
        named
            .into_iter()
            .filter_map(|(name, v)| v.map(|v| format!("{name}:{v}"))),
    );
    if let Some(total) = s.total_retrans.filter(|n| *n > 0) {
        facts.push(format!("retrans:{}/{total}", number(s.retrans)));
    }
    if !facts.is_empty() {
        let _ = writeln!(text, "\t {}", facts.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendering_shows_the_newest_sample_before_each_mark() {
        let sample = |t_us: i64, state: &str, backoff: u32| -> Sample {
            serde_json::from_value(serde_json::json!({
                "t_us": t_us, "local": "192.168.0.1:8080", "remote": "192.0.2.1:4", "state": state,
                "backoff": backoff, "rto_us": 592_000, "total_retrans": backoff, "retrans": 1,
            }))
            .unwrap()
        };
        let samples = [
            sample(10, "ESTAB", 0),
            sample(900_000, "CLOSING", 1),
            sample(2_000_000, "GONE", 0),
        ];
        assert_eq!(
            render(&samples, &[3000, 1000]),
            "# t=1.000000 s\nState Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n\
             CLOSING - - 192.168.0.1:8080 192.0.2.1:4\n\t rto:592 backoff:1 retrans:1/1\n\
             # t=3.000000 s\nState Recv-Q Send-Q Local-Address:Port Peer-Address:Port\n"
        );
    }
}
