//! What an exporter is given: a run, and the folder its evidence lies in.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::history::Past;
use crate::model::{CellId, RunResults};

/// A run and where its evidence lies.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The run.
    pub run: &'a RunResults,
    /// The run's folder: evidence is in `cells/…` below it.
    pub dir: &'a Path,
    /// What earlier runs say about it, if they are known.
    pub past: Option<&'a Past>,
}

impl<'a> Report<'a> {
    /// A report on `run`, whose evidence lies below `dir`.
    pub fn new(run: &'a RunResults, dir: &'a Path) -> Report<'a> {
        Report {
            run,
            dir,
            past: None,
        }
    }

    /// The same, with what earlier runs say.
    pub fn with_past(self, past: &'a Past) -> Report<'a> {
        Report {
            past: Some(past),
            ..self
        }
    }

    /// The text of a cell's evidence file, at most `limit` bytes from each end, `None` when it
    /// is not there. Bytes that are no UTF-8 are replaced.
    pub fn evidence(&self, id: &CellId, name: &str, limit: usize) -> Option<String> {
        let path = self.folder(id)?.join(name);
        let file = std::fs::File::open(path).ok()?;
        let length = file.metadata().ok().filter(|m| m.is_file())?.len();
        read_ends(file, length, limit as u64).ok()
    }

    /// The cell's folder, if its name stays below the run's: `results.json` may come from anyone.
    fn folder(&self, id: &CellId) -> Option<PathBuf> {
        let folder = id.folder();
        let below = |part: Component<'_>| matches!(part, Component::Normal(_));
        folder
            .components()
            .all(below)
            .then(|| self.dir.join(folder))
    }

    /// The names of the files in a cell's folder, sorted; empty when there is no folder.
    pub fn attachments(&self, id: &CellId) -> Vec<String> {
        let Some(Ok(entries)) = self.folder(id).map(std::fs::read_dir) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|t| t.is_file()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

/// Reads a file whole, or its first and last `limit` bytes with a line between them that says
/// so; memory stays bounded whatever a guest made of the file.
fn read_ends(mut file: std::fs::File, length: u64, limit: u64) -> std::io::Result<String> {
    use std::io::{Seek, SeekFrom};
    let mut head = Vec::new();
    if length <= 2 * limit {
        file.take(2 * limit).read_to_end(&mut head)?;
        return Ok(String::from_utf8_lossy(&head).into_owned());
    }
    (&file).take(limit).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(length - limit))?;
    let mut tail = Vec::new();
    file.take(limit).read_to_end(&mut tail)?;
    Ok(format!(
        "{}\n[… {} bytes left out here; the file has them …]\n{}",
        String::from_utf8_lossy(&head),
        length - 2 * limit,
        String::from_utf8_lossy(&tail)
    ))
}
