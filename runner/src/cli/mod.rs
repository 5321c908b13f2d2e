//! What is typed on the command line. Only shapes and help: what it means is the commands' affair.

mod options;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tunfarm::shard::Shard;

pub use options::{AccelWord, Asked, ClockWord, IpWord, Machine, PathWord, Selection, Source};

/// Boots Linux kernels in QEMU, runs TCP close scenarios in them over TUN and over loopback, and
/// says which kernels and drivers have the tun orphan bug.
#[derive(Debug, Parser)]
#[command(name = "tunfarm", version, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0  all as expected
  1  a verdict that was not expected
  2  usage or configuration
  3  infrastructure: nothing can be said";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a matrix: boot, run, judge, report.
    Run(Run),
    /// Say what a matrix will take, and cut it into shards.
    Plan(PlanOf),
    /// Merge the shards of a matrix into one run.
    Merge(Merge),
    /// Find the kernel that changed a behaviour, between one that has it and one that has not.
    Bisect(Bisect),
    /// Say by the exit status whether a kernel is good (0), bad (1) or to be skipped (125): the
    /// command for `git bisect run`.
    Verdict(Verdict),
    /// List, fetch and find kernels.
    Kernels(Kernels),
    /// Check matrices, scenarios and scripts without booting anything.
    Check(Check),
    /// Say what this machine can do, and what follows from it.
    Doctor(Doctor),
    /// Run packetdrill scripts, each in a fresh guest, and say which pass.
    Pkt(Pkt),
    /// List scenarios, or tell one's story.
    Scenarios(Scenarios),
    /// Make the reports of runs again from their results.json.
    Report(Remake),
    /// Print a cell's story.
    Show(Show),
    /// Say what changed between two runs; exit status 1 if anything did.
    Diff(Diff),
    /// Take runs into the history, and print it.
    History(HistoryOf),
    /// List, show and build drivers.
    Drivers(DriversOf),
    /// Say what a patch of tun changes on each kernel.
    Validate(Validate),
    /// Run a matrix as every night: compare with the history, prune caches, tell what is new.
    Nightly(Nightly),
}

/// Arguments of `pkt`.
#[derive(Args, Debug)]
pub struct Pkt {
    /// Scripts, or folders with scripts; with --selftests globs over the names of the kernel's.
    #[arg(required_unless_present = "selftests", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Run the packetdrill tests of the kernel's own source package.
    #[arg(long)]
    pub selftests: bool,
    /// Kernel spec; may be repeated.
    #[arg(
        long = "kernel",
        value_name = "SPEC",
        default_value = "debian:trixie-backports/cloud"
    )]
    pub kernels: Vec<String>,
    /// Driver spec.
    #[arg(long, value_name = "SPEC", default_value = "stock")]
    pub driver: String,
    /// Datapath.
    #[arg(long, value_enum, default_value_t = PathsWord::Tun)]
    pub datapath: PathsWord,
    /// IP version [default: what the script or its runner names, else 4].
    #[arg(long, value_enum)]
    pub ip: Option<IpsWord>,
    /// Define NAME as VALUE in scripts, as packetdrill's -D; may be repeated.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    pub defines: Vec<String>,
    /// Who performs scripts: a static packetdrill binary in place of tunfarm's own engine.
    #[arg(long, value_name = "packetdrill:FILE")]
    pub engine: Option<String>,
    /// Collect captures, samples and counters too.
    #[arg(long)]
    pub evidence: bool,
    /// How guests are run.
    #[command(flatten)]
    pub machine: Machine,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
    /// The run's folder; must be empty or not exist [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write events as they happen, one JSON object a line, to this file or descriptor number.
    #[arg(long, value_name = "FD|FILE")]
    pub events: Option<String>,
}

/// Datapaths as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PathsWord {
    /// A TUN device of the driver under test.
    Tun,
    /// The loopback device.
    Loopback,
    /// Both.
    Both,
}

/// IP versions as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum IpsWord {
    /// IPv4.
    #[value(name = "4", alias = "ipv4")]
    V4,
    /// IPv6.
    #[value(name = "6", alias = "ipv6")]
    V6,
    /// IPv6 sockets with IPv4-mapped addresses.
    Mapped,
    /// All three.
    All,
}

/// Arguments of `report`.
#[derive(Args, Debug)]
pub struct Remake {
    /// Folders of runs, or their results.json.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Say what is new against this history.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

/// Arguments of `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// KERNEL/DRIVER/SCENARIO/LANE, or any part of it that names one cell.
    pub cell: String,
    /// Folder of the run [default: the newest below results/].
    #[arg(long, value_name = "RUN")]
    pub run: Option<PathBuf>,
}

/// Arguments of `diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The earlier run.
    pub before: PathBuf,
    /// The later run.
    pub after: PathBuf,
}

