//! Whole scripts against this machine's kernel, each in a network namespace of its own.
//!
//! Needs root, and the tun driver. Times are real here, so the tolerance is wide; what is tested
//! is that the right things happen, not when.

use std::sync::{Arc, Mutex};

use tunfarm_engine::packet::{Packet, TcpFlags};
use tunfarm_engine::sniff::Sniffer;
use tunfarm_engine::{Clock, Hooks, Stage};
use tunfarm_protocol::{Datapath, Failure, IpVersion, Job, Reader, ScriptResult};

/// Half a second: nothing here depends on less.
const TOLERANCE: &str = "--tolerance_usecs=500000";

const ACCEPT: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+0 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
";

fn job(script: &str, datapath: Datapath, ip: IpVersion) -> Job {
    let mut job = Job::new("test.pkt", script.as_bytes(), datapath, ip);
    job.options = vec![TOLERANCE.to_owned()];
    job.limit_s = 30;
    job
}

/// Performs a job in a fresh network namespace, on this thread.
fn perform(job: &Job, hooks: Hooks) -> ScriptResult {
    perform_after(job, hooks, || {})
}

/// The same, with something to do when the stage is set.
fn perform_after(job: &Job, hooks: Hooks, set: impl FnOnce()) -> ScriptResult {
    // SAFETY: no pointers. Only this thread moves, and the threads it starts.
    let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(
        moved,
        0,
        "a network namespace (root is needed): {}",
        std::io::Error::last_os_error()
    );
    let text = String::from_utf8(job.files[&job.script].clone()).expect("a script is text");
    let script = match tunfarm_lang::parse(&text, &job.script) {
        Ok(script) => script,
        Err(errors) => panic!("{errors}"),
    };
    let dir = tempfile::tempdir().expect("a folder");
    match Stage::set(job, script, dir.path(), hooks) {
        Ok(stage) => {
            set();
            stage.perform(Clock::start())
        }
        Err(not) => not.into(),
    }
}

fn passes(job: &Job) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let hooks = Hooks {
        log: Box::new(move |line| sink.lock().unwrap().push(line.to_owned())),
        ..Hooks::none()
    };
    let result = perform(job, hooks);
    let log = lines.lock().unwrap().join("\n");
    assert_eq!(result, ScriptResult::Passed, "{log}");
}

fn fails(job: &Job) -> Failure {
    match perform(job, Hooks::none()) {
        ScriptResult::Failed(failure) => failure,
        other => panic!("expected a failure: {other:?}"),
    }
}

const ALL: [(Datapath, IpVersion); 6] = [
    (Datapath::Tun, IpVersion::Ipv4),
    (Datapath::Tun, IpVersion::Ipv6),
    (Datapath::Tun, IpVersion::Mapped),
    (Datapath::Loopback, IpVersion::Ipv4),
    (Datapath::Loopback, IpVersion::Ipv6),
    (Datapath::Loopback, IpVersion::Mapped),
];

/// Runs a test body for each datapath and IP version, each on a thread of its own.
fn everywhere(body: fn(Datapath, IpVersion)) {
    for (datapath, ip) in ALL {
        let thread = std::thread::spawn(move || body(datapath, ip));
        assert!(thread.join().is_ok(), "over {datapath:?}, {ip:?}");
    }
}

#[test]
fn a_connection_lives_and_ends_on_both_datapaths() {
    everywhere(|datapath, ip| {
        let script = format!(
            "{ACCEPT}\
             +0 write(4, ..., 1000) = 1000\n\
             +0 > P. 1:1001(1000) ack 1\n\
             +0 < P. 1:4(3) ack 1001 win 257\n\
             +0 > . 1001:1001(0) ack 4\n\
             +0 read(4, ..., 10) = 3\n\
             +0 read(4, ..., 10) = -1 EAGAIN\n\
             +0 %{{ assert tcpi_snd_mss >= 1000, tcpi_snd_mss }}%\n\
             +0 shutdown(4, SHUT_WR) = 0\n\
             +0 > F. 1001:1001(0) ack 4\n\
             +0 < F. 4:4(0) ack 1002 win 257\n\
             +0 > . 1002:1002(0) ack 5\n\
             +0 close(4) = 0\n"
        );
        let script = script.replace(
            "+0 write(4",
            "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 write(4",
        );
        passes(&job(&script, datapath, ip));
    });
}

