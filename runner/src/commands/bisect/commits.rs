//! `tunfarm bisect --git`: the commit that changed a behaviour.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tunfarm::bisect::commits::{CommitStep, Commits, FILE, driver_alone};
use tunfarm::bisect::git::{Commit, Next, Worktree, commit, is_ancestor};
use tunfarm::bisect::pair::neighbours;
use tunfarm::bisect::{Judge, Kernels, Question, Reading};
use tunfarm_bisect::{Answer, Noise, Settings, Terms, Trial};
use tunfarm_build::{BuildError, Builder, Built, Config};
use tunfarm_images::Cache;
use tunfarm_reports::text::counted;

use super::{Steps, step_folder};
use crate::cli::Bisect;
use crate::commands::{INFRA, run as run_command};

/// A search over commits was begun in this folder.
pub fn begun_in(out: &Path) -> bool {
    out.join(FILE).exists()
}

pub fn run(arguments: &Bisect, asked: Question, out: &Path) -> Result<u8> {
    let state = match Commits::load(out)? {
        Some(state) => {
            if arguments.git.is_some() && state.question != asked {
                bail!(
                    "another question is being searched in this folder: name a new one, or repeat \
                     it with --out alone"
                );
            }
            eprintln!("going on after {}", counted(state.steps.len(), "step"));
            state
        }
        None => begun(asked)?,
    };
    state.save(out)?;
    let setup = run_command::setup(&arguments.machine, &arguments.source)?;
    let cache = arguments
        .source
        .cache
        .clone()
        .unwrap_or_else(Cache::default_dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let mut search = Search::open(state, setup, out, &cache).await?;
        search.run().await
    });
    runtime.shutdown_background();
    status
}

/// A new search; its ends are resolved, so that a branch may move meanwhile.
fn begun(question: Question) -> Result<Commits> {
    let Kernels::Commits { tree, .. } = &question.kernels else {
        bail!("no repository is named");
    };
    let (Some(good), Some(bad)) = (&question.good, &question.bad) else {
        bail!("name the clean revision with --good and the failing one with --bad");
    };
    let (good, bad) = (commit(tree, good)?, commit(tree, bad)?);
    if good.id == bad.id {
        bail!(
            "both ends are {}: there is nothing between them",
            good.short()
        );
    }
    let good_is_old = is_ancestor(tree, &good.id, &bad.id)?;
    if !good_is_old && !is_ancestor(tree, &bad.id, &good.id)? {
        bail!(
            "neither of {} and {} comes before the other: take the older end from their merge base",
            good.short(),
            bad.short()
        );
    }
    tunfarm::plan::Plan::new(&question.matrix("path:bzImage")?)?;
    let (old, new) = if good_is_old {
        (good, bad)
    } else {
        (bad, good)
    };
    Ok(Commits::new(question, old, new, Judge::new(good_is_old)))
}

struct Search<'a> {
    state: Commits,
    out: &'a Path,
    terms: Terms,
    only: Vec<String>,
    worktree: Worktree,
    builder: Builder,
    steps: Steps,
}

