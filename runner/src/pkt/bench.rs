//! The laboratory of scripts: the farm, with a word about each script instead of a verdict.

use std::collections::BTreeMap;

use tunfarm_images::ToolSet;
use tunfarm_protocol::{Collect, Engine, IpVersion, Job};
use tunfarm_reports::model::{CellId, CellResult, Status};

use super::companions::lay_out;
use super::{Differences, Script, Suite};
use crate::farm::{BootedKernel, Farm};
use crate::run::{CellJob, CellRun, Lab, PreparedKernel, Trouble};

/// How scripts are run.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Collect everything that a scenario's run collects.
    pub evidence: bool,
    /// A static packetdrill binary in place of tunfarm's own engine, TUN only.
    pub packetdrill: Option<Vec<u8>>,
    /// `NAME=VALUE` as packetdrill's `-D`.
    pub defines: BTreeMap<String, String>,
}

/// Runs scripts.
pub struct Bench {
    farm: Farm,
    suite: Suite,
    manner: Manner,
    differences: Differences,
}

/// What the packetdrill binary is called among a job's files.
const ENGINE: &str = "packetdrill";

impl Bench {
    /// A bench in `farm` for the scripts of `suite`.
    pub fn new(farm: Farm, suite: Suite, manner: Manner, differences: Differences) -> Bench {
        let tools = if suite.needs_python() {
            ToolSet::WithPython
        } else {
            ToolSet::Standard
        };
        Bench {
            farm: farm.with_tools(tools),
            suite,
            manner,
            differences,
        }
    }
}

impl Lab for Bench {
    type Snapshot = BootedKernel;

    async fn prepare(
        &self,
        spec: &str,
        drivers: &[String],
        slot: usize,
    ) -> Result<PreparedKernel<BootedKernel>, Trouble> {
        self.farm.prepare(spec, drivers, slot).await
    }

    async fn cell(&self, cell: CellJob<'_, BootedKernel>, id: CellId) -> CellRun {
        let Some(script) = self.suite.get(&id.scenario) else {
            unreachable!("the plan was made of this suite")
        };
        let job = job(script, &cell, &self.manner);
        let command = command(script, &id);
        let because = self
            .differences
            .because(&id)
            .filter(|_| script.runner.is_some());
        let mut result: CellResult = self.farm.run_script(cell, job, id.clone(), &command).await;
        if let Some(because) = because {
            result.reason = match result.status {
                Status::OtherFailure => format!("{because} ({})", result.reason),
                Status::Clean => {
                    format!(
                        "it passes, although scenarios/selftests.yaml says that it cannot: {because}"
                    )
                }
                _ => result.reason,
            };
        }
        result
    }

    fn controls(&self) -> bool {
        false
    }

    fn driver_label(&self, spec: &str) -> String {
        self.farm.driver_label(spec)
    }
}

fn job(script: &Script, cell: &CellJob<'_, BootedKernel>, manner: &Manner) -> Job {
    // What a script calls its file is not the report's affair.
    let name = script.name.rsplit('/').next().unwrap_or(&script.name);
    let name = format!("{name}.pkt");
    let folder = script.path.parent().unwrap_or(std::path::Path::new("."));
    let (name, helpers) = lay_out(&name, folder, &script.files);
    let mut job = Job::new(&name, script.text.as_bytes(), cell.datapath, cell.ip);
    job.limit_s = cell.scenario.spec.limit_s;
    job.files.extend(helpers);
    job.defines = script.defines(cell.ip, &manner.defines);
    if script.runner.is_some() {
        job.options = selftest_options(cell.ip)
            .iter()
            .map(|o| (*o).to_owned())
            .collect();
    }
    if !manner.evidence {
        job.collect = Collect {
            capture: false,
            samples: false,
            counters: false,
            probe: false,
            ss_at_ms: Vec::new(),
        };
    }
    if let Some(program) = &manner.packetdrill {
        job.files.insert(ENGINE.into(), program.clone());
        job.engine = Engine::Packetdrill(ENGINE.into());
    }
    job
}

/// The options of the kernel's own runner, `ksft_runner.sh` of Linux 6.12 to 7.3.
fn selftest_options(ip: IpVersion) -> &'static [&'static str] {
    match ip {
        IpVersion::Ipv4 | IpVersion::Mapped => &[
            "--local_ip=192.168.0.1",
            "--gateway_ip=192.168.0.1",
            "--netmask_ip=255.255.0.0",
            "--remote_ip=192.0.2.1",
        ],
        IpVersion::Ipv6 => &[
            "--mtu=1520",
            "--local_ip=fd3d:0a0b:17d6::1",
            "--gateway_ip=fd3d:0a0b:17d6:8888::1",
            "--remote_ip=fd3d:fa7b:d17d::1",
        ],
    }
}

/// The command that runs the script again.
fn command(script: &Script, cell: &CellId) -> String {
    let ip = match cell.ip {
        IpVersion::Ipv4 => "4",
        IpVersion::Ipv6 => "6",
        IpVersion::Mapped => "mapped",
    };
    let path = match cell.datapath {
        tunfarm_protocol::Datapath::Tun => "tun",
        tunfarm_protocol::Datapath::Loopback => "loopback",
    };
    let what = crate::farm::quoted(&script.path.to_string_lossy());
    let what = match script.path.is_file() {
        true => what,
        false => format!("--selftests {what}"),
    };
    format!("tunfarm pkt {what} --datapath {path} --ip {ip}")
}
