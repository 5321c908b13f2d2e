//! Runs one job: files, driver, stage, collectors, script.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tunfarm_protocol::{
    Datapath, Engine, Failure, IpVersion, Job, Outcome, ScriptResult, SetupStage, evidence,
};

use crate::collectors::{Collectors, Equipment};
use crate::modules::Index;
use crate::stage::{Performer, Report, Transcripts};
use crate::{driver, sys};

/// Scripts start a little after a multiple of this on CLOCK_MONOTONIC, in nanoseconds. The kernel
/// rounds long timers to seconds of its own clock; so every job of a snapshot sees them rounded
/// alike, however long its setting-up took. (In virtual time the wait is free.)
const GRID_NS: i64 = 1_000_000_000;
/// How much after it, in nanoseconds. What the kernel counts in ticks (`tcpi_busy_time`) depends on
/// where between two ticks it begins, and since Linux 6.4 ticks are multiples of their length; so
/// events at round times begin well inside of one, at any HZ from 100 to 1000.
const OFF_TICK_NS: i64 = 2_500_000;
/// Between the setting-up and the script, in nanoseconds: for what the kernel still does about the
/// new device.
const REST_NS: i64 = 50_000_000;
/// How long the stage may take to be set, in seconds.
const SET_LIMIT_S: u64 = 60;
/// How long after its limit a script that has not ended itself is given up, in seconds.
const GRACE_S: u64 = 15;
/// How long a script may take to clean up, in seconds.
const CLEAN_LIMIT_S: u64 = 60;

/// How a job ended, with its evidence in the order in which it is sent.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// Names and contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

impl Run {
    /// A run whose stage was not set.
    pub fn not_set(stage: SetupStage, message: String) -> Run {
        Run::without_script(ScriptResult::Setup { stage, message }, Vec::new())
    }

