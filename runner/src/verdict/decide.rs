//! From witnesses and expectations to a status.

use tunfarm_protocol::{Datapath, Failure, IpVersion, Outcome, ScriptResult, SetupStage};
use tunfarm_reports::model::{
    Finding, FindingKind, Mechanism, Plot, Status, WitnessReading, WitnessSays,
};
use tunfarm_scenarios::{KernelVersion, Spec, Witness};

use super::{expect, witness};
use crate::evidence::{Evidence, seconds};

/// Everything a verdict is made from.
#[derive(Debug)]
pub struct Case<'a> {
    /// What the scenario expects.
    pub spec: &'a Spec,
    /// The kernel's version, where its release has one.
    pub kernel: Option<KernelVersion>,
    /// Where packets passed.
    pub datapath: Datapath,
    /// On which IP version.
    pub ip: IpVersion,
    /// How the script ended.
    pub outcome: &'a Outcome,
    /// What was seen on the console.
    pub findings: &'a [Finding],
    /// What was collected.
    pub evidence: &'a Evidence,
}

/// A verdict, before it is held against the controls.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The status.
    pub status: Status,
    /// Why, in one sentence.
    pub reason: String,
    /// What refused retransmissions.
    pub mechanism: Option<Mechanism>,
    /// Each witness with its number.
    pub witnesses: Vec<WitnessReading>,
    /// The script's failure, or what was not as expected.
    pub failure: Option<Failure>,
    /// What plots are drawn from.
    pub plot: Plot,
}

/// Judges one cell by its own evidence.
pub fn judge(case: &Case<'_>) -> Judgement {
    let witnesses: Vec<WitnessReading> = Witness::ALL
        .into_iter()
        .filter(|w| case.spec.witnesses.contains(w))
        .map(|w| witness::ask(w, case.evidence, case.kernel))
        .collect();
    let mut judgement = Judgement {
        status: Status::Clean,
        reason: String::new(),
        mechanism: None,
        witnesses,
        failure: None,
        plot: plot(case.evidence),
    };
    decide(case, &mut judgement);
    judgement
}

