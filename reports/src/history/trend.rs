//! Runs one after another: how many cells had which status.

use rusqlite::params;

use super::{History, HistoryError, reading, status};
use crate::model::{RunResults, Status};

/// One run as the trend shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrendPoint {
    /// When it began, RFC 3339.
    pub started: String,
    /// Cells by status, in the order of [`Status::ALL`].
    pub counts: [usize; Status::ALL.len()],
    /// Cells that were not as expected.
    pub unexpected: usize,
}

impl TrendPoint {
    /// A run without cells.
    pub(super) fn empty(started: &str) -> TrendPoint {
        TrendPoint {
            started: started.to_owned(),
            counts: Default::default(),
            unexpected: 0,
        }
    }

    /// The counts of `run`.
    pub(super) fn of(run: &RunResults) -> TrendPoint {
        let mut point = TrendPoint {
            unexpected: run.summary().unexpected,
            ..TrendPoint::empty(&run.started)
        };
        for cell in &run.cells {
            point.add(cell.status, 1);
        }
        point
    }

    fn add(&mut self, status: Status, count: usize) {
        if let Some(at) = Status::ALL.iter().position(|s| *s == status) {
            self.counts[at] += count;
        }
    }

    /// How many cells had this status.
    pub fn count(&self, status: Status) -> usize {
        Status::ALL
            .iter()
            .position(|s| *s == status)
            .map_or(0, |at| self.counts[at])
    }
}

impl History {
    /// The newest `limit` runs that began before `at` (milliseconds since 1970), oldest first.
    pub(super) fn runs_before(
        &self,
        at: i64,
        limit: usize,
    ) -> Result<Vec<TrendPoint>, HistoryError> {
        let mut query = self
            .db
            .prepare_cached(
                "SELECT run.started, cell.status, count(*), sum(NOT cell.as_expected), run.at_ms \
                 FROM cell JOIN run ON run.id = cell.run \
                 WHERE run.id IN (SELECT id FROM run WHERE at_ms < ?1 ORDER BY at_ms DESC LIMIT ?2) \
                 GROUP BY run.id, cell.status ORDER BY run.at_ms, run.id",
            )
            .map_err(reading)?;
        let rows = query
            .query_map(params![at, limit as i64], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    status(&row.get::<_, String>(1)?),
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .map_err(reading)?;
        let mut points: Vec<TrendPoint> = Vec::new();
        for row in rows {
            let (started, status, count, unexpected) = row.map_err(reading)?;
            if points.last().is_none_or(|p| p.started != started) {
                points.push(TrendPoint::empty(&started));
            }
            if let Some(point) = points.last_mut() {
                point.add(status, count.max(0) as usize);
                point.unexpected += unexpected.max(0) as usize;
            }
        }
        Ok(points)
    }
}
