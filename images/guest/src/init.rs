//! The life of PID 1.

use std::convert::Infallible;

use tunfarm_protocol::{FW_CFG_JOB, Finish, Job, SetupStage};

use crate::evidence::Evidence;
use crate::fw_cfg::FwCfg;
use crate::job::{self, Run};
use crate::modules::Index;
use crate::{driver, facts, loopback, mounts, pit, port, quiet, sys, warmup};

/// Where a job's files go.
const JOB_DIR: &str = "/job";
/// The word on the kernel's command line for a guest that is only asked what its kernel has, and
/// never saved.
const PROBE_WORD: &str = "tunfarm.probe";

/// Boots, waits for a job, runs it and ends the machine. Never returns: the end of PID 1 would be
/// a kernel panic, which the host takes for the kernel's.
///
/// Orphans that end stay zombies: there is one job in a machine's life, and waiting for any child
/// would take the end of `ss` or of a script's command away from the thread that waits for it.
pub fn run() -> ! {
    std::panic::set_hook(Box::new(|panic| {
        // The console is the only way out that needs nothing but a file descriptor.
        eprintln!("tunfarm-guest: panic: {panic}");
    }));
    let Err(error) = live();
    eprintln!("tunfarm-guest: fatal: {error}");
    end()
}

fn live() -> Result<Infallible, String> {
    let mounted = mounts::mount_all()
        .map_err(|e| format!("mounting /proc failed: {e}; the kernel needs CONFIG_PROC_FS"))?;
    let ports = port::open()?;
    let evidence = Evidence::new(&ports);
    quiet::quieten();
    pit::stop_if_unused(&ports).map_err(|e| format!("stopping the interval timer failed: {e}"))?;
    // Where the image has it, whatever the kernel was configured with.
    let _ = sys::write("/proc/sys/kernel/modprobe", "/sbin/modprobe");
    let index = Index::of_image();
    let probing = sys::read("/proc/cmdline")
        .is_ok_and(|line| line.split_whitespace().any(|word| word == PROBE_WORD));
    // Refused only where there is no loopback, which the scripts on it will say.
    let _ = loopback::set_up();
    let (mut facts, equipment) = facts::gather(&mounted, &index, probing);
    driver::load_ahead(&index);
    facts
        .notes
        .extend(warmup::warm(&index, &equipment, facts.netns));
    warmup::settle();
    let fw_cfg = FwCfg::open(&ports).map_err(|e| format!("reading fw_cfg failed: {e}"))?;
    let lost = |e| format!("writing evidence failed: {e}");
    evidence.ready(&facts).map_err(lost)?;
    let mut run = match Job::decode(&wait_for_job(&fw_cfg)?) {
        Ok(job) => job::run(job, &index, &equipment, JOB_DIR),
        Err(e) => Run::not_set(SetupStage::Job, e.to_string()),
    };
    // What this kernel lacks was known before; a reader of one cell's evidence should know it too.
    for note in facts.notes {
        if !run.outcome.notes.contains(&note) {
            run.outcome.notes.push(note);
        }
    }
    for (name, data) in &run.files {
        evidence.file(name, data).map_err(lost)?;
    }
    evidence
        .finish(&Finish {
            outcome: run.outcome,
        })
        .map_err(lost)?;
    linger();
    end()
}

/// Leaves the host the time to take the last frame and end the machine before there is another
/// word on the console: what the console's log holds must not depend on who is quicker. Spins,
/// since a sleeping guest's clock would jump.
fn linger() {
    const NS: i64 = 20_000_000_000;
    let until = sys::monotonic_ns() + NS;
    while sys::monotonic_ns() < until {
        std::hint::spin_loop();
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
