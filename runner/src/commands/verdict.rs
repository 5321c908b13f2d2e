//! `tunfarm verdict`: one kernel's answer as an exit status, for `git bisect run`.

use anyhow::Result;
use tunfarm::bisect::{Judge, Kernels, Question, Reading};
use tunfarm_bisect::{Answer, Terms};

use super::bisect::Steps;
use super::run;
use crate::cli::{ClockWord, Verdict};

/// 0 when the kernel is clean, 1 when it fails, 125 when nothing can be said: git's own numbers.
/// Wrong usage must stop a bisection, not be taken for an answer: git stops at 128 and above.
pub fn run(arguments: &Verdict) -> Result<u8> {
    match verdict(arguments) {
        Ok(answer) => Ok(answer.exit_status()),
        Err(error) if error.downcast_ref::<super::Status>().is_some() => {
            eprintln!("tunfarm: {error:#}");
            Ok(Answer::Skip.exit_status())
        }
        Err(error) => {
            eprintln!("tunfarm: {error:#}");
            Ok(STOP)
        }
    }
}

/// Ends `git bisect run`.
const STOP: u8 = 128;

fn verdict(arguments: &Verdict) -> Result<Answer> {
    let asked = &arguments.asked;
    let question = Question {
        good: None,
        bad: None,
        kernels: Kernels::Archive,
        driver: asked.driver.clone(),
        scenarios: asked.scenarios.clone(),
        scenario_folders: asked.scenario_folders.clone(),
        datapaths: asked.datapaths(),
        ip: asked.ip(),
        terms: None,
        confidence: 0.99,
        real_clock: arguments.machine.clock == ClockWord::Real,
    };
    let matrix = question.matrix(&arguments.kernel)?;
    let setup = tunfarm::farm::Setup {
        nearest_source: asked.nearest_source,
        build_dir: arguments.build_dir.clone(),
        ..run::setup(&arguments.machine, &arguments.source)?
    };
    setup.check(&matrix)?;
    let out = run::out_folder(arguments.out.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let results = runtime.block_on(async { Steps::open(setup).await?.run(&matrix, &out).await });
    runtime.shutdown_background();
    let results = results?;
    if results.interrupted {
        anyhow::bail!("interrupted");
    }
    let reading = Reading::of(&results.cells, &question.datapaths);
    // The failures that count were named, or all do.
    let (mut answer, mut because) = Judge::new(true).answer(&reading, false);
    if let Reading::Failing(statuses) = &reading
        && let Some(only) = arguments.only
        && !statuses.contains(&only.into())
    {
        answer = Answer::Skip;
        because = format!(
            "{because}, and only {} counts",
            tunfarm_reports::model::Status::from(only).word()
        );
    }
    let terms = Terms::default();
    let word = answer.word(&terms);
    println!("{word}: {because} ({})", out.display());
    Ok(answer)
}

impl From<crate::cli::FailureWord> for tunfarm_reports::model::Status {
    fn from(word: crate::cli::FailureWord) -> Self {
        match word {
            crate::cli::FailureWord::OrphanBug => Self::OrphanBug,
            crate::cli::FailureWord::OtherFailure => Self::OtherFailure,
        }
    }
}
