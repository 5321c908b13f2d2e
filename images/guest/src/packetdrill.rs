//! The original packetdrill as the performer, for comparison on TUN.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tunfarm_protocol::{Datapath, Failure, IpVersion, Job, ScriptResult, SetupStage};

use crate::stage::{Transcripts, folder_of};

/// The most bytes of its output that are kept.
const OUTPUT_LIMIT: u64 = 256 * 1024;

/// Runs the program on the job's script and says how that ended.
pub fn perform(program: &str, job: &Job, dir: &str, transcripts: &Transcripts) -> ScriptResult {
    if job.datapath != Datapath::Tun {
        return ScriptResult::Unsupported("packetdrill has no loopback datapath".into());
    }
    match run(program, job, dir, transcripts) {
        Ok(result) => result,
        Err(e) => ScriptResult::Setup {
            stage: SetupStage::Job,
            message: format!("running {program} failed: {e}"),
        },
    }
}

fn run(
    program: &str,
    job: &Job,
    dir: &str,
    transcripts: &Transcripts,
) -> std::io::Result<ScriptResult> {
    let path = format!("{dir}/{program}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let (mut output, both) = std::io::pipe()?;
    let mut child = Command::new(path)
        .args(arguments(job))
        .current_dir(folder_of(dir, &job.script))
        .stdin(Stdio::null())
        .stdout(both.try_clone()?)
        .stderr(both)
        .spawn()?;
    let mut text = Vec::new();
    output.by_ref().take(OUTPUT_LIMIT).read_to_end(&mut text)?;
    drop(output);
    let status = child.wait()?;
    transcripts.script.add(&text);
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(if status.success() {
        ScriptResult::Passed
    } else {
        failure(&text, &status.to_string())
    })
}

fn arguments(job: &Job) -> Vec<String> {
    let version = match job.ip {
        IpVersion::Ipv4 => "ipv4",
        IpVersion::Ipv6 => "ipv6",
        IpVersion::Mapped => "ipv4-mapped-ipv6",
    };
    let mut arguments = vec![format!("--ip_version={version}")];
    arguments.extend(job.options.iter().cloned());
    for (name, value) in &job.defines {
        arguments.extend(["-D".to_owned(), format!("{name}={value}")]);
    }
    // It runs where the script lies.
    arguments.push(job.script.rsplit('/').next().unwrap_or_default().to_owned());
    arguments
}

/// What its messages say: `FILE:LINE: summary`, then details.
fn failure(text: &str, status: &str) -> ScriptResult {
    let blamed = text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, number, summary) = (parts.next()?, parts.next()?, parts.next()?);
        Some((
            number.trim().parse::<u32>().ok()?,
            summary.trim().to_owned(),
        ))
    });
    let (line, summary) = blamed.unwrap_or_else(|| {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        (
            0,
            last.map_or_else(|| format!("packetdrill ended with {status}"), str::to_owned),
        )
    });
    ScriptResult::Failed(Failure {
        line,
        summary,
        at_us: 0,
        mismatches: Vec::new(),
        detail: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_message_names_the_line() {
        let text = "closing.pkt:24: error handling packet: timing error: expected outbound packet \
            at 0.400000 sec but happened at 0.425\nscript packet: 0.4 F.\n";
        let ScriptResult::Failed(f) = failure(text, "exit status: 1") else {
            panic!()
        };
        assert_eq!(f.line, 24);
        assert!(f.summary.starts_with("error handling packet: timing error"));
        assert_eq!(f.detail, text);
    }

    #[test]
    fn an_end_without_words_is_told_by_its_status() {
        let ScriptResult::Failed(f) = failure("\n", "signal: 11 (SIGSEGV)") else {
            panic!()
        };
        assert_eq!(
            (f.line, f.summary.as_str()),
            (0, "packetdrill ended with signal: 11 (SIGSEGV)")
        );
    }

    #[test]
    fn the_script_comes_last() {
        let mut job = Job::new("a.pkt", b"", Datapath::Tun, IpVersion::Mapped);
        job.options.push("--tolerance_usecs=10000".into());
        job.defines.insert("N".into(), "3".into());
        assert_eq!(
            arguments(&job),
            [
                "--ip_version=ipv4-mapped-ipv6",
                "--tolerance_usecs=10000",
                "-D",
                "N=3",
                "a.pkt"
            ]
        );
    }
}
