//! How a script ended.

use serde::{Deserialize, Serialize};

/// What the guest reports when it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How the script ended.
    pub result: ScriptResult,
    /// How long it ran, in microseconds of the guest's clock.
    pub ran_us: u64,
    /// What the agent had to do without, one sentence each (old or bare kernels).
    pub notes: Vec<String>,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptResult {
    /// Every line came true.
    Passed,
    /// A line did not.
    Failed(Failure),
    /// The script needs what this kernel or this datapath does not have; the reason.
    Unsupported(String),
    /// The stage was not set: nothing was said about the kernel's TCP.
    Setup {
        /// What was being done.
        stage: SetupStage,
        /// What went wrong, with names and errno.
        message: String,
    },
}

/// What the agent was doing before the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupStage {
    /// Reading or parsing the job or the script.
    Job,
    /// Loading the driver under test.
    Driver,
    /// Making the TUN device or preparing loopback.
    Datapath,
    /// Starting capture, sampler or probes.
    Collect,
}

/// The line that did not come true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Line in the script, from 1; 0 when it concerns no line.
    pub line: u32,
    /// One sentence: what failed.
    pub summary: String,
    /// When, in microseconds on the script's clock.
    pub at_us: i64,
    /// Field by field: what was expected, what came.
    #[serde(default)]
    pub mismatches: Vec<Mismatch>,
    /// The story for people: expected and actual packet, last packets both ways, the lines of the
    /// script around it. Several lines.
    #[serde(default)]
    pub detail: String,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Field by its RFC name: `seq`, `flags`, `window`, `option TS val`, `time`, `return value`.
    pub field: String,
    /// What the script says.
    pub expected: String,
    /// What came.
    pub actual: String,
}
