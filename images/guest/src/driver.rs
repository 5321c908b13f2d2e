//! The tun driver under test.

use tunfarm_protocol::{DriverLoad, TunFacts};

use crate::modules::{Index, Source, can_unload, load_file, load_named, loaded, unload};
use crate::{mounts, sys};

const NAME: &str = "tun";
/// What a bare kernel without TUN is told by.
const MISSING: &str = "no TUN: CONFIG_TUN is not set and no tun module was given";

/// `TUNGETFEATURES`, `_IOR('T', 207, unsigned int)`.
const TUNGETFEATURES: libc::c_ulong = 0x8004_54cf;
/// Flags of a TUN device (Linux, `include/uapi/linux/if_tun.h`).
const FEATURES: [(u32, &str); 11] = [
    (0x0001, "IFF_TUN"),
    (0x0002, "IFF_TAP"),
    (0x0010, "IFF_NAPI"),
    (0x0020, "IFF_NAPI_FRAGS"),
    (0x0040, "IFF_NO_CARRIER"),
    (0x0080, "IFF_BACKPRESSURE"),
    (0x0100, "IFF_MULTI_QUEUE"),
    (0x1000, "IFF_NO_PI"),
    (0x2000, "IFF_ONE_QUEUE"),
    (0x4000, "IFF_VNET_HDR"),
    (0x8000, "IFF_TUN_EXCL"),
];

/// Loads the kernel's own driver for a snapshot to hold, where another can take its place: most
/// jobs ask for it, and loading it is an eighth of what a cell costs. One that does not load is a
/// job's to tell.
pub fn load_ahead(index: &Index) {
    if can_unload() && matches!(index.source(NAME), Some(Source::File(_))) {
        let _ = load_named(index, NAME);
    }
}

/// Loads the driver a job asks for, in the place of the kernel's own.
///
/// # Errors
/// One sentence: why there is no such driver in this kernel.
pub fn load(driver: &DriverLoad, index: &Index, dir: &str) -> Result<(), String> {
    match driver {
        DriverLoad::Stock => load_stock(index)?,
        DriverLoad::Files(files) => {
            if loaded(NAME) {
                unload(NAME)?;
            }
            if registered() {
                return Err(
                    "the tun driver is built into this kernel: a module cannot take its \
                            place; build the kernel with CONFIG_TUN=m"
                        .into(),
                );
            }
            files
                .iter()
                .try_for_each(|file| load_file(&format!("{dir}/{file}")))?;
        }
    }
    if !registered() {
        return Err("the driver was loaded, but registered no tun device (see /proc/misc)".into());
    }
    mounts::make_tun_node();
    Ok(())
}

/// What there is of the stock driver. `open` also loads a module to ask it for its features: only
/// for a guest that is not going to be saved, since a snapshot must not hold a driver that no other
/// can replace (see [`load_ahead`]).
pub fn describe(index: &Index, open: bool) -> TunFacts {
    let source = match index.source(NAME) {
        _ if registered() => "built-in",
        Some(Source::BuiltIn) => "built-in",
        Some(Source::File(_)) => "module",
        None => {
            return TunFacts {
                missing: Some(MISSING.into()),
                ..TunFacts::default()
            };
        }
    };
    let source = Some(source.to_owned());
    if !open && !registered() {
        return TunFacts {
            source,
            ..TunFacts::default()
        };
    }
    match load(&DriverLoad::Stock, index, "").and_then(|()| features()) {
        Ok(features) => TunFacts {
            source,
            features,
            missing: None,
        },
        Err(why) => TunFacts {
            missing: Some(why),
            ..TunFacts::default()
        },
    }
}

fn load_stock(index: &Index) -> Result<(), String> {
    if registered() {
        return Ok(());
    }
    match index.source(NAME) {
        Some(Source::File(_)) => load_named(index, NAME),
        _ => Err(MISSING.into()),
    }
}

/// Whether a tun driver, built in or loaded, has registered its misc device.
fn registered() -> bool {
    let misc = sys::read("/proc/misc").unwrap_or_default();
    misc.lines()
        .any(|line| line.split_whitespace().nth(1) == Some(NAME))
}

/// The flags `TUNGETFEATURES` names (2.6.27 on); flags without a name as a number.
fn features() -> Result<Vec<String>, String> {
    mounts::make_tun_node();
    let tun = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(|e| format!("opening /dev/net/tun failed: {e}"))?;
    let mut bits = 0u32;
    // SAFETY: an open descriptor, and `bits` is the unsigned int the request writes.
    let ret = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&tun),
            TUNGETFEATURES,
            &raw mut bits,
        )
    };
    sys::check(ret).map_err(|e| format!("TUNGETFEATURES failed: {e}"))?;
    Ok(names(bits))
}

fn names(mut bits: u32) -> Vec<String> {
    let mut names = Vec::new();
    for (bit, name) in FEATURES {
        if bits & bit != 0 {
            names.push(name.to_owned());
            bits &= !bit;
        }
    }
    if bits != 0 {
        names.push(format!("{bits:#x}"));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_have_names_and_new_ones_a_number() {
        assert_eq!(names(0x5001), ["IFF_TUN", "IFF_NO_PI", "IFF_VNET_HDR"]);
        assert_eq!(names(0x0008_0002), ["IFF_TAP", "0x80000"]);
    }
}
