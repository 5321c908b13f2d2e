//! `tunfarm validate`: what a patch of tun changes on each kernel, as a reviewer would say it.

use anyhow::{Context, Result, bail};
use tunfarm::farm;
use tunfarm::matrix::Matrix;
use tunfarm::plan::Plan;
use tunfarm::validate::{Change, OnKernel, compare, exit_status, in_words};
use tunfarm_drivers::archive::DebianPackages;
use tunfarm_drivers::{DriverSpec, Drivers, Error as DriverError, TargetKernel};
use tunfarm_images::KernelSpec;
use tunfarm_protocol::Datapath;
use tunfarm_reports::{Console, Reporter};

use super::{INFRA, kernels, run};
use crate::cli::{AnswerFormat, Validate};

pub fn run(arguments: &Validate) -> Result<u8> {
    let patches: Vec<String> = arguments
        .patches
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    let patches = format!("patch:{}", patches.join(","));
    let (before, after) = match arguments.base.as_str() {
        "stock" => ("stock".to_owned(), patches),
        base if base.starts_with("edit:") => (base.to_owned(), format!("{base}+{patches}")),
        base => bail!("--base is stock or edit:NAME, not `{base}`"),
    };
    for patch in &arguments.patches {
        std::fs::metadata(patch).with_context(|| format!("cannot read {}", patch.display()))?;
    }
    let mut matrix = Matrix::built_in()?;
    if !arguments.kernels.is_empty() {
        matrix.kernels.clone_from(&arguments.kernels);
    }
    if !arguments.scenarios.is_empty() {
        matrix.scenarios.clone_from(&arguments.scenarios);
    }
    matrix.drivers = vec![before.clone(), after.clone()];
    matrix.datapaths = vec![Datapath::Tun, Datapath::Loopback];
    // What is expected is what the base shows: the comparison is this command's own.
    matrix.positive_control = None;
    matrix.expect.clear();
    let setup = farm::Setup {
        nearest_source: arguments.nearest_source,
        ..run::setup(&arguments.machine, &arguments.source)?
    };
    setup.check(&matrix)?;

    let (built, mut answer) = build(arguments, &matrix.kernels, &after.parse()?)?;
    matrix.kernels = built;
    let out = run::out_folder(arguments.out.as_deref())?;
    if !matrix.kernels.is_empty() {
        let plan = Plan::new(&matrix)?;
        let console = match arguments.format {
            AnswerFormat::Text => Reporter::new().with(Console::stdio(Some(out.clone()))),
            AnswerFormat::Md => Reporter::new(),
        };
        let results = run::carry_out(&plan, &matrix, setup, &out, console, |farm| farm)?;
        let label = |spec: &str| spec.parse::<DriverSpec>().map(|d| d.label());
        let mut compared = compare(&results, &label(&before)?, &label(&after)?);
        compared.append(&mut answer);
        answer = compared;
    }
    let what = after.strip_prefix("patch:").unwrap_or(&after);
    std::fs::write(out.join("validate.md"), in_words(&answer, what, true))
        .with_context(|| format!("cannot write into {}", out.display()))?;
    print!(
        "{}",
        in_words(&answer, what, arguments.format == AnswerFormat::Md)
    );
    Ok(exit_status(&answer, arguments.expect_fix))
}

/// Builds the patched driver for each kernel: those for which it builds, and for the others why
/// not.
fn build(
    arguments: &Validate,
    specs: &[String],
    driver: &DriverSpec,
) -> Result<(Vec<String>, Vec<OnKernel>)> {
    let archive = kernels::open(&arguments.source)?;
    let packages = DebianPackages::new(&archive);
    let drivers = Drivers::new(&packages, archive.cache().clone())
        .with_nearest_source(arguments.nearest_source);
    let (mut built, mut refused) = (Vec::new(), Vec::new());
    for spec in specs {
        let kernel = archive
            .kernel(&spec.parse::<KernelSpec>()?)
            .context(INFRA)?;
        let change = match drivers.build(driver, &TargetKernel::of(&kernel, None)) {
            Ok(_) => {
                built.push(spec.clone());
                continue;
            }
            Err(DriverError::DoesNotApply { why, .. }) => Change::DoesNotApply(why.to_string()),
            Err(DriverError::DoesNotCompile { first, .. }) => {
                Change::DoesNotBuild(first.to_string())
            }
            Err(other) => Change::Unknown(other.to_string()),
        };
        refused.push(OnKernel {
            kernel: kernel.label,
            change,
        });
    }
    Ok((built, refused))
}
