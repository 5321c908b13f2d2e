//! One script as it is: passed or not, with no word about the orphan bug.

use tunfarm_machine::CellRun as Ran;
use tunfarm_protocol::{Job, ScriptResult, SetupStage};
use tunfarm_reports::model::{CellId, CellResult, Status};

use super::cell::{blank, carry_driver, quoted};
use super::{BootedKernel, Farm};
use crate::run::CellJob;
use crate::verdict::fatal;

impl Farm {
    /// Runs `job` in a fresh guest; `command` is the command line that repeats it, without kernel
    /// and driver.
    pub async fn run_script(
        &self,
        cell: CellJob<'_, BootedKernel>,
        mut job: Job,
        id: CellId,
        command: &str,
    ) -> CellResult {
        carry_driver(&mut job, cell.driver);
        let mut command = format!(
            "{command} --kernel {}",
            quoted(&cell.kernel.snapshot.exact_spec)
        );
        if let Some(driver) = cell.driver {
            command.push_str(&format!(" --driver {}", quoted(&driver.info.spec)));
        }
        self.run_job(cell, job, blank(id, command), |_, ran, result| {
            ended(ran, result)
        })
        .await
    }
}

/// How the script ended.
fn ended(ran: Ran, result: &mut CellResult) {
    let outcome = ran.finish.outcome;
    result.evidence = ran.files.into_iter().collect();
    result.timings = ran.timings;
    result.virtual_s = outcome.ran_us as f64 / 1e6;
    result.findings = ran.findings;
    (result.status, result.reason) = match outcome.result {
        ScriptResult::Passed => (Status::Clean, "every line came true".to_owned()),
        ScriptResult::Unsupported(reason) => (Status::Skipped, reason),
        // The job is the script with its options and its first commands.
        ScriptResult::Setup {
            stage: SetupStage::Job,
            message,
        } => (Status::OtherFailure, message),
        ScriptResult::Setup { message, .. } => (Status::Infra, message),
        ScriptResult::Failed(failure) => {
            let reason = match failure.line {
                0 => failure.summary.clone(),
                line => format!("line {line}: {}", failure.summary),
            };
            result.failure = Some(failure);
            (Status::OtherFailure, reason)
        }
    };
    if let Some(finding) = result.findings.iter().find(|f| fatal(f.kind))
        && result.status == Status::Clean
    {
        result.status = Status::OtherFailure;
        result.reason = format!("the kernel reports: {}", finding.headline);
    }
}
