//! Performs one script on this machine, in a network namespace of its own. Needs root.
//!
//! `pkt [--loopback] [--ip 4|6|mapped] [--reader lazy|eager|never] [--OPTION=VALUE]… FILE`

use std::path::Path;
use std::process::ExitCode;

use tunfarm_engine::{Clock, Hooks, Stage};
use tunfarm_protocol::{Datapath, IpVersion, Job, Reader, ScriptResult};

fn main() -> ExitCode {
    let mut datapath = Datapath::Tun;
    let mut ip = IpVersion::Ipv4;
    let mut reader = Reader::Lazy;
    let mut options = Vec::new();
    let mut defines = Vec::new();
    let mut file = None;
    let mut quiet = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--loopback" => datapath = Datapath::Loopback,
            "--quiet" => quiet = true,
            "--ip" => {
                ip = match args.next().as_deref() {
                    Some("6") => IpVersion::Ipv6,
                    Some("mapped") => IpVersion::Mapped,
                    _ => IpVersion::Ipv4,
                }
            }
            "--reader" => {
                reader = match args.next().as_deref() {
                    Some("eager") => Reader::Eager,
                    Some("never") => Reader::Never,
                    _ => Reader::Lazy,
                }
            }
            "-D" => defines.extend(args.next()),
            option if option.starts_with("--") => options.push(option.to_owned()),
            other => file = Some(other.to_owned()),
        }
    }
    let Some(file) = file else {
        eprintln!("which script?");
        return ExitCode::from(2);
    };
    // SAFETY: no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        eprintln!("unshare: {}", std::io::Error::last_os_error());
        return ExitCode::from(2);
    }
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("{file}: {e}");
            return ExitCode::from(2);
        }
    };
    let script = match tunfarm_lang::parse(&text, &file) {
        Ok(script) => script,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    let mut job = Job::new(&file, text.as_bytes(), datapath, ip);
    job.reader = reader;
    job.options = options;
    for define in defines {
        if let Some((name, value)) = define.split_once('=') {
            job.defines.insert(name.into(), value.into());
        }
    }
    let dir = Path::new(&file)
        .parent()
        .filter(|d| !d.as_os_str().is_empty());
    let hooks = Hooks {
        log: Box::new(move |line| {
            if !quiet {
                println!("{line}");
            }
        }),
        output: Box::new(|bytes| print!("{}", String::from_utf8_lossy(bytes))),
        script_end: Box::new(|| {}),
    };
    let result = match Stage::set(&job, script, dir.unwrap_or(Path::new(".")), hooks) {
        Ok(stage) => stage.perform(Clock::start()),
        Err(not) => not.into(),
    };
    match result {
        ScriptResult::Passed => {
            println!("passed");
            ExitCode::SUCCESS
        }
        ScriptResult::Failed(failure) => {
            println!("{file}:{}: {}", failure.line, failure.summary);
            println!("{}", failure.detail);
            ExitCode::FAILURE
        }
        other => {
            println!("{other:?}");
            ExitCode::from(3)
        }
    }
}
