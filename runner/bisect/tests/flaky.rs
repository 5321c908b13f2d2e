//! Runs that are wrong with known rates: the answer is right as often as was asked for.

mod world;

use tunfarm_bisect::{Answer, Conclusion, Noise, Settings};
use world::{Dice, finish, search, truth};

/// What one experiment of many searches gave.
struct Rates {
    wrong: usize,
    found: usize,
    runs: f64,
}

/// `searches` over `n` versions with these rates, a random culprit in each.
fn experiment(n: usize, noise: Noise, confidence: f64, searches: u64) -> Rates {
    let settings = Settings {
        noise,
        confidence,
        max_runs: 1000,
        ..Settings::default()
    };
    let mut rates = Rates {
        wrong: 0,
        found: 0,
        runs: 0.0,
    };
    for seed in 0..searches {
        let mut dice = Dice(seed << 20 | n as u64);
        let c = 1 + dice.below(n - 1);
        let mut search = search(n, settings.clone());
        let conclusion = finish(&mut search, |v| match truth(v, c) {
            Answer::New if dice.chance(noise.missed()) => Answer::Old,
            Answer::Old if dice.chance(noise.false_alarm()) => Answer::New,
            answer => answer,
        });
        rates.runs += search.runs().len() as f64 / searches as f64;
        match conclusion {
            Conclusion::Found(found) => {
                assert!(found.confidence >= confidence, "{found:?}");
                rates.found += 1;
                rates.wrong += usize::from(!found.culprits().any(|v| v == c));
            }
            // The ends are right here: saying otherwise is an error like any other.
            Conclusion::WrongEnd { .. } => rates.wrong += 1,
            other => panic!("{other:?}"),
        }
    }
    rates
}

#[test]
fn the_answer_is_right_as_often_as_was_asked_for() {
    for (missed, false_alarm) in [(0.1, 0.1), (0.3, 0.0), (0.0, 0.2), (0.25, 0.15)] {
        let noise = Noise::new(missed, false_alarm).unwrap();
        for confidence in [0.9, 0.99] {
            let searches = 1000;
            let rates = experiment(48, noise, confidence, searches);
            // Three standard deviations of a binomial above what was asked for.
            let expected = searches as f64 * (1.0 - confidence);
            let limit = expected + 3.0 * (expected * confidence).sqrt();
            assert!(
                (rates.wrong as f64) <= limit,
                "{noise:?} at {confidence}: {} wrong, limit {limit}",
                rates.wrong
            );
            assert!(rates.found as u64 + rates.wrong as u64 >= searches);
        }
    }
}

/// The capacity of the channel that a run is, in bits: the most that a run can tell on average.
fn capacity(noise: Noise) -> f64 {
    let h = |p: f64| match p {
        p if p <= 0.0 || p >= 1.0 => 0.0,
        p => -p * p.log2() - (1.0 - p) * (1.0 - p).log2(),
    };
    (0..=1000)
        .map(|i| {
            let new = f64::from(i) / 1000.0;
            let says_new = new * (1.0 - noise.missed()) + (1.0 - new) * noise.false_alarm();
            h(says_new) - new * h(noise.missed()) - (1.0 - new) * h(noise.false_alarm())
        })
        .fold(0.0, f64::max)
}

/// No search needs fewer runs on average than Shannon's bound. Ours needs about three times as many:
/// it proves both ends, and decides each version before it boots another.
#[test]
fn the_number_of_runs_is_a_small_multiple_of_the_least() {
    for (missed, false_alarm) in [(0.1, 0.1), (0.2, 0.05)] {
        let noise = Noise::new(missed, false_alarm).unwrap();
        for n in [16, 64, 256] {
            let runs = experiment(n, noise, 0.99, 200).runs;
            // The bound of a search that may err in one answer of a hundred, less than one bit.
            let bound = 0.99 * ((n - 1) as f64).log2() / capacity(noise);
            println!("{noise:?}, {n} versions: {runs:.1} runs, bound {bound:.1}");
            assert!(
                runs <= 3.0 * bound + 8.0,
                "{noise:?} {n}: {runs:.1}, bound {bound:.1}"
            );
        }
    }
}
