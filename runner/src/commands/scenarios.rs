//! `tunfarm scenarios`: the collection, and each scenario's story.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use tunfarm_scenarios::{Collection, Scenario};

use crate::cli::{Scenarios, ScenariosWhat};

pub fn run(arguments: &Scenarios) -> Result<u8> {
    let collection = Collection::built_in()?;
    match &arguments.what {
        None | Some(ScenariosWhat::List) => print!("{}", list(&collection)),
        Some(ScenariosWhat::Show { name }) => {
            let scenario = collection.get(name).ok_or_else(|| {
                let names = collection.iter().map(|s| s.name.as_str());
                match tunfarm_config::nearest(name, names) {
                    Some(near) => anyhow!("no scenario is called `{name}`; did you mean `{near}`?"),
                    None => {
                        anyhow!("no scenario is called `{name}`; `tunfarm scenarios` lists them")
                    }
                }
            })?;
            print!("{}", story(scenario));
        }
    }
    Ok(0)
}

fn list(collection: &Collection) -> String {
    let width = collection.iter().map(|s| s.name.len()).max().unwrap_or(0);
    collection
        .iter()
        .map(|s| format!("{:width$}  {}\n", s.name, s.spec.title))
        .collect()
}

/// A scenario in the terminal: what it shows, who says what when, what is expected.
fn story(scenario: &Scenario) -> String {
    let spec = &scenario.spec;
    let mut out = format!(
        "{} — {}\n\n{}\n",
        scenario.name,
        spec.title,
        fill(spec.shows.trim(), 78)
    );
    let _ = writeln!(out, "\n{}", diagram(&scenario.script));
    let expect = &spec.expect;
    if !expect.states.is_empty() {
        let _ = writeln!(out, "states     {}", expect.states.join(" → "));
    }
    for wire in &expect.wire {
        let when = if wire.repeats.is_some() {
            ", repeated at the RTO"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "wire       {} {} segments{when}",
            wire.count, wire.segment
        );
    }
    for (name, range) in &expect.counters {
        let _ = writeln!(out, "counter    {name} moves by {range}");
    }
    for name in &expect.unmoved {
        let _ = writeln!(out, "counter    {name} does not move");
    }
    if !spec.witnesses.is_empty() {
        let words: Vec<&str> = spec.witnesses.iter().map(|w| w.word()).collect();
        let _ = writeln!(out, "witnesses  {}", words.join(", "));
    }
    for difference in &spec.differs {
        let _ = writeln!(
            out,
            "differs    kernels {}: {}",
            difference.kernels, difference.because
        );
    }
    for proof in &spec.breaks {
        let what = proof.driver.clone().unwrap_or_else(|| {
            proof
                .sysctls
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(" ")
        });
        let _ = writeln!(out, "broken by  {what}: {}", proof.verdict);
    }
    for source in &spec.sources {
        let _ = writeln!(out, "source     {source}");
    }
    out
}

/// The script as a sequence diagram: the kernel under test on the left, its peer on the right.
fn diagram(script: &str) -> String {
    let mut out = format!("{:>9}  kernel under test{:22}peer\n", "time", "");
    for line in script.lines() {
        let line = line.trim();
        let Some((time, event)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        if !time.starts_with(|c: char| c.is_ascii_digit() || "+.*".contains(c)) {
            continue;
        }
        let event = event.trim();
        let _ = match event.split_at_checked(1) {
            Some(("<", packet)) => {
                writeln!(out, "{time:>9}  │ ◀─────────── {:<24} │", packet.trim())
            }
            Some((">", packet)) => {
                writeln!(out, "{time:>9}  │ {:<24} ───────────▶ │", packet.trim())
            }
            _ => writeln!(out, "{time:>9}  ● {event}"),
        };
    }
    out
}

fn fill(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.chars().count() > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out
}
