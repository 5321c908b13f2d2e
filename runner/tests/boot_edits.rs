//! The confusion matrix: every shipped edit on the newest kernel of each suite gets its true
//! verdict. `orphan-bug` exactly for the edits that are the bug, and nothing misjudged.

mod common;

use std::fmt::Write as _;

use common::run_in;
use tunfarm_drivers::edit::{IsBug, shipped};
use tunfarm_reports::confusion::Confusion;
use tunfarm_reports::load;
use tunfarm_reports::model::{CellResult, Status};

/// Scenarios that retransmit while nothing is read, two of them behind unread packets, and one
/// whose lines read every packet.
const SCENARIOS: [&str; 5] = [
    "closing",
    "closing-bulk",
    "closing-never",
    "shutdown-vs-close",
    "fin-wait-1",
];

#[test]
fn every_shipped_edit_gets_its_true_verdict() {
    let edits: Vec<_> = shipped()
        .expect("the shipped edits")
        .into_iter()
        // The fix for kernels that lack the call is refused by those that have it.
        .filter(|e| e.name != "orphan")
        .collect();
    let mut matrix = String::from(
        "kernels: [debian:bullseye/cloud, debian:bookworm/cloud, debian:trixie/cloud, debian:trixie-backports/cloud]\n",
    );
    let names: Vec<String> = edits.iter().map(|e| format!("'edit:{}'", e.name)).collect();
    writeln!(
        matrix,
        "drivers: [{}]\nscenarios: [{}]",
        names.join(", "),
        SCENARIOS.join(", ")
    )
    .expect("a string takes it");
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("m.yaml"), matrix).expect("a matrix");
    let ended = run_in(dir.path(), "out", &["--matrix", "m.yaml"]);
    let run = load(&dir.path().join("out")).unwrap_or_else(|e| panic!("{e}: {}", ended.stderr));

    assert_eq!(run.kernels.len(), 4);
    let confusion = Confusion::new(&run).expect("seeded faults");
    assert_eq!(confusion.rows.len(), edits.len());
    assert!(confusion.rows.iter().all(|row| row.judged == 4));
    let mut wrong: Vec<String> = confusion.misjudged().collect();

    // That some scenario noticed is not enough where we know which one has to.
    for kernel in &run.kernels {
        for edit in &edits {
            let status = |scenario: &str| {
                let here = |c: &&CellResult| {
                    c.id.kernel == kernel.label
                        && c.id.driver == edit.name
                        && c.id.scenario == scenario
                };
                run.cells.iter().find(here).map(|c| c.status)
            };
            let must = |scenario: &str, expected: Status| {
                let seen = status(scenario);
                (seen != Some(expected)).then(|| {
                    format!(
                        "{} on {}: {scenario} is {seen:?}, not {expected}",
                        edit.name, kernel.label
                    )
                })
            };
            match edit.is_bug {
                IsBug::Yes => wrong.extend(must("closing", Status::OrphanBug)),
                _ if edit.name == "drop-fin" => {
                    wrong.extend(must("closing", Status::OtherFailure));
                }
                _ => {}
            }
            if edit.is_bug != IsBug::No {
                // Its FIN is queued behind packets that nobody reads.
                wrong.extend(must("closing-never", Status::OrphanBug));
            }
        }
    }
    assert!(wrong.is_empty(), "misjudged:\n{}", wrong.join("\n"));
}
