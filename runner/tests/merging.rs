//! Merging shards: the whole run comes back, and what does not fit is refused by name.

use std::path::{Path, PathBuf};

use tunfarm::matrix::Matrix;
use tunfarm::merge::{Survey, gather};
use tunfarm::plan::{Plan, PlannedCell};
use tunfarm::plan_file::{PLAN, PlanFile};
use tunfarm::predict::Durations;
use tunfarm::shard::{Cut, Shard};
use tunfarm_reports::model::{
    CellId, CellResult, DriverInfo, Host, KernelInfo, RunResults, SCHEMA, ScenarioInfo, Status,
    Timings,
};
use tunfarm_reports::write_all;

const COUNT: usize = 3;

fn plan(yaml: &str) -> Plan {
    let matrix: Matrix = tunfarm_config::parse(yaml, Path::new("matrix.yaml")).unwrap();
    Plan::new(&matrix).unwrap()
}

fn ordinary() -> Plan {
    plan(
        "{kernels: ['debian:b/cloud', 'debian:a/cloud', 'debian:c/cloud'], drivers: [stock, 'edit:no-orphan']}",
    )
}

/// What labels the made-up laboratory gives.
fn label(spec: &str) -> String {
    spec.trim_start_matches("debian:")
        .trim_start_matches("edit:")
        .replace('/', "-")
}

/// What running `cells` would give.
fn run(plan: &Plan, cells: &[PlannedCell], shard: Option<&str>, host: &str) -> RunResults {
    let id = |c: &PlannedCell| CellId {
        kernel: label(&c.kernel),
        driver: label(&c.driver),
        scenario: c.scenario.clone(),
        datapath: c.datapath,
        ip: c.ip,
    };
    let mut kernels: Vec<KernelInfo> = Vec::new();
    let mut drivers: Vec<DriverInfo> = Vec::new();
    for cell in &plan.cells {
        if !cells.contains(cell) {
            continue;
        }
        let kernel = label(&cell.kernel);
        if !kernels.iter().any(|k| k.label == kernel) {
            kernels.push(KernelInfo {
                label: kernel.clone(),
                spec: cell.kernel.clone(),
                package_version: Some("6.1-1".into()),
                sha256: Some(format!("of {kernel}")),
                facts: Some(Default::default()),
            });
        }
        if cell.driver != CellId::NO_DRIVER {
            let driver = label(&cell.driver);
            let known = drivers.iter().position(|d| d.label == driver);
            let at = known.unwrap_or_else(|| {
                drivers.push(DriverInfo {
                    label: driver.clone(),
                    spec: cell.driver.clone(),
                    about: String::new(),
                    modules: Default::default(),
                    seeded: None,
                });
                drivers.len() - 1
            });
            let module = format!("{driver} of {kernel}");
            drivers[at].modules.insert(kernel, module);
        }
    }
    // In matrix order, whatever this part met first.
    let order = |spec: &String| plan.cells.iter().position(|c| &c.driver == spec);
    drivers.sort_by_key(|d| order(&d.spec));
    RunResults {
        schema: SCHEMA.into(),
        tool: "0.1.0".into(),
        plan: plan.digest(),
        shard: shard.map(str::to_owned),
        started: "2026-11-23T01:00:00Z".into(),
        duration_s: 10.0,
        clock: "virtual".into(),
        host: Host {
            name: host.into(),
            qemu: "QEMU 10".into(),
            accel: "tcg".into(),
            cpus: 2,
        },
        interrupted: false,
        kernels,
        drivers,
        scenarios: plan
            .scenarios
            .iter()
            .filter(|s| cells.iter().any(|c| c.scenario == s.name))
            .map(|s| ScenarioInfo {
                name: s.name.clone(),
                title: s.name.clone(),
                shows: String::new(),
                sha256: Some(s.sha256.clone()),
            })
            .collect(),
        cells: cells
            .iter()
            .map(|c| CellResult {
                id: id(c),
                status: Status::Clean,
                expected: vec![Status::Clean],
                reason: "made up".into(),
                mechanism: None,
                witnesses: vec![],
                failure: None,
                findings: vec![],
                control: None,
                earlier: vec![],
                command: "tunfarm run".into(),
                evidence: Default::default(),
                plot: Default::default(),
                virtual_s: 1.0,
                timings: Timings::default(),
            })
            .collect(),
        notes: vec!["a note of all".into()],
    }
}

/// A folder with a whole run of `plan` in `COUNT` shards.
struct Shards {
    folder: tempfile::TempDir,
    plan: Plan,
}

