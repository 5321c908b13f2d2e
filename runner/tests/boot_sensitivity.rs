//! Every scenario can fail: each entry of its `breaks` really breaks it. A scenario that nothing
//! can break proves nothing.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use common::{KERNEL, run_in};
use tunfarm_protocol::Datapath;
use tunfarm_reports::load;
use tunfarm_scenarios::{Break, Collection};

/// Breaks that can be tried in one run: same kernel, driver, sysctls and datapath.
type Trial<'a> = (String, String, &'a BTreeMap<String, String>, Datapath);

fn trial(b: &Break) -> Trial<'_> {
    let or = |spec: &Option<String>, usual: &str| spec.clone().unwrap_or_else(|| usual.into());
    (
        or(&b.kernel, KERNEL),
        or(&b.driver, "stock"),
        &b.sysctls,
        b.datapath,
    )
}

/// Runs `scenarios` as `trial` says and returns each one's status and reason.
fn run(
    dir: &Path,
    n: usize,
    trial: &Trial<'_>,
    scenarios: &[&str],
) -> BTreeMap<String, (String, String)> {
    let (kernel, driver, sysctls, datapath) = trial;
    let datapath = match datapath {
        Datapath::Tun => "tun",
        Datapath::Loopback => "loopback",
    };
    let mut matrix = format!(
        "kernels: ['{kernel}']\ndrivers: ['{driver}']\ndatapaths: [{datapath}]\nscenarios: [{}]\nsysctls:\n",
        scenarios.join(", ")
    );
    for (name, value) in *sysctls {
        writeln!(matrix, "  {name}: '{value}'").expect("a string takes it");
    }
    if sysctls.is_empty() {
        matrix.push_str("  {}\n");
    }
    let file = format!("{n}.yaml");
    std::fs::write(dir.join(&file), matrix).expect("a matrix");
    let out = n.to_string();
    let ended = run_in(dir, &out, &["--matrix", &file]);
    let run = load(&dir.join(&out)).unwrap_or_else(|e| panic!("{e}: {}", ended.stderr));
    run.cells
        .into_iter()
        .map(|c| (c.id.scenario, (c.status.word().to_owned(), c.reason)))
        .collect()
}

#[test]
fn every_break_breaks() {
    let collection = Collection::built_in().expect("the collection");
    let mut trials: Vec<(Trial<'_>, Vec<(&str, &str)>)> = Vec::new();
    for scenario in collection.iter() {
        assert!(
            !scenario.spec.breaks.is_empty(),
            "nothing breaks {}",
            scenario.name
        );
        for b in &scenario.spec.breaks {
            let entry = (scenario.name.as_str(), b.verdict.as_str());
            match trials.iter_mut().find(|(t, _)| *t == trial(b)) {
                Some((_, entries)) => entries.push(entry),
                None => trials.push((trial(b), vec![entry])),
            }
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = String::new();
    for (n, (trial, entries)) in trials.iter().enumerate() {
        let scenarios: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
        let seen = run(dir.path(), n, trial, &scenarios);
        for (scenario, verdict) in entries {
            let (status, reason) = &seen[*scenario];
            if status != verdict {
                let _ = writeln!(
                    wrong,
                    "{scenario} on {} with {} {:?}: {status}, not {verdict}: {reason}",
                    trial.0, trial.1, trial.2
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
