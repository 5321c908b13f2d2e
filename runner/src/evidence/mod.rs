//! What a cell's run left behind, read back from its folder.
//!
//! All of it was written by a guest, which may be broken or hostile: reading it never panics, and
//! what cannot be read is an [`EvidenceError`] that names the file.

mod probe;
mod wire;

use std::path::{Path, PathBuf};

use tunfarm_protocol::{Counters, Sample, evidence};

pub use probe::ProbeCall;
pub use wire::{Segment, WireError};

/// Everything that can be read back of a cell.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// TCP segments on the datapath, in the order of the capture.
    pub wire: Vec<Segment>,
    /// Samples of the scenario's sockets, in the order of time.
    pub samples: Vec<Sample>,
    /// Counters that moved.
    pub counters: Option<Counters>,
    /// Calls of the retransmit function; `None` where the kernel has no probe.
    pub probe: Option<Vec<ProbeCall>>,
}

/// Why a cell's evidence cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the evidence {}: {why}", path.display())]
pub struct EvidenceError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Evidence {
    /// Reads what is in `folder`. A file that is not there is evidence that was not taken.
    pub fn read(folder: &Path) -> Result<Evidence, EvidenceError> {
        let samples: Vec<Sample> = match text(folder, evidence::SAMPLES)? {
            None => Vec::new(),
            Some(lines) => lines
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<_, _>>()
                .map_err(|e| error(folder, evidence::SAMPLES, e))?,
        };
        let counters = text(folder, evidence::COUNTERS)?
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|e| error(folder, evidence::COUNTERS, e))?;
        let probe = text(folder, evidence::PROBE)?
            .map(|lines| {
                lines
                    .lines()
                    .map(ProbeCall::parse)
                    .collect::<Result<Vec<_>, _>>()
            })
            .transpose()
            .map_err(|e| error(folder, evidence::PROBE, e))?;
        let wire = match bytes(folder, evidence::CAPTURE)? {
            None => Vec::new(),
            Some(pcap) => {
                let local = samples
                    .iter()
                    .find(|s| !s.local.is_empty())
                    .map(|s| s.local.as_str());
                wire::read(&pcap, local).map_err(|e| error(folder, evidence::CAPTURE, e))?
            }
        };
        Ok(Evidence {
            wire,
            samples,
            counters,
            probe,
        })
    }

    /// The samples of the connection: of the socket that was seen first and does not listen.
    pub fn connection(&self) -> impl Iterator<Item = &Sample> {
        let of = |s: &&Sample| {
            s.state != "LISTEN" && !s.remote.ends_with(":*") && !s.remote.ends_with(":0")
        };
        let first = self
            .samples
            .iter()
            .find(of)
            .map(|s| (s.local.clone(), s.remote.clone()));
        self.samples.iter().filter(move |s| {
            s.state != "LISTEN"
                && first
                    .as_ref()
                    .is_some_and(|(l, r)| *l == s.local && *r == s.remote)
        })
    }

    /// The connection's states in order with the time of each change in seconds.
    pub fn states(&self) -> Vec<(f64, String)> {
        let mut states: Vec<(f64, String)> = Vec::new();
        for sample in self.connection() {
            if states.last().is_none_or(|(_, s)| *s != sample.state) {
                states.push((seconds(sample.t_us), sample.state.clone()));
            }
        }
        states
    }

    /// A counter's movement; 0 when it did not move, `None` when counters were not taken.
    pub fn counter(&self, name: &str) -> Option<i64> {
        self.counters
            .as_ref()
            .map(|c| c.get(name).copied().unwrap_or(0))
    }
}

/// Microseconds to seconds.
pub fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn error(folder: &Path, name: &str, why: impl ToString) -> EvidenceError {
    EvidenceError {
        path: folder.join(name),
        why: why.to_string(),
    }
}

fn bytes(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, EvidenceError> {
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(error(folder, name, e)),
    }
}

fn text(folder: &Path, name: &str) -> Result<Option<String>, EvidenceError> {
    Ok(bytes(folder, name)?.map(|b| String::from_utf8_lossy(&b).into_owned()))
}
