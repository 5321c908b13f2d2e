//! `tunfarm kernels`: what the archive has, what a spec means, what a kernel can do.

use std::sync::Arc;

use anyhow::{Context, Result};
use tunfarm::farm::{self, Farm};
use tunfarm_images::{Archive, ArchiveOptions, Cache, Kernel, KernelSpec, Offer, Progress, Step};
use tunfarm_protocol::KernelFacts;

use super::{INFRA, run};
use crate::cli::{AccelWord, ClockWord, Kernels, KernelsWhat, Machine, Source};

pub fn run(arguments: &Kernels) -> Result<u8> {
    match &arguments.what {
        KernelsWhat::List { flavour } => {
            let offers = open(&arguments.source)?.kernels().context(INFRA)?;
            for offer in offers
                .iter()
                .filter(|o| flavour.as_ref().is_none_or(|f| o.flavour.name() == f))
            {
                println!("{}", line(offer));
            }
        }
        KernelsWhat::Fetch { specs } => {
            let specs = parse(specs)?;
            let archive = open(&arguments.source)?;
            for spec in specs {
                let kernel = archive.kernel(&spec).context(INFRA)?;
                println!("{}  {}", kernel.label, kernel.vmlinuz.display());
            }
        }
        KernelsWhat::Which { spec } => {
            let spec: KernelSpec = spec.parse()?;
            match spec {
                KernelSpec::Newest { .. } | KernelSpec::Exact { .. } => {
                    let offers = open(&arguments.source)?.candidates(&spec).context(INFRA)?;
                    let offer = offers.first().context("the archive has no such kernel")?;
                    println!("{}", line(offer));
                }
                KernelSpec::Debs(_) | KernelSpec::Path { .. } => {
                    let kernel = Kernel::local(&cache(&arguments.source)?, &Tell, &spec)?;
                    println!("{}  {}", kernel.label, kernel.vmlinuz.display());
                }
            }
        }
        KernelsWhat::Probe { specs } => return probe(specs, &arguments.source),
    }
    Ok(0)
}

fn parse(specs: &[String]) -> Result<Vec<KernelSpec>> {
    Ok(specs.iter().map(|s| s.parse()).collect::<Result<_, _>>()?)
}

fn cache(source: &Source) -> Result<Cache> {
    let root = source.cache.clone().unwrap_or_else(Cache::default_dir);
    Cache::open(&root).context(INFRA)
}

/// The archive, with progress on standard error.
pub fn open(source: &Source) -> Result<Archive> {
    let options = ArchiveOptions {
        mirror: source.mirror.clone(),
        ..ArchiveOptions::default()
    };
    Archive::open(&options, cache(source)?, Arc::new(Tell)).context(INFRA)
}

fn line(offer: &Offer) -> String {
    format!(
        "{:<40} {:<20} {:>6.1} MB  {}",
        offer.release,
        offer.image.version,
        offer.download_size() as f64 / 1e6,
        offer.spec()
    )
}

/// Says on standard error what takes a while.
struct Tell;

impl Progress for Tell {
    fn step(&self, step: Step<'_>) {
        match step {
            Step::FetchStarted {
                what,
                size: Some(size),
            } => {
                eprintln!("fetch {what} ({:.1} MB)", size as f64 / 1e6);
            }
            Step::FetchStarted { what, size: None } => eprintln!("fetch {what}"),
            Step::Working { what } => eprintln!("{what}"),
            Step::Note { text } => eprintln!("note: {text}"),
            Step::Fetching { .. } | Step::Fetched { .. } => {}
        }
    }
}

/// Boots each kernel and prints what it has.
fn probe(specs: &[String], source: &Source) -> Result<u8> {
    parse(specs)?;
    let machine = Machine {
        jobs: Some(1),
        clock: ClockWord::Virtual,
        accel: AccelWord::Tcg,
    };
    let setup: farm::Setup = run::setup(&machine, source)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut status = 0;
    runtime.block_on(async {
        let (events, _nobody) = std::sync::mpsc::channel();
        let farm = Farm::open(setup, events).await.context(INFRA)?;
        for spec in specs {
            match farm.probe(spec).await {
                Ok(kernel) => print!("{}", facts(&kernel.facts, kernel.machine.word())),
                Err(trouble) => {
                    eprintln!("tunfarm: {spec}: {}", trouble.reason);
                    status = INFRA.0;
                }
            }
        }
        anyhow::Ok(())
    })?;
    Ok(status)
}

/// What a kernel has, for people.
fn facts(facts: &KernelFacts, machine: &str) -> String {
    let yes = |has: bool| if has { "yes" } else { "no" };
    let tun = match (&facts.tun.source, &facts.tun.missing) {
        (Some(source), _) if facts.tun.features.is_empty() => source.clone(),
        (Some(source), _) => format!("{source} ({})", facts.tun.features.join(" ")),
        (None, Some(missing)) => format!("no: {missing}"),
        (None, None) => "no".to_owned(),
    };
    let rows = [
        ("kernel", format!("{} {}", facts.release, facts.version)),
        ("machine", machine.to_owned()),
        (
            "clock source",
            facts
                .clocksource
                .clone()
                .unwrap_or_else(|| "unknown".into()),
        ),
        (
            "timer resolution",
            format!("{} ns", facts.timer_resolution_ns),
        ),
        ("tun", tun),
        ("socket sampler", facts.sampler.clone()),
        ("sk_wmem_alloc", yes(facts.skmeminfo).to_owned()),
        ("packet sockets", yes(facts.packet_sockets).to_owned()),
        ("kprobe events", yes(facts.kprobe_events).to_owned()),
        ("IPv6", yes(facts.ipv6).to_owned()),
        ("network namespaces", yes(facts.netns).to_owned()),
        ("sysfs", yes(facts.sysfs).to_owned()),
        ("devtmpfs", yes(facts.devtmpfs).to_owned()),
        ("module loading", yes(facts.modules).to_owned()),
        ("tools layer", yes(facts.tools).to_owned()),
    ];
    let mut out: String = rows
        .iter()
        .map(|(name, value)| format!("{name:<20} {value}\n"))
        .collect();
    if !facts.initrd_modules.is_empty() {
        let modules = facts.initrd_modules.join(" ");
        out.push_str(&format!("{:<20} {modules}\n", "initrd modules"));
    }
    for note in &facts.notes {
        out.push_str(&format!("{:<20} {note}\n", "note"));
    }
    out
}
