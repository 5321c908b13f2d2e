//! Waits until the kernel has an IPv6 address ready.
//!
//! An address is announced at once, but its route is made later by a work queue
//! (`addrconf_dad_work()`), even where duplicate detection is off. A packet that comes between is
//! not for this host.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use super::SetError;

/// How often and how long to look.
const STEP: Duration = Duration::from_millis(1);
const TRIES: u32 = 2_000;
/// `RTF_UP` of `linux/route.h`.
const RTF_UP: u32 = 1;

/// Waits for the address's own route; IPv4 has it at once.
pub fn wait_for(address: IpAddr) -> Result<(), SetError> {
    let IpAddr::V6(v6) = address else {
        return Ok(());
    };
    let wanted = format!("{:032x}", u128::from(v6));
    for _ in 0..TRIES {
        // The routes of this thread's network namespace; before Linux 3.17 there is only the
        // process's.
        let table = fs::read_to_string("/proc/thread-self/net/ipv6_route")
            .or_else(|_| fs::read_to_string("/proc/net/ipv6_route"));
        match table {
            Ok(table) if has_host_route(&table, &wanted) => return Ok(()),
            Ok(_) => std::thread::sleep(STEP),
            // Without the table nobody can tell; the script's first packet will.
            Err(_) => return Ok(()),
        }
    }
    Err(SetError::Failed(format!(
        "the address {address} has no route of its own {} ms after it was given",
        STEP.as_millis() * u128::from(TRIES)
    )))
}

/// Lines are `DESTINATION PREFIX SOURCE PREFIX NEXT-HOP METRIC REFS USE FLAGS DEVICE`, numbers
/// hexadecimal.
fn has_host_route(table: &str, wanted: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() >= 10
            && fields[0] == wanted
            && fields[1] == "80"
            && u32::from_str_radix(fields[8], 16).is_ok_and(|flags| flags & RTF_UP != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_route_is_found() {
        let table = "\
fd3d0a0b17d600000000000000000000 30 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     tun0
fd3d0a0b17d600000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     tun0
";
        assert!(has_host_route(table, "fd3d0a0b17d600000000000000000001"));
        assert!(!has_host_route(table, "fd3d0a0b17d600000000000000000000"));
        assert!(!has_host_route("", "fd3d0a0b17d600000000000000000001"));
    }
}
