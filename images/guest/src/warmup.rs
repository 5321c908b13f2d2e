//! What is done before "ready" so that a job finds a warm and quiet kernel.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use tunfarm_protocol::{Datapath, IpVersion, Job, ScriptResult};

use crate::collectors::Equipment;
use crate::job;
use crate::modules::Index;
use crate::{loopback, sys};

const SCRIPT: &str = include_str!("warmup.pkt");
const DIR: &str = "/run/warm-up";
/// The machine is idle when so much of a second was, this often in a row.
const IDLE_SHARE: f64 = 0.97;
const IDLE_SECONDS: u32 = 3;
/// After so many seconds it is not waited for any longer.
const IDLE_LIMIT: u32 = 40;
const SECOND_NS: i64 = 1_000_000_000;

/// Runs a throwaway script with every collector in a network namespace of its own, which takes
/// all traces of it away; where there are no namespaces, only a connection to itself. Gives a note
/// if the script failed.
pub fn warm(index: &Index, equipment: &Equipment, netns: bool) -> Option<String> {
    compile_python();
    if !netns || !equipment.packet_sockets {
        // Best effort: a cold kernel is slower by milliseconds, not wrong.
        let _ = talk_to_itself(Ipv4Addr::LOCALHOST.into());
        return None;
    }
    let mut job = Job::new(
        "warmup.pkt",
        SCRIPT.as_bytes(),
        Datapath::Loopback,
        IpVersion::Ipv4,
    );
    job.limit_s = 60;
    // It is late because it is the first.
    job.options = vec!["--tolerance_usecs=500000".into()];
    // Only the real ss costs anything the first time.
    job.collect.ss_at_ms = if equipment.ss {
        vec![100, 1000]
    } else {
        Vec::new()
    };
    let run = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: no memory operands; a namespace for this thread and those it starts.
            sys::check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).ok()?;
            loopback::set_up().ok()?;
            // The kernel's first connect() fills a table with 256 KiB of random numbers (since
            // 5.19, `table_perturb`): 13 ms of the guest's time, which no script allows for.
            let _ = talk_to_itself(Ipv4Addr::LOCALHOST.into());
            let _ = talk_to_itself(Ipv6Addr::LOCALHOST.into());
            Some(job::run(job, index, equipment, DIR))
        });
        thread.join().ok().flatten()
    });
    match run?.outcome.result {
        ScriptResult::Passed => None,
        ScriptResult::Failed(failure) => Some(format!(
            "the warm-up script failed at line {}: {}",
            failure.line, failure.summary
        )),
        ScriptResult::Unsupported(why) => Some(format!("the warm-up script was not run: {why}")),
        ScriptResult::Setup { message, .. } => {
            Some(format!("the warm-up script was not run: {message}"))
        }
    }
}

/// Python writes the compiled form of what it imports beside it, which packages do not bring: two
/// seconds of the guest's time, once for a snapshot instead of once for each script that calls it.
/// The modules are those that the kernel's own helper imports.
fn compile_python() {
    // Images without Python are the rule.
    let _ = Command::new("/usr/bin/python3")
        .args(["-c", "import os, subprocess, sys"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Waits until what the boot has left to do is done: self-tests, deferred probing, namespaces that
/// are torn down.
pub fn settle() {
    let mut idle = 0;
    for _ in 0..IDLE_LIMIT {
        let before = uptime();
        sys::sleep_until(sys::monotonic_ns() + SECOND_NS);
        let after = uptime();
        let share = match (before, after) {
            (Some(before), Some(after)) => (after.1 - before.1) / (after.0 - before.0),
            _ => 1.0,
        };
        idle = if share >= IDLE_SHARE { idle + 1 } else { 0 };
        if idle == IDLE_SECONDS {
            return;
        }
    }
}

/// Seconds up and seconds idle.
fn uptime() -> Option<(f64, f64)> {
    let text = sys::read("/proc/uptime").ok()?;
    let mut fields = text.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn talk_to_itself(address: IpAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind((address, 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.write_all(&[0; 1000])?;
    drop(client);
    server.read_to_end(&mut Vec::new()).map(drop)
}
