//! Large histories, at random.

mod world;

use proptest::prelude::*;
use tunfarm_bisect::{Answer, Settings};
use world::{certain, finish, found, search, truth};

/// A history: how many versions, the culprit, and which versions cannot be tried.
fn history() -> impl Strategy<Value = (usize, usize, Vec<bool>)> {
    (2_usize..600).prop_flat_map(|n| {
        // Single versions and whole stretches that do not build.
        let stretches = prop::collection::vec((0..n, 1_usize..40), 0..8);
        (Just(n), 1..n, stretches).prop_map(|(n, c, stretches)| {
            let mut skipped = vec![false; n];
            for (from, length) in stretches {
                skipped[from..(from + length).min(n)].fill(true);
            }
            (skipped[0], skipped[n - 1]) = (false, false);
            (n, c, skipped)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        // A failing history is named by its numbers in the message; no file is kept.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_answer_is_the_narrowest_that_can_be_known((n, c, skipped) in history()) {
        let mut search = search(n, certain());
        let found = found(finish(&mut search, |v| {
            if skipped[v] { Answer::Skip } else { truth(v, c) }
        }));
        prop_assert_eq!(Some(found.last_old), (0..c).rev().find(|v| !skipped[*v]));
        prop_assert_eq!(Some(found.first_new), (c..n).find(|v| !skipped[*v]));
        // Skips cost at most themselves and a few steps around them.
        let skips = search.runs().iter().filter(|r| r.answer == Answer::Skip).count();
        let others = search.runs().len() - skips;
        prop_assert!(skips <= skipped.iter().filter(|s| **s).count());
        prop_assert!(others <= 3 * (2 + world::ceil_log2(n) as usize), "{} of {}", others, n);
    }

    /// Nothing that is answered, however senseless, makes the search panic or go on for ever.
    #[test]
    fn senseless_answers_end_too(
        n in 2_usize..40,
        seed in any::<u64>(),
        noise in 0.0_f64..0.45,
    ) {
        let settings = Settings {
            noise: tunfarm_bisect::Noise::new(noise, noise).unwrap(),
            ..Settings::default()
        };
        let mut dice = world::Dice(seed);
        let mut search = search(n, settings);
        finish(&mut search, |_| {
            [Answer::Old, Answer::New, Answer::Skip][dice.below(3)]
        });
        prop_assert!(search.runs().len() <= n * 200);
    }
}
