//! `tunfarm run`: from a matrix to reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};
use tunfarm::farm::{self, Farm, FarmError};
use tunfarm::matrix::Matrix;
use tunfarm::plan::Plan;
use tunfarm::plan_file::PlanFile;
use tunfarm::run::{Executed, Lab, Options, execute};
use tunfarm::shard::Cut;
use tunfarm_reports::compare::apply_baseline;
use tunfarm_reports::files::write_report;
use tunfarm_reports::history::{History, Past};
use tunfarm_reports::model::{Event, Host, RunResults, SCHEMA, ScenarioInfo};
use tunfarm_reports::{Console, EventLog, Report, Reporter, load};

use super::INFRA;
use super::shards::durations;
use crate::cli::{AccelWord, ClockWord, Machine, Run, Source};

pub fn run(arguments: &Run) -> Result<u8> {
    let ran = perform(arguments)?;
    // More shards than there are bundles: this one has nothing to do, and that is well.
    if arguments.shard.is_some() && ran.results.cells.is_empty() && !ran.results.interrupted {
        return Ok(0);
    }
    Ok(ran.results.exit_status())
}

/// A run that is over.
pub struct Performed {
    /// What it found.
    pub results: RunResults,
    /// What earlier runs say about it, if they were asked.
    pub past: Option<Past>,
    /// Its folder.
    pub out: PathBuf,
}

/// What a run is held against.
#[derive(Default)]
pub struct Against {
    baseline: Option<RunResults>,
    history: Option<History>,
}

impl Against {
    fn open(arguments: &Run) -> Result<Against> {
        Ok(Against {
            baseline: arguments.baseline.as_deref().map(load).transpose()?,
            history: arguments
                .history
                .as_deref()
                .map(History::open)
                .transpose()?,
        })
    }

    /// What the baseline showed becomes expected; the history takes the run and tells of it.
    fn compare(&mut self, results: &mut RunResults) -> Result<Option<Past>> {
        if let Some(baseline) = &self.baseline {
            apply_baseline(results, baseline);
        }
        let Some(history) = &mut self.history else {
            return Ok(None);
        };
        history.record(results)?;
        Ok(Some(history.past(results)?))
    }
}

/// Runs a matrix, or one shard of it.
pub fn perform(arguments: &Run) -> Result<Performed> {
    let matrix = arguments.selection.matrix()?;
    let whole = Plan::new(&matrix)?;
    let part = match arguments.shard {
        Some(shard) => {
            let durations = durations(&arguments.durations)?;
            Some((Cut::new(&whole.cells, shard.count(), &durations), shard))
        }
        None => None,
    };
    let plan = match &part {
        Some((cut, shard)) => whole.part(cut, *shard),
        None => whole.clone(),
    };
    let setup = farm::Setup {
        nearest_source: arguments.nearest_source,
        build_dir: arguments.build_dir.clone(),
        ..setup(&arguments.machine, &arguments.source)?
    };
    // Everything that can be wrong with what was typed is wrong before anything is made.
    setup.check(&matrix)?;
    plan.scenarios.iter().try_for_each(super::check::scenario)?;
    let against = Against::open(arguments)?;
    let out = out_folder(arguments.out.as_deref())?;
    PlanFile::new(&whole, part.as_ref().map(|(cut, shard)| (cut, *shard)))
        .write(&out)
        .with_context(|| format!("cannot write into {}", out.display()))?;
    let mut reporter = Reporter::new().with(Console::stdio(Some(out.clone())));
    if let Some(target) = &arguments.events {
        let log =
            EventLog::open(target).with_context(|| format!("cannot open {target} for --events"))?;
        reporter = reporter.with(log);
    }
    let (results, past) =
        carry_out_against(&plan, &matrix, setup, &out, reporter, |farm| farm, against)?;
    Ok(Performed { results, past, out })
}

/// How guests are run and where kernels come from, from what was typed.
pub fn setup(machine: &Machine, source: &Source) -> Result<farm::Setup> {
    use tunfarm_machine::{Accel, Clock};
    let clock = match machine.clock {
        ClockWord::Virtual => Clock::Virtual,
        ClockWord::Real => Clock::Real,
    };
    let accel = match (machine.accel, clock) {
        (AccelWord::Kvm, Clock::Virtual) => bail!(
            "virtual time needs tcg: with --accel kvm use --clock real (verdicts then depend on \
             the load of this machine)"
        ),
        (AccelWord::Kvm, Clock::Real) => farm::AccelChoice::Fixed(Accel::Kvm),
        (AccelWord::Auto, Clock::Real) => farm::AccelChoice::Trial,
        (AccelWord::Tcg | AccelWord::Auto, _) => farm::AccelChoice::Fixed(Accel::Tcg),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(farm::Setup {
        clock,
        accel,
        jobs: machine.jobs.map_or(processors, usize::from),
        mirror: source.mirror.clone(),
        cache: source.cache.clone(),
        nearest_source: false,
        build_dir: None,
    })
}

/// Executes a plan and writes everything a run leaves; `lab` makes of the farm what runs its cells.
pub fn carry_out<L: Lab + 'static>(
    plan: &Plan,
    matrix: &Matrix,
    setup: farm::Setup,
    out: &Path,
    reporter: Reporter,
    lab: impl FnOnce(Farm) -> L,
) -> Result<RunResults> {
    carry_out_against(plan, matrix, setup, out, reporter, lab, Against::default())
        .map(|(results, _)| results)
}

