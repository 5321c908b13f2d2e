//! The built-in collection keeps its own rules: a scenario that is not explained, expects nothing
//! or cannot fail has no place in it.

use tunfarm_lang::symbols::Definitions;
use tunfarm_protocol::{Datapath, Reader, TunOptions};
use tunfarm_scenarios::{Collection, Expect, Scenario};

/// States as `ss` names them, and what the sampler writes when a connection is no more.
const STATES: [&str; 11] = [
    "SYN-SENT",
    "SYN-RECV",
    "ESTAB",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSING",
    "TIME-WAIT",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "GONE",
];
/// What a break may make of a scenario: anything that cannot be taken for a healthy kernel.
const BROKEN: [&str; 3] = ["orphan-bug", "other-failure", "inconclusive"];

/// Asks `rule` about every scenario; it says what is wrong.
fn every(rule: impl Fn(&Scenario) -> Option<String>) {
    let collection = Collection::built_in().expect("the collection reads");
    let wrong: Vec<String> = collection
        .iter()
        .filter_map(|s| rule(s).map(|why| format!("{}: {why}", s.path.display())))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is expected anywhere.
fn expectations(scenario: &Scenario) -> impl Iterator<Item = &Expect> {
    let differing = scenario.spec.differs.iter().map(|d| &d.expect);
    std::iter::once(&scenario.spec.expect).chain(differing)
}

#[test]
fn scripts_are_right() {
    every(|s| {
        let file = s.path.display().to_string();
        tunfarm_lang::parse_and_check(&s.script, &file, &Definitions::new())
            .err()
            .map(|errors| errors.to_string())
    });
}

#[test]
fn each_is_explained() {
    every(|s| {
        let spec = &s.spec;
        if spec.title.trim().is_empty() || spec.title.ends_with('.') {
            return Some("the title is a headline".into());
        }
        if spec.shows.split_whitespace().count() < 15 {
            return Some("`shows` says too little".into());
        }
        if !s.script.starts_with("// ") {
            return Some("the script begins with a comment that says what happens".into());
        }
        if spec.sources.is_empty() {
            return Some("no sources".into());
        }
        let unexplained = spec.differs.iter().any(|d| d.because.trim().is_empty());
        unexplained.then(|| "a difference without its reason".into())
    });
}

#[test]
fn each_expects_states_wire_and_counters() {
    every(|s| {
        expectations(s).find_map(|e| {
            if e.states.is_empty() || e.wire.is_empty() {
                return Some("no states or no wire".into());
            }
            if e.counters.is_empty() && e.unmoved.is_empty() {
                return Some("no counters".into());
            }
            if let Some(state) = e
                .states
                .iter()
                .find(|state| !STATES.contains(&state.as_str()))
            {
                return Some(format!("`ss` knows no state {state}"));
            }
            e.unmoved
                .iter()
                .find(|name| e.counters.contains_key(*name))
                .map(|name| format!("{name} is to move and not to move"))
        })
    });
}

#[test]
fn each_can_be_broken() {
    every(|s| {
        if s.spec.breaks.is_empty() {
            return Some("nothing breaks it".into());
        }
        s.spec.breaks.iter().find_map(|b| {
            if b.driver.is_some() != b.sysctls.is_empty() {
                return Some("a break is one driver or changed sysctls".into());
            }
            if !BROKEN.contains(&b.verdict.as_str()) {
                return Some(format!("`{}` is not the verdict of a failure", b.verdict));
            }
            if b.verdict == "orphan-bug" && s.spec.witnesses.is_empty() {
                return Some("nobody bears witness of the bug".into());
            }
            if !s.spec.datapaths.contains(&b.datapath) {
                return Some("a break over a datapath that it does not run over".into());
            }
            let same = b
                .sysctls
                .iter()
                .any(|(name, value)| s.spec.sysctls.get(name) == Some(value));
            same.then(|| "a break that changes nothing".into())
        })
    });
}

#[test]
fn options_of_tun_are_for_tun() {
    every(|s| {
        let special = s.spec.tun != TunOptions::default() || s.spec.reader != Reader::default();
        let elsewhere = s.spec.datapaths.contains(&Datapath::Loopback);
        (special && elsewhere).then(|| "loopback has neither queues nor a reader".into())
    });
}

#[test]
fn marks_are_within_the_time_limit() {
    every(|s| {
        let limit_ms = i64::try_from(s.spec.limit_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        let late = s
            .spec
            .ss_at
            .iter()
            .find(|at| at.0 < 0 || at.0 >= limit_ms)?;
        Some(format!("ss at {} ms, after the limit", late.0))
    });
}

#[test]
fn the_article_is_told_with_its_own_traces() {
    let collection = Collection::built_in().expect("the collection reads");
    let trace = |name: &str| {
        let scenario = collection.get(name).expect(name);
        scenario.spec.article.clone().expect(name).trace
    };
    let rto: Vec<_> = trace("closing")
        .iter()
        .filter_map(|seen| seen.rto_ms)
        .collect();
    assert_eq!(rto, [2000, 4000, 64_000]);
    let ato: Vec<_> = trace("close-wait")
        .iter()
        .filter_map(|seen| seen.ato_ms)
        .collect();
    assert_eq!(ato, [40]);
}
