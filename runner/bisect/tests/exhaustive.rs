//! Every small history there is.

mod world;

use tunfarm_bisect::{Answer, Conclusion, End, Next, Purpose, Search, SearchError, Settings};
use world::{ceil_log2, certain, finish, found, search, truth};

#[test]
fn every_culprit_is_found_in_the_fewest_steps() {
    for n in 2..=200 {
        for c in 1..n {
            let mut search = search(n, certain());
            let found = found(finish(&mut search, |v| truth(v, c)));
            assert_eq!((found.last_old, found.first_new), (c - 1, c), "{n} {c}");
            assert!(found.is_exact() && found.confidence == 1.0);
            let steps = search.runs().len() as u32;
            assert!(steps <= ceil_log2(n - 1) + 2, "{n} {c}: {steps}");
        }
    }
}

/// Every pattern of skips with every culprit, up to 12 versions.
#[test]
fn skips_widen_the_answer_and_never_mislead_it() {
    let mut histories = 0;
    for n in 2..=12_usize {
        for skips in 0..1_u32 << (n - 2) {
            let skipped = |v: usize| v > 0 && v < n - 1 && skips >> (v - 1) & 1 == 1;
            for c in 1..n {
                let mut search = search(n, certain());
                let found = found(finish(&mut search, |v| {
                    if skipped(v) {
                        Answer::Skip
                    } else {
                        truth(v, c)
                    }
                }));
                histories += 1;
                // The narrowest range that anybody could know: the nearest testable neighbours.
                let last_old = (0..c).rev().find(|v| !skipped(*v)).unwrap();
                let first_new = (c..n).find(|v| !skipped(*v)).unwrap();
                assert_eq!(
                    (found.last_old, found.first_new),
                    (last_old, first_new),
                    "{n} versions, culprit {c}, skips {skips:b}"
                );
                assert!(found.culprits().any(|v| v == c));
                assert_eq!(found.between.len(), first_new - last_old - 1);
                assert!(found.between.iter().all(|v| skipped(*v)));
                assert!(search.runs().len() <= n, "no version is tried twice");
            }
        }
    }
    assert_eq!(
        histories,
        (2..=12).map(|n| (n - 1) << (n - 2)).sum::<usize>()
    );
}

#[test]
fn wrong_ends_are_said_at_once() {
    for n in 2..=12 {
        let mut all_new = search(n, Settings::default());
        let says = finish(&mut all_new, |_| Answer::New);
        let expected = Conclusion::WrongEnd {
            end: End::Old,
            says: Answer::New,
            confidence: 1.0,
        };
        assert_eq!((says, all_new.runs().len()), (expected, 1));

        let mut all_old = search(n, Settings::default());
        let says = finish(&mut all_old, |_| Answer::Old);
        let expected = Conclusion::WrongEnd {
            end: End::New,
            says: Answer::Old,
            confidence: 1.0,
        };
        assert_eq!((says, all_old.runs().len()), (expected, 2));
    }
}

#[test]
fn an_end_that_cannot_be_tried_is_said_at_once() {
    for (end, version, runs) in [(End::Old, 0, 1), (End::New, 6, 2)] {
        let mut search = search(7, Settings::default());
        let says = finish(&mut search, |v| match v {
            v if v == version => Answer::Skip,
            v => truth(v, 3),
        });
        assert_eq!(says, Conclusion::EndUntestable { end });
        assert_eq!(search.runs().len(), runs);
    }
}

#[test]
fn one_run_is_proof_and_a_second_one_checks_it() {
    let mut search = search(64, Settings::default());
    let mut rechecked = Vec::new();
    while let Next::Try(step) = search.next() {
        if step.purpose == Purpose::Recheck {
            rechecked.push(step.version);
        }
        search
            .record(step.version, truth(step.version, 17))
            .unwrap();
    }
    assert_eq!(rechecked, [16, 17]);
    let found = found(finish(&mut search, |_| unreachable!("it is over")));
    assert!(found.rechecked && !found.doubted);
}

#[test]
fn a_contradiction_is_not_believed_away() {
    // Version 17 says old once, at its recheck; all other runs are right.
    let mut search = search(64, Settings::default());
    let mut runs_of_17 = 0;
    let found = found(finish(&mut search, |v| {
        runs_of_17 += usize::from(v == 17);
        if v == 17 && runs_of_17 == 2 {
            Answer::Old
        } else {
            truth(v, 17)
        }
    }));
    assert_eq!((found.last_old, found.first_new), (16, 17));
    assert!(found.doubted && found.confidence >= 0.99 && found.confidence < 1.0);
    assert!(runs_of_17 > 4);
}

#[test]
fn a_version_is_given_up_after_as_many_skips_as_were_allowed() {
    let settings = Settings {
        skip_tries: 3,
        ..certain()
    };
    let mut search = search(3, settings);
    let found = found(finish(&mut search, |v| match v {
        1 => Answer::Skip,
        v => truth(v, 1),
    }));
    assert_eq!(found.between, [1]);
    assert_eq!(search.runs().iter().filter(|r| r.version == 1).count(), 3);
}

/// Stored after every run and read again, a search goes the same way.
#[test]
fn a_search_resumes_after_any_run() {
    let mut whole = search(40, Settings::default());
    let world = |v: usize| match v % 5 {
        2 => Answer::Skip,
        _ => truth(v, 23),
    };
    let expected = finish(&mut whole, world);
    let mut resumed = search(40, Settings::default());
    while let Next::Try(step) = resumed.next() {
        resumed.record(step.version, world(step.version)).unwrap();
        let stored = serde_json::to_string(&resumed).unwrap();
        resumed = serde_json::from_str(&stored).unwrap();
        resumed.is_about(&world::versions(40)).unwrap();
    }
    assert_eq!(resumed.runs(), whole.runs());
    assert_eq!(resumed.next(), Next::Done(expected));
}

#[test]
fn a_stored_search_is_checked_when_read() {
    let mut search = search(3, Settings::default());
    search.record(0, Answer::Old).unwrap();
    let good = serde_json::to_value(&search).unwrap();
    let damaged = |pointer: &str, value: serde_json::Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("it is there") = value;
        serde_json::from_value::<Search>(bad)
            .unwrap_err()
            .to_string()
    };
    assert!(damaged("/runs/0/version", 3.into()).contains("not in the list of 3"));
    assert!(damaged("/settings/confidence", 1.5.into()).contains("confidence 1.5"));
    assert!(damaged("/versions/1", "v0".into()).contains("twice"));
    assert!(damaged("/versions", serde_json::json!(["v0"])).contains("1 version(s)"));
}

#[test]
fn a_stored_search_about_other_versions_is_refused() {
    let search = search(3, Settings::default());
    let error = search.is_about(&world::versions(4)).unwrap_err();
    assert!(matches!(error, SearchError::OtherVersions { .. }));
    assert_eq!(
        error.to_string(),
        "the stored search is about other versions: it has v0 to v2 (3), this one v0 to v3 (4); \
         go on with the stored list, or start anew"
    );
}

#[test]
fn a_step_tells_what_is_left() {
    let mut search = search(65, certain());
    let mut left = Vec::new();
    while let Next::Try(step) = search.next() {
        left.push((step.culprits, step.versions_left));
        search.record(step.version, truth(step.version, 9)).unwrap();
    }
    let expected = [
        (64, 8),
        (64, 7),
        (64, 6),
        (32, 5),
        (16, 4),
        (8, 3),
        (4, 2),
        (2, 1),
    ];
    assert_eq!(left, expected);
}
