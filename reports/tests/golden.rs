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
    insta::assert_snapshot!(table::render(&fixtures::sample(), Style::Mono, None));
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
