//! The job: everything a guest needs to run one script.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::PROTOCOL_VERSION;

/// Where the script's packets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Datapath {
    /// A TUN device of the driver under test; the script's peer reads and writes its file.
    Tun,
    /// The loopback device, as the control: it orphans in its own transmit function.
    Loopback,
}

/// The IP version a script runs on, as packetdrill's `--ip_version`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum IpVersion {
    /// IPv4 sockets, IPv4 packets.
    #[default]
    Ipv4,
    /// IPv6 sockets, IPv6 packets.
    Ipv6,
    /// IPv6 sockets with IPv4-mapped addresses, IPv4 packets.
    Mapped,
}

/// How the TUN queue is read. The orphan bug hides from an eager reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// As packetdrill: only when a line expects a packet, as many as that takes.
    #[default]
    Lazy,
    /// Drains the queue as soon as something is in it.
    Eager,
    /// Never reads; expected packets are seen by the capture alone.
    Never,
}

/// Layer of the TUN device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunMode {
    /// `IFF_TUN`: IP packets.
    #[default]
    Tun,
    /// `IFF_TAP`: Ethernet frames.
    Tap,
}

/// How the TUN device is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TunOptions {
    /// `IFF_TUN` or `IFF_TAP`.
    pub mode: TunMode,
    /// `IFF_MULTI_QUEUE` with so many queues; 0 or 1 opens an ordinary device.
    pub queues: u32,
    /// `IFF_NAPI`.
    pub napi: bool,
    /// `IFF_VNET_HDR`, which lets the kernel hand over super-segments (GSO).
    pub vnet_hdr: bool,
    /// `IFF_BACKPRESSURE`, where the kernel has it.
    pub backpressure: bool,
    /// Length of the device's queue in packets; the kernel's own default when absent.
    pub txqueuelen: Option<u32>,
}

/// Where the tun driver comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverLoad {
    /// The kernel's own: built in, or a module of the image.
    #[default]
    Stock,
    /// These files of the job, loaded in this order.
    Files(Vec<String>),
}

/// Who runs the script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// tunfarm's own engine.
    #[default]
    Own,
    /// A static packetdrill binary among the job's files; TUN only.
    Packetdrill(String),
}

/// What is collected while the script runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collect {
    /// Packets of the datapath.
    pub capture: bool,
    /// Socket samples by sock_diag.
    pub samples: bool,
    /// Counter deltas.
    pub counters: bool,
    /// A return probe on the retransmit function.
    pub probe: bool,
    /// When the real `ss -tinom` is run, in milliseconds on the script's clock.
    pub ss_at_ms: Vec<u64>,
}

impl Default for Collect {
    fn default() -> Self {
        Collect {
            capture: true,
            samples: true,
            counters: true,
            probe: true,
            ss_at_ms: Vec::new(),
        }
    }
}

/// One script to run in one fresh guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u32,
    /// The file, among [`Job::files`], that is the script.
    pub script: String,
    /// Where packets pass.
    pub datapath: Datapath,
    /// On which IP version.
    pub ip: IpVersion,
    /// How the TUN queue is read.
    pub reader: Reader,
    /// How the TUN device is opened.
    pub tun: TunOptions,
    /// Which tun driver.
    pub driver: DriverLoad,
    /// Who runs the script.
    pub engine: Engine,
    /// Option lines in force before the script's own, as on packetdrill's command line
    /// (`--tolerance_usecs=10000`).
    pub options: Vec<String>,
    /// Variables for `-D NAME=VALUE` as packetdrill has them.
    pub defines: BTreeMap<String, String>,
    /// Sysctls set before the script (`net.ipv4.tcp_retries2` → `5`).
    pub sysctls: BTreeMap<String, String>,
    /// What is collected.
    pub collect: Collect,
    /// After so many seconds of the guest's clock the script is ended as failed.
    pub limit_s: u64,
    /// Files by their path relative to the job's folder; parents are made.
    #[serde(skip)]
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Job {
    /// A job for `script` with nothing special about it.
    pub fn new(script: &str, text: &[u8], datapath: Datapath, ip: IpVersion) -> Job {
        Job {
            version: PROTOCOL_VERSION,
            script: script.to_owned(),
            datapath,
            ip,
            reader: Reader::default(),
            tun: TunOptions::default(),
            driver: DriverLoad::default(),
            engine: Engine::default(),
            options: Vec::new(),
            defines: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            collect: Collect::default(),
            limit_s: 20_000,
            files: BTreeMap::from([(script.to_owned(), text.to_vec())]),
        }
    }

    /// The bytes for fw_cfg: a magic, the length of a JSON header, the header, then the files'
    /// contents in the header's order.
    pub fn encode(&self) -> Vec<u8> {
        let header = Header {
            job: self.clone(),
            files: self
                .files
                .iter()
                .map(|(name, data)| (name.clone(), data.len()))
                .collect(),
        };
        // A struct of strings, numbers and maps with string keys always serialises.
        let json = serde_json::to_vec(&header).expect("a job serialises");
        let mut out = Vec::with_capacity(
            MAGIC.len() + 4 + json.len() + self.files.values().map(Vec::len).sum::<usize>(),
        );
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(&json);
        for data in self.files.values() {
            out.extend_from_slice(data);
        }
        out
    }

    /// Reads what [`Job::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Job, JobError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(JobError::NotAJob)?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or(JobError::Truncated)?;
        let (json, mut rest) = rest
            .split_at_checked(u32::from_le_bytes(*len) as usize)
            .ok_or(JobError::Truncated)?;
        let Header { mut job, files } =
            serde_json::from_slice(json).map_err(|e| JobError::Header(e.to_string()))?;
        if job.version != PROTOCOL_VERSION {
            return Err(JobError::Version(job.version));
        }
        for (name, len) in files {
            let (data, tail) = rest.split_at_checked(len).ok_or(JobError::Truncated)?;
            job.files.insert(name, data.to_vec());
            rest = tail;
        }
        Ok(job)
    }
}

const MAGIC: &[u8] = b"tunfarm-job\n";

#[derive(Serialize, Deserialize)]
struct Header {
    job: Job,
    files: Vec<(String, usize)>,
}

/// Why bytes are not a job.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JobError {
    /// The magic is missing.
    #[error("not a job: the magic is missing")]
    NotAJob,
    /// Shorter than its own header says.
    #[error("the job is truncated")]
    Truncated,
    /// Of another generation.
    #[error("the job has protocol version {0}, this agent speaks {PROTOCOL_VERSION}")]
    Version(u32),
    /// The header does not parse.
    #[error("the job's header does not parse: {0}")]
    Header(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_trip() {
        let mut job = Job::new("a.pkt", b"0 `true`\n", Datapath::Tun, IpVersion::Ipv4);
        job.files.insert("lib/defaults.sh".into(), vec![0, 255, 10]);
        job.files.insert("empty".into(), vec![]);
        job.driver = DriverLoad::Files(vec!["tun.ko".into()]);
        assert_eq!(Job::decode(&job.encode()), Ok(job));
    }

    #[test]
    fn no_prefix_of_a_job_is_a_job() {
        let bytes = Job::new("a.pkt", b"x", Datapath::Loopback, IpVersion::Mapped).encode();
        for len in 0..bytes.len() {
            assert!(Job::decode(&bytes[..len]).is_err(), "{len}");
        }
    }
}
