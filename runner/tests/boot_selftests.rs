//! The kernel's own packetdrill tests, out of its source package, on that kernel: each passes, or
//! scenarios/selftests.yaml says why not.

mod common;

use common::{Ended, tunfarm};
use tunfarm_protocol::IpVersion;
use tunfarm_reports::load;
use tunfarm_reports::model::{RunResults, Status};

/// The newest kernel with tests of its own, and how many these were when it was new.
const NEWEST: (&str, usize) = ("debian:trixie-backports/cloud", 165);
/// The first series that has them.
const FIRST: (&str, usize) = ("debian:trixie/cloud", 24);

/// The tests of a kernel, and how the run ended.
fn selftests(kernel: &str, arguments: &[&str]) -> RunResults {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = vec!["pkt", "--selftests", "--kernel", kernel, "--out", "out"];
    all.extend(arguments);
    let ended: Ended = tunfarm(&all)
        .current_dir(dir.path())
        .output()
        .expect("tunfarm runs")
        .into();
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
    load(&dir.path().join("out")).expect("results")
}

fn count(run: &RunResults, test: impl Fn(Status) -> bool) -> usize {
    run.cells.iter().filter(|cell| test(cell.status)).count()
}

#[test]
fn over_tun_all_pass_but_those_whose_kernel_is_wrong() {
    let (kernel, scripts) = NEWEST;
    let run = selftests(kernel, &["--datapath", "tun"]);
    for ip in [IpVersion::Ipv4, IpVersion::Ipv6, IpVersion::Mapped] {
        assert!(run.cells.iter().any(|cell| cell.id.ip == ip));
    }
    assert!(run.cells.len() > 2 * scripts, "{}", run.cells.len());
    let other = count(&run, |status| status != Status::Clean);
    assert!(other <= 2, "{other} of {}", run.cells.len());
}

#[test]
fn over_loopback_all_pass_but_those_that_set_the_tun_device() {
    let (kernel, scripts) = NEWEST;
    for ip in ["4", "6"] {
        let run = selftests(kernel, &["--datapath", "loopback", "--ip", ip]);
        assert!(run.cells.len() >= scripts, "{}", run.cells.len());
        let failed = count(&run, |status| status == Status::OtherFailure);
        assert!(failed <= 4, "{failed} over IPv{ip}");
    }
}

#[test]
fn the_first_series_passes_whole() {
    let (kernel, scripts) = FIRST;
    let run = selftests(kernel, &["--datapath", "tun"]);
    assert!(run.cells.len() >= 2 * scripts, "{}", run.cells.len());
    assert_eq!(count(&run, |status| status != Status::Clean), 0);
}
