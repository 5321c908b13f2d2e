//! What earlier runs showed: an SQLite file that takes every run.
//!
//! A combination is followed by the *spec* its kernel was asked for by (`debian:trixie/cloud`),
//! not by the kernel's label, which changes with each point release: so a bug that came with
//! 6.12.96 is new, and 6.12.95 is the last good kernel.

mod schema;
mod standing;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use standing::{Good, Past, Standing, Turn};

use crate::model::{CellId, RunResults, Status};
use standing::Seen;

/// How many earlier runs of a combination are looked at.
const DEPTH: usize = 400;

/// How many runs a trend shows.
const TREND: usize = 60;

/// The history, open.
#[derive(Debug)]
pub struct History {
    db: Connection,
}

/// Why the history could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be opened.
    #[error("cannot open the history {path}: {source}")]
    Open {
        /// Which file.
        path: String,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is of another generation.
    #[error(
        "the history {path} has schema {found}, this version knows up to {known}: use a newer \
         tunfarm, or another file"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A run says no time at which it began, so it has no place in a history.
    #[error("the run began at `{0}`, which is no RFC 3339 time: it has no place in the history")]
    Started(String),
    /// SQLite said no.
    #[error("cannot {doing} the history: {source}")]
    Sql {
        /// `read`, `write`.
        doing: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
}

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

fn reading(source: rusqlite::Error) -> HistoryError {
    HistoryError::Sql {
        doing: "read",
        source,
    }
}

fn writing(source: rusqlite::Error) -> HistoryError {
    HistoryError::Sql {
        doing: "write",
        source,
    }
}

impl History {
    /// Opens the history in `path`, making it if it is not there.
    ///
    /// # Errors
    /// It cannot be opened, is no SQLite file, or was made by a newer version.
    pub fn open(path: &Path) -> Result<History, HistoryError> {
        let name = path.display().to_string();
        let open = |source| HistoryError::Open {
            path: name.clone(),
            source,
        };
        let mut db = Connection::open(path).map_err(open)?;
        // Two runs may end at once; each waits for the other's short transaction.
        db.busy_timeout(Duration::from_secs(30)).map_err(open)?;
        db.pragma_update(None, "foreign_keys", true).map_err(open)?;
        match schema::bring_up(&mut db).map_err(open)? {
            Ok(()) => Ok(History { db }),
            Err(found) => Err(HistoryError::Newer {
                path: name,
                found,
                known: schema::VERSION,
            }),
        }
    }

    /// Takes a run. Taking the same run again (its report was made again) replaces it.
    ///
    /// # Errors
    /// The run has no time, or the file cannot be written.
    pub fn record(&mut self, run: &RunResults) -> Result<(), HistoryError> {
        let at = unix_ms(&run.started)?;
        let tracks = Tracks::new(run);
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(writing)?;
        let digest = digest(run);
        transaction
            .execute("DELETE FROM run WHERE digest = ?1", [&digest])
            .map_err(writing)?;
        transaction
            .execute(
                "INSERT INTO run (digest, at_ms, started, plan, shard, tool, clock, duration_s, \
                 interrupted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    digest,
                    at,
                    run.started,
                    run.plan,
                    run.shard,
                    run.tool,
                    run.clock,
                    run.duration_s,
                    run.interrupted
                ],
            )
            .map_err(writing)?;
        let id = transaction.last_insert_rowid();
        {
            let mut insert = transaction
                .prepare(
                    "INSERT OR REPLACE INTO cell (run, track, kernel, driver, scenario, lane, \
                     status, as_expected, flaky, reason) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )
                .map_err(writing)?;
            for cell in &run.cells {
                insert
                    .execute(params![
                        id,
                        tracks.of(&cell.id),
                        cell.id.kernel,
                        cell.id.driver,
                        cell.id.scenario,
                        cell.id.lane(),
                        cell.status.word(),
                        cell.as_expected(),
                        cell.flaky(),
                        cell.reason
                    ])
                    .map_err(writing)?;
            }
        }
        transaction.commit().map_err(writing)
    }

    /// What the runs before `run` say about it: each cell's standing, and the trend.
    ///
    /// # Errors
    /// The run has no time, or the file cannot be read.
    pub fn past(&self, run: &RunResults) -> Result<Past, HistoryError> {
        let at = unix_ms(&run.started)?;
        let tracks = Tracks::new(run);
        let mut standings = Vec::with_capacity(run.cells.len());
        for cell in &run.cells {
            let before = self.seen_before(tracks.of(&cell.id), &cell.id, at)?;
            let mut standing = Standing::of(cell, &run.started, &before);
            if standing.is_trouble() {
                standing.last_good_driver = self.last_good_driver(run, &cell.id, at)?;
            }
            standings.push(standing);
        }
        let than = self
            .previous(at)?
            .map(|started| since(&started, &run.started));
        Ok(Past {
            than,
            standings,
            trend: self.trend(run, at)?,
        })
    }

    /// The earlier results of a combination, newest first.
    fn seen_before(&self, track: &str, id: &CellId, at: i64) -> Result<Vec<Seen>, HistoryError> {
        let mut query = self
            .db
            .prepare_cached(
                "SELECT cell.kernel, cell.status, run.started FROM cell JOIN run ON run.id = cell.run \
                 WHERE cell.track = ?1 AND cell.driver = ?2 AND cell.scenario = ?3 \
                 AND cell.lane = ?4 AND run.at_ms < ?5 ORDER BY run.at_ms DESC LIMIT ?6",
            )
            .map_err(reading)?;
        let rows = query
            .query_map(
                params![track, id.driver, id.scenario, id.lane(), at, DEPTH as i64],
                |row| {
                    Ok(Seen {
                        kernel: row.get(0)?,
                        status: status(&row.get::<_, String>(1)?),
                        started: row.get(2)?,
                    })
                },
            )
            .map_err(reading)?;
        rows.collect::<Result<_, _>>().map_err(reading)
    }

    /// The driver with which this kernel was last clean in the same scenario: in `run` itself, or
    /// before it.
    fn last_good_driver(
        &self,
        run: &RunResults,
        id: &CellId,
        at: i64,
    ) -> Result<Option<Good>, HistoryError> {
        let here = run.cells.iter().find(|other| {
            other.status == Status::Clean
                && other.id.driver != CellId::NO_DRIVER
                && CellId {
                    driver: id.driver.clone(),
                    ..other.id.clone()
                } == *id
        });
        if let Some(other) = here {
            return Ok(Some(Good {
                label: other.id.driver.clone(),
                started: run.started.clone(),
            }));
        }
        self.db
            .query_row(
                "SELECT cell.driver, run.started FROM cell JOIN run ON run.id = cell.run \
                 WHERE cell.kernel = ?1 AND cell.scenario = ?2 AND cell.lane = ?3 \
                 AND cell.status = 'clean' AND run.at_ms < ?4 ORDER BY run.at_ms DESC LIMIT 1",
                params![id.kernel, id.scenario, id.lane(), at],
                |row| {
                    Ok(Good {
                        label: row.get(0)?,
                        started: row.get(1)?,
                    })
                },
            )
            .optional()
            .map_err(reading)
    }

    /// When the last run before this one began.
    fn previous(&self, at: i64) -> Result<Option<String>, HistoryError> {
        self.db
            .query_row(
                "SELECT started FROM run WHERE at_ms < ?1 ORDER BY at_ms DESC LIMIT 1",
                [at],
                |row| row.get(0),
            )
            .optional()
            .map_err(reading)
    }

    /// The runs up to and with `run`, oldest first.
    fn trend(&self, run: &RunResults, at: i64) -> Result<Vec<TrendPoint>, HistoryError> {
        let mut points = self.runs_before(at, TREND - 1)?;
        points.push(TrendPoint::of(run));
        Ok(points)
    }

    /// The newest `limit` runs that began before `at` (milliseconds since 1970), oldest first.
    fn runs_before(&self, at: i64, limit: usize) -> Result<Vec<TrendPoint>, HistoryError> {
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
                points.push(TrendPoint {
                    started,
                    counts: Default::default(),
                    unexpected: 0,
                });
            }
            if let Some(point) = points.last_mut() {
                point.add(status, count.max(0) as usize);
                point.unexpected += unexpected.max(0) as usize;
            }
        }
        Ok(points)
    }

    /// All runs, oldest first, for `tunfarm history`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self) -> Result<Vec<TrendPoint>, HistoryError> {
        self.runs_before(i64::MAX, 10_000)
    }
}