    fn without_script(result: ScriptResult, files: Vec<(&'static str, Vec<u8>)>) -> Run {
        Run {
            outcome: Outcome {
                result,
                ran_us: 0,
                notes: Vec::new(),
            },
            files,
        }
    }
}

/// Runs a job in the folder `dir`.
pub fn run(job: Job, index: &Index, equipment: &Equipment, dir: &str) -> Run {
    if let Err(message) = unpack(&job, dir) {
        return Run::not_set(SetupStage::Job, message);
    }
    // IPv4-mapped addresses are for IPv6 sockets.
    if job.ip != IpVersion::Ipv4 && !equipment.ipv6 {
        let reason = "this kernel has no IPv6 (CONFIG_IPV6)".to_owned();
        return Run::without_script(ScriptResult::Unsupported(reason), Vec::new());
    }
    if job.datapath == Datapath::Tun
        && let Err(message) = driver::load(&job.driver, index, dir)
    {
        return Run::not_set(SetupStage::Driver, message);
    }
    let transcripts = Transcripts::default();
    let run = perform(job, equipment, dir, &transcripts);
    let mut run = run.unwrap_or_else(|result| Run::without_script(result, Vec::new()));
    for (name, text) in [
        (evidence::SCRIPT_LOG, &transcripts.script),
        (evidence::COMMANDS, &transcripts.commands),
    ] {
        run.files.push((name, text.text()));
    }
    run
}

/// From the stage to the evidence; the error is what the script's end is if it never began.
fn perform(
    job: Job,
    equipment: &Equipment,
    dir: &str,
    transcripts: &Transcripts,
) -> Result<Run, ScriptResult> {
    let not_set = |stage, message| ScriptResult::Setup { stage, message };
    let (wanted, limit_s, ip) = (job.collect.clone(), job.limit_s, job.ip);
    let own_clock = matches!(job.engine, Engine::Packetdrill(_));
    let performer = Performer::start(job, dir.to_owned(), transcripts.clone())
        .map_err(|e| not_set(SetupStage::Job, format!("starting a thread failed: {e}")))?;
    let device = match performer
        .reports
        .recv_timeout(Duration::from_secs(SET_LIMIT_S))
    {
        Ok(Report::Set { device }) => device,
        Ok(Report::Ended(result)) => return Err(result),
        Ok(Report::Over) | Err(_) => {
            let message = format!("the stage was not set within {SET_LIMIT_S} s");
            return Err(not_set(SetupStage::Datapath, message));
        }
    };
    let mut collectors = Collectors::start(&wanted, equipment, device.as_deref(), ip)
        .map_err(|message| not_set(SetupStage::Collect, message))?;
    let zero_ns = (sys::monotonic_ns() + REST_NS + GRID_NS - 1) / GRID_NS * GRID_NS + OFF_TICK_NS;
    collectors
        .begin(zero_ns)
        .map_err(|message| not_set(SetupStage::Collect, message))?;
    // If the performer is gone, the wait for its report says so.
    let _ = performer.zero.send(zero_ns);
    let over = await_over(&performer, zero_ns, limit_s);
    let ran_ns = sys::monotonic_ns() - zero_ns;
    let mut collected = collectors.finish(zero_ns);
    let Performer {
        reports, watched, ..
    } = performer;
    drop(watched);
    let result = over.unwrap_or_else(|| await_end(&reports, zero_ns));
    if own_clock {
        collected.notes.push(
            "times count from packetdrill's start; its own script clock starts a little later"
                .into(),
        );
    }
    let ran_us = u64::try_from(ran_ns / 1000).unwrap_or(0);
    Ok(Run {
        outcome: Outcome {
            result,
            ran_us,
            notes: collected.notes,
        },
        files: collected.files,
    })
}

/// Waits for the script's last event, or for the end of its time; the result, if it is known then.
fn await_over(performer: &Performer, zero_ns: i64, limit_s: u64) -> Option<ScriptResult> {
    // The engine keeps the limit itself and can say more about it; this is for its own hangs.
    let limit = Duration::from_secs(limit_s.saturating_add(GRACE_S));
    match performer.reports.recv_timeout(limit) {
        Ok(Report::Over) => None,
        Ok(Report::Ended(result)) => Some(result),
        Ok(Report::Set { .. }) | Err(RecvTimeoutError::Disconnected) => Some(failed(
            zero_ns,
            "the script's thread ended without a result".into(),
        )),
        Err(RecvTimeoutError::Timeout) => Some(failed(
            zero_ns,
            format!(
                "the script did not end within its limit of {limit_s} s; see script.log for its last step"
            ),
        )),
    }
}

/// Waits until what the script left is cleaned up, and with it comes the result.
fn await_end(reports: &Receiver<Report>, zero_ns: i64) -> ScriptResult {
    match reports.recv_timeout(Duration::from_secs(CLEAN_LIMIT_S)) {
        Ok(Report::Ended(result)) => result,
        _ => failed(
            zero_ns,
            format!("the script did not clean up within {CLEAN_LIMIT_S} s"),
        ),
    }
}

fn failed(zero_ns: i64, summary: String) -> ScriptResult {
    ScriptResult::Failed(Failure {
        line: 0,
        summary,
        at_us: (sys::monotonic_ns() - zero_ns) / 1000,
        mismatches: Vec::new(),
        detail: String::new(),
    })
}

/// Writes the job's files into its folder.
fn unpack(job: &Job, dir: &str) -> Result<(), String> {
    for (name, data) in &job.files {
        if name
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err(format!("the job has a file outside its folder: {name}"));
        }
        let path = format!("{dir}/{name}");
        let parent = path.rsplit_once('/').map_or(dir, |(parent, _)| parent);
        // What may be a script's helper (`./defaults.sh`) is called as a program.
        let mode = if data.starts_with(b"#!") {
            0o755
        } else {
            0o644
        };
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, data))
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
            .map_err(|e| format!("writing {path} failed: {e}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_the_jobs_folder() {
        let dir = std::env::temp_dir().join(format!("tunfarm-guest-job-{}", std::process::id()));
        let dir = dir.to_str().unwrap();
        let mut job = Job::new("a.pkt", b"0 `true`\n", Datapath::Loopback, IpVersion::Ipv4);
        job.files.insert("lib/sub/x".into(), vec![7]);
        job.files
            .insert("lib/run.sh".into(), b"#!/bin/sh\n".to_vec());
        unpack(&job, dir).unwrap();
        assert_eq!(fs::read(format!("{dir}/lib/sub/x")).unwrap(), [7]);
        let mode = |name| {
            fs::metadata(format!("{dir}/{name}"))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("lib/run.sh") & 0o777, 0o755);
        assert_eq!(mode("lib/sub/x") & 0o777, 0o644);
        for outside in ["../x", "/etc/x", "a/../../x", ""] {
            let mut job = job.clone();
            job.files.insert(outside.into(), vec![]);
            assert!(
                unpack(&job, dir).unwrap_err().contains("outside"),
                "{outside}"
            );
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
