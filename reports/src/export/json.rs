//! `results.json`: the run itself.

use super::{ExportError, Exporter};
use crate::Report;

/// Writes the model as it is.
pub struct Json;

impl Exporter for Json {
    fn file_name(&self) -> &'static str {
        crate::files::RESULTS
    }

    fn export(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let mut bytes = serde_json::to_vec_pretty(report.run)
            .map_err(|e| ExportError(format!("the results do not serialise: {e}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