/// Arguments of `history`.
#[derive(Args, Debug)]
pub struct HistoryOf {
    /// Runs to take into the history first.
    #[arg(value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The history's file [default: results/history.sqlite].
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct Run {
    /// Which part of a matrix.
    #[command(flatten)]
    pub selection: Selection,
    /// How guests are run.
    #[command(flatten)]
    pub machine: Machine,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
    /// The run's folder; must be empty or not exist [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write events as they happen, one JSON object a line, to this file or descriptor number.
    #[arg(long, value_name = "FD|FILE")]
    pub events: Option<String>,
    /// Statuses of this earlier run are what is expected.
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    /// Run only shard i of n, counted from 1.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// An earlier run whose durations balance the shards; may be repeated. The same for all shards.
    #[arg(long, value_name = "RUN", requires = "shard")]
    pub durations: Vec<PathBuf>,
    /// Take the run into this history, and say what is new against it.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Take the nearest source of the same series where the archive lost a kernel's own.
    #[arg(long)]
    pub nearest_source: bool,
    /// Build drivers against this configured kernel tree or these headers (for `path:` kernels).
    #[arg(long, value_name = "DIR")]
    pub build_dir: Option<PathBuf>,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct PlanOf {
    /// Which part of a matrix.
    #[command(flatten)]
    pub selection: Selection,
    /// How many shards, that is, machines.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub shards: u16,
    /// Guests at once on each machine [default: one for each processor of this one].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// An earlier run to learn durations from; may be repeated.
    #[arg(long, value_name = "RUN")]
    pub durations: Vec<PathBuf>,
    /// For people, or for a CI service to fan out over.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Cells, boots, downloads and minutes.
    Text,
    /// A matrix for GitHub Actions.
    Github,
    /// A child pipeline for GitLab CI.
    Gitlab,
    /// Shards with what is predicted of each.
    Json,
}

/// Arguments of `merge`.
#[derive(Args, Debug)]
pub struct Merge {
    /// The folders of the shards.
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// The merged run's folder; must be empty or not exist [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Merge nothing; print the numbers of the shards without a usable result, separated by
    /// commas. Exit status 3 if there are any.
    #[arg(long, conflicts_with = "out")]
    pub missing: bool,
    /// How many shards there should be; they tell themselves once there is one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub shards: Option<u16>,
}

/// Arguments of `bisect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Whichever end is the older one: with the failing kernel before the clean one it looks for what
fixed it. With --out alone an interrupted search goes on.")]
pub struct Bisect {
    /// A kernel that is clean: a spec of the archive, or one of the list.
    #[arg(long, value_name = "SPEC")]
    pub good: Option<String>,
    /// A kernel that fails.
    #[arg(long, value_name = "SPEC")]
    pub bad: Option<String>,
    /// The kernels: specs, one a line, oldest first [default: all of the archive between the ends].
    #[arg(long, value_name = "FILE", conflicts_with = "kernels")]
    pub list: Option<PathBuf>,
    /// The kernels: every kernel file of this folder, with modules in its lib/modules/RELEASE.
    #[arg(long, value_name = "DIR")]
    pub kernels: Option<PathBuf>,
    /// Search the commits of this kernel repository; --good and --bad are revisions of it. Each
    /// step is built with what the farm needs and nothing else, in a worktree of its own.
    #[arg(long, value_name = "TREE", conflicts_with_all = ["list", "kernels", "driver"])]
    pub git: Option<PathBuf>,
    /// With --git: a fragment of configuration on top of what the farm needs.
    #[arg(long, value_name = "FRAGMENT", requires = "git")]
    pub config: Option<PathBuf>,
    /// With --git: only commits that touch these paths; may be repeated, or separated by commas.
    #[arg(long, value_name = "PATHS", requires = "git", value_delimiter = ',')]
    pub only: Vec<String>,
    /// What a kernel is asked.
    #[command(flatten)]
    pub asked: Asked,
    /// What the side of the older end is called [default: good, or broken].
    #[arg(long, value_name = "WORD")]
    pub term_old: Option<String>,
    /// What the side of the newer end is called [default: bad, or fixed].
    #[arg(long, value_name = "WORD")]
    pub term_new: Option<String>,
    /// How sure the answer must be where runs may err, on the host's clock.
    #[arg(long, value_name = "P", default_value_t = 0.99)]
    pub confidence: f64,
    /// How guests are run.
    #[command(flatten)]
    pub machine: Machine,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
    /// The search's folder; one that was begun there goes on [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `verdict`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
    0  good: all cells are clean
    1  bad: the orphan bug, or another failure
  125  skip: nothing can be said
  128  wrong usage or configuration: ends `git bisect run`")]
pub struct Verdict {
    /// Kernel spec, e.g. path:arch/x86/boot/bzImage.
    #[arg(long, value_name = "SPEC")]
    pub kernel: String,
    /// What a kernel is asked.
    #[command(flatten)]
    pub asked: Asked,
    /// Skip a kernel that fails in another way than this.
    #[arg(long, value_enum, value_name = "STATUS")]
    pub only: Option<FailureWord>,
    /// How guests are run.
    #[command(flatten)]
    pub machine: Machine,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
    /// The run's folder; must be empty or not exist [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Build drivers against this configured kernel tree or these headers (for `path:` kernels).
    #[arg(long, value_name = "DIR")]
    pub build_dir: Option<PathBuf>,
}

/// A status that blames a kernel, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailureWord {
    /// The tun orphan bug.
    OrphanBug,
    /// The scenario failed, and not by this bug.
    OtherFailure,
}

/// Arguments of `kernels`.
#[derive(Args, Debug)]
pub struct Kernels {
    /// What about kernels.
    #[command(subcommand)]
    pub what: KernelsWhat,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
}

/// What about kernels.
#[derive(Debug, Subcommand)]
pub enum KernelsWhat {
    /// Every kernel that the archive has.
    List {
        /// Only this flavour, e.g. cloud.
        #[arg(long)]
        flavour: Option<String>,
    },
    /// Fetch kernels into the cache.
    Fetch {
        /// Kernel specs.
        #[arg(required = true)]
        specs: Vec<String>,
    },
    /// Say which kernel a spec means now.
    Which {
        /// Kernel spec.
        spec: String,
    },
    /// Boot a kernel and print what it has and what is used instead of what is missing.
    Probe {
        /// Kernel specs.
        #[arg(required = true)]
        specs: Vec<String>,
    },
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Matrices (.yaml), scripts (.pkt) or folders with scenarios; the built-in ones when none is
    /// named.
    pub files: Vec<PathBuf>,
    /// Define NAME as VALUE in scripts, as packetdrill's -D; may be repeated.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    pub defines: Vec<String>,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
}

/// Arguments of `scenarios`.
#[derive(Args, Debug)]
pub struct Scenarios {
    /// What about scenarios.
    #[command(subcommand)]
    pub what: Option<ScenariosWhat>,
}

/// What about scenarios.
#[derive(Debug, Subcommand)]
pub enum ScenariosWhat {
    /// All of them, a line each.
    List,
    /// One's story.
    Show {
        /// Its name.
        name: String,
    },
}

/// Arguments of `nightly`.
#[derive(Args, Debug)]
pub struct Nightly {
    /// What a run needs; `--history` is results/history.sqlite when it is not given.
    #[command(flatten)]
    pub run: Run,
    /// Remove what was not used for so many days from the cache.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub keep_days: u64,
    /// Keep the cache below this size, in gigabytes.
    #[arg(long, value_name = "GB", default_value_t = 20)]
    pub keep_gb: u64,
}

/// Arguments of `drivers`.
#[derive(Args, Debug)]
pub struct DriversOf {
    /// What about drivers.
    #[command(subcommand)]
    pub what: DriversWhat,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
}

/// What about drivers.
#[derive(Debug, Subcommand)]
pub enum DriversWhat {
    /// The shipped edits, a line each.
    List,
    /// An edit's description, and with --kernel what it changes there.
    Show {
        /// Its name.
        name: String,
        /// Kernel spec.
        #[arg(long, value_name = "SPEC")]
        kernel: Option<String>,
    },
    /// Build a driver for kernels, into the cache.
    Build {
        /// Driver spec.
        driver: String,
        /// Kernel specs.
        #[arg(required = true)]
        kernels: Vec<String>,
    },
}

/// Arguments of `validate`.
#[derive(Args, Debug)]
pub struct Validate {
    /// Patch on the kernel's own source; may be repeated, applied in order.
    #[arg(long = "patch", required = true, value_name = "FILE")]
    pub patches: Vec<PathBuf>,
    /// What the patch is applied to and compared with: stock, or edit:NAME.
    #[arg(long, value_name = "SPEC", default_value = "stock")]
    pub base: String,
    /// Kernel spec, instead of the default matrix's; may be repeated.
    #[arg(long = "kernel", value_name = "SPEC")]
    pub kernels: Vec<String>,
    /// Scenarios by name or glob, instead of the default matrix's; may be repeated.
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    /// The bug has to go away: exit status 1 if it does not.
    #[arg(long)]
    pub expect_fix: bool,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,
    /// Take the nearest source of the same series where the archive lost a kernel's own.
    #[arg(long)]
    pub nearest_source: bool,
    /// How guests are run.
    #[command(flatten)]
    pub machine: Machine,
    /// Where kernels come from.
    #[command(flatten)]
    pub source: Source,
    /// The run's folder; must be empty or not exist [default: a new one under results/].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// For the terminal.
    Text,
    /// Markdown, to paste into a mail or a merge request.
    Md,
}
