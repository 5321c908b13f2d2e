//! Where the culprit may be, given all answers so far.

use crate::{Answer, Noise, Run};

/// The prior of each of "the old end is new" and "the new end is old". High on purpose: wrong
/// ends are the commonest mistake, and a doubted end is looked at more carefully.
const WRONG_END: f64 = 0.25;

/// F(i) = P(c ≤ i), the probability that version i is new, for each version.
#[derive(Clone, Debug)]
pub(crate) struct Posterior {
    new: Vec<f64>,
}

impl Posterior {
    /// By Bayes' rule; `None` if no hypothesis can explain the answers.
    pub fn of(versions: usize, runs: &[Run], noise: Noise) -> Option<Posterior> {
        // Log-likelihood of the answers about each version, were it old, were it new.
        let (mut if_old, mut if_new) = (vec![0.0; versions], vec![0.0; versions]);
        for run in runs {
            if run.answer != Answer::Skip {
                if_old[run.version] += noise.ln_if_old(run.answer);
                if_new[run.version] += noise.ln_if_new(run.answer);
            }
        }
        // Hypothesis c: versions below c are old, the others new. A prefix sum of the one and a
        // suffix sum of the other are added up, never subtracted: -∞ (impossible) stays -∞.
        let mut likelihood = vec![0.0; versions + 1];
        let mut sum = 0.0;
        for c in 0..versions {
            sum += if_old[c];
            likelihood[c + 1] += sum;
        }
        sum = 0.0;
        for c in (0..versions).rev() {
            sum += if_new[c];
            likelihood[c] += sum;
        }
        let best = likelihood.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if best == f64::NEG_INFINITY {
            return None;
        }
        let culprit = (1.0 - 2.0 * WRONG_END) / (versions - 1) as f64;
        let mass: Vec<f64> = likelihood
            .iter()
            .enumerate()
            .map(|(c, l)| {
                let prior = if c == 0 || c == versions {
                    WRONG_END
                } else {
                    culprit
                };
                prior * (l - best).exp()
            })
            .collect();
        let total: f64 = mass.iter().sum();
        let mut below = 0.0;
        let new = mass[..versions]
            .iter()
            .map(|m| {
                below += m;
                (below / total).min(1.0)
            })
            .collect();
        Some(Posterior { new })
    }

    /// F(i), the probability that version `i` is new.
    pub fn is_new(&self, i: usize) -> f64 {
        self.new[i]
    }

    /// P(lo < c ≤ hi).
    pub fn between(&self, lo: usize, hi: usize) -> f64 {
        self.new[hi] - self.new[lo]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(answers: &[(usize, Answer)]) -> Vec<Run> {
        answers
            .iter()
            .map(|&(version, answer)| Run { version, answer })
            .collect()
    }

    #[test]
    fn without_noise_an_answer_is_proof() {
        let runs = runs(&[(0, Answer::Old), (4, Answer::New), (2, Answer::Skip)]);
        let p = Posterior::of(5, &runs, Noise::NONE).unwrap();
        assert_eq!((p.is_new(0), p.is_new(4)), (0.0, 1.0));
        assert!((p.is_new(1) - 0.25).abs() < 1e-12, "{p:?}");
        assert!((p.between(1, 3) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_contradiction_is_noticed() {
        let same = runs(&[(1, Answer::Old), (1, Answer::New)]);
        assert!(Posterior::of(3, &same, Noise::NONE).is_none());
        let order = runs(&[(0, Answer::New), (2, Answer::Old)]);
        assert!(Posterior::of(3, &order, Noise::NONE).is_none());
        assert!(Posterior::of(3, &order, Noise::DOUBT).is_some());
    }

    #[test]
    fn with_noise_it_is_bayes_rule() {
        // Two versions, three hypotheses with priors 1/4 1/2 1/4; one `new` about version 1.
        let noise = Noise::new(0.3, 0.1).unwrap();
        let p = Posterior::of(2, &runs(&[(1, Answer::New)]), noise).unwrap();
        let total = 0.25 * 0.7 + 0.5 * 0.7 + 0.25 * 0.1;
        assert!((p.is_new(0) - 0.25 * 0.7 / total).abs() < 1e-12);
        assert!((p.is_new(1) - 0.75 * 0.7 / total).abs() < 1e-12);
    }

    #[test]
    fn a_thousand_answers_do_not_underflow() {
        let many: Vec<_> = (0..1000).map(|_| (1, Answer::New)).collect();
        let p = Posterior::of(3, &runs(&many), Noise::DOUBT).unwrap();
        assert!(p.is_new(1) > 0.999_999);
    }
}
