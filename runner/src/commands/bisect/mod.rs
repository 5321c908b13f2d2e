//! `tunfarm bisect`: the kernel that changed a behaviour.

mod commits;
mod steps;
mod telling;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tunfarm::bisect::versions::{Versions, of_archive, of_folder, of_list};
use tunfarm::bisect::{Judge, Kernels, Question, Reading, State, StepRecord};
use tunfarm_bisect::{
    Answer, Conclusion, End, Next, Noise, Purpose, Search, Settings, Step, Terms,
};
use tunfarm_images::Cache;
use tunfarm_reports::text::counted;

use super::INFRA;
use super::kernels;
use super::run;
use crate::cli::{Bisect, ClockWord};
pub use steps::Steps;

pub fn run(arguments: &Bisect) -> Result<u8> {
    let asked = question(arguments)?;
    let out = folder(arguments.out.as_deref())?;
    if arguments.git.is_some() || commits::begun_in(&out) {
        return commits::run(arguments, asked, &out);
    }
    let state = match State::load(&out)? {
        Some(state) => resumed(state, &asked, arguments)?,
        None => begun(asked, arguments)?,
    };
    state.save(&out)?;
    let setup = tunfarm::farm::Setup {
        nearest_source: arguments.asked.nearest_source,
        ..run::setup(&arguments.machine, &arguments.source)?
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(search(state, setup, &out));
    // A download under way in a blocking thread must not hold up the end.
    runtime.shutdown_background();
    status
}

/// What was typed, read.
fn question(arguments: &Bisect) -> Result<Question> {
    let terms = match (&arguments.term_old, &arguments.term_new) {
        (None, None) => None,
        (old, new) => Some(Terms::new(
            old.as_deref().unwrap_or("good"),
            new.as_deref().unwrap_or("bad"),
        )?),
    };
    let kernels = match (&arguments.git, &arguments.list, &arguments.kernels) {
        (Some(tree), _, _) => Kernels::Commits {
            tree: absolute(tree)?,
            config: arguments.config.as_deref().map(absolute).transpose()?,
            only: arguments.only.clone(),
        },
        (None, Some(file), _) => Kernels::List(absolute(file)?),
        (None, None, Some(dir)) => Kernels::Folder(absolute(dir)?),
        (None, None, None) => Kernels::Archive,
    };
    let folders = arguments
        .asked
        .scenario_folders
        .iter()
        .map(|f| absolute(f))
        .collect::<Result<_>>()?;
    Ok(Question {
        good: arguments.good.clone(),
        bad: arguments.bad.clone(),
        kernels,
        driver: arguments.asked.driver.clone(),
        scenarios: arguments.asked.scenarios.clone(),
        scenario_folders: folders,
        datapaths: arguments.asked.datapaths(),
        ip: arguments.asked.ip(),
        terms,
        confidence: arguments.confidence,
        real_clock: arguments.machine.clock == ClockWord::Real,
    })
}

/// Paths are kept as they are meant from any folder, since a search may go on from another.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))
}

fn folder(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => {
            std::fs::create_dir_all(path)
                .with_context(|| format!("cannot make the search's folder {}", path.display()))?;
            Ok(path.to_owned())
        }
        None => run::out_folder(None),
    }
}

/// A search that goes on where it was.
fn resumed(state: State, asked: &Question, arguments: &Bisect) -> Result<State> {
    // Only the folder was named: whatever was asked there is meant.
    let repeated =
        arguments.good.is_some() || arguments.bad.is_some() || asked.kernels != Kernels::Archive;
    if repeated && state.question != *asked {
        bail!(
            "another question is being searched in this folder: name a new one, or repeat it with \
             --out alone"
        );
    }
    eprintln!("going on after {}", counted(state.steps.len(), "step"));
    Ok(state)
}

/// A new search.
fn begun(question: Question, arguments: &Bisect) -> Result<State> {
    let versions = versions(&question, arguments)?;
    // What cannot be run is known before anything is booted.
    let matrix = question.matrix(&versions.specs[0])?;
    tunfarm::plan::Plan::new(&matrix)?;
    run::setup(&arguments.machine, &arguments.source)?.check(&matrix)?;
    let settings = Settings {
        terms: question.terms(versions.good_is_old),
        noise: if question.real_clock {
            Noise::DOUBT
        } else {
            Noise::NONE
        },
        confidence: question.confidence,
        ..Settings::default()
    };
    let search = Search::new(versions.specs, settings)?;
    let judge = Judge::new(versions.good_is_old);
    Ok(State::new(question, search, judge, versions.gone))
}

