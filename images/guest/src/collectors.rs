//! Everything that watches a script: started together, ended together.

use tunfarm_protocol::{Collect, IpVersion, Sample, evidence};

use crate::capture::{Capture, write_pcap};
use crate::counters::Reading;
use crate::observer::Observer;
use crate::probe::Probe;
use crate::sampler::{Means, Sampler};
use crate::ss::{self, Marks};

/// What the agent has found out about its kernel, and the probe it has put in place.
#[derive(Debug)]
pub struct Equipment {
    /// How sockets are sampled; absent where nothing shows them.
    pub sampler: Option<Means>,
    /// The return probe; absent where there are no kprobe events.
    pub probe: Option<Probe>,
    /// Whether packets can be captured.
    pub packet_sockets: bool,
    /// Whether there is IPv6.
    pub ipv6: bool,
    /// Whether the real `ss` starts.
    pub ss: bool,
}

/// Running collectors.
#[derive(Debug)]
pub struct Collectors<'a> {
    wanted: Collect,
    equipment: &'a Equipment,
    observer: Observer,
    before: Reading,
    marks: Option<Marks>,
    notes: Vec<String>,
}

/// What they brought.
#[derive(Debug, Default)]
pub struct Collected {
    /// Evidence files by name.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What the kernel does not have, or was cut, one sentence each.
    pub notes: Vec<String>,
}

impl<'a> Collectors<'a> {
    /// Starts what is wanted and what this kernel can give. The capture is of `device`, or of all
    /// devices but loopback where that is not known yet.
    ///
    /// # Errors
    /// One sentence: which collector did not start although the kernel has it.
    pub fn start(
        wanted: &Collect,
        equipment: &'a Equipment,
        device: Option<&str>,
        ip: IpVersion,
    ) -> Result<Collectors<'a>, String> {
        let mut notes = Vec::new();
        if wanted.capture && !equipment.packet_sockets {
            notes.push("no capture: this kernel has no AF_PACKET sockets (CONFIG_PACKET)".into());
        }
        let capture = (wanted.capture && equipment.packet_sockets)
            .then(|| Capture::start(device))
            .transpose()
            .map_err(|e| format!("starting the capture failed: {e}"))?;
        let sampler = equipment
            .sampler
            .filter(|_| wanted.samples)
            .map(|means| Sampler::open(means, ip))
            .transpose()
            .map_err(|e| format!("opening the sampler failed: {e}"))?;
        if let Some(probe) = equipment.probe.as_ref().filter(|_| wanted.probe) {
            probe
                .restart()
                .map_err(|e| format!("emptying the trace failed: {e}"))?;
        }
        let observer = Observer::start(capture, sampler)
            .map_err(|e| format!("starting the observer failed: {e}"))?;
        let before = if wanted.counters {
            Reading::take()
        } else {
            Reading::default()
        };
        Ok(Collectors {
            wanted: wanted.clone(),
            equipment,
            observer,
            before,
            marks: None,
            notes,
        })
    }

    /// Calls `ss` at its marks from now on.
    ///
    /// # Errors
    /// When its thread does not start.
    pub fn begin(&mut self, zero_ns: i64) -> Result<(), String> {
        if self.equipment.ss && !self.wanted.ss_at_ms.is_empty() {
            let marks = Marks::start(self.wanted.ss_at_ms.clone(), zero_ns)
                .map_err(|e| format!("starting the thread that calls ss failed: {e}"))?;
            self.marks = Some(marks);
        }
        Ok(())
    }

    /// Ends all, and puts what they saw into its final form.
    pub fn finish(self, zero_ns: i64) -> Collected {
        // Counters first: nothing else may still count.
        let counters = self
            .wanted
            .counters
            .then(|| Reading::take().since(&self.before));
        let observed = self.observer.finish();
        let mut collected = Collected {
            files: Vec::new(),
            notes: self.notes,
        };
        collected.notes.extend(observed.notes);
        if let Some(packets) = observed.packets {
            collected
                .files
                .push((evidence::CAPTURE, write_pcap(&packets, zero_ns)));
        }
        let (samples, cut) = observed
            .history
            .map(|h| h.finish(zero_ns / 1000))
            .unwrap_or_default();
        collected.notes.extend(cut);
        if self.wanted.samples && self.equipment.sampler.is_some() {
            collected
                .files
                .push((evidence::SAMPLES, json_lines(&samples)));
        }
        if let Some(marks) = self.marks {
            let (text, note) = marks.finish();
            collected.files.push((evidence::SS, text.into_bytes()));
            collected.notes.extend(note);
        } else if !self.wanted.ss_at_ms.is_empty() {
            let text = ss::render(&samples, &self.wanted.ss_at_ms);
            collected.files.push((evidence::SS, text.into_bytes()));
            collected
                .notes
                .push("ss does not start here: ss.txt is the agent's own rendering".into());
        }
        if let Some(counters) = counters {
            let json = serde_json::to_vec_pretty(&counters).unwrap_or_default();
            collected.files.push((evidence::COUNTERS, json));
        }
        if let Some(probe) = self.equipment.probe.as_ref().filter(|_| self.wanted.probe) {
            match probe.read(zero_ns) {
                Ok(text) => collected.files.push((evidence::PROBE, text.into_bytes())),
                Err(e) => collected
                    .notes
                    .push(format!("reading the probe's trace failed: {e}")),
            }
        }
        collected
    }
}

fn json_lines(samples: &[Sample]) -> Vec<u8> {
    let mut lines = Vec::new();
    for sample in samples {
        lines.extend(serde_json::to_vec(sample).unwrap_or_default());
        lines.push(b'\n');
    }
    lines
}
