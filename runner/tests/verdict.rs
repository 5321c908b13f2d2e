//! Verdicts over evidence as it was measured on Debian's 6.12.95 (TUN, simultaneous close, peer
//! silent), and over what other kernels are known to show.

use tunfarm::evidence::{Evidence, ProbeCall, Segment};
use tunfarm::verdict::{Case, Judgement, judge};
use tunfarm_protocol::{Counters, Datapath, Failure, IpVersion, Outcome, Sample, ScriptResult};
use tunfarm_reports::model::{Finding, FindingKind, Mechanism, Status, WitnessSays};
use tunfarm_scenarios::{Collection, Segment as Kind};

/// What one run showed, in the terms of the table of measurements.
#[derive(Clone)]
struct Seen {
    kernel: &'static str,
    fins: &'static [f64],
    timeouts: i64,
    retrans_segs: i64,
    /// `sk_wmem_alloc` in each sample of the wait; `None` where the kernel does not tell.
    wmem_alloc: Option<u32>,
    /// What the probed function returned; `None` where there is no probe.
    probe: Option<&'static [i64]>,
    total_retrans: u32,
    /// How often `skb_still_in_host_queue()` refused, as the kernel counts it.
    host_queues: i64,
    /// Sockets in use while the timer backs off, and after the end; `None` where memory is told.
    in_use: Option<(u32, u32)>,
    /// Of the file that holds the socket; 0 once it is closed.
    inode: u32,
}

const FINS: &[f64] = &[
    0.4, 0.712, 1.032, 1.640, 2.856, 5.256, 10.120, 19.848, 40.328, 79.240,
];

const STOCK: Seen = Seen {
    kernel: "6.12.95+deb12-cloud-amd64",
    fins: FINS,
    timeouts: 9,
    retrans_segs: 9,
    wmem_alloc: Some(0),
    probe: Some(&[0; 8]),
    total_retrans: 9,
    host_queues: 0,
    in_use: None,
    inode: 0,
};

const EXPECT: &str = "
states: [ESTAB, FIN-WAIT-1, CLOSING, GONE]
wire:
  - { segment: fin, count: 8..11, repeats: at-rto }
counters: { TcpExtTCPTimeouts: 7..10, TcpExtTCPAbortOnTimeout: 1 }
";

const NO_ORPHAN: Seen = Seen {
    fins: &[0.4],
    retrans_segs: 0,
    wmem_alloc: Some(2794),
    probe: Some(&[-16; 8]),
    total_retrans: 0,
    ..STOCK
};

impl Seen {
    fn evidence(&self) -> Evidence {
        let wire = self.fins.iter().enumerate().map(|(n, t)| Segment {
            t_us: (t * 1e6) as i64,
            out: true,
            kind: Kind::Fin,
            ports: (8080, 5000),
            seq: 1,
            ack: 1,
            flags: "F.".into(),
            window: 502,
            len: 0,
            again: n > 0,
            summary: "F. 1001:1001(0) ack 2 win 502".into(),
        });
        let sample = |t: f64, state: &str, backoff: u32, rto_ms: u32| -> Sample {
            serde_json::from_value(serde_json::json!({
                "t_us": (t * 1e6) as i64, "local": "192.168.0.1:8080",
                "remote": "192.0.2.1:5000", "state": state, "timer": "on", "rto_us": rto_ms * 1000,
                "backoff": backoff, "total_retrans": self.total_retrans.min(backoff + 1),
                "wmem_alloc": if backoff > 0 { self.wmem_alloc } else { Some(0) },
                "wmem_queued": self.wmem_alloc.map(|_| 896),
                "inode": self.inode,
                "sockets_in_use": self.in_use.map(|(before, _)| before),
            }))
            .expect("a sample")
        };
        let mut samples = vec![
            sample(0.25, "ESTAB", 0, 296),
            sample(0.41, "FIN-WAIT-1", 0, 296),
            sample(0.72, "CLOSING", 0, 296),
        ];
        for (n, t) in FINS[2..].iter().enumerate() {
            samples.push(sample(t + 0.01, "CLOSING", n as u32 + 1, 296 << (n + 1)));
        }
        samples.push(
            serde_json::from_value(serde_json::json!({
                "t_us": 157_100_000, "local": "192.168.0.1:8080", "remote": "192.0.2.1:5000", "state": "GONE",
                "sockets_in_use": self.in_use.map(|(_, after)| after),
            }))
            .expect("a sample"),
        );
        let counters = Counters::from([
            ("TcpExtTCPTimeouts".to_owned(), self.timeouts),
            ("TcpRetransSegs".to_owned(), self.retrans_segs),
            ("TcpExtTCPAbortOnTimeout".to_owned(), 1),
            (
                "TcpExtTCPSpuriousRtxHostQueues".to_owned(),
                self.host_queues,
            ),
        ]);
        let call = |(n, returned): (usize, &i64)| ProbeCall {
            t: n as f64,
            function: "tcp_retransmit_skb".into(),
            returned: *returned,
        };
        Evidence {
            wire: wire.collect(),
            samples,
            counters: Some(counters),
            probe: self
                .probe
                .map(|calls| calls.iter().enumerate().map(call).collect()),
        }
    }

