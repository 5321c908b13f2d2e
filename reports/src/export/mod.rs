//! The files of a run, one exporter each.

pub mod events;
pub mod html;
pub mod json;
pub mod junit;
pub mod kcidb;
pub mod ktap;
pub mod markdown;

use crate::Report;

/// Makes one file of a run.
pub trait Exporter {
    /// Its name in the run's folder.
    fn file_name(&self) -> &'static str;

    /// Its contents.
    ///
    /// # Errors
    /// A sentence that says why it cannot be made.
    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError>;
}

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(pub String);

/// All exporters; the one everything can be made from again comes first.
pub fn all() -> Vec<Box<dyn Exporter>> {
    vec![
        Box::new(json::Json),
        Box::new(junit::Junit),
        Box::new(ktap::Ktap),
        Box::new(kcidb::Kcidb),
        Box::new(markdown::Markdown),
        Box::new(html::Html),
    ]
}
