//! Cutting a plan into shards: deterministic, balanced by what is known of durations, with few
//! kernels in each shard, and nearly the same when a kernel is added.
//!
//! What is never torn apart is a *bundle*: the cells of one kernel, scenario and IP version. It
//! has a TUN cell for each driver and the controls they are judged by, so a shard's verdicts need
//! no other shard.
//!
//! Each kernel has a preference of its own among the shards (rendezvous hashing over its spec).
//! Kernels come in the order of a hash too; each fills the shard it likes best until that is
//! full, then the next. A shard is left for good when it is full, so `k` kernels in `n` shards
//! make at most `k + n` pairs, each of which costs a boot or the reading of a snapshot. What is
//! full is found by bisection: the least load under which everything has a place. In the end
//! single bundles go from the longest shard to the shortest while that brings them nearer.
//!
//! Added kernels take their places and push out what would have come there; nothing else changes.
//! The test `an_added_kernel_moves_little` says how much that is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::plan::PlannedCell;
use crate::predict::Durations;

/// One part of a plan: `2/4` is the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// Why a shard makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard: expected I/N with I from 1 to N, e.g. 2/4 for the second of four")]
pub struct BadShard(String);

impl Shard {
    /// Shard `index` of `count`, from 1.
    pub fn new(index: usize, count: usize) -> Result<Self, BadShard> {
        if (1..=count).contains(&index) {
            Ok(Shard { index, count })
        } else {
            Err(BadShard(format!("{index}/{count}")))
        }
    }

    /// Which one, from 1.
    pub fn index(self) -> usize {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> usize {
        self.count
    }
}

/// `I/N`.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = BadShard;

    fn from_str(s: &str) -> Result<Self, BadShard> {
        let bad = || BadShard(s.to_owned());
        let (index, count) = s.split_once('/').ok_or_else(bad)?;
        let number = |s: &str| s.parse::<usize>().map_err(|_| bad());
        Shard::new(number(index)?, number(count)?).map_err(|_| bad())
    }
}

/// A plan cut into shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    parts: Vec<Part>,
    digest: String,
}

/// What one shard has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Positions of its cells in the plan, ascending.
    pub cells: Vec<usize>,
    /// Specs of the kernels it needs.
    pub kernels: Vec<String>,
    /// How long it will take one machine, one cell after another and nothing cached, in
    /// milliseconds.
    pub predicted_ms: u64,
}

impl Cut {
    /// Cuts `cells`, a whole plan, into `count` shards.
    pub fn new(cells: &[PlannedCell], count: usize, durations: &Durations) -> Cut {
        let kernels = kernels(cells, durations);
        let mut filling = fill_tightly(&kernels, count.max(1));
        even_out(&kernels, &mut filling);
        Cut {
            digest: digest(&filling),
            parts: filling.into_iter().map(|s| s.part(&kernels)).collect(),
        }
    }

    /// The parts, shard 1 first.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What `shard` has to do.
    pub fn part(&self, shard: Shard) -> &Part {
        &self.parts[shard.index - 1]
    }

    /// A digest over which cell is where, so that shards which were cut differently (other
    /// durations) are not taken for parts of one whole.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Longest less shortest, as a share of the mean; 0 when all take the same time.
    pub fn spread(&self) -> f64 {
        let times = || self.parts.iter().map(|p| p.predicted_ms);
        let mean = times().sum::<u64>() as f64 / self.parts.len() as f64;
        let longest = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        if mean > 0.0 {
            longest as f64 / mean
        } else {
            0.0
        }
    }
}

/// Cells of one scenario and IP version on one kernel, with their controls.
#[derive(Debug)]
struct Bundle {
    cells: Vec<usize>,
    ms: u64,
}

#[derive(Debug)]
struct Kernel<'a> {
    spec: &'a str,
    boot_ms: u64,
    bundles: Vec<Bundle>,
}

/// The kernels of a plan in the order of their hashes, their bundles in plan order.
fn kernels<'a>(cells: &'a [PlannedCell], durations: &Durations) -> Vec<Kernel<'a>> {
    let mut by_spec: BTreeMap<&str, BTreeMap<(&str, _), Bundle>> = BTreeMap::new();
    for (at, cell) in cells.iter().enumerate() {
        let bundle = by_spec
            .entry(&cell.kernel)
            .or_default()
            .entry((&cell.scenario, cell.ip))
            .or_insert(Bundle {
                cells: Vec::new(),
                ms: 0,
            });
        bundle.cells.push(at);
        bundle.ms += durations.cell_ms(cell);
    }
    let mut kernels: Vec<Kernel> = by_spec
        .into_iter()
        .map(|(spec, bundles)| Kernel {
            spec,
            boot_ms: durations.boot_ms(),
            bundles: bundles.into_values().collect(),
        })
        .collect();
    kernels.sort_by_cached_key(|k| hash(&[k.spec]));
    kernels
}

