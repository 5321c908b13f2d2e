//! `tunfarm check`: matrices, scenarios and scripts, without booting anything.

use std::path::Path;

use anyhow::{Context, Result};
use tunfarm::farm::{AccelChoice, Setup};
use tunfarm::matrix::Matrix;
use tunfarm::plan::Plan;
use tunfarm_lang::symbols::Definitions;
use tunfarm_scenarios::{Collection, Scenario};

use crate::cli::Check;

/// Something is wrong with what was checked.
const WRONG: u8 = 2;

pub fn run(arguments: &Check) -> Result<u8> {
    let mut wrong = 0;
    let mut report = |what: String, checked: Result<String>| match checked {
        Ok(said) => println!("{what}: {said}"),
        Err(error) => {
            wrong += 1;
            eprintln!("{error:#}");
        }
    };
    if arguments.files.is_empty() {
        report(
            "the built-in matrix".into(),
            Matrix::built_in().map_err(Into::into).and_then(matrix),
        );
        report(
            "the built-in scenarios".into(),
            scenarios(&Collection::built_in()?),
        );
    }
    let definitions = super::defined(&arguments.defines)?.into_iter().collect();
    for path in &arguments.files {
        report(path.display().to_string(), file(path, &definitions));
    }
    Ok(if wrong > 0 { WRONG } else { 0 })
}

fn file(path: &Path, definitions: &Definitions) -> Result<String> {
    let extension = path.extension().and_then(|e| e.to_str());
    match extension {
        Some("pkt") => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            script(&text, &path.display().to_string(), definitions)?;
            // A script with expectations beside it is a scenario.
            if path.with_extension("yaml").exists() {
                let mut collection = Collection::default();
                collection.read(path)?;
            }
            Ok("ok".into())
        }
        Some("yaml" | "yml") => matrix(Matrix::load(path)?),
        _ if path.is_dir() => {
            let mut collection = Collection::default();
            collection.read(path)?;
            scenarios(&collection)
        }
        _ => anyhow::bail!(
            "{} is neither a matrix (.yaml), a script (.pkt) nor a folder with scenarios",
            path.display()
        ),
    }
}

fn matrix(matrix: Matrix) -> Result<String> {
    let setup = Setup {
        clock: Default::default(),
        accel: AccelChoice::Trial,
        jobs: 1,
        mirror: None,
        cache: None,
        nearest_source: false,
        build_dir: None,
    };
    setup.check(&matrix)?;
    let plan = Plan::new(&matrix)?;
    plan.scenarios.iter().try_for_each(scenario)?;
    Ok(format!(
        "ok, {} cells on {} kernels",
        plan.cells.len(),
        matrix.kernels.len()
    ))
}

fn scenarios(collection: &Collection) -> Result<String> {
    collection.iter().try_for_each(scenario)?;
    Ok(format!("ok, {} scenarios", collection.iter().count()))
}

/// The scenario's script has no error.
pub fn scenario(scenario: &Scenario) -> Result<()> {
    let name = scenario.path.display().to_string();
    script(&scenario.script, &name, &Definitions::new())
}

/// Parses and checks a script; all its errors at once.
fn script(text: &str, name: &str, definitions: &Definitions) -> Result<()> {
    tunfarm_lang::parse_and_check(text, name, definitions)
        .map(drop)
        .map_err(|errors| anyhow::anyhow!("{}", errors.to_string().trim_end()))
}
