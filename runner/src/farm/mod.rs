//! The real laboratory: Debian's kernels in QEMU.

mod cell;
mod kernel;
mod script;

pub(crate) use cell::quoted;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tunfarm_drivers::DriverSpec;
use tunfarm_images::{Archive, ArchiveOptions, Cache, KernelSpec, Progress, Step, ToolSet, Tools};
use tunfarm_machine::{Accel, Clock, Host, HostError, Snapshot};
use tunfarm_reports::model::{self, CellId, Event};

use crate::matrix::Matrix;
use crate::run::{CellJob, CellRun, Lab, PreparedKernel, Trouble};

/// The variable that names the guest binary, in place of the one beside `tunfarm`.
pub const GUEST_VARIABLE: &str = "TUNFARM_GUEST";

/// How a farm is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The guests' clock.
    pub clock: Clock,
    /// What executes them.
    pub accel: AccelChoice,
    /// Guests at once.
    pub jobs: usize,
    /// An archive address in place of apt's.
    pub mirror: Option<String>,
    /// The cache in place of the user's.
    pub cache: Option<PathBuf>,
    /// Take the nearest source of the same series where the archive lost a kernel's own.
    pub nearest_source: bool,
    /// A configured kernel tree or unpacked headers to build drivers against.
    pub build_dir: Option<PathBuf>,
}

/// What executes guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccelChoice {
    /// This.
    Fixed(Accel),
    /// KVM where a trial boot succeeds, else TCG.
    Trial,
}