impl<'a> Search<'a> {
    async fn open(
        state: Commits,
        setup: tunfarm::farm::Setup,
        out: &'a Path,
        cache: &Path,
    ) -> Result<Search<'a>> {
        let Kernels::Commits { tree, config, only } = state.question.kernels.clone() else {
            bail!("no repository is named");
        };
        let absolute = std::path::absolute(out)?;
        let worktree = Worktree::open(&tree, &absolute.join("tree"), &state.old.id)?;
        worktree.checkout(&state.old.id)?;
        let mut options = Config::farm();
        if let Some(file) = &config {
            options = options.with_file(file)?;
        }
        let builder = Builder::new(worktree.dir(), &absolute.join("build"), options)?
            .with_ccache(&cache.join("ccache"));
        let terms = state.question.terms(state.judge.failing() == Answer::New);
        let steps = Steps::open(setup).await?;
        Ok(Search {
            state,
            out,
            terms,
            only,
            worktree,
            builder,
            steps,
        })
    }

    async fn run(&mut self) -> Result<u8> {
        for (end, should) in [
            (self.state.old.clone(), Answer::Old),
            (self.state.new.clone(), Answer::New),
        ] {
            let left = format!("should be {}", should.word(&self.terms));
            let Some(step) = self.step(&end.id, &left).await? else {
                return Ok(INFRA.0);
            };
            if step.answer == Answer::Skip {
                println!("the end {} cannot be tried ({})", end.short(), step.because);
                return Ok(INFRA.0);
            }
            if step.answer != should {
                println!(
                    "{} is {}, not {}: the ends are wrong, there is nothing to search between",
                    end.short(),
                    step.answer.word(&self.terms),
                    should.word(&self.terms)
                );
                return Ok(2);
            }
        }
        loop {
            let answers = self.state.answers();
            let (new, old) = (&self.state.new.id, &self.state.old.id);
            match self
                .worktree
                .next(&self.terms, new, old, &self.only, &answers)?
            {
                Next::Try { id, left } => {
                    if self.step(&id, &left).await?.is_none() {
                        return Ok(INFRA.0);
                    }
                }
                Next::Found(id) => return self.conclude(&[id]),
                Next::Range(ids) => return self.conclude(&ids),
            }
        }
    }

    /// Tries a commit, unless that was done before; nothing when it was interrupted.
    async fn step(&mut self, id: &str, left: &str) -> Result<Option<CommitStep>> {
        if let Some(step) = self.state.step(id) {
            return Ok(Some(step.clone()));
        }
        let number = self.state.steps.len() + 1;
        let commit = commit(self.worktree.dir(), id)?;
        eprintln!("step {number}: {} ({left}{})", commit.short(), self.about());
        let (folder, place) = step_folder(self.out, number)?;
        let began = Instant::now();
        let built = self.build(id, &place)?;
        let build_s = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let (answer, because, module_only) = match built {
            Err(why) => (Answer::Skip, why, false),
            Ok(files) => match self.answer(&commit, &files, &place).await? {
                Some((answer, because)) => (answer, because, files.module_only),
                None => {
                    eprintln!(
                        "tunfarm: go on with: tunfarm bisect --out {}",
                        self.out.display()
                    );
                    return Ok(None);
                }
            },
        };
        let run_s = began.elapsed().as_secs_f64();
        let what = if module_only { "module" } else { "kernel" };
        eprintln!(
            "  {} ({because}), {what} built in {build_s:.0} s, run in {run_s:.0} s",
            answer.word(&self.terms)
        );
        let step = CommitStep {
            commit,
            folder,
            answer,
            because,
            module_only,
            build_s,
            run_s,
        };
        self.state.steps.push(step.clone());
        self.state.save(self.out)?;
        Ok(Some(step))
    }

    /// Checks out and builds; the inner error says why this commit does not build.
    fn build(&mut self, id: &str, place: &Path) -> Result<Result<Files, String>> {
        self.worktree.checkout(id)?;
        let module_only = match &self.state.built {
            Some(built) if self.builder.has_kernel() => {
                driver_alone(&self.worktree.changed(built, id)?)
            }
            _ => false,
        };
        let built = if module_only {
            self.builder.build_module()
        } else {
            // Until it is there again, no whole kernel is in the build directory.
            self.state.built = None;
            self.state.save(self.out)?;
            self.builder.build()
        };
        match built {
            Ok(built) => {
                if !built.module_only {
                    self.state.built = Some(id.to_owned());
                }
                Ok(Ok(Files::keep(&built, place)?))
            }
            Err(BuildError::DoesNotBuild { first, output, .. }) => {
                let log = place.join("build.log");
                std::fs::write(&log, output)
                    .with_context(|| format!("cannot write {}", log.display()))?;
                Ok(Err(format!("does not build: {first}")))
            }
            Err(error @ BuildError::Options { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs what was built until it is decided; nothing when it was interrupted.
    async fn answer(
        &mut self,
        commit: &Commit,
        files: &Files,
        place: &Path,
    ) -> Result<Option<(Answer, String)>> {
        let question = &self.state.question;
        let settings = Settings {
            terms: self.terms.clone(),
            noise: if question.real_clock {
                Noise::DOUBT
            } else {
                Noise::NONE
            },
            confidence: question.confidence,
            ..Settings::default()
        };
        let failing_end = match self.state.judge.failing() {
            Answer::Old => commit.id == self.state.old.id,
            _ => commit.id == self.state.new.id,
        };
        let matrix = question.matrix_of(&files.kernel, &files.driver)?;
        let mut trial = Trial::new(settings, DECISIONS)?;
        let mut run = place.to_owned();
        loop {
            let results = self.steps.run(&matrix, &run).await?;
            if results.interrupted {
                return Ok(None);
            }
            let reading = Reading::of(&results.cells, &self.state.question.datapaths);
            let (answer, because) = self.state.judge.answer(&reading, failing_end);
            trial.record(answer);
            if let Some(decided) = trial.decided() {
                return Ok(Some((decided, because)));
            }
            run = place.join(format!("run-{}", trial.answers().len() + 1));
        }
    }

    /// About how long a step takes.
    fn about(&self) -> String {
        let steps = &self.state.steps;
        if steps.is_empty() {
            return String::new();
        }
        let all: f64 = steps.iter().map(|s| s.build_s + s.run_s).sum();
        format!("; a step takes about {:.0} s", all / steps.len() as f64)
    }

    /// The answer, and the two neighbours where it is one commit.
    fn conclude(&self, ids: &[String]) -> Result<u8> {
        let mut text = String::new();
        let tree = self.worktree.dir();
        if let [id] = ids {
            let found = commit(tree, id)?;
            let _ = writeln!(
                text,
                "{} is the first {} commit",
                found.id,
                self.terms.new_term()
            );
            let _ = writeln!(text, "{}\n{}\n{}", found.author, found.date, found.subject);
            self.neighbours(&found, &mut text)?;
        } else {
            let _ = writeln!(
                text,
                "The first {} commit is one of these; those between could not be tried:",
                self.terms.new_term()
            );
            for id in ids {
                let why = self.state.step(id).map_or("", |s| &s.because);
                let _ = writeln!(text, "  {}: {why}", commit(tree, id)?.short());
            }
        }
        let steps = &self.state.steps;
        let count = |of: fn(&CommitStep) -> bool| steps.iter().filter(|s| of(s)).count();
        let _ = writeln!(
            text,
            "{} commits tried, {} of them skipped, {} with the module alone built; {}",
            steps.len(),
            count(|s| s.answer == Answer::Skip),
            count(|s| s.module_only),
            if self.state.question.real_clock {
                format!("sure to {:.1} %", self.state.question.confidence * 100.0)
            } else {
                "in virtual time one run of each is proof".to_owned()
            }
        );
        print!("{text}");
        let answer = self.out.join("answer.txt");
        std::fs::write(&answer, &text)
            .with_context(|| format!("cannot write {}", answer.display()))?;
        Ok(0)
    }

    fn neighbours(&self, found: &Commit, text: &mut String) -> Result<()> {
        let parent = commit(self.worktree.dir(), &format!("{}^", found.id))?;
        // With --only the parent may never have been tried.
        let dir = |id: &str| Some(self.out.join(&self.state.step(id)?.folder));
        let dirs = (dir(&parent.id), dir(&found.id));
        text.push_str(&neighbours(dirs, &self.state.question.datapaths));
        Ok(())
    }
}

/// Upper bound of how many commits git asks about: 2^30 of them, and both ends.
const DECISIONS: u32 = 32;

/// What was built, kept with its step.
struct Files {
    kernel: String,
    driver: String,
    module_only: bool,
}

impl Files {
    fn keep(built: &Built, place: &Path) -> Result<Files> {
        let copy = |from: &Path, name: &str| -> Result<PathBuf> {
            let to = place.join(name);
            std::fs::copy(from, &to).with_context(|| format!("cannot write {}", to.display()))?;
            Ok(to)
        };
        let kernel = copy(&built.bzimage, "bzImage")?;
        let driver = match &built.tun {
            Some(tun) => format!("ko:{}", copy(tun, "tun.ko")?.display()),
            None => "stock".to_owned(),
        };
        Ok(Files {
            kernel: format!("path:{}", kernel.display()),
            driver,
            module_only: built.module_only,
        })
    }
}
