//! What a guest observes: sockets, counters, the kernel itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far named counters moved while the script ran: `TcpExtTCPTimeouts` → 9, named as `nstat`
/// names them. Counters that did not move are left out.
pub type Counters = BTreeMap<String, i64>;

/// Which timer of a socket is pending, as `ss -o` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimerKind {
    /// None.
    Off,
    /// Retransmission, tail-loss probe or reordering (`on`).
    On,
    /// Keepalive, or the wait of an orphaned FIN-WAIT-2.
    Keepalive,
    /// TIME-WAIT.
    Timewait,
    /// Zero-window probe.
    Persist,
}

/// One socket at one moment. What a kernel does not tell is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Microseconds on the script's clock.
    pub t_us: i64,
    /// Local address and port, `192.0.2.1:8080` or `[…]:8080`.
    pub local: String,
    /// Remote address and port.
    pub remote: String,
    /// State as `ss` names it: `ESTAB`, `FIN-WAIT-1`, `CLOSING`, …; `GONE` once the kernel no
    /// longer knows the socket (all else is absent then).
    pub state: String,
    /// Pending timer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerKind>,
    /// Milliseconds until the timer fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_ms: Option<u32>,
    /// `idiag_retrans`: how often the timer has fired in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_retrans: Option<u32>,
    /// Receive queue in bytes, as `ss` shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rqueue: Option<u32>,
    /// Send queue in bytes, as `ss` shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wqueue: Option<u32>,
    /// Inode of the socket; 0 once no file holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u32>,
    /// Retransmission time-out with its back-off, in microseconds (`tcpi_rto`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_us: Option<u32>,
    /// Delayed-acknowledgement time-out in microseconds (`tcpi_ato`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ato_us: Option<u32>,
    /// Back-offs so far (`tcpi_backoff`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<u32>,
    /// Time-outs in a row (`tcpi_retransmits`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    /// Segments retransmitted and not yet acknowledged (`tcpi_retrans`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrans: Option<u32>,
    /// Segments retransmitted in the connection's life (`tcpi_total_retrans`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_retrans: Option<u32>,
    /// Segments out and not acknowledged (`tcpi_unacked`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacked: Option<u32>,
    /// Segments sent (`tcpi_segs_out`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segs_out: Option<u32>,
    /// Congestion window in segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwnd: Option<u32>,
    /// Smoothed round-trip time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Its variance in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rttvar_us: Option<u32>,
    /// `sk_wmem_alloc` less its bias: bytes of skbs the device still owes the socket (`skmem` `t`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wmem_alloc: Option<u32>,
    /// `sk_wmem_queued`: bytes in the send queue (`skmem` `w`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wmem_queued: Option<u32>,
    /// `sk_sndbuf` (`skmem` `tb`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sndbuf: Option<u32>,
    /// `sk_rmem_alloc` (`skmem` `r`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmem_alloc: Option<u32>,
    /// Sockets of the whole machine that are not freed (`used` in `/proc/net/sockstat`), where
    /// the socket's own memory is not told. Also told when the socket is `GONE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets_in_use: Option<u32>,
}

/// What a guest found out about its kernel before it said "ready".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// The clock source in use, e.g. `tsc`.
    pub clocksource: Option<String>,
    /// Timer resolution in nanoseconds (`clock_getres`): 1 with high-resolution timers.
    pub timer_resolution_ns: u64,
    /// TUN.
    pub tun: TunFacts,
    /// How sockets are sampled: `sock_diag`, `tcpdiag`, `procfs`.
    pub sampler: String,
    /// `SK_MEMINFO` comes with samples, so `sk_wmem_alloc` is seen.
    pub skmeminfo: bool,
    /// AF_PACKET sockets.
    pub packet_sockets: bool,
    /// kprobe events in tracefs.
    pub kprobe_events: bool,
    /// IPv6.
    pub ipv6: bool,
    /// Modules that were asked for with `initrd-modules=` and are loaded or built in.
    pub initrd_modules: Vec<String>,
    /// Network namespaces.
    pub netns: bool,
    /// sysfs is there.
    pub sysfs: bool,
    /// devtmpfs is there.
    pub devtmpfs: bool,
    /// The tools layer's `ss` starts here.
    pub tools: bool,
    /// Module loading is there.
    pub modules: bool,
    /// What is missing and what is used instead, one sentence each.
    pub notes: Vec<String>,
}

/// What a kernel's TUN can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TunFacts {
    /// `built-in`, `module`, or absent with the reason in [`TunFacts::missing`].
    pub source: Option<String>,
    /// Why there is none.
    pub missing: Option<String>,
    /// Flags that `TUNGETFEATURES` names.
    pub features: Vec<String>,
}
