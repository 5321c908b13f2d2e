//! What is being done, for whoever shows it.

/// One thing that happened while kernels and images were prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A download begins.
    FetchStarted {
        /// The file's name.
        what: &'a str,
        /// Its size in bytes, where the index tells.
        size: Option<u64>,
    },
    /// A part of a download arrived.
    Fetching {
        /// The file's name.
        what: &'a str,
        /// Bytes so far, those of an earlier attempt included.
        done: u64,
        /// Its size in bytes, where the index tells.
        size: Option<u64>,
    },
    /// A download is complete and has the right hash.
    Fetched {
        /// The file's name.
        what: &'a str,
        /// Its size in bytes.
        size: u64,
    },
    /// Something else that takes a while: unpacking, building an image.
    Working {
        /// One phrase.
        what: &'a str,
    },
    /// Something a person should know though work goes on.
    Note {
        /// One sentence.
        text: &'a str,
    },
}

/// Receives [`Step`]s; called from whatever thread does the work.
pub trait Progress: Send + Sync {
    /// Takes one step.
    fn step(&self, step: Step<'_>);
}

/// Shows nothing.
impl Progress for () {
    fn step(&self, _: Step<'_>) {}
}

impl<F: Fn(Step<'_>) + Send + Sync> Progress for F {
    fn step(&self, step: Step<'_>) {
        self(step);
    }
}
