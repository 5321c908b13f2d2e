//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tunfarm_protocol::{Datapath, IpVersion};

/// Where kernels come from and what is kept.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// Address of a Debian archive, instead of the one that this machine's apt uses.
    #[arg(long, env = "TUNFARM_MIRROR", value_name = "URL")]
    pub mirror: Option<String>,
    /// Folder for kernels, images and snapshots [default: $XDG_CACHE_HOME/tunfarm].
    #[arg(long, env = "TUNFARM_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// Which part of a matrix.
#[derive(Args, Clone, Debug, Default)]
pub struct Selection {
    /// Matrix file [default: the built-in one].
    #[arg(long, value_name = "FILE")]
    pub matrix: Option<PathBuf>,
    /// Kernel spec, instead of the matrix's; may be repeated.
    #[arg(long = "kernel", value_name = "SPEC")]
    pub kernels: Vec<String>,
    /// Driver spec, instead of the matrix's; may be repeated.
    #[arg(long = "driver", value_name = "SPEC")]
    pub drivers: Vec<String>,
    /// Scenarios by name or glob, instead of the matrix's; may be repeated.
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    /// Datapath, instead of the matrix's; may be repeated.
    #[arg(long = "datapath", value_name = "PATH")]
    pub datapaths: Vec<PathWord>,
    /// IP version, instead of the matrix's; may be repeated.
    #[arg(long = "ip", value_name = "VERSION")]
    pub ip: Vec<IpWord>,
}

/// How guests are run.
#[derive(Args, Clone, Debug)]
pub struct Machine {
    /// Guests at once [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// The guests' clock: virtual time counts instructions and skips idle time.
    #[arg(long, value_enum, default_value_t = ClockWord::Virtual)]
    pub clock: ClockWord,
    /// What executes guests; virtual time needs tcg.
    #[arg(long, value_enum, default_value_t = AccelWord::Auto)]
    pub accel: AccelWord,
}

/// A datapath as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PathWord {
    /// A TUN device of the driver under test.
    Tun,
    /// The loopback device, as the control.
    Loopback,
}

/// An IP version as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum IpWord {
    /// IPv4.
    #[value(name = "4", alias = "ipv4")]
    V4,
    /// IPv6.
    #[value(name = "6", alias = "ipv6")]
    V6,
    /// IPv6 sockets with IPv4-mapped addresses.
    Mapped,
}

/// A clock as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClockWord {
    /// Deterministic; hours pass in seconds.
    Virtual,
    /// The host's.
    Real,
}

/// An accelerator as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccelWord {
    /// KVM on a real clock where a trial boot succeeds, else TCG.
    Auto,
    /// KVM.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

/// What each kernel is asked, where the answer is good or bad.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Driver spec.
    #[arg(long, value_name = "SPEC", default_value = "stock")]
    pub driver: String,
    /// Scenarios by name or glob; may be repeated.
    #[arg(long = "scenario", value_name = "GLOB", default_value = "closing")]
    pub scenarios: Vec<String>,
    /// A folder with scenarios of one's own; may be repeated.
    #[arg(long = "scenario-folder", value_name = "DIR")]
    pub scenario_folders: Vec<PathBuf>,
    /// Datapath that is asked about [default: tun]; may be repeated.
    #[arg(long = "datapath", value_name = "PATH")]
    pub datapaths: Vec<PathWord>,
    /// IP version.
    #[arg(long, value_name = "VERSION")]
    pub ip: Option<IpWord>,
    /// Take the nearest source of the same series where the archive lost a kernel's own.
    #[arg(long)]
    pub nearest_source: bool,
}

impl Asked {
    /// The datapaths in question.
    pub fn datapaths(&self) -> Vec<Datapath> {
        match self.datapaths.as_slice() {
            [] => vec![Datapath::Tun],
            typed => typed.iter().map(|d| (*d).into()).collect(),
        }
    }

    /// The IP version.
    pub fn ip(&self) -> IpVersion {
        self.ip.map_or(IpVersion::Ipv4, IpVersion::from)
    }
}