fn decide(case: &Case<'_>, j: &mut Judgement) {
    // What stopped the script from being played says nothing about TCP.
    match &case.outcome.result {
        ScriptResult::Setup { stage, message } => {
            j.status = Status::Infra;
            j.reason = match stage {
                SetupStage::Driver => format!("the driver does not load: {message}"),
                _ => message.clone(),
            };
            return;
        }
        ScriptResult::Unsupported(reason) => {
            j.status = Status::Skipped;
            j.reason.clone_from(reason);
            return;
        }
        ScriptResult::Passed | ScriptResult::Failed(_) => {}
    }
    if let Some(finding) = case.findings.iter().find(|f| fatal(f.kind)) {
        j.status = Status::OtherFailure;
        let at = finding
            .frames
            .first()
            .map(|f| format!(" in {f}"))
            .unwrap_or_default();
        j.reason = format!("the kernel reports: {}{at}", finding.headline);
        return;
    }
    let says = |what: WitnessSays| {
        j.witnesses
            .iter()
            .filter(move |w| w.says == what)
            .collect::<Vec<_>>()
    };
    let (bug, healthy) = (says(WitnessSays::Bug), says(WitnessSays::Healthy));
    let symptom = |w: &WitnessReading| {
        [
            Witness::Capture,
            Witness::Counters,
            Witness::Retrans,
            Witness::Probe,
        ]
        .iter()
        .any(|s| s.word() == w.witness)
    };
    // Where TCP itself takes an orphaned clone for queued, sk_wmem_alloc is rightly 0: that
    // witness speaks about the cause, the others about the symptom, and they do not disagree.
    let only_cause_healthy = healthy.iter().all(|w| !symptom(w));
    let symptoms = bug.iter().filter(|w| symptom(w)).count();
    if bug.len() >= 2
        && symptoms >= 1
        && (healthy.is_empty() || (only_cause_healthy && symptoms >= 2))
    {
        let quoted = bug
            .iter()
            .take(2)
            .map(|w| w.reading.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        j.mechanism = witness::mechanism(&j.witnesses, case.evidence, case.kernel);
        j.status = Status::OrphanBug;
        j.reason = match j.mechanism {
            Some(m) => format!("{quoted} ({})", m.phrase()),
            None => quoted,
        };
    } else if !bug.is_empty() {
        j.status = Status::Inconclusive;
        j.reason = match healthy.first() {
            Some(other) => format!(
                "witnesses disagree: {} says “{}”, {} says “{}”",
                bug[0].witness, bug[0].reading, other.witness, other.reading
            ),
            None => format!(
                "only one witness speaks, and one never decides: {} says “{}”",
                bug[0].witness, bug[0].reading
            ),
        };
    }
    if let ScriptResult::Failed(failure) = &case.outcome.result {
        if j.status == Status::Clean {
            j.status = Status::OtherFailure;
            j.reason = match failure.line {
                0 => failure.summary.clone(),
                line => format!("line {line}: {}", failure.summary),
            };
        }
        j.failure = Some(failure.clone());
        return;
    }
    let (expected, _) = case.spec.expected(case.kernel, case.datapath, case.ip);
    let wrong = expect::compare(expected, case.evidence);
    if let Some(first) = wrong.first() {
        if j.status == Status::Clean {
            j.status = Status::OtherFailure;
            let more = match wrong.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            j.reason = format!(
                "{}: expected {}, seen {}{more}",
                first.field, first.expected, first.actual
            );
        }
        j.failure = Some(Failure {
            line: 0,
            summary: "the script passed, but what was seen is not what the scenario expects".into(),
            at_us: 0,
            mismatches: wrong,
            detail: String::new(),
        });
        return;
    }
    if j.status == Status::Clean {
        j.reason = match healthy.first() {
            Some(witness) => witness.reading.clone(),
            None => "every line of the script and every expectation came true".into(),
        };
        // Silence is no health: a scenario that is there to see the bug has to see a healthy kernel.
        if !case.spec.witnesses.is_empty() && healthy.len() < 2 {
            j.status = Status::Inconclusive;
            j.reason = "fewer than two witnesses saw a healthy kernel".into();
        }
    }
}

/// Trouble after which nothing the guest's TCP does can be trusted.
/// Whether this says that the kernel is broken.
pub(crate) fn fatal(kind: FindingKind) -> bool {
    match kind {
        FindingKind::Panic
        | FindingKind::Oops
        | FindingKind::Bug
        | FindingKind::HungTask
        | FindingKind::SoftLockup
        | FindingKind::RcuStall
        | FindingKind::Silent
        | FindingKind::Died => true,
        FindingKind::Warning | FindingKind::Lockdep => false,
    }
}

fn plot(evidence: &Evidence) -> Plot {
    let mut plot = Plot {
        states: evidence.states(),
        ..Plot::default()
    };
    for segment in &evidence.wire {
        let t = seconds(segment.t_us);
        plot.packets.push((t, segment.out, segment.summary.clone()));
        if segment.out && segment.kind == tunfarm_scenarios::Segment::Fin {
            plot.fins.push(t);
        }
        if segment.out && segment.again {
            plot.retransmissions.push(t);
        }
    }
    let mut fired = 0;
    for sample in evidence.connection() {
        let t = seconds(sample.t_us);
        if let Some(wmem) = sample.wmem_alloc {
            if plot.wmem_alloc.last().is_none_or(|(_, w)| *w != wmem) {
                plot.wmem_alloc.push((t, wmem));
            }
        }
        if let Some(rto) = sample.rto_us {
            let ms = f64::from(rto) / 1000.0;
            if plot.rto_ms.last().is_none_or(|(_, r)| *r != ms) {
                plot.rto_ms.push((t, ms));
            }
        }
        if let Some(now) = sample.backoff {
            if now > fired {
                plot.timeouts.push(t);
            }
            fired = now;
        }
    }
    plot
}
