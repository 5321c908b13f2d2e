//! `/proc/net/tcp` and `tcp6`, for kernels without inet_diag.
//!
//! Times there are in hundredths of a second (`USER_HZ`), and memory is not told. What tells of it
//! is when a socket is freed, which its memory that a device still holds delays.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tunfarm_protocol::{Sample, TimerKind};

use super::message::{blank, state_name, timer_kind};
use crate::sys;

/// All TCP sockets of both families.
pub fn sockets() -> io::Result<Vec<Sample>> {
    // Before the sockets: one that ends meanwhile is still counted.
    let sockets_in_use = in_use();
    let mut text = sys::read_net("tcp")?;
    // A kernel without IPv6 has no such file.
    text.push_str(&sys::read_net("tcp6").unwrap_or_default());
    let told = |sample| Sample {
        sockets_in_use,
        ..sample
    };
    Ok(text.lines().filter_map(parse).map(told).collect())
}

/// Sockets of the machine that are not freed. Since 4.16 a socket is counted until its last byte
/// of memory is back, before until it was closed.
pub fn in_use() -> Option<u32> {
    used(&sys::read_net("sockstat").ok()?)
}

/// `sockets: used 5`.
fn used(sockstat: &str) -> Option<u32> {
    let line = sockstat.lines().next()?;
    line.strip_prefix("sockets: used ")?.trim().parse().ok()
}

/// One line; `None` for the heading and for what is no socket.
fn parse(line: &str) -> Option<Sample> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let hex = |text: &str| u32::from_str_radix(text, 16).ok();
    let (wqueue, rqueue) = fields.get(4)?.split_once(':')?;
    let (timer, when) = fields.get(5)?.split_once(':')?;
    let timer = timer_kind(u8::from_str_radix(timer, 16).ok()?);
    let hundredths = |at: usize| fields.get(at)?.parse::<u32>().ok()?.checked_mul(10_000);
    let local = address(fields.get(1)?)?;
    let remote = address(fields.get(2)?)?;
    let retrnsmt = hex(fields.get(6)?)?;
    let full = fields.len() > 12;
    Some(Sample {
        state: state_name(u8::from_str_radix(fields.get(3)?, 16).ok()?).to_owned(),
        timer: Some(timer),
        timer_ms: (timer != TimerKind::Off)
            .then(|| hex(when)?.checked_mul(10))
            .flatten(),
        timer_retrans: Some(retrnsmt),
        rqueue: hex(rqueue),
        wqueue: hex(wqueue),
        inode: fields.get(9)?.parse().ok(),
        rto_us: if full { hundredths(12) } else { None },
        ato_us: if full { hundredths(13) } else { None },
        // `retrnsmt` is icsk_retransmits in the lines of full sockets only.
        retransmits: full.then_some(retrnsmt),
        cwnd: fields.get(15).and_then(|f| f.parse().ok()),
        ..blank(local, remote)
    })
}

/// `0100A8C0:1F90`: words of the address in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = ip.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSING: &str = "   1: 0100A8C0:1F90 010200C0:9C40 0B 00000002:00000001 01:0000012C 00000003     0        0 0 2 ffff88000f0b8000 296 40 0 1 2";

    #[test]
    fn a_full_socket_is_read() {
        let s = parse(CLOSING).unwrap();
        assert_eq!(
            (s.local.as_str(), s.remote.as_str()),
            ("192.168.0.1:8080", "192.0.2.1:40000")
        );
        assert_eq!(s.state, "CLOSING");
        assert_eq!((s.wqueue, s.rqueue), (Some(2), Some(1)));
        assert_eq!((s.timer, s.timer_ms), (Some(TimerKind::On), Some(3000)));
        assert_eq!(
            (s.rto_us, s.retransmits, s.cwnd),
            (Some(2_960_000), Some(3), Some(1))
        );
        assert_eq!(s.wmem_alloc, None);
    }

    #[test]
    fn a_small_socket_has_no_rto() {
        let line = "   2: 0100A8C0:1F90 010200C0:9C40 06 00000000:00000000 03:00001770 00000000 0 0 0 3 ffff88000f0b8000";
        let s = parse(line).unwrap();
        assert_eq!(
            (s.state.as_str(), s.timer),
            ("TIME-WAIT", Some(TimerKind::Timewait))
        );
        assert_eq!((s.timer_ms, s.rto_us, s.cwnd), (Some(60_000), None, None));
    }

    #[test]
    fn ipv6_words_are_in_the_machines_order() {
        let local = "0B0A3DFDD6170000000000000100000 0:1F90".replace(' ', "");
        assert_eq!(address(&local).map(|a| a.port()), Some(8080));
        let mapped = "0000000000000000FFFF00000100A8C0:0050";
        assert_eq!(
            address(mapped).unwrap().to_string(),
            "[::ffff:192.168.0.1]:80"
        );
    }

    #[test]
    fn sockets_in_use_are_counted() {
        assert_eq!(used("sockets: used 5\nTCP: inuse 1 orphan 0\n"), Some(5));
        assert_eq!(used("TCP: inuse 1\n"), None);
        assert_eq!(used(""), None);
    }

    #[test]
    fn headings_and_rubbish_are_no_sockets() {
        for line in [
            "  sl  local_address rem_address   st",
            "",
            "1: 2 3 4 5 6 7 8",
            "€: € € €",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
