//! Holding a verdict against its controls.

use tunfarm_reports::model::{CellResult, Status};

/// The controls of a TUN cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Controls<'a> {
    /// The same scenario over loopback, which orphans in its own transmit function.
    pub loopback: Option<&'a CellResult>,
    /// The same scenario with the seeded bug: a farm that cannot see it must not say "clean".
    pub seeded: Option<&'a CellResult>,
}

/// Changes `cell` as its controls demand.
pub fn settle(cell: &mut CellResult, controls: Controls<'_>) {
    if let Some(control) = controls.loopback {
        cell.control = Some(control.id.clone());
        match (cell.status, control.status) {
            (_, Status::Clean | Status::Skipped) => {}
            (Status::Clean, other) | (Status::OrphanBug, other) => {
                cell.reason = format!(
                    "the loopback control is {other} ({}); by its own evidence this cell is {}: {}",
                    control.reason, cell.status, cell.reason
                );
                cell.status = Status::Inconclusive;
            }
            (Status::OtherFailure, Status::OtherFailure) => {
                cell.reason = format!(
                    "{} — loopback fails too, so it is not the driver",
                    cell.reason
                );
            }
            _ => {}
        }
    }
    if let Some(seeded) = controls.seeded {
        if cell.status == Status::Clean && seeded.status != Status::OrphanBug {
            cell.status = Status::Inconclusive;
            cell.reason = format!(
                "the seeded bug was not seen tonight: {} is {} ({})",
                seeded.id, seeded.status, seeded.reason
            );
        }
    }
}
