//! One boot: from a kernel to the agent's "ready", saved.

use std::path::Path;
use std::time::Duration;

use tunfarm_protocol::KernelFacts;
use tunfarm_reports::model::Finding;

use crate::cmdline::{self, Shape, Start};
use crate::error::{HostError, RunCause, Stop};
use crate::evidence::ConsoleLog;
use crate::host::Host;
use crate::spec::{Accel, BootSpec, Clock, Limits};
use crate::tsc;
use crate::vm::{Happening, Vm};

/// A boot takes 4 to 15 s under TCG on a free machine.
const BOOT_LIMIT: Duration = Duration::from_secs(240);

/// The guest's own time for a boot: a kernel that waits for a device for ever idles through this
/// in seconds.
const BOOT_GUEST_LIMIT: Duration = Duration::from_secs(1800);

/// Boots `spec` in the given shape with RAM in the new file `ram`; at the agent's "ready" the
/// guest is stopped and its device state written to `state`. The console goes to `dir`.
pub async fn boot(
    host: &Host,
    spec: &BootSpec,
    shape: &Shape,
    dir: &Path,
    ram: &Path,
    state: &Path,
    cpu: Option<usize>,
) -> Result<(KernelFacts, Vec<Finding>), (RunCause, Vec<Finding>)> {
    let alone = |error: HostError| (RunCause::Host(error), Vec::new());
    let mut append = cmdline::kernel(spec);
    // Without icount, calibration of the TSC against the PIT can hang under load. The host's own
    // rate is no part of the snapshot's key: it is measured, and so differs in the last digits.
    if let (Clock::Real, Accel::Tcg, Some(khz)) = (spec.clock, spec.accel, tsc::khz()) {
        append.push_str(&format!(" tsc_early_khz={khz}"));
    }
    let start = Start::Boot {
        kernel: &spec.kernel,
        initramfs: &spec.initramfs,
        append: &append,
        ram,
    };
    let limits = Limits {
        wall: BOOT_LIMIT,
        guest: BOOT_GUEST_LIMIT,
        ..Limits::default()
    };
    let log = ConsoleLog::create(dir, limits.console_bytes).map_err(alone)?;
    let args = shape.arguments(start);
    let mut vm =
        Vm::start(host.qemu(), &args, None, cpu, spec.clock, &limits, log).map_err(alone)?;
    let result = to_ready(&mut vm, state).await;
    let (findings, _) = vm.end().await.map_err(alone)?;
    match result {
        Ok(facts) => Ok((facts, findings)),
        Err(cause) => Err((cause, findings)),
    }
}

async fn to_ready(vm: &mut Vm, state: &Path) -> Result<KernelFacts, RunCause> {
    let facts = loop {
        match vm.next().await? {
            Happening::Ready(facts) => break *facts,
            Happening::Finish(_) => {
                return Err(Stop::Died {
                    reason: "the agent finished before it had a job".to_owned(),
                    console: Vec::new(),
                }
                .into());
            }
            Happening::Log(line) => tracing::debug!(line, "guest"),
            Happening::Answered | Happening::Resumed | Happening::File(..) => {}
        }
    };
    vm.save(state).await?;
    Ok(facts)
}
