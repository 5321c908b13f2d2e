//! What became of each socket: a line for each change.

use std::collections::BTreeMap;

use tunfarm_protocol::Sample;

use super::message::blank;

/// State of a socket the kernel no longer knows.
const GONE: &str = "GONE";
/// The most lines that are kept.
const MOST_LINES: usize = 50_000;

/// All that was sampled, without repetitions.
#[derive(Debug, Default)]
pub struct History {
    /// Newest sample of each socket that is there, by its addresses, and whether it is in `lines`
    /// with its own time.
    live: BTreeMap<(String, String), (Sample, bool)>,
    lines: Vec<Sample>,
    cut: bool,
}

impl History {
    /// Takes what is there at `t_us`; true if anything but the passing of time has changed.
    /// `in_use` are the machine's sockets after these were looked at.
    pub fn update(&mut self, t_us: i64, sockets: Vec<Sample>, in_use: Option<u32>) -> bool {
        let mut before = std::mem::take(&mut self.live);
        let mut changed = false;
        for mut sample in sockets {
            sample.t_us = t_us;
            let key = (sample.local.clone(), sample.remote.clone());
            let old = before.remove(&key);
            // A socket and its TIME-WAIT heir may for a moment be there both; the first counts.
            if self.live.contains_key(&key) {
                continue;
            }
            let news = old.is_none_or(|(old, _)| differ(&old, &sample));
            if news {
                self.keep(sample.clone());
                changed = true;
            }
            self.live.insert(key, (sample, news));
        }
        for (old, _) in before.into_values() {
            let mut gone = Sample {
                t_us,
                state: GONE.to_owned(),
                sockets_in_use: in_use,
                ..nothing()
            };
            (gone.local, gone.remote) = (old.local, old.remote);
            self.keep(gone);
            changed = true;
        }
        changed
    }

    /// All lines, each socket that is still there once more at the end, with times made relative
    /// to `zero_us`. The note says what was left out.
    pub fn finish(mut self, zero_us: i64) -> (Vec<Sample>, Option<String>) {
        for (sample, written) in std::mem::take(&mut self.live).into_values() {
            if !written {
                self.keep(sample);
            }
        }
        for line in &mut self.lines {
            line.t_us -= zero_us;
        }
        let note = self
            .cut
            .then(|| format!("samples.jsonl was cut at {MOST_LINES} lines"));
        (self.lines, note)
    }

    fn keep(&mut self, sample: Sample) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(sample);
        } else {
            self.cut = true;
        }
    }
}

fn nothing() -> Sample {
    let nowhere = (std::net::Ipv4Addr::UNSPECIFIED, 0).into();
    blank(nowhere, nowhere)
}

/// Whether two samples of a socket say something different, apart from the timer running down and
/// from other sockets.
fn differ(old: &Sample, new: &Sample) -> bool {
    let timeless = |s: &Sample| Sample {
        t_us: 0,
        timer_ms: None,
        sockets_in_use: None,
        ..s.clone()
    };
    timeless(old) != timeless(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(state: &str, timer_ms: u32) -> Sample {
        let mut s = nothing();
        s.state = state.to_owned();
        s.timer_ms = Some(timer_ms);
        s
    }

    fn story(history: History, zero_us: i64) -> Vec<(i64, String)> {
        history
            .finish(zero_us)
            .0
            .into_iter()
            .map(|s| (s.t_us, s.state))
            .collect()
    }

    #[test]
    fn only_changes_are_lines_and_the_end_is_one() {
        let mut h = History::default();
        assert!(h.update(10, vec![socket("ESTAB", 500)], None));
        assert!(!h.update(20, vec![socket("ESTAB", 400)], None));
        assert!(h.update(30, vec![socket("CLOSING", 300)], None));
        assert!(!h.update(40, vec![socket("CLOSING", 200)], None));
        assert_eq!(
            story(h, 10),
            [
                (0, "ESTAB".into()),
                (20, "CLOSING".into()),
                (30, "CLOSING".into())
            ]
        );
    }

    #[test]
    fn a_socket_that_vanished_is_gone_once() {
        let mut h = History::default();
        h.update(1, vec![socket("CLOSING", 9)], None);
        assert!(h.update(2, vec![], None));
        assert!(!h.update(3, vec![], None));
        assert_eq!(story(h, 0), [(1, "CLOSING".into()), (2, "GONE".into())]);
    }

    #[test]
    fn an_end_tells_how_many_sockets_are_left() {
        let mut h = History::default();
        let mut one = socket("CLOSING", 9);
        one.sockets_in_use = Some(3);
        h.update(1, vec![one.clone()], Some(3));
        // Somebody else's socket is no news of this one.
        one.sockets_in_use = Some(4);
        assert!(!h.update(2, vec![one], Some(4)));
        h.update(3, vec![], Some(3));
        let told: Vec<_> = h.finish(0).0.iter().map(|s| s.sockets_in_use).collect();
        assert_eq!(told, [Some(3), Some(3)]);
    }

    #[test]
    fn two_with_the_same_addresses_are_one() {
        let mut h = History::default();
        h.update(
            1,
            vec![socket("FIN-WAIT-2", 1), socket("TIME-WAIT", 2)],
            None,
        );
        assert_eq!(story(h, 0), [(1, "FIN-WAIT-2".into())]);
    }
}
