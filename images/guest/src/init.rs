//! The life of PID 1.

use std::convert::Infallible;

use tunfarm_protocol::{FW_CFG_JOB, Finish, Job, Outcome, ScriptResult, SetupStage};

use crate::evidence::Evidence;
use crate::fw_cfg::FwCfg;
use crate::port::{self, Ports};
use crate::{facts, mounts, quiet, sys};

/// Boots, waits for a job, runs it and ends the machine. Never returns: the end of PID 1 would be
/// a kernel panic, which the host takes for the kernel's.
pub fn run() -> ! {
    std::panic::set_hook(Box::new(|panic| {
        // The console is the only way out that needs nothing but a file descriptor.
        eprintln!("tunfarm-guest: panic: {panic}");
    }));
    let error = match live() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    eprintln!("tunfarm-guest: fatal: {error}");
    end()
}

fn live() -> Result<Infallible, String> {
    let mounted = mounts::mount_all()
        .map_err(|e| format!("mounting /proc failed: {e}; the kernel needs CONFIG_PROC_FS"))?;
    let ports = port::open()?;
    let evidence = Evidence::new(&ports);
    quiet::quieten();
    let facts = facts::gather(&mounted);
    let fw_cfg = FwCfg::open(&ports).map_err(|e| format!("reading fw_cfg failed: {e}"))?;
    let lost = |e| format!("writing evidence failed: {e}");
    evidence.ready(&facts).map_err(lost)?;
    let job = wait_for_job(&fw_cfg)?;
    let outcome = match Job::decode(&job) {
        Ok(job) => run_job(&job, &ports),
        Err(e) => setup_failed(SetupStage::Job, e.to_string()),
    };
    evidence.finish(&Finish { outcome }).map_err(lost)?;
    end()
}

/// Runs a job. The engine is not linked in yet: what it says is true of this build.
fn run_job(job: &Job, _ports: &Ports) -> Outcome {
    setup_failed(
        SetupStage::Job,
        format!("this agent has no engine: {} was not run", job.script),
    )
}

fn setup_failed(stage: SetupStage, message: String) -> Outcome {
    Outcome {
        result: ScriptResult::Setup { stage, message },
        ran_us: 0,
        notes: Vec::new(),
    }
}

/// Spins until the job is there: a sleeping guest would let its clock run away.
fn wait_for_job(fw_cfg: &FwCfg<'_>) -> Result<Vec<u8>, String> {
    let failed = |e| format!("reading the job from fw_cfg failed: {e}");
    loop {
        if let Some(entry) = fw_cfg.find(FW_CFG_JOB).map_err(failed)? {
            return fw_cfg.read(entry).map_err(failed);
        }
    }
}

/// Ends the machine. QEMU runs with `-no-reboot`, so a reboot is its end, and needs no ACPI.
fn end() -> ! {
    loop {
        // SAFETY: no memory operands; does not return where it succeeds.
        unsafe {
            libc::sync();
            libc::reboot(libc::RB_AUTOBOOT);
        }
        sys::sleep_until(sys::monotonic_ns() + 1_000_000_000);
    }
}