fn versions(question: &Question, arguments: &Bisect) -> Result<Versions> {
    let (good, bad) = (question.good.as_deref(), question.bad.as_deref());
    Ok(match &question.kernels {
        Kernels::Archive => {
            let (Some(good), Some(bad)) = (good, bad) else {
                bail!("name the clean end with --good and the failing one with --bad");
            };
            let archive = kernels::open(&arguments.source)?;
            eprintln!("looking which kernels the archive still has");
            of_archive(&archive, good, bad).context(INFRA)?
        }
        Kernels::List(file) => of_list(file, good, bad)?,
        Kernels::Folder(dir) => {
            let root = arguments
                .source
                .cache
                .clone()
                .unwrap_or_else(Cache::default_dir);
            let cache = Cache::open(&root).context(INFRA)?;
            of_folder(dir, &cache, &(), good, bad)?
        }
        Kernels::Commits { tree, .. } => {
            bail!("the commits of {} are searched with --git", tree.display())
        }
    })
}

/// Tries one version after another until it is over.
async fn search(mut state: State, setup: tunfarm::farm::Setup, out: &Path) -> Result<u8> {
    let steps = Steps::open(setup).await?;
    telling::begun(&state);
    loop {
        let step = match state.search.next() {
            Next::Done(conclusion) => {
                let text = telling::concluded(&state, &conclusion, out);
                print!("{text}");
                std::fs::write(out.join("answer.txt"), &text)
                    .with_context(|| format!("cannot write into {}", out.display()))?;
                return Ok(status(&conclusion));
            }
            Next::Try(step) => step,
        };
        telling::trying(&state, &step);
        let Some(record) = make(&mut state, &step, &steps, out).await? else {
            eprintln!(
                "tunfarm: go on with: tunfarm bisect --out {}",
                out.display()
            );
            return Ok(INFRA.0);
        };
        telling::answered(&state, &record);
        state.record(step.version, record)?;
        state.save(out)?;
    }
}

/// Makes one step; nothing when it was interrupted.
async fn make(
    state: &mut State,
    step: &Step,
    steps: &Steps,
    out: &Path,
) -> Result<Option<StepRecord>> {
    let began = Instant::now();
    let spec = state.search.versions()[step.version].clone();
    let (folder, place) = step_folder(out, state.steps.len() + 1)?;
    let matrix = state.question.matrix(&spec)?;
    let results = steps.run(&matrix, &place).await?;
    if results.interrupted {
        return Ok(None);
    }
    let reading = Reading::of(&results.cells, &state.question.datapaths);
    let failing_end = match state.judge.failing() {
        Answer::Old => Purpose::Verify(End::Old),
        _ => Purpose::Verify(End::New),
    };
    let (answer, because) = state.judge.answer(&reading, step.purpose == failing_end);
    let label = results
        .kernels
        .first()
        .map_or_else(|| spec.clone(), |k| k.label.clone());
    let seconds = began.elapsed().as_secs_f64();
    Ok(Some(StepRecord {
        spec,
        label,
        folder,
        answer,
        because,
        seconds,
    }))
}

/// An empty folder for a step, relative to the search's and where it is.
fn step_folder(out: &Path, number: usize) -> Result<(PathBuf, PathBuf)> {
    let folder = Path::new("steps").join(format!("{number:02}"));
    let place = out.join(&folder);
    // What a killed run has left of this step is no evidence.
    match std::fs::remove_dir_all(&place) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot clear {}", place.display()));
        }
        _ => {}
    }
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    Ok((folder, place))
}

/// 0 when the change was found, 2 when an end is not what it was said to be, 3 when an end cannot
/// be tried.
fn status(conclusion: &Conclusion) -> u8 {
    match conclusion {
        Conclusion::Found(_) => 0,
        Conclusion::WrongEnd { .. } => 2,
        Conclusion::EndUntestable { .. } | Conclusion::EndUndecided { .. } => INFRA.0,
    }
}
