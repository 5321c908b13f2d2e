//! `tunfarm doctor`: what this machine can do, and what follows from it.

use std::path::Path;

use anyhow::Result;
use tunfarm::farm;
use tunfarm_images::Cache;
use tunfarm_machine::{Accel, Host, cpus, memory_available_mb};

use super::kernels;
use crate::cli::{Doctor, Source};

/// Below this a run of the default matrix may not fit: packages, images and a snapshot for each
/// kernel, and a build root for the seeded driver.
const DISK_MB: u64 = 6_000;
/// What one guest may touch.
const GUEST_MB: u64 = 300;

/// How one thing stands.
enum Mark {
    /// As it should be.
    Good,
    /// Works, with something to know.
    Note,
    /// Without it nothing can be said about any kernel.
    Bad,
}

struct Finding {
    mark: Mark,
    what: &'static str,
    says: String,
    follows: String,
}

/// `says` in one line: QEMU likes to say more, of which the first tells enough.
fn finding(mark: Mark, what: &'static str, says: impl ToString, follows: &str) -> Finding {
    let says = says
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    Finding {
        mark,
        what,
        says,
        follows: follows.to_owned(),
    }
}

pub fn run(arguments: &Doctor) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut findings = runtime.block_on(machine());
    findings.push(guest());
    findings.push(tun());
    findings.extend(memory());
    findings.push(disk(&arguments.source));
    findings.push(archive(&arguments.source));
    let mut status = 0;
    for found in &findings {
        let mark = match found.mark {
            Mark::Good => "ok  ",
            Mark::Note => "note",
            Mark::Bad => {
                status = super::INFRA.0;
                "BAD "
            }
        };
        println!(
            "{mark} {:<9} {}\n{:15}→ {}",
            found.what, found.says, "", found.follows
        );
    }
    Ok(status)
}

async fn machine() -> Vec<Finding> {
    let host = match Host::find().await {
        Ok(host) => host,
        Err(error) => {
            return vec![finding(Mark::Bad, "QEMU", error, "no kernel can be booted")];
        }
    };
    let says = format!("{} {}", host.qemu().display(), host.version());
    let mut findings = vec![finding(Mark::Good, "QEMU", says, "guests can be started")];
    findings.push(match host.trial(Accel::Tcg).await {
        Ok(took) => finding(
            Mark::Good,
            "TCG",
            format!("a trial guest answered after {} ms", took.as_millis()),
            "virtual time works: verdicts do not depend on this machine's load",
        ),
        Err(error) => finding(Mark::Bad, "TCG", error, "no kernel can be booted"),
    });
    findings.push(match host.trial(Accel::Kvm).await {
        Ok(took) => finding(
            Mark::Good,
            "KVM",
            format!("a trial guest answered after {} ms", took.as_millis()),
            "`--clock real` uses it; virtual time does not need it",
        ),
        Err(error) => finding(
            Mark::Note,
            "KVM",
            error,
            "`--clock real` uses TCG and is slow; virtual time, the default, does not need KVM",
        ),
    });
    findings.push(match host.sandbox().await {
        Ok(()) => finding(
            Mark::Good,
            "sandbox",
            "QEMU accepts -sandbox on",
            "guests are confined",
        ),
        Err(error) => finding(
            Mark::Bad,
            "sandbox",
            error,
            "guests cannot be confined, so none is run",
        ),
    });
    findings
}

fn guest() -> Finding {
    match farm::guest() {
        Ok(path) => finding(
            Mark::Good,
            "guest",
            path.display(),
            "kernels have something to run",
        ),
        Err(error) => finding(Mark::Bad, "guest", error, "no kernel can be booted"),
    }
}

fn tun() -> Finding {
    let says = match Path::new("/dev/net/tun").exists() {
        true => "/dev/net/tun is there",
        false => "/dev/net/tun is not there",
    };
    finding(
        Mark::Good,
        "TUN",
        says,
        "either will do: TUN is used inside guests, never on this machine",
    )
}

fn memory() -> Option<Finding> {
    let available = memory_available_mb()?;
    let guests = (available / GUEST_MB).min(cpus().len() as u64);
    let says = format!("{} processors, {available} MB of memory free", cpus().len());
    Some(match guests {
        0 => finding(Mark::Bad, "memory", says, "a guest needs 300 MB"),
        n => finding(
            Mark::Good,
            "memory",
            says,
            &format!("--jobs {n} suits this machine"),
        ),
    })
}

fn disk(source: &Source) -> Finding {
    let root = source.cache.clone().unwrap_or_else(Cache::default_dir);
    let there = root
        .ancestors()
        .find(|p| p.exists())
        .unwrap_or(Path::new("/"));
    let free = free_mb(there);
    let says = match free {
        Some(free) => format!("{free} MB free for the cache in {}", root.display()),
        None => format!(
            "free space for the cache in {} is not known",
            root.display()
        ),
    };
    match free {
        Some(free) if free < DISK_MB => finding(
            Mark::Note,
            "disk",
            says,
            "the default matrix needs about 6 GB; --cache names another folder",
        ),
        _ => finding(
            Mark::Good,
            "disk",
            says,
            "kernels, images and snapshots can be kept",
        ),
    }
}

fn free_mb(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: the path ends with NUL and the structure is plain data that statvfs fills.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stat) == 0)
            .then(|| stat.f_bavail as u64 * stat.f_frsize as u64 / 1_000_000)
    }
}

fn archive(source: &Source) -> Finding {
    let asked = kernels::open(source).and_then(|archive| {
        let mirrors = archive.mirrors().main.join(", ");
        Ok((mirrors, archive.suite("stable")?))
    });
    match asked {
        Ok((mirrors, _)) => finding(
            Mark::Good,
            "archive",
            format!("{mirrors} answers, and its signature is good"),
            "`debian:` kernels can be fetched",
        ),
        Err(error) => finding(
            Mark::Note,
            "archive",
            format!("{error:#}"),
            "only cached kernels, `deb:` and `path:` can be run; --mirror names another archive",
        ),
    }
}
