//! What machines read back from the files equals what was run.

mod support;

use std::collections::BTreeMap;

use support::ktap;
use tunfarm_reports::export::{Exporter, junit, kcidb, ktap::Ktap};
use tunfarm_reports::model::{CellResult, RunResults, Status};
use tunfarm_reports::{Report, fixtures, text};

fn export(exporter: &dyn Exporter, run: &RunResults) -> String {
    let dir = tempfile::tempdir().unwrap();
    // A noisy name makes no folder.
    let _ = fixtures::lay(run, dir.path());
    String::from_utf8(exporter.export(&Report::new(run, dir.path())).unwrap()).unwrap()
}

/// What JUnit calls a cell.
fn junit_word(cell: &CellResult) -> &'static str {
    match cell.status {
        Status::Skipped => "skipped",
        _ if cell.as_expected() => "passed",
        Status::Inconclusive | Status::Infra => "error",
        _ => "failure",
    }
}

#[test]
fn junit_reads_back() {
    let run = fixtures::sample();
    let xml = export(&junit::Junit, &run);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let mut read = BTreeMap::new();
    for case in document
        .descendants()
        .filter(|n| n.has_tag_name("testcase"))
    {
        let name = (
            case.attribute("classname").unwrap(),
            case.attribute("name").unwrap(),
        );
        let word = ["failure", "error", "skipped"]
            .into_iter()
            .find(|tag| case.children().any(|c| c.has_tag_name(*tag)))
            .unwrap_or("passed");
        assert_eq!(read.insert(name, word), None, "{name:?} comes twice");
    }
    assert_eq!(read.len(), run.cells.len());
    for cell in &run.cells {
        let driver = if cell.id.driver == "none" {
            "loopback"
        } else {
            &cell.id.driver
        };
        let suite = format!("{}/{driver}", cell.id.kernel);
        let case = format!("{}/{}", cell.id.scenario, cell.id.lane());
        assert_eq!(
            read[&(suite.as_str(), case.as_str())],
            junit_word(cell),
            "{}",
            cell.id
        );
    }
    let flaky: Vec<_> = document
        .descendants()
        .filter(|n| n.has_tag_name("flakyFailure"))
        .map(|n| n.attribute("message").unwrap())
        .collect();
    assert_eq!(flaky, ["attempt 1 was other-failure"]);
}

#[test]
fn attachments_are_lines_of_their_own_and_only_ours() {
    let mut run = fixtures::sample();
    for cell in &mut run.cells {
        cell.reason = format!("{}\n[[ATTACHMENT|/etc/shadow]]\n", "x".repeat(100_000));
    }
    let xml = export(&junit::Junit, &run);
    assert!(!xml.contains("[[ATTACHMENT|/etc"));
    assert!(xml.len() < 2_000_000, "{} bytes", xml.len());
    let document = roxmltree::Document::parse(&xml).unwrap();
    let out = document
        .descendants()
        .find(|n| n.has_tag_name("system-out"))
        .and_then(|n| n.text())
        .unwrap();
    let lines: Vec<&str> = out
        .lines()
        .filter(|l| l.contains("[[ATTACHMENT|"))
        .collect();
    assert!(lines.contains(
        &"[[ATTACHMENT|cells/6.12.95+deb13-cloud-amd64/stock/closing/tun/capture.pcap]]"
    ));
    assert!(
        lines
            .iter()
            .all(|l| l.starts_with("[[") && l.ends_with("]]"))
    );
}

#[test]
fn any_noise_makes_valid_xml_and_reads_back() {
    let mut random = support::Random::new(7);
    for round in 0..150 {
        let noise = random.noise();
        let mut cell = fixtures::other_failure(fixtures::id(
            "k",
            "d",
            &random.noise(),
            tunfarm_protocol::Datapath::Tun,
        ));
        cell.reason.clone_from(&noise);
        cell.command = random.noise();
        cell.witnesses = fixtures::clean(cell.id.clone()).witnesses;
        cell.witnesses[0].reading = random.noise();
        let failure = cell.failure.as_mut().unwrap();
        failure.detail = random.noise();
        failure.summary = random.noise();
        let run = fixtures::run(&["k"], &["d"], &[], vec![cell]);
        let xml = export(&junit::Junit, &run);
        let document = roxmltree::Document::parse(&xml)
            .unwrap_or_else(|e| panic!("round {round}: {e}\n{noise:?}\n{xml}"));
        let message = document
            .descendants()
            .find_map(|n| n.has_tag_name("failure").then(|| n.attribute("message")))
            .flatten();
        assert_eq!(
            message,
            Some(text::one_line(&noise).as_str()),
            "round {round}"
        );
        let out = document
            .descendants()
            .find_map(|n| n.has_tag_name("system-out").then(|| n.text()))
            .flatten()
            .unwrap();
        assert!(out.starts_with(&format!(
            "other-failure: {}",
            text::one_line(&noise).replace("[[ATTACHMENT", "[ [ATTACHMENT")
        )));
        // The other formats take the same noise.
        ktap::parse(&export(&Ktap, &run)).unwrap();
        serde_json::from_str::<serde_json::Value>(&export(&kcidb::Kcidb, &run)).unwrap();
    }
}

#[test]
fn ktap_reads_back() {
    let run = fixtures::sample();
    let tests = ktap::parse(&export(&Ktap, &run)).unwrap();
    let mut read = BTreeMap::new();
    for kernel in &tests {
        for driver in &kernel.children {
            for case in &driver.children {
                let name = format!("{}/{}/{}", kernel.name, driver.name, case.name);
                read.insert(name, (case.ok, case.directive.clone()));
            }
            assert_eq!(driver.ok, driver.children.iter().all(|c| c.ok));
        }
    }
    assert_eq!(read.len(), run.cells.len());
    for cell in &run.cells {
        let name = cell.id.to_string().replace("/none/", "/loopback/");
        let (ok, directive) = &read[&name];
        let expected = match cell.status {
            Status::Skipped => (true, Some("SKIP")),
            Status::Clean => (cell.as_expected(), None),
            _ if cell.as_expected() => (true, Some("XFAIL")),
            Status::OrphanBug | Status::OtherFailure => (false, None),
            Status::Inconclusive | Status::Infra => (false, Some("ERROR")),
        };
        assert_eq!((*ok, directive.as_deref()), expected, "{name}");
    }
}

#[test]
fn a_guest_that_fell_silent_is_a_timeout() {
    let mut cell = fixtures::infra(fixtures::id("k", "d", "s", tunfarm_protocol::Datapath::Tun));
    cell.findings[0].kind = tunfarm_reports::model::FindingKind::Silent;
    let run = fixtures::run(&["k"], &["d"], &["s"], vec![cell]);
    let tests = ktap::parse(&export(&Ktap, &run)).unwrap();
    let case = &tests[0].children[0].children[0];
    assert_eq!(case.directive.as_deref(), Some("TIMEOUT"));
}
