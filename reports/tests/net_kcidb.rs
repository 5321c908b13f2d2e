//! `kcidb.json` is valid by kcidb-io's own schema, which comes from PyPI.

use std::process::Command;

use tunfarm_reports::{fixtures, write_all};

/// Every 5.x schema the package has, oldest first; prints how many accepted.
const CHECK: &str = r#"
import json, sys
import kcidb_io.schema as schema
data = json.load(open(sys.argv[1]))
accepted = 0
for name in ("V5_0", "V5_1", "V5_2", "V5_3"):
    version = getattr(schema, name, None)
    if version is None:
        continue
    if version is schema.V5_0:
        version.validate(data)
        assert version.is_compatible_directly(data)
    else:
        version.validate(version.upgrade(data))
    accepted += 1
tests = {t["id"]: t for t in data["tests"]}
assert len(tests) == len(data["tests"]), "test ids repeat"
builds = {b["id"] for b in data["builds"]}
assert all(t["build_id"] in builds for t in tests.values())
assert all(i["test_id"] in tests for i in data["incidents"])
print(accepted, len(tests), len(data["incidents"]))
"#;

#[test]
fn kcidb_io_accepts_what_was_run() {
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "kcidb-io",
    ]));

    let results = fixtures::sample();
    write_all(&results, dir.path()).unwrap();
    let said = run(Command::new(venv.join("bin/python"))
        .args(["-c", CHECK])
        .arg(dir.path().join("kcidb.json")));
    let numbers: Vec<usize> = said
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    let bugs = results.summary().by_status["orphan-bug"];
    assert!(numbers[0] >= 1, "no 5.x schema accepted it");
    assert_eq!(numbers[1..], [results.cells.len(), bugs]);
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
