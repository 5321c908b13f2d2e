//! From a kernel spec to a snapshot and the drivers that go with it.

use std::collections::BTreeMap;
use std::time::Instant;

use tunfarm_drivers::archive::DebianPackages;
use tunfarm_drivers::edit::{self, Expected, shipped};
use tunfarm_drivers::{DriverSpec, Drivers, TargetKernel};
use tunfarm_images::{Image, Kernel, KernelSpec};
use tunfarm_machine::{BootError, BootSpec, Snapshot};
use tunfarm_reports::model::{DriverInfo, Event, IsBug, KernelInfo, Seeded, Status};

use super::{BootedKernel, Farm};
use crate::run::{PreparedDriver, PreparedKernel, Trouble};

/// Guest memory in MiB: the initramfs is in it twice while it is unpacked.
const MEMORY_MB: u32 = 256;

/// On its kernel's command line, tells a guest that it is only asked what that kernel has.
const PROBE_WORD: &str = "tunfarm.probe";

impl Farm {
    pub(super) async fn prepare_kernel(
        &self,
        spec: &str,
        drivers: &[String],
        slot: usize,
    ) -> Result<PreparedKernel<BootedKernel>, Trouble> {
        let (kernel, image, snapshot) = self.boot(spec, String::new(), slot).await?;
        let mut built = BTreeMap::new();
        for spec in drivers {
            built.insert(spec.clone(), self.driver(spec, &kernel).await);
        }
        let info = KernelInfo {
            label: kernel.label.clone(),
            spec: spec.to_owned(),
            package_version: kernel.origin.as_ref().map(|o| o.version.clone()),
            sha256: Some(kernel.vmlinuz_sha256.to_string()),
            facts: Some(snapshot.facts.clone()),
        };
        let exact_spec = exact_spec(&kernel);
        let snapshot = BootedKernel {
            snapshot,
            image,
            exact_spec,
        };
        Ok(PreparedKernel {
            info,
            snapshot,
            drivers: built,
        })
    }

    /// Boots a kernel only to be asked what it has: its driver is loaded and asked too, which a
    /// kernel that cells are forked from must not have. So its snapshot is one of its own.
    pub async fn probe(&self, spec: &str) -> Result<Snapshot, Trouble> {
        let (_, _, snapshot) = self.boot(spec, PROBE_WORD.to_owned(), 0).await?;
        Ok(snapshot)
    }

    /// A kernel, the digest of its image, and the snapshot of its boot with `extra_cmdline`.
    async fn boot(
        &self,
        spec: &str,
        extra_cmdline: String,
        slot: usize,
    ) -> Result<(Kernel, String, Snapshot), Trouble> {
        let parsed: KernelSpec = spec.parse().map_err(infra)?;
        let archive = self.archive.clone();
        let kernel = blocking(move || archive.kernel(&parsed)).await?;
        let tools = self.tools().await?;
        let (cache, guest) = (self.cache.clone(), self.guest.clone());
        let parts = kernel.clone();
        let image = blocking(move || Image::build(&cache, &parts, Some(&tools), &guest)).await?;

        let began = Instant::now();
        let what = format!("boot {}", kernel.label);
        self.event(Event::Preparing {
            what: what.clone(),
            kernel: kernel.label.clone(),
        });
        let boot = BootSpec {
            kernel: image.kernel.clone(),
            initramfs: image.initramfs.clone(),
            digest: image.digest.clone(),
            label: kernel.label.clone(),
            clock: self.clock,
            accel: self.accel,
            memory_mb: MEMORY_MB,
            extra_cmdline,
        };
        let snapshot = self
            .host
            .ensure_snapshot(&boot, self.cache.root(), self.cpu(slot))
            .await
            .map_err(does_not_boot)?;
        self.event(Event::Prepared {
            what,
            kernel: kernel.label.clone(),
            ms: began.elapsed().as_secs_f64() * 1e3,
        });
        Ok((kernel, image.digest, snapshot))
    }