impl Shards {
    fn of(plan: Plan) -> Shards {
        let shards = Shards {
            folder: tempfile::tempdir().unwrap(),
            plan,
        };
        for index in 1..=COUNT {
            shards.put(index, &shards.path(index), |_| {});
        }
        shards
    }

    fn path(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("shard-{index}"))
    }

    fn all(&self) -> Vec<PathBuf> {
        (1..=COUNT).map(|i| self.path(i)).collect()
    }

    /// Writes shard `index` into `folder`, changed by `change`.
    fn put(&self, index: usize, folder: &Path, change: impl FnOnce(&mut RunResults)) {
        let cut = Cut::new(&self.plan.cells, COUNT, &Durations::default());
        let shard = Shard::new(index, COUNT).unwrap();
        let cells: Vec<PlannedCell> = cut
            .part(shard)
            .cells
            .iter()
            .map(|at| self.plan.cells[*at].clone())
            .collect();
        let host = format!("host-{index}");
        let mut results = run(&self.plan, &cells, Some(&shard.to_string()), &host);
        change(&mut results);
        for cell in &results.cells {
            let evidence = folder.join(cell.id.folder());
            std::fs::create_dir_all(&evidence).unwrap();
            std::fs::write(evidence.join("ss.txt"), cell.id.to_string()).unwrap();
        }
        write_all(&results, folder).unwrap();
        PlanFile::new(&self.plan, Some((&cut, shard)))
            .write(folder)
            .unwrap();
    }

    /// What merging `folders` says is wrong, the temporary folder's name left out.
    fn complaint(&self, folders: &[PathBuf]) -> String {
        let error = Survey::of(folders).merge().unwrap_err().to_string();
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn shards_make_the_run_that_was_cut() {
    let shards = Shards::of(ordinary());
    let mut folders = shards.all();
    folders.reverse();
    let survey = Survey::of(&folders);
    let merged = survey.merge().unwrap();
    let whole = run(
        &shards.plan,
        &shards.plan.cells,
        None,
        "host-1, host-2, host-3",
    );
    assert_eq!(merged.host.cpus, 6);
    let merged = RunResults {
        host: Host {
            cpus: 2,
            ..merged.host
        },
        ..merged
    };
    assert_eq!(merged, whole);

    let out = shards.folder.path().join("merged");
    gather(survey.shards.values(), &out).unwrap();
    for cell in &whole.cells {
        let text = std::fs::read_to_string(out.join(cell.id.folder()).join("ss.txt")).unwrap();
        assert_eq!(text, cell.id.to_string());
    }
}

#[test]
fn a_run_of_the_whole_plan_is_its_only_shard() {
    let (folder, plan) = (tempfile::tempdir().unwrap(), ordinary());
    let whole = run(&plan, &plan.cells, None, "one");
    write_all(&whole, folder.path()).unwrap();
    PlanFile::new(&plan, None).write(folder.path()).unwrap();
    let survey = Survey::of(&[folder.path().to_owned()]);
    assert_eq!(survey.merge().unwrap(), whole);
}

#[test]
fn a_missing_shard_is_named() {
    let shards = Shards::of(ordinary());
    let folders = [shards.path(1), shards.path(3)];
    assert_eq!(Survey::of(&folders).missing(), [2]);
    assert_eq!(
        shards.complaint(&folders),
        "cannot merge: shard 2/3 is missing; run it and merge again"
    );
    assert_eq!(
        shards.complaint(&[]),
        "cannot merge: no folder has a shard of a plan"
    );
}

#[test]
fn a_shard_that_is_not_there_yet_is_named() {
    let shards = Shards::of(ordinary());
    std::fs::remove_file(shards.path(2).join("results.json")).unwrap();
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.starts_with("shard-2: cannot read shard-2/results.json"),
        "{complaint}"
    );
    assert!(
        complaint.ends_with("shard 2/3 is missing; run it and merge again"),
        "{complaint}"
    );
}

#[test]
fn a_doubled_shard_is_named() {
    let shards = Shards::of(ordinary());
    let again = shards.folder.path().join("again");
    shards.put(2, &again, |r| r.started = "2026-11-22T01:00:00Z".into());
    let mut folders = shards.all();
    folders.push(again);
    assert_eq!(
        shards.complaint(&folders),
        "again: shard 2 is there twice: this one is of 2026-11-22T01:00:00Z, shard-2 of \
         2026-11-23T01:00:00Z\ncannot merge: leave these folders out, or run them again"
    );
}

