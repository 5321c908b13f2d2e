//! The files of a made-up run, compared with what was looked at and found good.

use tunfarm_reports::console::{Style, table};
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