    fn judged(&self) -> Judgement {
        self.judged_with(ScriptResult::Passed, &[])
    }

    fn judged_with(&self, result: ScriptResult, findings: &[Finding]) -> Judgement {
        let collection = Collection::built_in().expect("the collection");
        let mut spec = collection.get("closing").expect("closing").spec.clone();
        // The collection counts every segment of its own run; these few are about verdicts.
        spec.expect = tunfarm_config::parse(EXPECT, std::path::Path::new("expect.yaml"))
            .expect("expectations");
        spec.differs.clear();
        judge(&Case {
            spec: &spec,
            kernel: tunfarm_scenarios::KernelVersion::of_release(self.kernel),
            datapath: Datapath::Tun,
            ip: IpVersion::Ipv4,
            outcome: &Outcome {
                result,
                ran_us: 200_000_000,
                notes: vec![],
            },
            findings,
            evidence: &self.evidence(),
        })
    }
}

#[test]
fn the_stock_driver_is_clean() {
    let verdict = STOCK.judged();
    assert_eq!(verdict.status, Status::Clean, "{verdict:#?}");
    assert!(
        verdict
            .witnesses
            .iter()
            .all(|w| w.says == WitnessSays::Healthy),
        "{verdict:#?}"
    );
}

#[test]
fn without_the_orphan_call_all_witnesses_see_the_bug() {
    let verdict = NO_ORPHAN.judged();
    assert_eq!(verdict.status, Status::OrphanBug, "{verdict:#?}");
    assert_eq!(verdict.mechanism, Some(Mechanism::EbusyOwned));
    assert!(
        verdict.witnesses.iter().all(|w| w.says == WitnessSays::Bug),
        "{verdict:#?}"
    );
}

#[test]
fn without_a_probe_the_version_and_the_memory_tell_the_mechanism() {
    let no_probe = |kernel| {
        Seen {
            kernel,
            probe: None,
            ..NO_ORPHAN
        }
        .judged()
    };
    assert_eq!(no_probe("6.12.95").mechanism, Some(Mechanism::EbusyOwned));
    assert_eq!(
        no_probe("5.10.0-30-cloud-amd64").mechanism,
        Some(Mechanism::Eagain)
    );
}

#[test]
fn two_six_thirty_two_repeats_its_fin_once_and_still_has_the_bug() {
    // Measured on 2.6.32.69: 2 FINs on the wire for 3 time-outs, no SK_MEMINFO, no probe.
    let old = Seen {
        kernel: "2.6.32.69",
        fins: &[0.4, 3.4],
        timeouts: 3,
        retrans_segs: 1,
        wmem_alloc: None,
        probe: None,
        total_retrans: 1,
        ..STOCK
    };
    let verdict = old.judged();
    assert_eq!(verdict.status, Status::OrphanBug, "{verdict:#?}");
    // There was no other test then.
    assert_eq!(verdict.mechanism, Some(Mechanism::Eagain));
}

#[test]
fn three_sixteen_shows_the_symptom_though_the_driver_orphans() {
    // Measured on a stock 3.16: 1 FIN for 7 time-outs.
    let stock_316 = Seen {
        kernel: "3.16.85",
        fins: &[0.4],
        timeouts: 7,
        retrans_segs: 0,
        wmem_alloc: Some(0),
        probe: None,
        total_retrans: 0,
        ..STOCK
    };
    let verdict = stock_316.judged();
    assert_eq!(verdict.status, Status::OrphanBug, "{verdict:#?}");
    assert_eq!(verdict.mechanism, Some(Mechanism::EbusyOrphaned));
}

/// A kernel without kprobes and socket diagnosis: nothing returns a number, no memory is told.
fn bare(host_queues: i64, in_use: Option<(u32, u32)>) -> Judgement {
    Seen {
        wmem_alloc: None,
        probe: None,
        host_queues,
        in_use,
        ..NO_ORPHAN
    }
    .judged()
}

