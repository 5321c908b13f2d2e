//! The one stream of events that console, JUnit, JSON and everything else consume.

use serde::{Deserialize, Serialize};

use super::{CellId, CellResult, KernelInfo, RunResults};

/// What happened in a run, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The plan is made; work begins.
    RunStarted {
        /// Plan digest.
        plan: String,
        /// Cells to run.
        cells: usize,
        /// Kernels to run them on.
        kernels: usize,
    },
    /// Something takes a while before cells run: a download, a build, a boot.
    Preparing {
        /// What, for people: `fetch linux-image-… (34 MB)`, `boot 6.12.95`.
        what: String,
        /// Kernel label it is for.
        kernel: String,
    },
    /// It is done.
    Prepared {
        /// As in [`Event::Preparing`].
        what: String,
        /// Kernel label it was for.
        kernel: String,
        /// How long it took, milliseconds.
        ms: f64,
    },
    /// A kernel came up and said what it is.
    KernelReady {
        /// The kernel.
        kernel: Box<KernelInfo>,
    },
    /// A cell's VM starts.
    CellStarted {
        /// Which.
        id: CellId,
    },
    /// A cell has its verdict.
    CellFinished {
        /// It.
        result: Box<CellResult>,
    },
    /// A note for the whole run.
    Note {
        /// One sentence.
        text: String,
    },
    /// Everything is known.
    RunFinished {
        /// The whole run.
        results: Box<RunResults>,
    },
}
