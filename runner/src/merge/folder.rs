//! The folders of shards: read, and gathered into one.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::{Refusal, ShardRun, refusal};
use crate::plan_file::PlanFile;

/// Why evidence could not be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A file or folder cannot be read or written.
    #[error("cannot bring {} to {}: {source}", from.display(), to.display())]
    Io {
        /// Where it is.
        from: PathBuf,
        /// Where it should be.
        to: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A cell's name is no path below its run's folder.
    #[error("{cell} in {} is no name of a folder", shard.display())]
    Name {
        /// The cell.
        cell: String,
        /// The shard.
        shard: PathBuf,
    },
}

/// Reads one shard and holds it against its own plan.
pub(super) fn read(folder: &Path) -> Result<ShardRun, Refusal> {
    let run = ShardRun {
        folder: folder.to_owned(),
        results: tunfarm_reports::load(folder)?,
        plan: PlanFile::read(folder)?,
    };
    refusal::check(&run)?;
    Ok(run)
}

/// Brings the evidence of each shard's cells into `out`: hard links where the file system allows,
/// copies elsewhere. A cell without evidence (skipped) has no folder.
pub fn gather<'a>(
    shards: impl Iterator<Item = &'a ShardRun>,
    out: &Path,
) -> Result<(), GatherError> {
    for shard in shards {
        for cell in &shard.results.cells {
            let folder = cell.id.folder();
            // Results are files that anybody may have written: stay below both folders.
            if !folder
                .components()
                .all(|c| matches!(c, Component::Normal(_)))
            {
                return Err(GatherError::Name {
                    cell: cell.id.to_string(),
                    shard: shard.folder.clone(),
                });
            }
            let from = shard.folder.join(&folder);
            if from.is_dir() {
                bring(&from, &out.join(&folder))?;
            }
        }
    }
    Ok(())
}

fn bring(from: &Path, to: &Path) -> Result<(), GatherError> {
    let failed = |source| GatherError::Io {
        from: from.to_owned(),
        to: to.to_owned(),
        source,
    };
    std::fs::create_dir_all(to).map_err(failed)?;
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            bring(&entry.path(), &target)?;
        } else if kind.is_file() && std::fs::hard_link(entry.path(), &target).is_err() {
            std::fs::copy(entry.path(), &target).map_err(failed)?;
        }
    }
    Ok(())
}