/// The same number on every machine and in every version.
fn hash(words: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for word in words {
        hash.update(word);
        hash.update([0]);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(bytes[..8].try_into().expect("eight of 32 bytes"))
}

/// What a shard holds while it is filled: bundles by kernel, both by position.
#[derive(Clone, Debug, Default)]
struct Held {
    bundles: BTreeMap<usize, Vec<usize>>,
    ms: u64,
}

impl Held {
    /// What `bundle` of `kernel` would add here.
    fn cost(&self, kernels: &[Kernel], kernel: usize, bundle: usize) -> u64 {
        let boot = match self.bundles.contains_key(&kernel) {
            true => 0,
            false => kernels[kernel].boot_ms,
        };
        kernels[kernel].bundles[bundle].ms + boot
    }

    /// What would be saved here without it.
    fn saving(&self, kernels: &[Kernel], kernel: usize, bundle: usize) -> u64 {
        let boot = match self.bundles[&kernel].len() {
            1 => kernels[kernel].boot_ms,
            _ => 0,
        };
        kernels[kernel].bundles[bundle].ms + boot
    }

    fn put(&mut self, kernels: &[Kernel], kernel: usize, bundle: usize) {
        self.ms += self.cost(kernels, kernel, bundle);
        self.bundles.entry(kernel).or_default().push(bundle);
    }

    fn take(&mut self, kernels: &[Kernel], kernel: usize, bundle: usize) {
        self.ms -= self.saving(kernels, kernel, bundle);
        let left = self.bundles.get_mut(&kernel).expect("it is here");
        left.retain(|b| *b != bundle);
        if left.is_empty() {
            self.bundles.remove(&kernel);
        }
    }

    fn part(&self, kernels: &[Kernel]) -> Part {
        let mut part = Part {
            predicted_ms: self.ms,
            ..Part::default()
        };
        for (kernel, bundles) in &self.bundles {
            part.kernels.push(kernels[*kernel].spec.to_owned());
            for bundle in bundles {
                part.cells.extend(&kernels[*kernel].bundles[*bundle].cells);
            }
        }
        part.cells.sort_unstable();
        part
    }
}

/// Fills the shards up to the least load under which everything has a place.
fn fill_tightly(kernels: &[Kernel], count: usize) -> Vec<Held> {
    let preferences: Vec<Vec<usize>> = kernels
        .iter()
        .map(|kernel| {
            let mut shards: Vec<usize> = (0..count).collect();
            shards.sort_by_cached_key(|s| hash(&[kernel.spec, &s.to_string()]));
            shards
        })
        .collect();
    let all: u64 = kernels
        .iter()
        .map(|k| k.boot_ms + k.bundles.iter().map(|b| b.ms).sum::<u64>())
        .sum();
    // One shard for everything always does.
    let (mut low, mut high) = (all / count as u64, all);
    let mut best = fill(kernels, &preferences, count, high).expect("one shard takes it all");
    while low < high {
        let limit = low + (high - low) / 2;
        match fill(kernels, &preferences, count, limit) {
            Some(filling) => (best, high) = (filling, limit),
            None => low = limit + 1,
        }
    }
    best
}

/// Fills the shards up to `limit` each, if everything has a place then.
fn fill(
    kernels: &[Kernel],
    preferences: &[Vec<usize>],
    count: usize,
    limit: u64,
) -> Option<Vec<Held>> {
    let mut shards = vec![Held::default(); count];
    for (kernel, preference) in preferences.iter().enumerate() {
        let mut liked = preference.iter();
        let mut here = *liked.next()?;
        for bundle in 0..kernels[kernel].bundles.len() {
            while shards[here].ms + shards[here].cost(kernels, kernel, bundle) > limit {
                here = *liked.next()?;
            }
            shards[here].put(kernels, kernel, bundle);
        }
    }
    Some(shards)
}

/// Moves single bundles from the longest shard to the shortest while the pair gets shorter.
fn even_out(kernels: &[Kernel], shards: &mut [Held]) {
    loop {
        let longest = (0..shards.len()).max_by_key(|s| (shards[*s].ms, *s));
        let shortest = (0..shards.len()).min_by_key(|s| (shards[*s].ms, *s));
        let (Some(from), Some(to)) = (longest, shortest) else {
            return;
        };
        // Nearer than a fiftieth is near enough: what stays where it is needs no new boot.
        if (shards[from].ms - shards[to].ms) * 50 <= shards[from].ms {
            return;
        }
        let best = shards[from]
            .bundles
            .iter()
            .flat_map(|(kernel, bundles)| bundles.iter().map(|b| (*kernel, *b)))
            .map(|(kernel, bundle)| {
                let left = shards[from].ms - shards[from].saving(kernels, kernel, bundle);
                let right = shards[to].ms + shards[to].cost(kernels, kernel, bundle);
                (left.max(right), kernel, bundle)
            })
            .min();
        let Some((longer, kernel, bundle)) = best else {
            return;
        };
        // Strictly shorter, so this ends.
        if longer >= shards[from].ms {
            return;
        }
        shards[from].take(kernels, kernel, bundle);
        shards[to].put(kernels, kernel, bundle);
    }
}

/// Twelve digits over which cell is where.
fn digest(shards: &[Held]) -> String {
    let mut hash = Sha256::new();
    for shard in shards {
        for (kernel, bundles) in &shard.bundles {
            let mut bundles = bundles.clone();
            bundles.sort_unstable();
            hash.update(format!("{kernel}:{bundles:?};"));
        }
        hash.update([0]);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    bytes[..6].iter().map(|b| format!("{b:02x}")).collect()
}
