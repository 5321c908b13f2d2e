//! The files of a made-up run, compared with what was looked at and found good.

use tunfarm_reports::console::{Style, table};
use tunfarm_reports::export::{Exporter, junit};
use tunfarm_reports::{Report, fixtures, sentence};

fn export(exporter: &dyn Exporter) -> String {
    let run = fixtures::sample();
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
    insta::assert_snapshot!(sentence(&fixtures::sample()));
}

#[test]
fn junit_xml() {
    insta::assert_snapshot!(export(&junit::Junit));
}