/// As [`carry_out`], and holds the run against earlier ones before its reports are written.
fn carry_out_against<L: Lab + 'static>(
    plan: &Plan,
    matrix: &Matrix,
    setup: farm::Setup,
    out: &Path,
    reporter: Reporter,
    lab: impl FnOnce(Farm) -> L,
    mut against: Against,
) -> Result<(RunResults, Option<Past>)> {
    let began = Instant::now();
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    // Reports are written by a thread of their own: a slow terminal or pipe must not hold up the
    // task that ends guests in time.
    let all = out.join("events.ndjson").display().to_string();
    let log = EventLog::open(&all).with_context(|| format!("cannot write {all}"))?;
    let mut reporter = reporter.with(log);
    let (events, received) = mpsc::channel::<Event>();
    let writing = std::thread::spawn(move || {
        for event in received {
            let last = matches!(event, Event::RunFinished { .. });
            reporter.event(&event);
            // A download in a thread of its own may hold a sender long after the run.
            if last {
                break;
            }
        }
        reporter
            .lost()
            .iter()
            .for_each(|lost| eprintln!("tunfarm: {lost}"));
    });
    let _ = events.send(Event::RunStarted {
        plan: plan.digest(),
        cells: plan.cells.len(),
        // Those of the plan: a shard seldom has all of the matrix.
        kernels: (plan
            .cells
            .iter()
            .map(|c| &c.kernel)
            .collect::<BTreeSet<_>>())
        .len(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options = Options {
        jobs: setup.jobs,
        out: out.to_owned(),
    };
    let clock = setup.clock;
    let (executed, host) = runtime
        .block_on(async {
            let farm = Farm::open(setup, events.clone()).await?;
            let host = farm.describe();
            let lab = Rc::new(lab(farm));
            let report = |event| {
                let _ = events.send(event);
            };
            let executed = execute(plan, matrix, &options, lab, stopped(), report).await;
            Ok::<_, FarmError>((executed, host))
        })
        .context(INFRA)?;
    // A download that is under way in a blocking thread must not hold up the end.
    runtime.shutdown_background();

    let mut results = results(plan, executed, host, started, began, clock.to_string());
    let past = against.compare(&mut results)?;
    let mut report = Report::new(&results, out);
    if let Some(past) = &past {
        report = report.with_past(past);
    }
    write_report(&report)?;
    let _ = events.send(Event::RunFinished {
        results: Box::new(results.clone()),
    });
    let _ = writing.join();
    Ok((results, past))
}

/// What a run leaves, out of what came of its plan.
pub(super) fn results(
    plan: &Plan,
    executed: Executed,
    host: Host,
    started: String,
    began: Instant,
    clock: String,
) -> RunResults {
    let scenarios = plan
        .scenarios
        .iter()
        .map(|s| ScenarioInfo {
            name: s.name.clone(),
            title: s.spec.title.clone(),
            shows: s.spec.shows.trim().to_owned(),
            sha256: Some(s.sha256.clone()),
        })
        .collect();
    RunResults {
        schema: SCHEMA.into(),
        tool: env!("CARGO_PKG_VERSION").into(),
        plan: plan.digest(),
        shard: plan.whole.as_ref().map(|w| w.shard.to_string()),
        started,
        duration_s: began.elapsed().as_secs_f64(),
        clock,
        host,
        interrupted: executed.interrupted,
        kernels: executed.kernels,
        drivers: executed.drivers,
        scenarios,
        cells: executed.cells,
        notes: Vec::new(),
    }
}

/// Resolves when somebody wants the run to end: Ctrl-C, or SIGTERM as a CI service sends it.
pub(super) async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be watched");
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be watched");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("tunfarm: stopping; finished results are kept");
}

/// The run's folder: the one named, which must be empty, or a new one under `results/`.
pub fn out_folder(named: Option<&Path>) -> Result<PathBuf> {
    let cannot = |path: &Path| format!("cannot make the run's folder {}", path.display());
    if let Some(path) = named {
        std::fs::create_dir_all(path).with_context(|| cannot(path))?;
        let mut entries = std::fs::read_dir(path).with_context(|| cannot(path))?;
        if entries.next().is_some() {
            bail!(
                "{} is not empty: name a new folder, so that no run is mixed with another",
                path.display()
            );
        }
        return Ok(path.to_owned());
    }
    let now = humantime::format_rfc3339_seconds(SystemTime::now())
        .to_string()
        .replace(':', "-");
    for n in 1.. {
        let name = if n == 1 {
            now.clone()
        } else {
            format!("{now}-{n}")
        };
        let path = Path::new("results").join(name);
        std::fs::create_dir_all("results").with_context(|| cannot(&path))?;
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Another run began in the same second.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| cannot(&path)),
        }
    }
    unreachable!("some number is free")
}
