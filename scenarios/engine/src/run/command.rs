//! Shell commands of a script.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How much of the commands' output is kept, in bytes.
const MAX_OUTPUT: u64 = 1 << 20;
/// How much of a failed command's output its error shows.
const SHOWN: usize = 600;

/// A faster `sysctl` for what bash runs.
const SYSCTL: &str = include_str!("sysctl.bash");
/// Its file in the job's folder.
const SYSCTL_FILE: &str = ".tunfarm-sysctl";

/// Takes the output of commands.
pub type OutputSink = Box<dyn FnMut(&[u8]) + Send>;

/// Where commands write to: one file, which survives commands that stay in the background.
pub struct Outputs {
    sink: OutputSink,
    read: u64,
    used: bool,
}

impl Outputs {
    /// Output goes to `sink`.
    pub fn new(sink: OutputSink) -> Outputs {
        Outputs {
            sink,
            read: 0,
            used: false,
        }
    }

    /// The file, empty the first time. Without one output is lost, and the script goes on.
    fn open(&mut self, dir: &Path) -> Option<File> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(dir.join(".tunfarm-commands"))
            .ok()?;
        if !std::mem::replace(&mut self.used, true) {
            file.set_len(0).ok()?;
            // Without it commands are only slower.
            let _ = std::fs::write(dir.join(SYSCTL_FILE), SYSCTL);
        }
        Some(file)
    }

    /// Hands on what has been written since the last time, and returns it.
    fn take(&mut self, mut file: File) -> Vec<u8> {
        let mut new = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.read))
            .and_then(|_| file.take(MAX_OUTPUT).read_to_end(&mut new));
        if read.is_ok() && !new.is_empty() {
            self.read += new.len() as u64;
            (self.sink)(&new);
        }
        new
    }
}

/// Runs one command with `sh -c` in the job's folder; it must exit with 0 within `limit_us`.
///
/// # Errors
/// What happened instead, with the end of the command's output.
pub fn run_command(
    command: &str,
    dir: &Path,
    limit_us: i64,
    outputs: &mut Outputs,
) -> Result<(), String> {
    let file = outputs.open(dir);
    let stream = || {
        file.as_ref()
            .and_then(|f| f.try_clone().ok())
            .map_or_else(Stdio::null, Stdio::from)
    };
    let start = |words: &[&str]| {
        Command::new(words[0])
            .args(&words[1..])
            .current_dir(dir)
            .env("PACKETDRILL_PID", std::process::id().to_string())
            .env("BASH_ENV", dir.join(SYSCTL_FILE))
            .stdin(Stdio::null())
            .stdout(stream())
            .stderr(stream())
            .process_group(0)
            .spawn()
    };
    // What does not start without a shell, the shell explains.
    let alone = plain(command).and_then(|words| start(&words).ok());
    let mut child = alone
        .map_or_else(|| start(&["/bin/sh", "-c", command]), Ok)
        .map_err(|e| format!("cannot start a shell for `{command}`: {e}"))?;
    let group = child.id() as i32;
    let (send, done) = channel();
    std::thread::Builder::new()
        .name("command".into())
        .spawn(move || {
            // Nobody listens any more after a time-out.
            let _ = send.send(child.wait());
        })
        .map_err(|e| format!("cannot wait for `{command}`: {e}"))?;
    let status = done.recv_timeout(Duration::from_micros(limit_us.max(0) as u64));
    let output = file.map(|f| outputs.take(f)).unwrap_or_default();
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!(
            "`{}` {}{}",
            command.trim(),
            ending(status),
            tail(&output)
        )),
        Ok(Err(e)) => Err(format!("waiting for `{command}`: {e}")),
        Err(_) => {
            // SAFETY: no pointers; the group is the child's own.
            unsafe { libc::kill(-group, libc::SIGKILL) };
            Err(format!(
                "`{}` did not end before the script's time limit{}",
                command.trim(),
                tail(&output)
            ))
        }
    }
}

/// The words of a command that only names a program by its path and its arguments, so that a shell
/// has nothing to do for it; starting one is a tenth of what a script costs.
fn plain(command: &str) -> Option<Vec<&str>> {
    let command = command.trim();
    let simple = |c: char| c.is_ascii_alphanumeric() || "/._-=:, \t".contains(c);
    let words: Vec<&str> = command.split_whitespace().collect();
    // No path, and it may be the shell's own; an equals sign, and it may be an assignment.
    let path = |word: &&str| word.contains('/') && !word.contains('=');
    (command.chars().all(simple) && words.first().is_some_and(path)).then_some(words)
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "exited with status 127 (is a program it calls missing?)".into(),
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "did not exit".into(),
    }
}

fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let start = text.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
    format!(": {}", &text[start..])
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn run(command: &str) -> (Result<(), String>, String) {
        let dir = std::env::temp_dir().join(format!(
            "tunfarm-command-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&dir).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let mut outputs = Outputs::new(Box::new(move |b| {
            sink.lock().unwrap().extend_from_slice(b);
        }));
        let result = run_command(command, &dir, 60_000_000, &mut outputs);
        std::fs::remove_dir_all(&dir).unwrap();
        let text = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
        (result, text)
    }

    #[test]
    fn a_failing_command_shows_its_output() {
        let (result, output) = run("echo no such luck >&2; exit 3");
        assert_eq!(
            result.unwrap_err(),
            "`echo no such luck >&2; exit 3` exited with status 3: no such luck"
        );
        assert_eq!(output, "no such luck\n");
    }

    #[test]
    fn a_command_sees_its_folder_and_the_engines_process() {
        let (result, output) = run("test $PACKETDRILL_PID = $PPID && basename $PWD");
        assert_eq!(result, Ok(()));
        assert!(output.starts_with("tunfarm-command-"));
    }

    #[test]
    fn a_program_alone_needs_no_shell() {
        assert_eq!(plain(" ./a.sh -x=1 b\n"), Some(vec!["./a.sh", "-x=1", "b"]));
        for shells in [
            "true", "A=/b c", "./a; ./b", "./a\n./b", "./a $B", "./a 'b'", "",
        ] {
            assert_eq!(plain(shells), None, "{shells}");
        }
        let (result, _) = run("/bin/sh -c exit");
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn what_does_not_start_alone_is_the_shells_to_run_or_to_explain() {
        // Text without `#!`, which only a shell runs.
        let text = std::env::temp_dir().join(format!("tunfarm-text-{}", std::process::id()));
        std::fs::write(&text, "echo $0").unwrap();
        std::fs::set_permissions(&text, Permissions::from_mode(0o755)).unwrap();
        let name = text.to_str().unwrap();
        assert_eq!(run(name), (Ok(()), format!("{name}\n")));
        std::fs::remove_file(&text).unwrap();
        let (result, _) = run("./there-is-none --at all");
        let why = result.unwrap_err();
        assert!(why.contains("exited with status 127"), "{why}");
    }

    #[test]
    fn bash_sets_sysctls_by_itself_and_leaves_the_rest_to_the_command() {
        let (result, output) = run("bash -c 'type -t sysctl; sysctl -n kernel.ostype'");
        assert_eq!(result, Ok(()));
        assert_eq!(output, "function\nLinux\n");
    }
}
