//! The tables of the history.

use rusqlite::{Connection, Result, TransactionBehavior};

/// The schema's number, kept in SQLite's `user_version`.
pub const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL,
    started TEXT NOT NULL,
    plan TEXT NOT NULL,
    shard TEXT,
    tool TEXT NOT NULL,
    clock TEXT NOT NULL,
    duration_s REAL,
    interrupted INTEGER NOT NULL
);
CREATE INDEX run_by_time ON run (at_ms);
CREATE TABLE cell (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    track TEXT NOT NULL,
    kernel TEXT NOT NULL,
    driver TEXT NOT NULL,
    scenario TEXT NOT NULL,
    lane TEXT NOT NULL,
    status TEXT NOT NULL,
    as_expected INTEGER NOT NULL,
    flaky INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, kernel, driver, scenario, lane)
) WITHOUT ROWID;
CREATE INDEX cell_by_track ON cell (track, driver, scenario, lane);
CREATE INDEX cell_by_kernel ON cell (kernel, scenario, lane, status);
";

/// Makes the tables if the file is new; the inner error is the number of a newer schema.
pub fn bring_up(db: &mut Connection) -> Result<std::result::Result<(), i64>> {
    // Immediate: of two that open a new file at once, one makes the tables and one finds them.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        newer => return Ok(Err(newer)),
    }
    transaction.commit()?;
    Ok(Ok(()))
}
