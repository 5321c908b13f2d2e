//! The files of a run: written all at once, and read back.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Report;
use crate::export;
use crate::model::{RunResults, SCHEMA};

/// The file a run is read back from.
pub const RESULTS: &str = "results.json";

/// Why files of a run could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ends before its JSON does.
    #[error(
        "{} is truncated: it ends at line {line}, column {column} in the middle of its JSON; \
         its run was cut off while it was copied, run it again", path.display()
    )]
    Truncated {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// It is not the results of a run.
    #[error(
        "{} is not the results of a tunfarm run: {found}; give a run's folder or its {RESULTS}",
        path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// It has a schema this version does not read.
    #[error(
        "{} has schema {schema}, this version reads {SCHEMA}: use the tunfarm that wrote it ({tool})",
        path.display()
    )]
    Schema {
        /// Which.
        path: PathBuf,
        /// Its schema.
        schema: String,
        /// Who wrote it.
        tool: String,
    },
}

/// Writes every file of a run into `dir` (made if missing), each atomically: a reader sees the
/// old file or the new one, never half of one. `results.json` comes first, since everything else
/// can be made again from it.
///
/// # Errors
/// [`FileError::Write`] names the file; those written before it stay.
pub fn write_all(results: &RunResults, dir: &Path) -> Result<(), FileError> {
    write_report(&Report::new(results, dir))
}

/// As [`write_all`], for a report that knows more than the run (its history).
///
/// # Errors
/// As [`write_all`].
pub fn write_report(report: &Report<'_>) -> Result<(), FileError> {
    for exporter in export::all() {
        let path = report.dir.join(exporter.file_name());
        let write = |source| FileError::Write {
            path: path.clone(),
            source,
        };
        let bytes = exporter
            .export(report)
            .map_err(|e| write(io::Error::other(e)))?;
        write_atomically(&path, &bytes).map_err(write)?;
    }
    Ok(())
}

/// Writes `bytes` beside `path`, then renames: nobody sees half a file.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tunfarm-").suffix(".part");
    // Reports are read by web servers and other users; a temporary file's 0600 would stay.
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Reads a run back; `path` is its folder or its `results.json`.
///
/// # Errors
/// [`FileError`] says whether the file is missing, truncated, something else, or of another
/// version.
pub fn load(path: &Path) -> Result<RunResults, FileError> {
    let path = if path.is_dir() {
        path.join(RESULTS)
    } else {
        path.to_owned()
    };
    let bytes = std::fs::read(&path).map_err(|source| FileError::Read {
        path: path.clone(),
        source,
    })?;
    parse(&bytes, path)
}

fn parse(bytes: &[u8], path: PathBuf) -> Result<RunResults, FileError> {
    let json = |error: serde_json::Error, path: PathBuf| {
        if error.is_eof() {
            FileError::Truncated {
                path,
                line: error.line(),
                column: error.column(),
            }
        } else {
            FileError::Foreign {
                path,
                found: error.to_string(),
            }
        }
    };
    // The schema before the rest: a newer file may have anything in it.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: Option<String>,
        tool: Option<String>,
    }
    let head: Head = match serde_json::from_slice(bytes) {
        Ok(head) => head,
        Err(error) => return Err(json(error, path)),
    };
    match head.schema {
        Some(schema) if schema == SCHEMA => {}
        Some(schema) if schema.starts_with("tunfarm-results/") => {
            return Err(FileError::Schema {
                path,
                schema,
                tool: head.tool.unwrap_or_else(|| "unnamed".into()),
            });
        }
        Some(schema) => {
            return Err(FileError::Foreign {
                path,
                found: format!("its schema is `{}`", crate::text::one_line(&schema)),
            });
        }
        None => {
            return Err(FileError::Foreign {
                path,
                found: "it names no schema".into(),
            });
        }
    }
    serde_json::from_slice(bytes).map_err(|error| json(error, path))
}
