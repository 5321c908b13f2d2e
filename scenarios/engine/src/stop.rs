//! Why a script stops before its end.

use tunfarm_protocol::Mismatch;

/// Why a line ends the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The line did not come true.
    Failed(Broken),
    /// The line needs what the engine, the kernel or the datapath does not have.
    Unsupported(String),
}

/// An expectation that was not met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// One sentence.
    pub summary: String,
    /// Field by field.
    pub mismatches: Vec<Mismatch>,
    /// More lines for people.
    pub notes: Vec<String>,
}

impl Broken {
    /// Only a sentence.
    pub fn new(summary: impl Into<String>) -> Broken {
        Broken {
            summary: summary.into(),
            ..Broken::default()
        }
    }

    /// With one differing field.
    #[must_use]
    pub fn field(
        mut self,
        field: &str,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Broken {
        self.mismatches.push(Mismatch {
            field: field.into(),
            expected: expected.into(),
            actual: actual.into(),
        });
        self
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Stop {
        Stop::Failed(broken)
    }
}

/// A line that fails with one sentence.
pub fn failed<T>(summary: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(Broken::new(summary)))
}

/// A line that asks for something that is not there.
pub fn unsupported<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Unsupported(reason.into()))
}
