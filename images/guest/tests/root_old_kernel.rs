//! The agent on a kernel that knows nothing newer than 2.6.32.
//!
//! Such a kernel cannot be fetched, so a seccomp filter plays it: system calls that came later are
//! refused with ENOSYS, and `newfstatat` with `AT_EMPTY_PATH` fails with EINVAL, as it does there.
//! What a filter cannot play (netlink message types, sysctls) has unit tests. `rseq` stays: libc
//! wants it in all threads of a process or in none, and the test's own main thread has it.
//!
//! Needs root, for a network namespace and AF_PACKET.

use tunfarm_guest::collectors::Equipment;
use tunfarm_guest::job;
use tunfarm_guest::modules::Index;
use tunfarm_guest::sampler::{MEANS, Means};
use tunfarm_guest::{counters, loopback, mounts, sys};
use tunfarm_protocol::{Datapath, IpVersion, Job, ScriptResult, evidence};

/// `perf_event_open`, the last system call of 2.6.32 on x86-64.
const LAST_OF_2_6_32: u32 = 298;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// Offsets in `struct seccomp_data`: number, architecture, lower half of the fourth argument.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARG_3: u32 = 40;

const SCRIPT: &str = "
   0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0    setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
  +0    bind(3, ..., ...) = 0
  +0    listen(3, 1) = 0
 +.1    < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,nop,wscale 7>
  +0    > S. 0:0(0) ack 1 <...>
 +.1    < . 1:1(0) ack 1 win 257
  +0    accept(3, ..., ...) = 4
 +.1    close(4) = 0
  +0    > F. 1:1(0) ack 1
 +.1    < F. 1:1(0) ack 1 win 260
  +0    > . 2:2(0) ack 2
 +.1    < R. 2:2(0) ack 1 win 0
";

/// Turns the calling thread's kernel into an old one, for good.
fn grow_old() {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let jump = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let (equal, above, set) = (
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K,
        libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K,
    );
    let refuse = |errno: i32| {
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        )
    };
    let mut program = [
        statement(load, ARCH),
        jump(equal, AUDIT_ARCH_X86_64, 0, 7),
        statement(load, NR),
        jump(equal, libc::SYS_rseq as u32, 5, 0),
        jump(above, LAST_OF_2_6_32, 5, 0),
        jump(equal, libc::SYS_newfstatat as u32, 0, 3),
        statement(load, ARG_3),
        jump(set, libc::AT_EMPTY_PATH as u32, 3, 1),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        refuse(libc::ENOSYS),
        refuse(libc::EINVAL),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: no memory operands, then a program of that length which outlives the call. The
    // filter only makes system calls fail.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            0
        );
    }
}

/// Runs `what` in a thread of its own on an old kernel, in a network namespace of its own.
fn on_an_old_kernel<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: no memory operands.
            let ret = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(
                ret,
                0,
                "a network namespace needs root: {}",
                std::io::Error::last_os_error()
            );
            grow_old();
            loopback::set_up().unwrap();
            what()
        });
        thread.join().unwrap()
    })
}

/// The filter does what it says: without this the other tests would prove nothing.
#[test]
fn the_filter_refuses_what_is_new() {
    on_an_old_kernel(|| {
        let errno = || std::io::Error::last_os_error().raw_os_error();
        let mut buffer = [0u8; 4];
        // SAFETY: writes at most four bytes into `buffer`.
        let ret = unsafe { libc::syscall(libc::SYS_getrandom, buffer.as_mut_ptr(), 4, 0) };
        assert_eq!((ret, errno()), (-1, Some(libc::ENOSYS)));
        // SAFETY: all-zero is a valid stat.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: an empty NUL-terminated string, and `stat` outlives the call.
        let ret = unsafe { libc::fstatat(0, c"".as_ptr(), &mut stat, libc::AT_EMPTY_PATH) };
        assert_eq!((ret, errno()), (-1, Some(libc::EINVAL)));
        // SAFETY: as above, with a path.
        let ret = unsafe { libc::fstatat(0, c"/".as_ptr(), &mut stat, 0) };
        assert_eq!(ret, 0);
    });
}

#[test]
fn files_threads_and_hashes_work() {
    on_an_old_kernel(|| {
        assert!(sys::read("/proc/self/status").unwrap().contains("Threads:"));
        assert!(sys::read_line("/proc/sys/kernel/osrelease").is_some());
        assert!(std::thread::spawn(|| 7).join().is_ok_and(|n| n == 7));
        // Its seed comes from getrandom, or else from /dev/urandom.
        let map: std::collections::HashMap<_, _> = [(1, 2)].into();
        assert_eq!(map[&1], 2);
        assert!(counters::Reading::take() != counters::Reading::default());
        assert!(mounts::tracefs().is_none_or(sys::exists));
    });
}

/// The whole way of a job, with each means of sampling the machine at hand has.
#[test]
fn a_job_is_done_with_all_its_evidence() {
    let mut tried = Vec::new();
    for means in MEANS {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        let run = on_an_old_kernel(|| {
            means.try_out().ok()?;
            let equipment = Equipment {
                sampler: Some(means),
                probe: None,
                packet_sockets: true,
                ipv6: true,
                ss: false,
            };
            let mut job = Job::new(
                "close.pkt",
                SCRIPT.as_bytes(),
                Datapath::Loopback,
                IpVersion::Ipv4,
            );
            // The clock of this machine is real, and the machine may be loaded.
            job.options = vec!["--tolerance_usecs=2000000".into()];
            job.collect.ss_at_ms = vec![350];
            job.limit_s = 60;
            Some(job::run(job, &Index::default(), &equipment, dir))
        });
        let Some(run) = run else { continue };
        assert_eq!(
            run.outcome.result,
            ScriptResult::Passed,
            "{means:?}: {run:?}"
        );
        let file = |name| {
            let (_, data) = run.files.iter().find(|(n, _)| *n == name).unwrap();
            String::from_utf8_lossy(data).into_owned()
        };
        // Seven packets, headers and all, on top of the file's own 24 bytes.
        assert!(
            file(evidence::CAPTURE).len() > 24 + 7 * (16 + 40),
            "{means:?}"
        );
        let samples = file(evidence::SAMPLES);
        assert!(
            samples.contains("\"state\":\"FIN-WAIT-1\""),
            "{means:?}: {samples}"
        );
        assert!(
            samples.contains("\"state\":\"GONE\""),
            "{means:?}: {samples}"
        );
        assert!(
            file(evidence::SS).starts_with("# t=0.350000 s\n"),
            "{means:?}"
        );
        assert!(
            file(evidence::SCRIPT_LOG).contains("come true"),
            "{means:?}"
        );
        tried.push(means);
    }
    assert!(tried.contains(&Means::ProcFs), "{tried:?}");
}