impl TrendPoint {
    fn of(run: &RunResults) -> TrendPoint {
        let mut point = TrendPoint {
            started: run.started.clone(),
            counts: Default::default(),
            unexpected: run.summary().unexpected,
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

/// What each kernel is followed by: its spec, unless several kernels of the run share it.
struct Tracks<'a>(HashMap<&'a str, &'a str>);

impl<'a> Tracks<'a> {
    fn new(run: &'a RunResults) -> Tracks<'a> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for kernel in &run.kernels {
            *uses.entry(&kernel.spec).or_default() += 1;
        }
        let track = |kernel: &'a crate::model::KernelInfo| match uses[kernel.spec.as_str()] {
            1 => kernel.spec.as_str(),
            _ => kernel.label.as_str(),
        };
        Tracks(
            run.kernels
                .iter()
                .map(|kernel| (kernel.label.as_str(), track(kernel)))
                .collect(),
        )
    }

    fn of<'b>(&self, id: &'b CellId) -> &'b str
    where
        'a: 'b,
    {
        self.0
            .get(id.kernel.as_str())
            .copied()
            .unwrap_or(&id.kernel)
    }
}

fn digest(run: &RunResults) -> String {
    let shard = run.shard.as_deref().unwrap_or("whole");
    format!("{}\n{}\n{}\n{shard}", run.started, run.plan, run.host.name)
}

fn status(word: &str) -> Status {
    // A word of a later version says nothing about the kernel to this one.
    let known = Status::ALL.iter().find(|s| s.word() == word);
    known.copied().unwrap_or(Status::Infra)
}

fn parse(started: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(started, &Rfc3339).ok()
}

fn unix_ms(started: &str) -> Result<i64, HistoryError> {
    let at = parse(started).ok_or_else(|| HistoryError::Started(started.to_owned()))?;
    Ok((at.unix_timestamp_nanos() / 1_000_000) as i64)
}

/// How people call the run of `before` on the day of `now`: `yesterday`, `2026-11-20 02:00`.
pub(crate) fn since(before: &str, now: &str) -> String {
    if let (Some(before), Some(now)) = (parse(before), parse(now)) {
        if before.date().next_day() == Some(now.date()) {
            return "yesterday".to_owned();
        }
        let (date, time) = (before.date(), before.time());
        return format!("{date} {:02}:{:02}", time.hour(), time.minute());
    }
    before.to_owned()
}

#[cfg(test)]
mod tests;
