//! Which cells are done, and which wait for their controls.

use std::collections::BTreeMap;

use tunfarm_reports::model::CellResult;

use crate::plan::PlannedCell;
use crate::verdict::{Controls, settle};

/// Results by planned cell. A TUN cell is settled once its loopback control and, where the matrix
/// has one, the seeded bug's cell are known.
#[derive(Debug)]
pub(super) struct Board {
    controls: bool,
    positive_control: Option<String>,
    planned: Vec<PlannedCell>,
    judged: BTreeMap<PlannedCell, CellResult>,
    settled: BTreeMap<PlannedCell, CellResult>,
}

impl Board {
    /// Without `controls` every cell stands for itself.
    pub(super) fn new(
        planned: Vec<PlannedCell>,
        positive_control: Option<String>,
        controls: bool,
    ) -> Board {
        Board {
            controls,
            positive_control,
            planned,
            judged: BTreeMap::new(),
            settled: BTreeMap::new(),
        }
    }

    /// Takes a judged cell; returns those that are settled by it.
    pub(super) fn take(&mut self, cell: PlannedCell, result: CellResult) -> Vec<CellResult> {
        self.judged.insert(cell.clone(), result);
        let same_place = |other: &PlannedCell| {
            (&other.kernel, &other.scenario, other.ip) == (&cell.kernel, &cell.scenario, cell.ip)
        };
        let ready: Vec<PlannedCell> = self
            .planned
            .iter()
            .filter(|c| same_place(c) && !self.settled.contains_key(c) && self.heard(c))
            .cloned()
            .collect();
        ready.into_iter().map(|c| self.settle(c)).collect()
    }

    /// What has been judged but not settled: an interruption came before its controls.
    pub(super) fn finish(mut self) -> Vec<CellResult> {
        let left: Vec<PlannedCell> = self
            .judged
            .keys()
            .filter(|c| !self.settled.contains_key(c))
            .cloned()
            .collect();
        for cell in left {
            self.settle(cell);
        }
        self.planned
            .iter()
            .filter_map(|c| self.settled.remove(c))
            .collect()
    }

    fn heard(&self, cell: &PlannedCell) -> bool {
        self.judged.contains_key(cell)
            && self
                .controls_of(cell)
                .into_iter()
                .flatten()
                .all(|c| self.judged.contains_key(&c))
    }

    /// The planned loopback control and the planned cell of the seeded bug.
    fn controls_of(&self, cell: &PlannedCell) -> [Option<PlannedCell>; 2] {
        use tunfarm_protocol::Datapath;
        use tunfarm_reports::model::CellId;
        if cell.datapath == Datapath::Loopback || !self.controls {
            return [None, None];
        }
        let planned = |c: PlannedCell| self.planned.contains(&c).then_some(c);
        let loopback = planned(PlannedCell {
            driver: CellId::NO_DRIVER.into(),
            datapath: Datapath::Loopback,
            ..cell.clone()
        });
        let seeded = self
            .positive_control
            .as_ref()
            .filter(|driver| **driver != cell.driver)
            .and_then(|driver| {
                planned(PlannedCell {
                    driver: driver.clone(),
                    ..cell.clone()
                })
            });
        [loopback, seeded]
    }

    fn settle(&mut self, cell: PlannedCell) -> CellResult {
        let [loopback, seeded] = self.controls_of(&cell);
        let mut result = self.judged[&cell].clone();
        let seen = |c: Option<PlannedCell>| c.and_then(|c| self.judged.get(&c));
        // Where no retransmission is made, the seeded bug has nothing to show.
        let sees_the_bug = !result.witnesses.is_empty();
        settle(
            &mut result,
            Controls {
                loopback: seen(loopback),
                seeded: if sees_the_bug { seen(seeded) } else { None },
            },
        );
        self.settled.insert(cell, result.clone());
        result
    }
}
