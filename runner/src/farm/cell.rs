//! One cell: its job, its guest, its evidence, its verdict.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tunfarm_machine::{CellRun as Ran, Limits, RunCause, RunError};
use tunfarm_protocol::{Datapath, DriverLoad, IpVersion, Job, PROTOCOL_VERSION};
use tunfarm_reports::model::{CellId, CellResult, Status};
use tunfarm_scenarios::KernelVersion;

use super::{BootedKernel, Farm};
use crate::evidence::Evidence;
use crate::run::{CellJob, CellRun, PreparedDriver};
use crate::verdict::{Case, judge};

/// `cell.json`: everything that is needed to run the cell again.
#[derive(Serialize)]
struct Recipe<'a> {
    cell: String,
    tunfarm: &'a str,
    protocol: u32,
    command: &'a str,
    kernel: &'a tunfarm_reports::model::KernelInfo,
    driver: Option<&'a tunfarm_reports::model::DriverInfo>,
    driver_notes: &'a [String],
    scenario_sha256: &'a str,
    image: &'a str,
    machine: String,
    clock: String,
    accel: String,
    qemu: &'a str,
    qemu_command_line: &'a [String],
    notes: &'a [String],
}

impl Farm {
    pub(super) async fn run_cell(&self, cell: CellJob<'_, BootedKernel>, id: CellId) -> CellRun {
        let result = blank(id, command(&cell, self));
        let job = job(&cell);
        self.run_job(cell, job, result, |cell, ran, result| {
            self.judged(cell, ran, result)
        })
        .await
    }

