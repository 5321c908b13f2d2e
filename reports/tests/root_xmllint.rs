//! `junit.xml` is valid by a schema, whatever a console printed. Needs Debian's `libxml2-utils`.

use std::path::Path;
use std::process::Command;

use tunfarm_reports::{fixtures, write_all};

#[test]
fn xmllint_accepts_the_sample_and_noise() {
    let mut noisy = fixtures::sample();
    for cell in &mut noisy.cells {
        cell.reason.push_str(fixtures::NOISE);
        cell.id.scenario.push_str(fixtures::NOISE);
    }
    noisy.host.name = fixtures::NOISE.into();
    for results in [
        fixtures::sample(),
        noisy,
        fixtures::run(&[], &[], &[], vec![]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_all(&results, dir.path()).unwrap();
        validate(&dir.path().join("junit.xml"));
    }
}

fn validate(file: &Path) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/junit.xsd");
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg(file)
        .output()
        .expect("xmllint starts (package libxml2-utils)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