#[test]
fn on_a_bare_kernel_its_own_count_and_the_sockets_end_tell_the_mechanism() {
    // Freed or not with its connection: whose the packet in tun's queue was.
    let owned = bare(9, Some((3, 3)));
    assert_eq!(owned.status, Status::OrphanBug, "{owned:#?}");
    assert_eq!(owned.mechanism, Some(Mechanism::EbusyOwned));
    let orphaned = bare(9, Some((3, 2)));
    assert_eq!(orphaned.status, Status::OrphanBug, "{orphaned:#?}");
    assert_eq!(orphaned.mechanism, Some(Mechanism::EbusyOrphaned));
    // Nothing tells whose it was, but TCP asks for it.
    assert_eq!(bare(9, None).mechanism, Some(Mechanism::EbusyOwned));
    // Nothing tells which test it was.
    assert_eq!(bare(0, None).mechanism, None);
}

#[test]
fn a_socket_that_a_program_holds_outlives_its_connection_by_right() {
    let held = Seen {
        wmem_alloc: None,
        probe: None,
        in_use: Some((3, 3)),
        inode: 53,
        ..STOCK
    };
    let verdict = held.judged();
    assert_eq!(verdict.status, Status::Clean, "{verdict:#?}");
    let closed = Seen { inode: 0, ..held };
    assert_eq!(closed.judged().status, Status::Inconclusive);
}

#[test]
fn an_old_kernel_counts_a_socket_only_until_it_is_closed() {
    // So that its count says nothing about who owns what.
    let seen = |kernel, in_use| {
        Seen {
            kernel,
            wmem_alloc: None,
            probe: None,
            host_queues: 9,
            in_use: Some(in_use),
            ..NO_ORPHAN
        }
        .judged()
        .mechanism
    };
    assert_eq!(seen("4.9.0-19-amd64", (3, 2)), Some(Mechanism::EbusyOwned));
    assert_eq!(
        seen("4.16.0-1-amd64", (3, 2)),
        Some(Mechanism::EbusyOrphaned)
    );
    assert_eq!(seen("3.16.85", (3, 3)), None);
}

#[test]
fn the_kernels_own_count_outweighs_the_version() {
    // 5.10 has both tests; it counts what the younger one refuses.
    let counted = Seen {
        kernel: "5.10.0-30-cloud-amd64",
        probe: None,
        host_queues: 9,
        ..NO_ORPHAN
    };
    assert_eq!(counted.judged().mechanism, Some(Mechanism::EbusyOwned));
}

#[test]
fn witnesses_that_disagree_are_inconclusive_and_named() {
    let verdict = Seen {
        fins: &[0.4],
        ..STOCK
    }
    .judged();
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict
            .reason
            .starts_with("witnesses disagree: capture says"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_healthy_wait_that_ends_early_is_another_failure() {
    // tcp_orphan_retries = 2: the timer fires less often, and every time something is sent.
    let early = Seen {
        fins: &FINS[..4],
        timeouts: 3,
        retrans_segs: 3,
        probe: Some(&[0; 2]),
        ..STOCK
    };
    let verdict = early.judged();
    assert_eq!(verdict.status, Status::OtherFailure, "{verdict:#?}");
    assert!(
        verdict
            .reason
            .starts_with("FIN segments sent: expected 8..11, seen 4"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_line_that_failed_is_another_failure_unless_the_bug_explains_it() {
    let failure = Failure {
        line: 12,
        summary: "expected a SYN-ACK, got none".into(),
        at_us: 100_000,
        mismatches: vec![],
        detail: String::new(),
    };
    let failed = ScriptResult::Failed(failure);
    assert_eq!(
        STOCK.judged_with(failed.clone(), &[]).status,
        Status::OtherFailure
    );
    assert_eq!(NO_ORPHAN.judged_with(failed, &[]).status, Status::OrphanBug);
}

#[test]
fn an_oops_outranks_every_witness() {
    let oops = Finding {
        kind: FindingKind::Oops,
        headline: "BUG: kernel NULL pointer dereference, address: 0000000000000000".into(),
        frames: vec!["tun_net_xmit+0x1/0x100 [tun]".into()],
    };
    let verdict = NO_ORPHAN.judged_with(ScriptResult::Passed, &[oops]);
    assert_eq!(verdict.status, Status::OtherFailure);
    assert!(
        verdict.reason.contains("in tun_net_xmit"),
        "{}",
        verdict.reason
    );
}

#[test]
fn no_evidence_is_never_clean() {
    let collection = Collection::built_in().expect("the collection");
    let mut spec = collection.get("closing").expect("closing").spec.clone();
    spec.expect = Default::default();
    let verdict = judge(&Case {
        spec: &spec,
        kernel: None,
        datapath: Datapath::Tun,
        ip: IpVersion::Ipv4,
        outcome: &Outcome {
            result: ScriptResult::Passed,
            ran_us: 1,
            notes: vec![],
        },
        findings: &[],
        evidence: &Evidence::default(),
    });
    assert_eq!(verdict.status, Status::Inconclusive);
}