    /// Runs `job` in a fresh guest of the cell's kernel; `judge` says what its end means.
    pub(super) async fn run_job(
        &self,
        cell: CellJob<'_, BootedKernel>,
        job: Job,
        mut result: CellResult,
        judge: impl FnOnce(&CellJob<'_, BootedKernel>, Ran, &mut CellResult),
    ) -> CellResult {
        let began = Instant::now();
        let limits = Limits {
            guest: Duration::from_secs(cell.scenario.spec.limit_s * 2),
            ..Limits::default()
        };
        let snapshot = &cell.kernel.snapshot.snapshot;
        let cpu = self.cpu(cell.slot);
        let ran = self
            .host
            .run(snapshot, &job.encode(), &limits, &cell.folder, cpu)
            .await;
        let judging = Instant::now();
        let recipe = match &ran {
            Ok(ran) => self.recipe(
                &cell,
                &result,
                &ran.qemu_command_line,
                &ran.finish.outcome.notes,
            ),
            Err(error) => self.recipe(&cell, &result, &error.qemu_command_line, &[]),
        };
        match ran {
            Ok(ran) => judge(&cell, ran, &mut result),
            Err(error) => not_finished(error, &mut result),
        }
        if let Err(error) = std::fs::write(cell.folder.join("cell.json"), recipe) {
            result.status = Status::Infra;
            result.reason = format!(
                "cannot write {}: {error}",
                cell.folder.join("cell.json").display()
            );
        }
        result.timings.verdict_ms = judging.elapsed().as_secs_f64() * 1e3;
        result.timings.total_ms = began.elapsed().as_secs_f64() * 1e3;
        result
    }

    fn judged(&self, cell: &CellJob<'_, BootedKernel>, ran: Ran, result: &mut CellResult) {
        result.evidence = ran.files.into_iter().collect();
        result.timings = ran.timings;
        result.virtual_s = ran.finish.outcome.ran_us as f64 / 1e6;
        result.findings = ran.findings;
        let evidence = match Evidence::read(&cell.folder) {
            Ok(evidence) => evidence,
            Err(error) => {
                result.status = Status::Inconclusive;
                result.reason = error.to_string();
                return;
            }
        };
        let verdict = judge(&Case {
            spec: &cell.scenario.spec,
            kernel: KernelVersion::of_release(&cell.kernel.info.label),
            datapath: cell.datapath,
            ip: cell.ip,
            outcome: &ran.finish.outcome,
            findings: &result.findings,
            evidence: &evidence,
        });
        result.status = verdict.status;
        result.reason = verdict.reason;
        result.mechanism = verdict.mechanism;
        result.witnesses = verdict.witnesses;
        result.failure = verdict.failure;
        result.plot = verdict.plot;
    }

    fn recipe(
        &self,
        cell: &CellJob<'_, BootedKernel>,
        result: &CellResult,
        qemu_command_line: &[String],
        notes: &[String],
    ) -> Vec<u8> {
        let recipe = Recipe {
            cell: result.id.to_string(),
            tunfarm: env!("CARGO_PKG_VERSION"),
            protocol: PROTOCOL_VERSION,
            command: &result.command,
            kernel: &cell.kernel.info,
            driver: cell.driver.map(|d| &d.info),
            driver_notes: cell.driver.map_or(&[], |d| &d.notes),
            scenario_sha256: &cell.scenario.sha256,
            image: &cell.kernel.snapshot.image,
            machine: cell.kernel.snapshot.snapshot.machine.to_string(),
            clock: self.clock.to_string(),
            accel: self.accel.to_string(),
            qemu: self.host.version(),
            qemu_command_line,
            notes,
        };
        let mut json = serde_json::to_vec_pretty(&recipe).expect("a recipe serialises");
        json.push(b'\n');
        json
    }
}

/// The result of a cell of which nothing is known yet.
pub(super) fn blank(id: CellId, command: String) -> CellResult {
    CellResult {
        id,
        status: Status::Infra,
        expected: Vec::new(),
        reason: String::new(),
        mechanism: None,
        witnesses: Vec::new(),
        failure: None,
        findings: Vec::new(),
        control: None,
        earlier: Vec::new(),
        command,
        evidence: BTreeMap::new(),
        plot: Default::default(),
        virtual_s: 0.0,
        timings: Default::default(),
    }
}

/// A guest that did not finish. If its kernel said why, that is about the kernel; else it is the
/// farm's trouble.
fn not_finished(error: RunError, result: &mut CellResult) {
    use tunfarm_machine::Stop;
    result.findings = error.findings;
    result.reason = error.cause.to_string();
    result.status = match error.cause {
        RunCause::Guest(Stop::Panic { .. }) => Status::OtherFailure,
        RunCause::Guest(_) if !result.findings.is_empty() => Status::OtherFailure,
        RunCause::Guest(_) | RunCause::Host(_) => Status::Infra,
    };
}

fn job(cell: &CellJob<'_, BootedKernel>) -> Job {
    let scenario = cell.scenario;
    let spec = &scenario.spec;
    let script = format!("{}.pkt", scenario.name);
    let mut job = Job::new(&script, scenario.script.as_bytes(), cell.datapath, cell.ip);
    job.reader = spec.reader;
    job.tun = spec.tun.clone();
    job.sysctls = spec.sysctls.clone();
    job.limit_s = spec.limit_s;
    job.collect.ss_at_ms = spec
        .ss_at
        .iter()
        .map(|s| u64::try_from(s.0).unwrap_or_default())
        .collect();
    carry_driver(&mut job, cell.driver);
    job
}

/// Puts the modules of `driver` into `job`.
pub(super) fn carry_driver(job: &mut Job, driver: Option<&PreparedDriver>) {
    if let Some(driver) = driver.filter(|d| !d.files.is_empty()) {
        job.files.extend(driver.files.iter().cloned());
        job.driver = DriverLoad::Files(driver.files.iter().map(|(name, _)| name.clone()).collect());
    }
}

/// The command that repeats the cell.
fn command(cell: &CellJob<'_, BootedKernel>, farm: &Farm) -> String {
    let mut words = vec!["tunfarm run".to_owned()];
    let mut option = |name: &str, value: &str| words.push(format!("--{name} {}", quoted(value)));
    option("kernel", &cell.kernel.snapshot.exact_spec);
    if let Some(driver) = cell.driver {
        option("driver", &driver.info.spec);
    }
    option("scenario", &cell.scenario.name);
    option(
        "datapath",
        match cell.datapath {
            Datapath::Tun => "tun",
            Datapath::Loopback => "loopback",
        },
    );
    match cell.ip {
        IpVersion::Ipv4 => {}
        IpVersion::Ipv6 => option("ip", "6"),
        IpVersion::Mapped => option("ip", "mapped"),
    }
    if farm.clock == tunfarm_machine::Clock::Real {
        option("clock", "real");
    }
    words.join(" ")
}

/// `word` as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._:/,=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(
            quoted("debian:6.12.95+deb12-cloud"),
            "debian:6.12.95+deb12-cloud"
        );
        assert_eq!(quoted("path:it's here"), r"'path:it'\''s here'");
    }
}
