//! One QEMU process, tied to this process's life.
//!
//! A QEMU never outlives tunfarm: `PR_SET_PDEATHSIG` has the kernel kill it when its parent is
//! gone, `kill -9` included. That signal is sent when the *thread* that forked ends, so all QEMUs
//! are forked by one thread of this module, which lives as long as the process does; callers may
//! come from any thread and any runtime.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, Command};

use crate::cmdline::fd;

/// A console burst of this size neither blocks QEMU nor delays the guest's serial port.
const PIPE_BYTES: libc::c_int = 1 << 20;

/// How long a killed QEMU may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// A started QEMU with the host's ends of its channels.
pub struct Process {
    child: Child,
    /// QMP.
    pub qmp: Option<UnixStream>,
    /// What the guest writes to its console.
    pub console: pipe::Receiver,
    /// What the guest writes to the evidence port.
    pub evidence: pipe::Receiver,
    /// What QEMU itself complains about.
    pub stderr: ChildStderr,
}

impl Process {
    /// Starts `program` with `args`; the job's bytes, if any, become a file in memory. With `cpu`
    /// all its threads share that CPU: two threads that wake each other all the time do it
    /// fastest there, and the other CPUs are left to other guests.
    pub fn start(
        program: &Path,
        args: &[String],
        job: Option<&[u8]>,
        cpu: Option<usize>,
    ) -> io::Result<Process> {
        let (qmp, qmp_child) = std::os::unix::net::UnixStream::pair()?;
        qmp.set_nonblocking(true)?;
        let (console, console_child) = pipe_pair()?;
        let (evidence, evidence_child) = pipe_pair()?;
        let mut inherited = vec![
            (OwnedFd::from(qmp_child), fd::QMP),
            (console_child, fd::CONSOLE),
            (evidence_child, fd::EVIDENCE),
        ];
        if let Some(job) = job {
            inherited.push((memory_file(job)?, fd::JOB));
        }

        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let moves: Vec<(RawFd, RawFd)> = inherited
            .iter()
            .map(|(from, to)| (from.as_raw_fd(), *to))
            .collect();
        // SAFETY: getpid has no preconditions.
        let parent = unsafe { libc::getpid() };
        // SAFETY: `prepare` makes system calls only and allocates nothing, as is demanded between
        // fork and exec.
        unsafe { command.pre_exec(move || prepare(parent, &moves, cpu)) };

        let mut child = spawn(command)?;
        drop(inherited);
        let stderr = child.stderr.take().expect("stderr was asked for");
        Ok(Process {
            child,
            qmp: Some(UnixStream::from_std(qmp)?),
            console: pipe::Receiver::from_owned_fd(console)?,
            evidence: pipe::Receiver::from_owned_fd(evidence)?,
            stderr,
        })
    }

    /// Waits for QEMU's own end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Has QEMU's main loop, its first thread, run as soon as it is woken; the threads that QEMU
    /// has started so far keep their policy, and those it starts later do not inherit this one.
    ///
    /// A timer that expires while the guest executes wakes the main loop too. If it gets to run
    /// only when the guest's processor has just halted, it jumps to the next timer before the last
    /// instructions are counted, and the guest is late by those. Needs the right to real-time
    /// priorities (root has it); returns whether it is given.
    pub fn main_loop_first(&self) -> bool {
        let Some(pid) = self.id().and_then(|pid| libc::pid_t::try_from(pid).ok()) else {
            return false;
        };
        let lowest = libc::sched_param { sched_priority: 1 };
        // SAFETY: a system call on integers and on a structure that lives on this stack. The
        // process is this one's child and not yet waited for: the number is nobody else's.
        unsafe {
            libc::sched_setscheduler(pid, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &lowest)
                == 0
        }
    }

    /// Ends QEMU and waits until it is gone.
    pub async fn kill(&mut self) -> io::Result<()> {
        match tokio::time::timeout(REAP, self.child.kill()).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "QEMU does not die of SIGKILL; the host's kernel holds it (state D?)",
            )),
        }
    }
}

/// A dropped future leaves no QEMU either: killed and waited for, here, at once.
impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = self.child.start_kill();
        let until = Instant::now() + REAP;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

type Order = (
    Command,
    tokio::runtime::Handle,
    mpsc::Sender<io::Result<Child>>,
);

/// Forks on the one thread that lives as long as the process.
///
/// It waits for that thread, as long as a fork takes: were this a future, one dropped at the wrong
/// moment would leave a child behind that nobody waits for.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Option<mpsc::Sender<Order>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts QEMU is not there");
    let spawner = SPAWNER
        .get_or_init(|| {
            let (orders, queue) = mpsc::channel::<Order>();
            std::thread::Builder::new()
                .name("qemu-spawner".to_owned())
                .spawn(move || {
                    for (mut command, runtime, answer) in queue {
                        let _inside = runtime.enter();
                        // The one who asked is waiting; were it gone, the child would be dropped,
                        // and so killed.
                        let _ = answer.send(command.spawn());
                    }
                })
                .ok()
                .map(|_| orders)
        })
        .as_ref()
        .ok_or_else(gone)?;
    let (answer, child) = mpsc::channel();
    spawner
        .send((command, tokio::runtime::Handle::current(), answer))
        .map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// Runs in the child between fork and exec.
fn prepare(parent: libc::pid_t, moves: &[(RawFd, RawFd)], cpu: Option<usize>) -> io::Result<()> {
    let check = |result: libc::c_int| match result {
        -1 => Err(io::Error::last_os_error()),
        n => Ok(n),
    };
    // SAFETY: plain system calls on integers and on a set that lives on this stack.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // The parent may have died before the line above: then no signal will ever come.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        // Two steps, because a source may already have one of the numbers.
        let mut high = [0; 4];
        for (at, (from, _)) in moves.iter().enumerate() {
            high[at] = check(libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, fd::JOB + 1))?;
        }
        for (at, (_, to)) in moves.iter().enumerate() {
            check(libc::dup2(high[at], *to))?;
        }
        if let Some(cpu) = cpu.filter(|cpu| *cpu < libc::CPU_SETSIZE as usize) {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            // A CPU taken away by a cgroup is no reason not to run.
            let _ = libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
        // No interactive preemption between QEMU's threads; refused in some sandboxes, harmless.
        let batch = libc::sched_param { sched_priority: 0 };
        let _ = libc::sched_setscheduler(0, libc::SCHED_BATCH, &batch);
    }
    Ok(())
}

/// A pipe: (the host's reading end, QEMU's writing end), both closed on exec.
///
/// A pipe and not a socket: QEMU writes single bytes, which a pipe packs into pages, while each
/// costs a socket the bookkeeping of a whole packet.
fn pipe_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    // SAFETY: the descriptor is open. Refused above the user's pipe quota; then it is the usual
    // 64 KiB.
    let _ = unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES) };
    // SAFETY: as above.
    if unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok((read.into(), write.into()))
}

/// A file that has no name and is gone with its last descriptor.
fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::Write;
    use std::os::fd::FromRawFd;
    // SAFETY: the name is a C string; the result is checked before it is owned.
    let raw = unsafe { libc::memfd_create(c"tunfarm-job".as_ptr(), libc::MFD_CLOEXEC) };
    if raw == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just created, owned by nobody else.
    let mut file = unsafe { std::fs::File::from_raw_fd(raw) };
    file.write_all(bytes)?;
    Ok(file.into())
}
