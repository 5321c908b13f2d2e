//! The confusion matrix: every shipped edit on the newest kernel of each suite gets its true
//! verdict. `orphan-bug` exactly for the edits that are the bug, and nothing misjudged.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::run_in;
use tunfarm_drivers::edit::{IsBug, shipped};
use tunfarm_reports::load;
use tunfarm_reports::model::Status;

/// A scenario that retransmits while nothing is read, one with many unread packets, one whose
/// lines read every packet.
const SCENARIOS: [&str; 3] = ["closing", "closing-bulk", "shutdown-vs-close"];

/// Edits that a farm has to notice, though they are not the bug.
const NOTICED: [&str; 4] = ["drop-all", "drop-fin", "duplicate", "corrupt"];

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

    type Cells<'a> = Vec<(&'a str, Status, &'a str)>;
    let mut seen: BTreeMap<(&str, &str), Cells<'_>> = BTreeMap::new();
    for cell in &run.cells {
        let entry = (cell.id.scenario.as_str(), cell.status, cell.reason.as_str());
        seen.entry((&cell.id.kernel, &cell.id.driver))
            .or_default()
            .push(entry);
    }
    let mut wrong = String::new();
    for kernel in &run.kernels {
        for edit in &edits {
            let cells = &seen[&(kernel.label.as_str(), edit.name.as_str())];
            let status = |scenario: &str| {
                cells
                    .iter()
                    .find(|(s, ..)| *s == scenario)
                    .map(|(_, status, _)| *status)
            };
            let word = |e| serde_json::to_value(e).expect("a word");
            let words = |s: Status| edit.expect.iter().any(|e| word(e) == s.word());
            let allowed = |s: Status| words(s) || (s == Status::Clean && edit.is_bug != IsBug::No);
            let right = cells.iter().all(|(_, s, _)| allowed(*s))
                && match edit.is_bug {
                    IsBug::Yes => {
                        status("closing") == Some(Status::OrphanBug)
                            && status("closing-bulk") == Some(Status::OrphanBug)
                    }
                    IsBug::UnderCondition => status("closing-bulk") == Some(Status::OrphanBug),
                    IsBug::No => true,
                };
            let noticed = !NOTICED.contains(&edit.name.as_str())
                || cells.iter().any(|(_, s, _)| *s == Status::OtherFailure);
            if !right || !noticed {
                let _ = writeln!(wrong, "{} with {}: {cells:?}", kernel.label, edit.name);
            }
        }
    }
    assert_eq!(run.kernels.len(), 4);
    assert!(wrong.is_empty(), "misjudged:\n{wrong}");
}
