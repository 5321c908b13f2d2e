//! Made-up histories.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use tunfarm_bisect::{Answer, Conclusion, Found, Next, Search, Settings};

/// Names for `n` versions.
pub fn versions(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("v{i}")).collect()
}

/// A search over `n` versions.
pub fn search(n: usize, settings: Settings) -> Search {
    Search::new(versions(n), settings).expect("a sound list")
}

/// One run is proof and nobody checks it: the cost is that of the search alone.
pub fn certain() -> Settings {
    Settings {
        recheck: false,
        ..Settings::default()
    }
}

/// Does what the search asks for until it is over.
pub fn finish(search: &mut Search, mut world: impl FnMut(usize) -> Answer) -> Conclusion {
    for _ in 0..100_000 {
        match search.next() {
            Next::Try(step) => {
                let answer = world(step.version);
                search.record(step.version, answer).expect("its own step");
            }
            Next::Done(conclusion) => return conclusion,
        }
    }
    panic!("the search does not end: {search:?}");
}

/// The finding, or a panic that shows what came instead.
pub fn found(conclusion: Conclusion) -> Found {
    match conclusion {
        Conclusion::Found(found) => found,
        other => panic!("nothing found: {other:?}"),
    }
}

/// What an honest run says where the culprit is `c`.
pub fn truth(version: usize, c: usize) -> Answer {
    if version < c {
        Answer::Old
    } else {
        Answer::New
    }
}

/// ⌈log₂ n⌉.
pub fn ceil_log2(n: usize) -> u32 {
    n.next_power_of_two().trailing_zeros()
}

/// A small generator of its own (splitmix64), so that a seed means the same numbers for ever.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < p
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
