//! Statuses, which never mix.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a cell says about its kernel and driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The scenario held and no witness saw the bug.
    Clean,
    /// Independent witnesses agree that retransmissions are refused for the driver's sake.
    OrphanBug,
    /// The script failed, and not by this bug.
    OtherFailure,
    /// Witnesses disagree, or the control failed.
    Inconclusive,
    /// Could not boot, host trouble: says nothing about the kernel's TCP.
    Infra,
    /// Not run, for a reason.
    Skipped,
}

impl Status {
    /// All statuses, best first.
    pub const ALL: [Status; 6] = [
        Status::Clean,
        Status::Skipped,
        Status::OrphanBug,
        Status::OtherFailure,
        Status::Inconclusive,
        Status::Infra,
    ];

    /// The word used everywhere: table, JUnit, JSON, HTML.
    pub fn word(self) -> &'static str {
        match self {
            Status::Clean => "clean",
            Status::OrphanBug => "orphan-bug",
            Status::OtherFailure => "other-failure",
            Status::Inconclusive => "inconclusive",
            Status::Infra => "infra",
            Status::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What refused the retransmissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// `sk_wmem_alloc > min(sk_wmem_queued + sk_wmem_queued/4, sk_sndbuf)`: −EAGAIN, kernels up
    /// to about 5.12.
    Eagain,
    /// `skb_still_in_host_queue()`, and the clone still belongs to the socket: −EBUSY.
    EbusyOwned,
    /// `skb_still_in_host_queue()` although the driver orphaned the clone: about 3.15 to 3.17.
    EbusyOrphaned,
}

impl Mechanism {
    /// One phrase for people.
    pub fn phrase(self) -> &'static str {
        match self {
            Mechanism::Eagain => "EAGAIN: sk_wmem_alloc exceeds what is queued",
            Mechanism::EbusyOwned => {
                "EBUSY by ownership: the driver's clone still owns the socket's memory"
            }
            Mechanism::EbusyOrphaned => {
                "EBUSY although orphaned: TCP itself takes the clone for queued"
            }
        }
    }
}
