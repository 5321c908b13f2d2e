//! The number of steps against that of the best strategy there is.

mod world;

use std::collections::HashMap;

use tunfarm_bisect::Answer;
use world::{certain, finish, search, truth};

/// The least expected number of steps in an interval of `inner` untried versions, of which those
/// in `skipped` are known to be untestable, where each other one is with probability `p` and all
/// culprits are equally likely: by trying every choice in every state.
struct Best {
    p: f64,
    known: HashMap<(usize, u32), f64>,
}

impl Best {
    fn steps(&mut self, inner: usize, skipped: u32) -> f64 {
        if let Some(known) = self.known.get(&(inner, skipped)) {
            return *known;
        }
        let mut best = f64::INFINITY;
        for v in (0..inner).filter(|v| skipped >> v & 1 == 0) {
            let skip = match self.p {
                0.0 => 0.0,
                p => p * self.steps(inner, skipped | 1 << v),
            };
            let below = self.steps(v, skipped & ((1 << v) - 1));
            let above = self.steps(inner - v - 1, skipped >> (v + 1));
            // `inner + 1` culprits: `v + 1` of them make version v new.
            let new = (v + 1) as f64 / (inner + 1) as f64;
            let told = (1.0 - self.p) * (new * below + (1.0 - new) * above);
            best = best.min(1.0 + skip + told);
        }
        let best = if best.is_finite() { best } else { 0.0 };
        self.known.insert((inner, skipped), best);
        best
    }
}

/// Ours, over every pattern of skips and every culprit, each with its probability.
fn ours(n: usize, p: f64) -> f64 {
    let inner = n - 2;
    let mut expected = 0.0;
    for skips in 0..1_u32 << inner {
        let ones = skips.count_ones() as i32;
        let weight = p.powi(ones) * (1.0 - p).powi(inner as i32 - ones);
        if weight == 0.0 {
            continue;
        }
        for c in 1..n {
            let mut search = search(n, certain());
            finish(&mut search, |v| {
                if v > 0 && v < n - 1 && skips >> (v - 1) & 1 == 1 {
                    Answer::Skip
                } else {
                    truth(v, c)
                }
            });
            expected += weight / (n - 1) as f64 * (search.runs().len() - 2) as f64;
        }
    }
    expected
}

#[test]
fn without_skips_it_is_the_optimum() {
    let mut best = Best {
        p: 0.0,
        known: HashMap::new(),
    };
    for n in 2..=20 {
        let (ours, best) = (ours(n, 0.0), best.steps(n - 2, 0));
        assert!((ours - best).abs() < 1e-9, "{n}: {ours} against {best}");
    }
}

#[test]
fn with_skips_it_is_within_a_hundredth_of_the_optimum() {
    for p in [0.05, 0.2, 0.5] {
        let mut best = Best {
            p,
            known: HashMap::new(),
        };
        for n in [6, 9, 12] {
            let (ours, best) = (ours(n, p), best.steps(n - 2, 0));
            println!("p {p}, {n} versions: {ours:.3} steps, optimum {best:.3}");
            assert!(ours >= best - 1e-9, "nothing is better than the best");
            assert!(ours <= best * 1.01, "{n}, {p}: {ours} against {best}");
        }
    }
}
