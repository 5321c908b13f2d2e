//! Kernels as bare as a vendor's may be, built from Debian's source: no modules, no sysfs, no
//! devtmpfs, no socket diagnosis, no kprobes, no IPv6, 100 ticks a second. As it is, with the
//! orphan call removed from its built-in tun, and with what TCP did in 3.16.
//!
//! The first build takes minutes; it is kept, and the next one compiles only what changed.

mod common;
#[path = "common/source.rs"]
mod source;

use std::path::{Path, PathBuf};

use common::run_in;
use source::{BASE, Change, Repository, edited, edited_by};
use tunfarm::bisect::git::Worktree;
use tunfarm_build::{Builder, Config};
use tunfarm_drivers::edit::Files;
use tunfarm_images::Cache;
use tunfarm_reports::load;
use tunfarm_reports::model::{Mechanism, RunResults, Status};

const TUN: &str = "drivers/net/tun.c";
const OUTPUT: &str = "net/ipv4/tcp_output.c";

/// From 3.15 to 3.17 TCP took a segment for queued as long as its clone existed, whoever owned it.
const AS_IN_3_16: &str = "
about: TCP refuses to retransmit what still has a clone, also one that was orphaned
shows: the bug's symptom with a driver that orphans
is_bug: false
expect: orphan-bug
edits:
  - file: net/ipv4/tcp_output.c
    function: __tcp_retransmit_skb
    before: skb_still_in_host_queue
    insert: |
      if (skb->fclone == SKB_FCLONE_ORIG &&
          refcount_read(&container_of(skb, struct sk_buff_fclones, skb1)->fclone_ref) > 1) {
      	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSPURIOUS_RTX_HOSTQUEUES);
      	return -EBUSY;
      }
  - file: net/ipv4/tcp_output.c
    function: tcp_send_loss_probe
    before: skb_still_in_host_queue
    insert: |
      if (skb->fclone == SKB_FCLONE_ORIG &&
          refcount_read(&container_of(skb, struct sk_buff_fclones, skb1)->fclone_ref) > 1)
      	goto rearm_timer;
";

/// Scenarios that wait for retransmissions while nobody reads.
const WAITING: [&str; 3] = ["closing", "closing-bulk", "fin-wait-1"];

/// Builds a kernel with these files in place of the source's own.
fn build(repository: &Repository, name: &str, files: Files) -> PathBuf {
    let dir = repository.beside("bare");
    let commit = match files.is_empty() {
        true => BASE.to_owned(),
        false => {
            let subject = format!("as {name} has it");
            repository
                .grow(name, &[Change { subject, files }], 0)
                .remove(0)
        }
    };
    let worktree = Worktree::open(&repository.dir, &dir.join("tree"), BASE).expect("a worktree");
    worktree.checkout(&commit).expect("a checkout");
    let builder = Builder::new(worktree.dir(), &dir.join("build"), Config::bare());
    let builder = builder
        .expect("a source")
        .with_ccache(&Cache::default_dir().join("ccache"));
    let built = builder.build().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(built.tun, None, "tun is built in");
    let kernel = dir.join(format!("{name}.bzImage"));
    std::fs::copy(built.bzimage, &kernel).expect("a copy");
    kernel
}

/// Runs scenarios on a kernel, over TUN and over loopback.
fn run(dir: &Path, kernel: &Path, scenarios: &[&str]) -> (i32, RunResults) {
    let spec = format!("path:{}", kernel.display());
    let mut typed = vec!["--kernel", &spec, "--driver", "stock", "--ip", "4"];
    typed.extend(["--datapath", "tun", "--datapath", "loopback"]);
    typed.extend(scenarios.iter().flat_map(|s| ["--scenario", s]));
    let name = kernel.file_stem().and_then(|n| n.to_str()).expect("a name");
    let ended = run_in(dir, name, &typed);
    eprintln!("{}", ended.stdout);
    let run = load(&dir.join(name)).unwrap_or_else(|e| panic!("{e}: {}", ended.stderr));
    (ended.status, run)
}

/// What each cell that waits came to.
fn waiting(run: &RunResults) -> Vec<(&str, Status, Option<Mechanism>)> {
    let waits = |name: &str| WAITING.contains(&name);
    let tun = run
        .cells
        .iter()
        .filter(|c| c.id.driver == "stock" && waits(&c.id.scenario));
    let mut cells: Vec<_> = tun
        .map(|c| (c.id.scenario.as_str(), c.status, c.mechanism))
        .collect();
    cells.sort_by_key(|(name, ..)| *name);
    cells
}

fn all_of(
    status: Status,
    mechanism: Option<Mechanism>,
) -> Vec<(&'static str, Status, Option<Mechanism>)> {
    WAITING.map(|name| (name, status, mechanism)).to_vec()
}

/// One test: all three share a build.
#[test]
fn bare_kernels_get_their_true_verdict_and_mechanism() {
    let repository = Repository::of_package();
    let files = repository.files(&[TUN, OUTPUT]);
    let changed = |now: Files| -> Files {
        let differs = |(path, text): &(PathBuf, String)| files[path] != *text;
        now.into_iter().filter(differs).collect()
    };
    let stock = build(&repository, "bare", Files::new());
    let owned = build(
        &repository,
        "bare-no-orphan",
        changed(edited(&files, "no-orphan")),
    );
    let ancient = build(
        &repository,
        "bare-as-3.16",
        changed(edited_by(&files, AS_IN_3_16)),
    );
    let dir = tempfile::tempdir().expect("a folder");

    let (status, run_of_stock) = run(dir.path(), &stock, &["*"]);
    let facts = run_of_stock.kernels[0].facts.as_ref().expect("facts");
    assert!(!facts.modules && !facts.sysfs && !facts.devtmpfs && !facts.ipv6);
    assert!(!facts.kprobe_events && !facts.skmeminfo);
    assert_eq!(
        (facts.sampler.as_str(), facts.tun.source.as_deref()),
        ("procfs", Some("built-in"))
    );
    let wrong: Vec<_> = run_of_stock
        .cells
        .iter()
        .filter(|c| !matches!(c.status, Status::Clean | Status::Skipped))
        .map(|c| format!("{}: {} ({})", c.id, c.status, c.reason))
        .collect();
    assert!(status == 0 && wrong.is_empty(), "{wrong:#?}");
    assert_eq!(waiting(&run_of_stock), all_of(Status::Clean, None));

    let scenarios = [
        "closing",
        "closing-bulk",
        "fin-wait-1",
        "close-wait",
        "shutdown-vs-close",
    ];
    for (kernel, mechanism) in [
        (owned, Mechanism::EbusyOwned),
        (ancient, Mechanism::EbusyOrphaned),
    ] {
        let (status, run) = run(dir.path(), &kernel, &scenarios);
        assert_eq!(status, 1);
        assert_eq!(waiting(&run), all_of(Status::OrphanBug, Some(mechanism)));
        let reason = &run
            .cells
            .iter()
            .find(|c| c.mechanism.is_some())
            .expect("one")
            .reason;
        assert!(reason.contains(mechanism.phrase()), "{reason}");
        let others = run.cells.iter().filter(|c| c.mechanism.is_none());
        for cell in others {
            assert_eq!(cell.status, Status::Clean, "{}: {}", cell.id, cell.reason);
        }
    }
}