    /// Builds a driver for a kernel, or finds it in the cache.
    async fn driver(&self, spec: &str, kernel: &Kernel) -> Result<PreparedDriver, Trouble> {
        let parsed: DriverSpec = spec.parse().map_err(infra)?;
        let target = TargetKernel::of(kernel, self.build_dir.clone());
        let (archive, cache) = (self.archive.clone(), self.cache.clone());
        let nearest = self.nearest_source;
        let what = format!("driver {}", parsed.label());
        self.event(Event::Preparing {
            what: what.clone(),
            kernel: kernel.label.clone(),
        });
        let began = Instant::now();
        let built = spawn(move || {
            let packages = DebianPackages::new(&archive);
            Drivers::new(&packages, cache)
                .with_nearest_source(nearest)
                .build(&parsed, &target)
        })
        .await?
        .map_err(no_driver)?;
        self.event(Event::Prepared {
            what,
            kernel: kernel.label.clone(),
            ms: began.elapsed().as_secs_f64() * 1e3,
        });
        let modules = built
            .sha256
            .map(|sha256| (kernel.label.clone(), sha256.to_string()));
        let info = DriverInfo {
            label: built.label,
            spec: spec.to_owned(),
            about: built.about,
            modules: modules.into_iter().collect(),
            seeded: seeded(spec),
        };
        Ok(PreparedDriver {
            info,
            files: built.files,
            notes: built.notes,
        })
    }
}

/// What a shipped edit is known to be. A user's own edit is not held against what it says of
/// itself, and a patch on top of an edit makes something else of it.
fn seeded(spec: &str) -> Option<Seeded> {
    let Ok(DriverSpec::Edit(name)) = spec.parse() else {
        return None;
    };
    let edit = shipped().ok()?.into_iter().find(|e| e.name == name)?;
    let status = |expected: &Expected| match expected {
        Expected::Clean => Status::Clean,
        Expected::OrphanBug => Status::OrphanBug,
        Expected::OtherFailure => Status::OtherFailure,
    };
    Some(Seeded {
        is_bug: match edit.is_bug {
            edit::IsBug::Yes => IsBug::Yes,
            edit::IsBug::UnderCondition => IsBug::UnderCondition,
            edit::IsBug::No => IsBug::No,
        },
        expect: edit.expect.iter().map(status).collect(),
    })
}

/// A driver that cannot be had. What its author did wrong is no trouble of the farm's.
fn no_driver(error: tunfarm_drivers::Error) -> Trouble {
    use tunfarm_drivers::Error as E;
    let status = match error {
        E::DoesNotApply { .. } | E::DoesNotCompile { .. } | E::WrongModule { .. } => {
            Status::OtherFailure
        }
        _ => Status::Infra,
    };
    Trouble {
        status,
        ..infra(error)
    }
}

/// The spec that names exactly this kernel, whatever is newest tomorrow.
fn exact_spec(kernel: &Kernel) -> String {
    match (&kernel.spec, &kernel.origin) {
        (KernelSpec::Newest { flavour, .. } | KernelSpec::Exact { flavour, .. }, Some(_)) => {
            let release = kernel.label.strip_suffix("-amd64").unwrap_or(&kernel.label);
            let version = release
                .strip_suffix(&format!("-{flavour}"))
                .unwrap_or(release);
            format!("debian:{version}-{flavour}")
        }
        (spec, _) => spec.to_string(),
    }
}

fn does_not_boot(error: BootError) -> Trouble {
    Trouble {
        status: Status::Infra,
        reason: error.to_string(),
    }
}

/// An error that says nothing about the kernel.
fn infra(error: impl std::error::Error) -> Trouble {
    Trouble {
        status: Status::Infra,
        reason: with_sources(&error),
    }
}

/// An error with what caused it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Runs what blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static, E: std::error::Error + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Trouble> {
    spawn(work).await?.map_err(infra)
}

async fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Trouble {
            status: Status::Infra,
            reason: "a thread of tunfarm ended unexpectedly; this is a bug in tunfarm".into(),
        })
}
