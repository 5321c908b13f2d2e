//! What earlier runs showed: an SQLite file that takes every run.
//!
//! A combination is followed by the *spec* its kernel was asked for by (`debian:trixie/cloud`),
//! not by the kernel's label, which changes with each point release: so a bug that came with
//! 6.12.96 is new, and 6.12.95 is the last good kernel.

mod schema;
mod standing;
mod tracks;
mod trend;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use standing::{Good, Past, Standing, Turn};
pub use trend::TrendPoint;

use crate::model::{CellId, CellResult, RunResults, Status};
use standing::{Seen, Subject};
use tracks::Tracks;

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
        let subject = |cell: &CellResult| Subject {
            track: tracks.of(&cell.id).to_owned(),
            id: cell.id.clone(),
            status: cell.status,
            flaky: cell.flaky(),
        };
        let subjects: Vec<Subject> = run.cells.iter().map(subject).collect();
        self.past_of(&subjects, &run.started, at, TrendPoint::of(run))
    }

    /// What the history says about the newest run it took; `None` while it is empty.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn newest(&self) -> Result<Option<Past>, HistoryError> {
        let newest = self
            .db
            .query_row(
                "SELECT id, started, at_ms FROM run ORDER BY at_ms DESC, id DESC LIMIT 1",
                [],
                |row| {
                    let (id, started, at) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok::<(i64, String, i64), _>((id, started, at))
                },
            )
            .optional()
            .map_err(reading)?;
        let Some((run, started, at)) = newest else {
            return Ok(None);
        };
        let subjects = self.subjects(run)?;
        let this = self.runs_before(i64::MAX, 1)?.pop();
        let this = this.unwrap_or_else(|| TrendPoint::empty(&started));
        self.past_of(&subjects, &started, at, this).map(Some)
    }

    /// The cells of a run, as they were recorded.
    fn subjects(&self, run: i64) -> Result<Vec<Subject>, HistoryError> {
        let mut query = self
            .db
            .prepare_cached(
                "SELECT track, kernel, driver, scenario, lane, status, flaky FROM cell \
                 WHERE run = ?1 ORDER BY kernel, driver, scenario, lane",
            )
            .map_err(reading)?;
        let rows = query
            .query_map([run], |row| {
                let part = |at| row.get::<_, String>(at);
                let name = format!("{}/{}/{}/{}", part(1)?, part(2)?, part(3)?, part(4)?);
                Ok((part(0)?, name, status(&part(5)?), row.get(6)?))
            })
            .map_err(reading)?;
        let mut subjects = Vec::new();
        for row in rows {
            let (track, name, status, flaky) = row.map_err(reading)?;
            // A lane this version does not know has no place in what it tells.
            if let Ok(id) = name.parse() {
                subjects.push(Subject {
                    track,
                    id,
                    status,
                    flaky,
                });
            }
        }
        Ok(subjects)
    }

    fn past_of(
        &self,
        subjects: &[Subject],
        started: &str,
        at: i64,
        this: TrendPoint,
    ) -> Result<Past, HistoryError> {
        let mut standings = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let before = self.seen_before(&subject.track, &subject.id, at)?;
            let mut standing = Standing::of(subject, started, &before);
            if standing.is_trouble() {
                standing.last_good_driver =
                    self.last_good_driver(subjects, &subject.id, started, at)?;
            }
            standings.push(standing);
        }
        let mut trend = self.runs_before(at, TREND - 1)?;
        trend.push(this);
        Ok(Past {
            than: self.previous(at)?.map(|before| since(&before, started)),
            standings,
            trend,
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

    /// The driver with which this kernel was last clean in the same scenario: in the run itself,
    /// or before it.
    fn last_good_driver(
        &self,
        subjects: &[Subject],
        id: &CellId,
        started: &str,
        at: i64,
    ) -> Result<Option<Good>, HistoryError> {
        let here = subjects.iter().find(|other| {
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
                started: started.to_owned(),
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

    /// All runs, oldest first, for `tunfarm history`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self) -> Result<Vec<TrendPoint>, HistoryError> {
        self.runs_before(i64::MAX, 10_000)
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
