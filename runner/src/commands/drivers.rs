//! `tunfarm drivers`: the shipped edits, what each is, and builds of drivers.

use anyhow::{Context, Result};
use tunfarm_drivers::archive::DebianPackages;
use tunfarm_drivers::{DriverSpec, Drivers, TargetKernel};
use tunfarm_images::KernelSpec;

use super::{INFRA, kernels};
use crate::cli::{DriversOf, DriversWhat};

pub fn run(arguments: &DriversOf) -> Result<u8> {
    let archive = kernels::open(&arguments.source)?;
    let packages = DebianPackages::new(&archive);
    let drivers = Drivers::new(&packages, archive.cache().clone());
    let kernel = |spec: &str| -> Result<TargetKernel> {
        let kernel = archive
            .kernel(&spec.parse::<KernelSpec>()?)
            .context(INFRA)?;
        Ok(TargetKernel::of(&kernel, None))
    };
    match &arguments.what {
        DriversWhat::List => {
            for edit in drivers.list()? {
                println!("edit:{:<18} {}", edit.name, edit.about);
            }
        }
        DriversWhat::Show { name, kernel: spec } => {
            let target = spec.as_deref().map(kernel).transpose()?;
            let (yaml, diff) = drivers.show(name, target.as_ref())?;
            print!("{yaml}");
            if !diff.is_empty() {
                print!("\n{diff}");
            }
        }
        DriversWhat::Build { driver, kernels } => {
            let driver: DriverSpec = driver.parse()?;
            for spec in kernels {
                let target = kernel(spec)?;
                let built = drivers.build(&driver, &target)?;
                let how = if built.cached {
                    "from the cache; built once in"
                } else {
                    "built in"
                };
                let digest = built.sha256.map(|d| d.to_string()).unwrap_or_default();
                println!(
                    "{} for {}: {how} {:.1} s  {digest}",
                    built.label, target.release, built.build_s
                );
                for note in &built.notes {
                    println!("  note: {note}");
                }
            }
        }
    }
    Ok(0)
}
