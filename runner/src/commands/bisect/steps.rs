//! One kernel after another on one farm.

use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use tunfarm::farm::{Farm, Setup};
use tunfarm::matrix::Matrix;
use tunfarm::plan::Plan;
use tunfarm::run::{Options, execute};
use tunfarm_reports::model::{Event, RunResults};
use tunfarm_reports::write_all;

use crate::commands::{INFRA, run};

/// A farm that is opened once and runs matrices one after the other.
pub struct Steps {
    farm: Rc<Farm>,
    events: mpsc::Sender<Event>,
    jobs: usize,
    clock: String,
}

impl Steps {
    /// Opens the farm. What takes a while is said on standard error.
    pub async fn open(setup: Setup) -> Result<Steps> {
        let (events, received) = mpsc::channel::<Event>();
        std::thread::spawn(move || {
            for event in received {
                match event {
                    Event::Note { text } => eprintln!("  note: {text}"),
                    Event::Preparing { what, .. } => eprintln!("  {what} …"),
                    _ => {}
                }
            }
        });
        let (jobs, clock) = (setup.jobs, setup.clock.to_string());
        let farm = Farm::open(setup, events.clone()).await.context(INFRA)?;
        Ok(Steps {
            farm: Rc::new(farm),
            events,
            jobs,
            clock,
        })
    }

    /// Runs `matrix` into the folder `out`, with every report a run leaves.
    pub async fn run(&self, matrix: &Matrix, out: &Path) -> Result<RunResults> {
        let plan = Plan::new(matrix)?;
        let began = Instant::now();
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let options = Options {
            jobs: self.jobs,
            out: out.to_owned(),
        };
        let report = |event| {
            let _ = self.events.send(event);
        };
        let executed = execute(
            &plan,
            matrix,
            &options,
            self.farm.clone(),
            run::stopped(),
            report,
        )
        .await;
        let host = self.farm.describe();
        let results = run::results(&plan, executed, host, started, began, self.clock.clone());
        write_all(&results, out)?;
        Ok(results)
    }
}