/// A spec in the matrix that names nothing.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A kernel spec.
    #[error(transparent)]
    Kernel(#[from] tunfarm_images::SpecError),
    /// A driver spec.
    #[error(transparent)]
    Driver(#[from] tunfarm_drivers::SpecError),
    /// An edit that is not there.
    #[error(transparent)]
    Edit(#[from] tunfarm_drivers::edit::EditError),
    /// Two drivers would have one name.
    #[error("the drivers `{0}` and `{1}` would both be called `{2}` in reports: rename a file")]
    SameLabel(String, String, String),
}

impl Setup {
    /// Every spec of `matrix` can be read. Nothing is looked up.
    pub fn check(&self, matrix: &Matrix) -> Result<(), SetupError> {
        for spec in &matrix.kernels {
            spec.parse::<KernelSpec>()?;
        }
        let mut labels = std::collections::BTreeMap::new();
        for spec in matrix.drivers.iter().chain(&matrix.positive_control) {
            let driver = spec.parse::<DriverSpec>()?;
            if let Some(name) = driver.edit() {
                tunfarm_drivers::edit::find(name, &[])?;
            }
            let label = driver.label();
            match labels.insert(label.clone(), spec) {
                Some(other) if other != spec => {
                    return Err(SetupError::SameLabel(other.clone(), spec.clone(), label));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why the farm cannot be opened: nothing can be said about any kernel.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// QEMU.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Cache or archive.
    #[error(transparent)]
    Images(#[from] tunfarm_images::Error),
    /// No guest binary.
    #[error(
        "no guest binary at {}: build it with ci/build, or name one in {GUEST_VARIABLE}",
        path.display()
    )]
    NoGuest {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// The farm.
pub struct Farm {
    host: Host,
    clock: Clock,
    accel: Accel,
    guest: PathBuf,
    cache: Cache,
    archive: Arc<Archive>,
    nearest_source: bool,
    build_dir: Option<PathBuf>,
    cpus: Vec<usize>,
    events: Sender<Event>,
    tool_set: ToolSet,
    tools: tokio::sync::OnceCell<Arc<Tools>>,
}

/// A kernel that was booted once.
#[derive(Clone, Debug)]
pub struct BootedKernel {
    /// What its cells are forked from.
    pub snapshot: Snapshot,
    /// Digest of the image it booted from.
    pub image: String,
    /// The spec that names exactly this kernel.
    pub exact_spec: String,
}

impl Farm {
    /// Finds QEMU, the guest, the cache and the archive's address. Asks nothing of the network.
    pub async fn open(setup: Setup, events: Sender<Event>) -> Result<Farm, FarmError> {
        let host = Host::find().await?;
        let accel = match setup.accel {
            AccelChoice::Fixed(accel) => accel,
            AccelChoice::Trial => match host.trial(Accel::Kvm).await {
                Ok(_) => Accel::Kvm,
                Err(why) => {
                    let text = format!("KVM is not used: {why}");
                    let _ = events.send(Event::Note { text });
                    Accel::Tcg
                }
            },
        };
        let root = setup.cache.clone().unwrap_or_else(Cache::default_dir);
        let cache = Cache::open(&root)?;
        let options = ArchiveOptions {
            mirror: setup.mirror.clone(),
            ..ArchiveOptions::default()
        };
        let told = Arc::new(Told {
            events: std::sync::Mutex::new(events.clone()),
        });
        let archive = Archive::open(&options, cache.clone(), told)?;
        Ok(Farm {
            host,
            clock: setup.clock,
            accel,
            guest: guest()?,
            cache,
            archive: Arc::new(archive),
            nearest_source: setup.nearest_source,
            build_dir: setup.build_dir,
            cpus: tunfarm_machine::cpus(),
            events,
            tool_set: ToolSet::Standard,
            tools: tokio::sync::OnceCell::new(),
        })
    }

    /// The same with other programs in its guests.
    pub fn with_tools(self, tool_set: ToolSet) -> Farm {
        Farm {
            tool_set,
            tools: tokio::sync::OnceCell::new(),
            ..self
        }
    }

    /// The machine, for the results.
    pub fn describe(&self) -> model::Host {
        model::Host {
            name: host_name(),
            qemu: self.host.version().to_owned(),
            accel: self.accel.to_string(),
            cpus: self.cpus.len(),
        }
    }

    /// The processor of a slot.
    fn cpu(&self, slot: usize) -> Option<usize> {
        (!self.cpus.is_empty()).then(|| self.cpus[slot % self.cpus.len()])
    }

    /// The tools layer, fetched once.
    async fn tools(&self) -> Result<Arc<Tools>, Trouble> {
        self.tools
            .get_or_try_init(|| async {
                let (archive, set) = (self.archive.clone(), self.tool_set);
                kernel::blocking(move || archive.tools(set))
                    .await
                    .map(Arc::new)
            })
            .await
            .cloned()
    }

    fn event(&self, event: Event) {
        // Nobody listens any more only when the run is over.
        let _ = self.events.send(event);
    }
}

impl Lab for Farm {
    type Snapshot = BootedKernel;

    async fn prepare(
        &self,
        spec: &str,
        drivers: &[String],
        slot: usize,
    ) -> Result<PreparedKernel<BootedKernel>, Trouble> {
        self.prepare_kernel(spec, drivers, slot).await
    }

    async fn cell(&self, job: CellJob<'_, BootedKernel>, id: CellId) -> CellRun {
        self.run_cell(job, id).await
    }

    fn driver_label(&self, spec: &str) -> String {
        spec.parse::<DriverSpec>()
            .map_or_else(|_| spec.to_owned(), |d| d.label())
    }
}

/// The guest binary: `$TUNFARM_GUEST`, else `tunfarm-guest` beside this program.
pub fn guest() -> Result<PathBuf, FarmError> {
    let path = match std::env::var_os(GUEST_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()
            .unwrap_or_default()
            .with_file_name("tunfarm-guest"),
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(FarmError::NoGuest { path })
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Turns what the images crate tells into events.
struct Told {
    events: std::sync::Mutex<Sender<Event>>,
}

impl Progress for Told {
    fn step(&self, step: Step<'_>) {
        let event = match step {
            Step::FetchStarted { what, size } => Event::Preparing {
                what: match size {
                    Some(size) => format!("fetch {what} ({:.1} MB)", size as f64 / 1e6),
                    None => format!("fetch {what}"),
                },
                kernel: String::new(),
            },
            Step::Working { what } => Event::Preparing {
                what: what.to_owned(),
                kernel: String::new(),
            },
            Step::Note { text } => Event::Note {
                text: text.to_owned(),
            },
            Step::Fetching { .. } | Step::Fetched { .. } => return,
        };
        if let Ok(events) = self.events.lock() {
            let _ = events.send(event);
        }
    }
}