#[test]
fn an_older_shard_is_named() {
    let shards = Shards::of(ordinary());
    shards.put(2, &shards.path(2), |r| r.tool = "0.0.9".into());
    assert_eq!(
        shards.complaint(&shards.all()),
        "shard-2: tunfarm 0.0.9 ran it, the newest of the others is 0.1.0; run it again with that\n\
         cannot merge: shard 2/3 is missing; run it and merge again"
    );
    shards.put(2, &shards.path(2), |_| {});
    let file = shards.path(2).join("results.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(SCHEMA, "tunfarm-results/0")).unwrap();
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.contains("has schema tunfarm-results/0"),
        "{complaint}"
    );
}

#[test]
fn a_foreign_shard_is_named() {
    let shards = Shards::of(ordinary());
    let other = Shards::of(plan("{kernels: ['debian:x/cloud']}"));
    let mut folders = shards.all();
    folders[1] = other.path(2);
    let complaint = shards.complaint(&folders);
    let (its, common) = (other.plan.digest(), shards.plan.digest());
    let expected = format!(
        "it is foreign: its plan is {its:.12}, that of the others is {common:.12}\n\
         cannot merge: shard 2/3 is missing; run it and merge again"
    );
    assert!(complaint.ends_with(&expected), "{complaint}");
    assert!(complaint.starts_with(&other.path(2).display().to_string()));
}

#[test]
fn a_truncated_shard_is_named() {
    let shards = Shards::of(ordinary());
    let file = shards.path(2).join("results.json");
    let text = std::fs::read_to_string(&file).unwrap();
    // Cut anywhere, it is never taken for whole.
    for at in (0..text.len() - 2).step_by(997) {
        std::fs::write(&file, &text.as_bytes()[..at]).unwrap();
        let survey = Survey::of(&shards.all());
        assert_eq!(survey.missing(), [2], "cut at {at}");
        assert_eq!(survey.refused[0].0, shards.path(2));
    }
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.contains("shard-2/results.json is truncated"),
        "{complaint}"
    );

    shards.put(2, &shards.path(2), |r| {
        r.cells.pop();
        r.interrupted = true;
    });
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.starts_with("shard-2: it was interrupted after"),
        "{complaint}"
    );

    shards.put(2, &shards.path(2), |r| {
        r.cells.remove(1);
    });
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.starts_with("shard-2: it is truncated: debian:"),
        "{complaint}"
    );
}

#[test]
fn a_cell_nobody_planned_is_named() {
    let shards = Shards::of(ordinary());
    shards.put(2, &shards.path(2), |r| r.cells.push(r.cells[0].clone()));
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.contains("is in its results and not planned"),
        "{complaint}"
    );
}

#[test]
fn a_damaged_plan_is_named() {
    let shards = Shards::of(ordinary());
    let file = shards.path(2).join(PLAN);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("debian:a", "debian:z")).unwrap();
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.starts_with("shard-2: shard-2/plan.json is no plan of tunfarm"),
        "{complaint}"
    );
}

#[test]
fn shards_cut_otherwise_do_not_fit() {
    let shards = Shards::of(ordinary());
    let file = shards.path(2).join(PLAN);
    let mut plan = PlanFile::read(&shards.path(2)).unwrap();
    plan.part.as_mut().unwrap().cut = "0123456789ab".into();
    std::fs::write(&file, serde_json::to_vec(&plan).unwrap()).unwrap();
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint
            .contains("shard-2: it is 2/3 of cut 0123456789ab, the others are parts of 3 of cut"),
        "{complaint}"
    );
}

#[test]
fn an_archive_that_changed_in_between_is_noticed() {
    // One kernel, torn over the shards, that became another one for the second of them.
    let shards = Shards::of(plan("{kernels: ['debian:a/cloud']}"));
    shards.put(2, &shards.path(2), |r| {
        r.kernels[0].sha256 = Some("of another".into());
        r.kernels[0].package_version = Some("6.1-2".into());
    });
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.contains(
            "shard-2: debian:a/cloud was a-cloud (6.1-2) here and a-cloud (6.1-1) in shard-1: \
             the archive changed in between"
        ),
        "{complaint}"
    );
}

#[test]
fn another_clock_is_noticed() {
    let shards = Shards::of(ordinary());
    shards.put(2, &shards.path(2), |r| r.clock = "real".into());
    let complaint = shards.complaint(&shards.all());
    assert!(
        complaint.starts_with("shard-2: it ran in real time, the others in virtual time"),
        "{complaint}"
    );
}

#[test]
fn a_cell_that_names_a_place_outside_is_not_gathered() {
    let shards = Shards::of(ordinary());
    shards.put(1, &shards.path(1), |r| r.cells[0].id.kernel = "..".into());
    let survey = Survey::of(&shards.all());
    let out = shards.folder.path().join("merged");
    let error = gather(survey.shards.values(), &out)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is no name of a folder"), "{error}");
}
