//! What a search says while it goes on, and at its end.

use std::fmt::Write;
use std::path::Path;

use tunfarm::bisect::pair::neighbours;
use tunfarm::bisect::{State, StepRecord};
use tunfarm_bisect::{Answer, Conclusion, End, Found, Purpose, Step};

/// The most boots it may take, when none is skipped: both ends and ⌈log₂ n⌉ between them.
fn most_boots(versions: usize) -> u32 {
    versions.next_power_of_two().trailing_zeros() + 2
}

/// Before the first step.
pub fn begun(state: &State) {
    let versions = state.search.versions();
    for release in &state.gone {
        eprintln!("{release} is listed, but the archive has its files no more: left out");
    }
    if let [first, .., last] = versions {
        eprintln!(
            "{} kernels from {first} to {last}: {} boots at most if none is skipped",
            versions.len(),
            most_boots(versions.len())
        );
    }
}

/// Before a step: what is left, and about how long it takes.
pub fn trying(state: &State, step: &Step) {
    let spec = &state.search.versions()[step.version];
    let terms = &state.search.settings().terms;
    let why = match step.purpose {
        Purpose::Verify(End::Old) => format!("should be {}", terms.old_term()),
        Purpose::Verify(End::New) => format!("should be {}", terms.new_term()),
        Purpose::Halve => format!("{} may be the first {}", step.culprits, terms.new_term()),
        Purpose::Repeat => "still could be either".to_owned(),
        Purpose::Recheck => "checks that one run is proof".to_owned(),
    };
    let left = match (step.purpose, state.seconds_per_step()) {
        (Purpose::Recheck, _) => String::new(),
        (_, Some(each)) => {
            let left = f64::from(step.versions_left) * each;
            format!(
                "; {} left, about {}",
                kernels(step.versions_left),
                duration(left)
            )
        }
        (_, None) => format!("; {} left", kernels(step.versions_left)),
    };
    eprintln!("step {}: {spec} ({why}{left})", state.steps.len() + 1);
}

/// After a step.
pub fn answered(state: &State, record: &StepRecord) {
    let word = record.answer.word(&state.search.settings().terms);
    eprintln!(
        "  {}: {word} ({}), {}",
        record.label,
        record.because,
        duration(record.seconds)
    );
}

fn kernels(count: u32) -> String {
    match count {
        1 => "1 kernel".to_owned(),
        n => format!("{n} kernels"),
    }
}

fn duration(seconds: f64) -> String {
    match seconds.round() as u64 {
        s @ 0..=119 => format!("{s} s"),
        s => format!("{} min", s.div_ceil(60)),
    }
}

/// At the end.
pub fn concluded(state: &State, conclusion: &Conclusion, out: &Path) -> String {
    match conclusion {
        Conclusion::Found(found) => self::found(state, found, out),
        Conclusion::WrongEnd {
            end,
            says,
            confidence,
        } => {
            let terms = &state.search.settings().terms;
            format!(
                "{} is {}, not {} ({}): the ends are wrong, there is nothing to search between\n",
                named(state, at(state, *end)),
                says.word(terms),
                match end {
                    End::Old => terms.old_term(),
                    End::New => terms.new_term(),
                },
                sure(*confidence)
            )
        }
        Conclusion::EndUntestable { end } => {
            let spec = &state.search.versions()[at(state, *end)];
            let why = state.steps.iter().rfind(|s| s.spec == *spec);
            format!(
                "the end {spec} cannot be tried ({}): choose another one there\n",
                why.map_or("nothing is known of it", |s| &s.because)
            )
        }
        Conclusion::EndUndecided { end, new } => format!(
            "{} answers now this, now that (probability of {}: {new:.2}): choose another end\n",
            named(state, at(state, *end)),
            state.search.settings().terms.new_term()
        ),
    }
}

fn at(state: &State, end: End) -> usize {
    match end {
        End::Old => 0,
        End::New => state.search.versions().len() - 1,
    }
}

fn named(state: &State, version: usize) -> String {
    let spec = &state.search.versions()[version];
    match state.latest(version) {
        Some(step) if step.label != *spec => format!("{} ({spec})", step.label),
        _ => spec.clone(),
    }
}

fn found(state: &State, found: &Found, out: &Path) -> String {
    let terms = &state.search.settings().terms;
    let mut text = String::new();
    let (old, new) = (named(state, found.last_old), named(state, found.first_new));
    let _ = writeln!(text, "last {}: {old}", terms.old_term());
    let _ = writeln!(text, "first {}: {new}", terms.new_term());
    if found.is_exact() {
        let _ = writeln!(text, "No kernel of the list lies between them.");
    } else {
        let _ = writeln!(
            text,
            "Between them lie kernels that could not be tried; each may be the first {} too:",
            terms.new_term()
        );
        for version in &found.between {
            let spec = &state.search.versions()[*version];
            let why = state.steps.iter().rfind(|s| s.spec == *spec);
            let _ = writeln!(text, "  {spec}: {}", why.map_or("", |s| &s.because));
        }
    }
    let versions = state.search.versions().len();
    let skipped = state
        .steps
        .iter()
        .filter(|s| s.answer == Answer::Skip)
        .count();
    let _ = writeln!(
        text,
        "{}; {} of {versions} kernels booted (bound {}), {skipped} skipped, {} runs.",
        how_sure(state, found),
        state.boots(),
        most_boots(versions),
        state.steps.len()
    );
    let dir = |version: usize| Some(out.join(&state.latest(version)?.folder));
    let dirs = (dir(found.last_old), dir(found.first_new));
    text.push_str(&neighbours(dirs, &state.question.datapaths));
    text
}

fn how_sure(state: &State, found: &Found) -> String {
    if found.doubted {
        format!("Runs contradicted each other: {}", sure(found.confidence))
    } else if !state.search.settings().noise.is_none() {
        format!(
            "Runs on the host's clock may err: {}",
            sure(found.confidence)
        )
    } else if found.rechecked {
        "Proved: in virtual time a run is deterministic, and a second run of both neighbours \
         agreed"
            .to_owned()
    } else {
        "Proved, if a run is deterministic as it is in virtual time".to_owned()
    }
}

fn sure(confidence: f64) -> String {
    format!("sure to {:.1} %", confidence * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_binary_logarithm_and_both_ends() {
        assert_eq!([2, 3, 64, 65, 71].map(most_boots), [3, 4, 8, 9, 9]);
    }

    #[test]
    fn long_times_are_minutes() {
        assert_eq!(duration(119.4), "119 s");
        assert_eq!(duration(121.0), "3 min");
    }
}
