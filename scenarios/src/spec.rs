//! The YAML file beside a script.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tunfarm_protocol::{Datapath, IpVersion, Reader, TunOptions};

use crate::{Article, Expect, KernelRange, KernelVersion, Seconds, Witness};

/// What a scenario shows and what it expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// One line.
    pub title: String,
    /// What it shows and why it matters, in plain words.
    pub shows: String,
    /// Where the expectation comes from: RFC 9293 sections, man pages, observations.
    #[serde(default)]
    pub sources: Vec<String>,
    /// IP versions it runs on.
    #[serde(default = "all_ip")]
    pub ip: Vec<IpVersion>,
    /// Datapaths it runs over.
    #[serde(default = "all_datapaths")]
    pub datapaths: Vec<Datapath>,
    /// How the TUN queue is read.
    #[serde(default)]
    pub reader: Reader,
    /// How the TUN device is opened.
    #[serde(default)]
    pub tun: TunOptions,
    /// Sysctls set before the script.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Marks at which the real `ss -tinom` is run, in seconds on the script's clock.
    #[serde(default)]
    pub ss_at: Vec<Seconds>,
    /// Seconds of the guest's clock after which the script is ended as failed.
    #[serde(default = "default_limit")]
    pub limit_s: u64,
    /// Which kernels it holds for.
    #[serde(default)]
    pub applies: Applies,
    /// What must be seen.
    #[serde(default)]
    pub expect: Expect,
    /// Where kernels differ, found by running: the first entry that fits replaces `expect`.
    #[serde(default)]
    pub differs: Vec<Difference>,
    /// The witnesses that decide about the orphan bug here. Empty: the scenario makes no
    /// retransmission, so that it cannot see the bug.
    #[serde(default)]
    pub witnesses: Vec<Witness>,
    /// What makes it fail, proved by a test.
    #[serde(default)]
    pub breaks: Vec<Break>,
    /// What was seen of it by hand, before there was a farm.
    #[serde(default)]
    pub article: Option<Article>,
}

fn all_ip() -> Vec<IpVersion> {
    vec![IpVersion::Ipv4, IpVersion::Ipv6]
}

fn all_datapaths() -> Vec<Datapath> {
    vec![Datapath::Tun, Datapath::Loopback]
}

fn default_limit() -> u64 {
    1000
}

/// Which kernels a scenario holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Applies {
    /// Which versions.
    pub kernels: KernelRange,
    /// Why not the others.
    pub because: String,
    /// What the kernel must have.
    pub needs: Vec<Need>,
}

/// What a kernel must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// TUN's `IFF_MULTI_QUEUE`.
    MultiQueue,
    /// TUN's `IFF_NAPI`.
    Napi,
    /// TUN's `IFF_VNET_HDR`.
    VnetHdr,
    /// TUN's `IFF_BACKPRESSURE`.
    Backpressure,
    /// IPv6.
    Ipv6,
}

impl Need {
    /// The flag's name in `TUNGETFEATURES`, for needs that are TUN's.
    pub fn tun_flag(self) -> Option<&'static str> {
        match self {
            Need::MultiQueue => Some("IFF_MULTI_QUEUE"),
            Need::Napi => Some("IFF_NAPI"),
            Need::VnetHdr => Some("IFF_VNET_HDR"),
            Need::Backpressure => Some("IFF_BACKPRESSURE"),
            Need::Ipv6 => None,
        }
    }
}

/// Kernels, datapaths or IP versions that behave otherwise, for a true reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which kernels.
    #[serde(default)]
    pub kernels: KernelRange,
    /// Which datapath; both when absent.
    #[serde(default)]
    pub datapath: Option<Datapath>,
    /// Which IP version; all when absent.
    #[serde(default)]
    pub ip: Option<IpVersion>,
    /// Why.
    pub because: String,
    /// What is expected there.
    pub expect: Expect,
}

/// Something that makes the scenario fail: the proof that it can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// A driver spec, e.g. `edit:no-orphan`.
    #[serde(default)]
    pub driver: Option<String>,
    /// Sysctls changed.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// The datapath on which it is tried.
    #[serde(default = "tun")]
    pub datapath: Datapath,
    /// The spec of a kernel on which it is tried, where not every kernel has what it takes.
    #[serde(default)]
    pub kernel: Option<String>,
    /// The status that it must get.
    pub verdict: String,
}

fn tun() -> Datapath {
    Datapath::Tun
}

impl Spec {
    /// What is expected on this kernel, datapath and IP version, and why it differs if it does.
    pub fn expected(
        &self,
        kernel: Option<KernelVersion>,
        datapath: Datapath,
        ip: IpVersion,
    ) -> (&Expect, Option<&str>) {
        self.differs
            .iter()
            .find(|d| {
                d.kernels.contains(kernel)
                    && d.datapath.is_none_or(|p| p == datapath)
                    && d.ip.is_none_or(|v| v == ip)
            })
            .map_or((&self.expect, None), |d| {
                (&d.expect, Some(d.because.as_str()))
            })
    }
}
