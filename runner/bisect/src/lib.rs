//! Finds the version that changed a behaviour: which one to try next, and how sure the answer is.
//!
//! Nothing here builds, boots or waits. A [`Search`] says which version to try; whoever asked
//! tries it, records the [`Answer`], and asks again. So it is tested against made-up histories
//! alone, every small one of them.
//!
//! # The model
//!
//! `n` versions, oldest first. The behaviour changes once: versions before the culprit `c` are
//! *old*, `c` and all after it are *new*. Besides the `n − 1` culprits two more hypotheses are
//! kept, that either end is not what it was said to be: `c = 0` (even the first version is new)
//! and `c = n` (even the last one is old). The prior gives each of the two ¼ and the culprits
//! the other half in equal parts.
//!
//! A run of version `i` is wrong with a known probability ([`Noise`]): it says *old* of a new
//! version with probability `m` ([`Noise::missed`]), *new* of an old one with probability `f`
//! ([`Noise::false_alarm`]). With the counts `olds(i)` and `news(i)` of what was answered, Bayes'
//! rule gives
//!
//! ```text
//! P(c | answers) ∝ prior(c) · Π (1−f)^olds(i) · f^news(i) · Π m^olds(i) · (1−m)^news(i)
//!                             i<c                           i≥c
//! F(i) = P(c ≤ i | answers)          — the probability that version i is new
//! ```
//!
//! With the confidence `C` that was asked for and `ε = (1 − C)/2`, version `i` is taken for new
//! when `F(i) ≥ 1 − ε`, for old when `F(i) ≤ ε`, and is run again until it is one of them. When
//! nothing is left to try between the last old version `lo` and the first new version `hi`,
//! `P(lo < c ≤ hi) = F(hi) − F(lo) ≥ 1 − 2ε = C`. Bayes' rule is indifferent to when and why one
//! stops, so no correction for the number of steps is needed.
//!
//! Without noise one run decides, and the rule above is plain binary search: `⌈log₂(n−1)⌉`
//! versions besides the two ends, which is the optimum. That claim of determinism is itself
//! checked: the two neighbours of the answer are run once more ([`Settings::recheck`]); if a
//! version ever contradicts itself, the search goes on with [`Noise::DOUBT`].
//!
//! # Skips
//!
//! A version that cannot be tried (does not build, does not boot) says nothing about `c`. What
//! lies between `lo` and `hi` untried when nothing more can be tried widens the answer to a
//! range. As untestable versions come in clusters, one near a skipped version is worth less:
//! see [`Search::next`].

mod answer;
mod conclusion;
mod noise;
mod posterior;
mod search;
mod trial;

pub use answer::{Answer, BadTerms, Terms};
pub use conclusion::{Conclusion, End, Found};
pub use noise::{BadNoise, Noise};
pub use search::{Next, Purpose, Run, Search, SearchError, Settings, Step};
pub use trial::Trial;
