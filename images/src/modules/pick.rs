//! Which modules a guest gets: TCP/IP, tun and its relatives, queueing, and what those need.

use std::collections::{BTreeMap, BTreeSet};

use super::Module;

/// Directories below `kernel/` that are taken whole.
const DIRECTORIES: [&str; 16] = [
    "net/802/",
    "net/8021q/",
    "net/bridge/",
    "net/core/",
    "net/ipv4/",
    "net/ipv6/",
    "net/key/",
    "net/llc/",
    "net/mptcp/",
    "net/netlink/",
    "net/packet/",
    "net/psample/",
    "net/sched/",
    "net/tls/",
    "net/unix/",
    "net/xfrm/",
];

/// Parts of those that a guest without these tools cannot use.
const WITHOUT: [&str; 3] = [
    "net/ipv4/netfilter/",
    "net/ipv6/netfilter/",
    "net/bridge/netfilter/",
];

/// Single modules, by name with `_`: devices, and the algorithms TCP-MD5, TCP-AO and TLS ask for.
const NAMES: [&str; 34] = [
    "aes_generic",
    "aesni_intel",
    "authenc",
    "cbc",
    "ccm",
    "chacha20poly1305",
    "chacha_generic",
    "cmac",
    "crc32c_generic",
    "crc32c_intel",
    "cryptd",
    "crypto_simd",
    "ctr",
    "dummy",
    "echainiv",
    "gcm",
    "geniv",
    "gf128mul",
    "ghash_generic",
    "hmac",
    "ifb",
    "ipvlan",
    "macvlan",
    "md5",
    "poly1305_generic",
    "seqiv",
    "sha1_generic",
    "sha1_ssse3",
    "sha256_generic",
    "sha256_ssse3",
    "tap",
    "tun",
    "veth",
    "vrf",
];

/// Where modules lie that may be wanted, or that those may need: the rest is not even read.
const AREAS: [&str; 9] = [
    "net/",
    "crypto/",
    "arch/x86/crypto/",
    "arch/x86/lib/",
    "lib/",
    "drivers/net/",
    "fs/netfs/",
    "security/",
    "updates/",
];

/// Whether a file below `/lib/modules/RELEASE/` can become part of the image.
pub(crate) fn is_candidate(path: &str) -> bool {
    if !path.contains(".ko") {
        return false;
    }
    let Some(path) = path.strip_prefix("kernel/") else {
        // A tree of one's own may have `extra/` or `updates/`.
        return true;
    };
    AREAS.iter().any(|area| path.starts_with(area))
        // Of the drivers only those without a bus: vendors' lie one level down.
        && !path.strip_prefix("drivers/net/").is_some_and(|rest| {
            rest.contains('/') && !rest.starts_with("ipvlan/")
        })
}

/// The modules a guest gets out of `candidates`, with all they need, in order of their names.
/// `extra`: modules wanted besides, by name with `_`. A module that needs one that is not there
/// could not be loaded and is left out.
pub(crate) fn pick(candidates: Vec<Module>, extra: &[String]) -> Vec<Module> {
    let by_name: BTreeMap<String, Module> = candidates
        .into_iter()
        .map(|module| (module.info.name.clone(), module))
        .collect();
    let mut picked = BTreeSet::new();
    for (name, module) in &by_name {
        if is_wanted(module) || extra.contains(name) {
            let mut closure = BTreeSet::new();
            if collect(name, &by_name, &mut closure) {
                picked.extend(closure);
            }
        }
    }
    by_name
        .into_iter()
        .filter(|(name, _)| picked.contains(name))
        .map(|(_, m)| m)
        .collect()
}

fn is_wanted(module: &Module) -> bool {
    let path = module.path.strip_prefix("kernel/").unwrap_or(&module.path);
    let outside = !module.path.starts_with("kernel/");
    outside
        || NAMES.contains(&module.info.name.as_str())
        || (DIRECTORIES.iter().any(|dir| path.starts_with(dir))
            && !WITHOUT.iter().any(|dir| path.starts_with(dir)))
}

/// Whether `name` and all it needs are there; they are put into `closure`.
fn collect(name: &str, all: &BTreeMap<String, Module>, closure: &mut BTreeSet<String>) -> bool {
    let Some(module) = all.get(name) else {
        return false;
    };
    if !closure.insert(name.to_owned()) {
        return true;
    }
    module
        .info
        .depends
        .iter()
        .all(|needed| collect(needed, all, closure))
}

#[cfg(test)]
mod tests {
    use super::super::ModInfo;
    use super::*;

    fn module(path: &str, depends: &[&str]) -> Module {
        let base = path.rsplit('/').next().unwrap().trim_end_matches(".ko");
        let info = ModInfo {
            name: base.replace('-', "_"),
            depends: depends.iter().map(|d| (*d).to_owned()).collect(),
            ..ModInfo::default()
        };
        Module {
            path: path.to_owned(),
            info,
            data: Vec::new(),
        }
    }

    #[test]
    fn what_is_wanted_brings_what_it_needs() {
        let modules = vec![
            module("kernel/drivers/net/tun.ko", &[]),
            module("kernel/net/ipv4/tcp_diag.ko", &["inet_diag"]),
            module("kernel/net/ipv4/inet_diag.ko", &[]),
            module("kernel/net/ipv4/netfilter/ip_tables.ko", &["x_tables"]),
            module("kernel/net/sched/act_ct.ko", &["nf_conntrack"]),
            module("kernel/net/sched/act_gone.ko", &["not_there"]),
            module("kernel/net/netfilter/nf_conntrack.ko", &["libcrc32c"]),
            module("kernel/lib/libcrc32c.ko", &[]),
            module("kernel/lib/unused.ko", &[]),
            module("kernel/net/sctp/sctp.ko", &[]),
            module("extra/own-tun.ko", &[]),
        ];
        let names = |extra: &[String]| {
            let picked = pick(modules.clone(), extra);
            picked
                .into_iter()
                .map(|module| module.info.name)
                .collect::<Vec<_>>()
        };
        let expected = [
            "act_ct",
            "inet_diag",
            "libcrc32c",
            "nf_conntrack",
            "own_tun",
            "tcp_diag",
            "tun",
        ];
        assert_eq!(names(&[]), expected);
        assert!(names(&["sctp".to_owned()]).contains(&"sctp".to_owned()));
    }

    #[test]
    fn modules_that_need_each_other_do_not_loop() {
        let a = module("kernel/net/core/a.ko", &["b"]);
        let b = module("kernel/net/core/b.ko", &["a"]);
        assert_eq!(pick(vec![a, b], &[]).len(), 2);
    }

    #[test]
    fn vendors_drivers_are_not_even_read() {
        assert!(is_candidate("kernel/drivers/net/tun.ko.xz"));
        assert!(is_candidate("kernel/net/tls/tls.ko"));
        assert!(is_candidate("extra/tun.ko"));
        assert!(!is_candidate(
            "kernel/drivers/net/ethernet/intel/e1000/e1000.ko"
        ));
        assert!(!is_candidate("kernel/drivers/gpu/drm/drm.ko"));
        assert!(!is_candidate("modules.builtin"));
    }
}
