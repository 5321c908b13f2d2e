//! `kcidb.json`: the run as the kernel CI database takes it, I/O schema 5.0.
//!
//! A kernel is a checkout, a kernel with a driver a build of it, a cell a test of that build. The
//! orphan bug is an issue, and each cell that shows it an incident. `kcidb-io`'s schema:
//! <https://github.com/kernelci/kcidb-io>.

use serde_json::{Map, Value, json};

use super::{ExportError, Exporter};
use crate::Report;
use crate::model::{CellResult, KernelInfo, Status};
use crate::overview::Overview;
use crate::story::story;
use crate::text;

/// The name of this CI system in the database, and the beginning of every id.
const ORIGIN: &str = "tunfarm";

/// The schema's limit of a log excerpt is 16384 characters; ours counts bytes.
const EXCERPT_LIMIT: usize = 8192;

/// Writes kcidb's I/O JSON.
pub struct Kcidb;

impl Exporter for Kcidb {
    fn file_name(&self) -> &'static str {
        "kcidb.json"
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let run = report.run;
        let overview = Overview::new(run);
        let mut checkouts = Vec::new();
        let mut builds = Vec::new();
        for label in &overview.kernels {
            let info = run.kernels.iter().find(|k| k.label == *label);
            checkouts.push(checkout(label, info));
            for driver in &overview.drivers {
                if overview.square(label, driver).is_some() {
                    builds.push(json!({
                        "id": build_id(label, driver),
                        "origin": ORIGIN,
                        "checkout_id": checkout_id(label),
                        "architecture": "x86_64",
                        "comment": fit(&format!(
                            "{label} with tun driver {}", Overview::driver_heading(driver)
                        )),
                        "status": "PASS",
                    }));
                }
            }
        }
        let tests: Vec<Value> = run.cells.iter().map(|cell| test(report, cell)).collect();
        let incidents: Vec<Value> = run
            .cells
            .iter()
            .filter(|cell| cell.status == Status::OrphanBug)
            .map(|cell| {
                json!({
                    "id": test_id(report, cell),
                    "origin": ORIGIN,
                    "issue_id": ISSUE_ID,
                    "issue_version": 1,
                    "test_id": test_id(report, cell),
                    "present": true,
                })
            })
            .collect();
        let mut all = json!({
            "version": { "major": 5, "minor": 0 },
            "checkouts": checkouts,
            "builds": builds,
            "tests": tests,
        });
        if !incidents.is_empty() {
            all["issues"] = json!([issue()]);
            all["incidents"] = Value::Array(incidents);
        }
        let mut bytes = serde_json::to_vec_pretty(&all)
            .map_err(|e| ExportError(format!("the JSON does not serialise: {e}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

const ISSUE_ID: &str = "tunfarm:tun-orphan-bug";

fn issue() -> Value {
    json!({
        "id": ISSUE_ID,
        "origin": ORIGIN,
        "version": 1,
        "culprit": { "code": true, "tool": false, "harness": false },
        "comment": "tun does not orphan what it queues: TCP's retransmissions are refused, the \
                    timer backs off, and nothing reaches the wire",
    })
}

fn checkout(label: &str, info: Option<&KernelInfo>) -> Value {
    let mut misc = Map::new();
    for (key, value) in [
        ("spec", info.map(|k| k.spec.as_str())),
        (
            "package_version",
            info.and_then(|k| k.package_version.as_deref()),
        ),
        ("sha256", info.and_then(|k| k.sha256.as_deref())),
    ] {
        if let Some(value) = value {
            misc.insert(key.to_owned(), fit(value).into());
        }
    }
    json!({
        "id": checkout_id(label),
        "origin": ORIGIN,
        "comment": fit(label),
        "valid": true,
        "misc": misc,
    })
}

fn test(report: &Report<'_>, cell: &CellResult) -> Value {
    let run = report.run;
    let witnesses: Map<String, Value> = cell
        .witnesses
        .iter()
        .map(|w| {
            let said = json!({ "says": w.says, "reading": fit(&w.reading) });
            (fit(&w.witness), said)
        })
        .collect();
    let mut test = json!({
        "id": test_id(report, cell),
        "origin": ORIGIN,
        "build_id": build_id(&cell.id.kernel, &cell.id.driver),
        "path": path(cell),
        "comment": fit(&cell.reason),
        "status": status(cell.status),
        "log_excerpt": text::bounded(&story(cell), EXCERPT_LIMIT, "the cell's folder"),
        "environment": { "comment": fit(&format!("{} ({})", run.host.qemu, run.host.accel)) },
        "misc": {
            "verdict": cell.status,
            "expected": cell.expected,
            "witnesses": witnesses,
            "flaky": cell.flaky(),
            "command": fit(&cell.command),
        },
    });
    // The schema knows no null.
    if let Some(mechanism) = cell.mechanism {
        test["misc"]["mechanism"] = json!(mechanism);
    }
    if cell.timings.total_ms.is_finite() && cell.timings.total_ms > 0.0 {
        test["duration"] = json!(cell.timings.total_ms / 1000.0);
    }
    let rfc3339 = time::format_description::well_known::Rfc3339;
    if time::OffsetDateTime::parse(&run.started, &rfc3339).is_ok() {
        test["start_time"] = json!(run.started);
    }
    test
}

/// What the database calls it: inconclusive and infra say nothing about the code.
fn status(status: Status) -> &'static str {
    match status {
        Status::Clean => "PASS",
        Status::OrphanBug | Status::OtherFailure => "FAIL",
        Status::Inconclusive => "ERROR",
        Status::Infra => "MISS",
        Status::Skipped => "SKIP",
    }
}

/// `tunfarm.closing.tun`: each part of letters, digits, `_` and `-` only.
fn path(cell: &CellResult) -> String {
    let parts = [ORIGIN]
        .into_iter()
        .chain(cell.id.scenario.split('/'))
        .map(str::to_owned)
        .chain([cell.id.lane()]);
    let fit = |part: String| -> String {
        let fit = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let part: String = part.chars().map(fit).collect();
        if part.is_empty() { "_".into() } else { part }
    };
    parts.map(fit).collect::<Vec<_>>().join(".")
}

fn checkout_id(kernel: &str) -> String {
    format!("{ORIGIN}:{}", fit(kernel))
}

fn build_id(kernel: &str, driver: &str) -> String {
    format!("{ORIGIN}:{}/{}", fit(kernel), fit(driver))
}

fn test_id(report: &Report<'_>, cell: &CellResult) -> String {
    let run = report.run;
    let (host, started) = (fit(&run.host.name), fit(&run.started));
    format!("{ORIGIN}:{host}/{started}/{}", fit(&cell.id.to_string()))
}

/// The schema forbids NUL and nothing else; people read it, though.
fn fit(text: &str) -> String {
    text::one_line(text)
}