#[test]
fn a_connection_is_opened_by_the_kernel() {
    everywhere(|datapath, ip| {
        let script = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.3 connect(3, ..., ...) = 0
* > S 0:0(0) <...>
+.1 < S. 700:700(0) ack 1 win 5792 <mss 1000>
* > . 1:1(0) ack 1
+.3 dup(3) = 5
+0 close(3) = 0
+0 write(5, \"hello\", 5) = 5
* > P. 1:6(5) ack 1
";
        passes(&job(script, datapath, ip));
    });
}

#[test]
fn the_stack_does_not_answer_itself_over_loopback() {
    for ip in [IpVersion::Ipv4, IpVersion::Ipv6] {
        // Two segments and a FIN that nobody acknowledges pass lo, and are sent again.
        let script = format!("{ACCEPT}+0 write(4, ..., 2000) = 2000\n+0 close(4) = 0\n+1 `true`\n");
        let job = job(&script, Datapath::Loopback, ip);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            // Opened when lo is up, drained before the engine cleans up.
            let sniffer = Arc::new(Mutex::new(None));
            let at_end = Arc::clone(&sniffer);
            let hooks = Hooks {
                script_end: Box::new(move || {
                    let mut sniffer: Option<Sniffer> = at_end.lock().unwrap().take();
                    while let Some(Ok(Some(packet))) = sniffer.as_mut().map(Sniffer::next_outgoing)
                    {
                        sink.lock().unwrap().push(packet.bytes);
                    }
                }),
                ..Hooks::none()
            };
            perform_after(&job, hooks, || {
                *sniffer.lock().unwrap() = Sniffer::open("lo").ok();
            })
        });
        assert_eq!(thread.join().expect("the script ran"), ScriptResult::Passed);
        let packets: Vec<Packet> = seen
            .lock()
            .unwrap()
            .iter()
            .filter_map(|bytes| Packet::parse(bytes).ok())
            .filter(|packet| packet.tcp().is_some())
            .collect();
        let flags = |packet: &Packet| packet.tcp().map(|tcp| tcp.flags).unwrap_or_default();
        assert!(
            packets.iter().any(|p| flags(p).has(TcpFlags::FIN)),
            "the FIN was sent over lo"
        );
        // The script's own two segments are the only ones that come from the peer.
        let from_peer: Vec<String> = packets
            .iter()
            .filter(|p| p.tcp().is_some_and(|tcp| tcp.dst_port == 8080))
            .map(Packet::gist)
            .collect();
        assert_eq!(from_peer.len(), 2, "{from_peer:?}");
    }
}

#[test]
fn every_reader_of_the_queue_sees_the_same_script() {
    for reader in [Reader::Lazy, Reader::Eager, Reader::Never] {
        let script = format!("{ACCEPT}+0 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1\n");
        let mut job = job(&script, Datapath::Tun, IpVersion::Ipv4);
        job.reader = reader;
        let thread = std::thread::spawn(move || passes(&job));
        assert!(thread.join().is_ok(), "{reader:?}");
    }
}

#[test]
fn a_wrong_packet_is_told_field_by_field() {
    let script = format!("{ACCEPT}+0 write(4, ..., 1000) = 1000\n+0 > F. 2:1001(999) ack 1\n");
    let failure = fails(&job(&script, Datapath::Tun, IpVersion::Ipv4));
    assert_eq!(failure.line, 10);
    let fields: Vec<&str> = failure
        .mismatches
        .iter()
        .map(|m| m.field.as_str())
        .collect();
    assert_eq!(fields, ["flags", "seq", "payload length"]);
    assert!(
        failure
            .detail
            .contains(">   10 | +0 > F. 2:1001(999) ack 1")
    );
    assert!(failure.detail.contains("last packets"));
}

#[test]
fn a_packet_that_does_not_come_is_not_waited_for_for_ever() {
    let script = format!("{ACCEPT}+0 > P. 1:1001(1000) ack 1\n");
    let failure = fails(&job(&script, Datapath::Loopback, IpVersion::Ipv4));
    assert_eq!(failure.line, 9);
    assert!(failure.summary.starts_with("no packet came until"));
}

#[test]
fn a_call_that_blocks_is_ended() {
    let script = format!("{ACCEPT}+0 read(4, ..., 10) = 10\n");
    let mut job = job(&script, Datapath::Tun, IpVersion::Ipv4);
    job.limit_s = 1;
    let failure = fails(&job);
    assert_eq!(failure.line, 9);
    assert!(failure.summary.contains("EINTR"), "{}", failure.summary);
    assert!(failure.detail.contains("did not return by itself"));
}

#[test]
fn a_wrong_assertion_shows_what_the_kernel_said() {
    let script =
        format!("{ACCEPT}+0 %{{ assert tcpi_snd_cwnd == 9999, 'cwnd=%d' % tcpi_snd_cwnd }}%\n");
    let failure = fails(&job(&script, Datapath::Tun, IpVersion::Ipv4));
    assert!(failure.summary.starts_with("the assertion is false: cwnd="));
    assert!(failure.detail.contains("tcpi_snd_cwnd = "));
}

#[test]
fn clean_up_runs_after_a_failure_too() {
    let script = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 listen(3, 1) = 1

`echo clean`
";
    let job = job(script, Datapath::Tun, IpVersion::Ipv4);
    let output = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&output);
    let hooks = Hooks {
        output: Box::new(move |bytes| sink.lock().unwrap().extend_from_slice(bytes)),
        ..Hooks::none()
    };
    let result = perform(&job, hooks);
    assert!(matches!(result, ScriptResult::Failed(_)), "{result:?}");
    assert_eq!(output.lock().unwrap().as_slice(), b"clean\n");
}
