//! The files of a made-up run, compared with what was looked at and found good.

use tunfarm_reports::console::{Style, show, table};
use tunfarm_reports::export::{Exporter, junit, kcidb, ktap, markdown};
use tunfarm_reports::{Report, fixtures, sentence};

fn export(exporter: &dyn Exporter) -> String {
    let run = fixtures::small();
    let dir = tempfile::tempdir().unwrap();
    fixtures::lay(&run, dir.path()).unwrap();
    let bytes = exporter.export(&Report::new(&run, dir.path())).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_table_on_a_terminal() {
    insta::assert_snapshot!(table::render(&fixtures::sample(), None, Style::Mono, None));
}

#[test]
fn the_sentence() {
    insta::assert_snapshot!(sentence(&fixtures::sample(), None));
}

#[test]
fn junit_xml() {
    insta::assert_snapshot!(export(&junit::Junit));
}

#[test]
fn report_ktap() {
    insta::assert_snapshot!(export(&ktap::Ktap));
}

#[test]
fn kcidb_json() {
    insta::assert_snapshot!(export(&kcidb::Kcidb));
}

#[test]
fn summary_md() {
    insta::assert_snapshot!(export(&markdown::Markdown));
}

#[test]
fn show_a_cell() {
    let run = fixtures::sample();
    let dir = tempfile::tempdir().unwrap();
    fixtures::lay(&run, dir.path()).unwrap();
    let report = Report::new(&run, dir.path());
    let found = show::find(&report, "6.12 no-orphan closing/tun");
    assert_eq!(found.len(), 1);
    let text = show::show(&report, found[0], Style::Mono);
    insta::assert_snapshot!(text.replace(&dir.path().display().to_string(), "RUN"));
}

#[test]
fn cells_are_found_by_pieces_of_their_names() {
    let run = fixtures::sample();
    let report = Report::new(&run, std::path::Path::new("."));
    let count = |words| show::find(&report, words).len();
    assert_eq!(count("2.6.32.69/stock/closing/tun"), 1);
    assert_eq!(count("2.6.32.69/stock/closing"), 2);
    assert_eq!(count("loopback closing-bulk"), 3);
    assert_eq!(count("4.19"), 0);
}

/// Sentences of all kinds of nights.
#[test]
fn sentences() {
    use tunfarm_protocol::Datapath::{Loopback, Tun};
    use tunfarm_reports::Past;
    use tunfarm_reports::model::{RunResults, Status};

    let id = |kernel, driver| fixtures::id(kernel, driver, "closing", Tun);
    let run =
        |cells: Vec<_>| fixtures::run(&["6.1.1-x", "6.12.2-x"], &["stock", "mine"], &[], cells);
    let all_clean = run(vec![
        fixtures::clean(id("6.1.1-x", "stock")),
        fixtures::clean(id("6.12.2-x", "stock")),
    ]);
    let one_bug = run(vec![
        fixtures::clean(id("6.1.1-x", "stock")),
        fixtures::orphan_bug(id("6.12.2-x", "stock"), &[Status::Clean]),
    ]);
    let not_all_judged = run(vec![
        fixtures::clean(id("6.1.1-x", "stock")),
        fixtures::infra(id("6.12.2-x", "stock")),
    ]);
    let nothing_judged = run(vec![fixtures::infra(id("6.12.2-x", "stock"))]);
    let controls = run(vec![fixtures::clean(fixtures::id(
        "6.1.1-x", "none", "closing", Loopback,
    ))]);
    let mut old_control = controls.clone();
    old_control.cells[0].status = Status::OrphanBug;
    let mut scripts = all_clean.clone();
    for cell in &mut scripts.cells {
        cell.witnesses.clear();
    }
    let mut stopped = all_clean.clone();
    stopped.interrupted = true;
    let same_version = fixtures::run(
        &["6.1.1-x", "6.1.1-y"],
        &["stock"],
        &[],
        vec![
            fixtures::orphan_bug(id("6.1.1-x", "stock"), &[Status::Clean]),
            fixtures::clean(id("6.1.1-y", "stock")),
        ],
    );
    let mut yesterday = all_clean.clone();
    yesterday.started = "2026-11-22T02:00:00Z".into();
    let mut bad_yesterday = one_bug.clone();
    bad_yesterday.started = "2026-11-20T02:00:00Z".into();

    let nights: [(&str, &RunResults, Option<&RunResults>); 12] = [
        ("empty", &run(vec![]), None),
        ("all clean", &all_clean, None),
        ("clean again", &all_clean, Some(&yesterday)),
        ("a new bug", &one_bug, Some(&yesterday)),
        ("fixed", &all_clean, Some(&bad_yesterday)),
        ("not all judged", &not_all_judged, None),
        ("nothing judged", &nothing_judged, None),
        ("controls only", &controls, None),
        ("a control with the symptom", &old_control, None),
        ("scripts without witnesses", &scripts, None),
        ("interrupted", &stopped, None),
        ("two builds of one version", &same_version, None),
    ];
    let said: Vec<String> = nights
        .iter()
        .map(|(name, run, before)| {
            let past = before.map(|before| Past::of_one(before, run));
            format!("{name}: {}", sentence(run, past.as_ref()))
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}
