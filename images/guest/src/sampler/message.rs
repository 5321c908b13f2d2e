//! sock_diag's messages (Linux, `include/uapi/linux/inet_diag.h` and `tcp.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tunfarm_protocol::{Sample, TimerKind};

/// Message types of a request.
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// Attributes of an answer.
const INET_DIAG_MEMINFO: u16 = 1;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
/// The attributes asked for, one bit each, counted from 1.
const EXTENSIONS: u8 =
    1 << (INET_DIAG_MEMINFO - 1) | 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SKMEMINFO - 1);
/// `TCP_ESTABLISHED` to `TCP_NEW_SYN_RECV`, one bit each. What is beyond would make newer kernels
/// walk further tables, of sockets that are bound and nothing else.
const STATES: u32 = 0x1ffe;
/// Bytes of `struct inet_diag_sockid` and `struct inet_diag_msg`.
const SOCKID: usize = 48;
const MESSAGE: usize = 72;
/// Bytes of `struct nlmsghdr`.
pub const HEADER: usize = 16;

/// A request for all TCP sockets, ready to send.
#[derive(Debug)]
pub struct Request(Vec<u8>);

impl Request {
    /// `struct inet_diag_req_v2`: one address family.
    pub fn by_family(family: u8) -> Request {
        let mut body = vec![family, libc::IPPROTO_TCP as u8, EXTENSIONS, 0];
        body.extend_from_slice(&STATES.to_ne_bytes());
        body.extend_from_slice(&[0; SOCKID]);
        Request::new(SOCK_DIAG_BY_FAMILY, &body)
    }

    /// `struct inet_diag_req`: every family at once.
    pub fn get_sock() -> Request {
        let mut body = vec![libc::AF_INET as u8, 0, 0, EXTENSIONS];
        body.extend_from_slice(&[0; SOCKID]);
        body.extend_from_slice(&STATES.to_ne_bytes());
        body.extend_from_slice(&0u32.to_ne_bytes());
        Request::new(TCPDIAG_GETSOCK, &body)
    }

    /// The bytes to send; answers carry `sequence`.
    pub fn bytes(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes
    }

    fn new(kind: u16, body: &[u8]) -> Request {
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&DUMP.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(body);
        Request(bytes)
    }
}

/// Reads one `struct inet_diag_msg` with its attributes; `None` if it is cut or of a family that
/// is neither IPv4 nor IPv6. An attribute may have any length: what a kernel does not tell is
/// absent.
pub fn parse(message: &[u8]) -> Option<Sample> {
    let (fixed, attributes) = message.split_at_checked(MESSAGE)?;
    let family = i32::from(fixed[0]);
    let expires = word(fixed, 52)?;
    let timer = timer_kind(fixed[2]);
    let mut sample = Sample {
        state: state_name(fixed[1]).to_owned(),
        timer: Some(timer),
        timer_ms: (timer != TimerKind::Off).then_some(expires),
        timer_retrans: Some(u32::from(fixed[3])),
        rqueue: word(fixed, 56),
        wqueue: word(fixed, 60),
        inode: word(fixed, 68),
        ..blank(
            address(family, &fixed[8..24], port(fixed, 4))?,
            address(family, &fixed[24..40], port(fixed, 6))?,
        )
    };
    for (kind, value) in Attributes(attributes) {
        match kind {
            INET_DIAG_INFO => tcp_info(&mut sample, value),
            INET_DIAG_MEMINFO => memory(&mut sample, value, [0, 3, 1], None),
            INET_DIAG_SKMEMINFO => memory(&mut sample, value, [0, 2, 5], Some(3)),
            _ => {}
        }
    }
    Some(sample)
}

/// A sample that says nothing but whose it is.
pub fn blank(local: SocketAddr, remote: SocketAddr) -> Sample {
    Sample {
        t_us: 0,
        local: local.to_string(),
        remote: remote.to_string(),
        state: String::new(),
        timer: None,
        timer_ms: None,
        timer_retrans: None,
        rqueue: None,
        wqueue: None,
        inode: None,
        rto_us: None,
        ato_us: None,
        backoff: None,
        retransmits: None,
        retrans: None,
        total_retrans: None,
        unacked: None,
        segs_out: None,
        cwnd: None,
        rtt_us: None,
        rttvar_us: None,
        wmem_alloc: None,
        wmem_queued: None,
        sndbuf: None,
        rmem_alloc: None,
        sockets_in_use: None,
    }
}

/// The name `ss` gives to a state (Linux, `include/net/tcp_states.h`).
pub fn state_name(state: u8) -> &'static str {
    match state {
        1 => "ESTAB",
        2 => "SYN-SENT",
        3 | 12 => "SYN-RECV",
        4 => "FIN-WAIT-1",
        5 => "FIN-WAIT-2",
        6 => "TIME-WAIT",
        8 => "CLOSE-WAIT",
        9 => "LAST-ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => "UNCONN",
    }
}

/// Which timer a number means, in sock_diag and in `/proc/net/tcp` alike.
pub fn timer_kind(timer: u8) -> TimerKind {
    match timer {
        0 => TimerKind::Off,
        2 => TimerKind::Keepalive,
        3 => TimerKind::Timewait,
        4 => TimerKind::Persist,
        _ => TimerKind::On,
    }
}

/// `struct tcp_info`, as far as it reaches.
fn tcp_info(sample: &mut Sample, info: &[u8]) {
    let byte = |at: usize| info.get(at).map(|b| u32::from(*b));
    sample.retransmits = byte(2);
    sample.backoff = byte(4);
    sample.rto_us = word(info, 8);
    sample.ato_us = word(info, 12);
    sample.unacked = word(info, 24);
    sample.retrans = word(info, 36);
    sample.rtt_us = word(info, 68);
    sample.rttvar_us = word(info, 72);
    sample.cwnd = word(info, 80);
    sample.total_retrans = word(info, 100);
    sample.segs_out = word(info, 136);
}

/// `struct inet_diag_meminfo` or the newer array: words for `rmem_alloc`, `wmem_alloc`,
/// `wmem_queued`, and perhaps `sndbuf`.
fn memory(sample: &mut Sample, value: &[u8], at: [usize; 3], sndbuf: Option<usize>) {
    sample.rmem_alloc = word(value, at[0] * 4).or(sample.rmem_alloc);
    sample.wmem_alloc = word(value, at[1] * 4).or(sample.wmem_alloc);
    sample.wmem_queued = word(value, at[2] * 4).or(sample.wmem_queued);
    sample.sndbuf = sndbuf.and_then(|at| word(value, at * 4)).or(sample.sndbuf);
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn port(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn address(family: i32, bytes: &[u8], port: u16) -> Option<SocketAddr> {
    let ip = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// `struct rtattr` after `struct rtattr`; ends at the first that does not fit.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16::from_ne_bytes(self.0.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(self.0.get(2..4)?.try_into().ok()?);
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CLOSING socket as a 6.12 kernel gives it, put together from its fields.
    fn closing() -> Vec<u8> {
        let mut m = vec![libc::AF_INET as u8, 11, 1, 3];
        m.extend_from_slice(&8080u16.to_be_bytes());
        m.extend_from_slice(&40000u16.to_be_bytes());
        m.extend_from_slice(&[192, 168, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        m.extend_from_slice(&[192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        m.extend_from_slice(&[0; 12]);
        for word in [1184u32, 1, 2, 0, 77] {
            m.extend_from_slice(&word.to_ne_bytes());
        }
        assert_eq!(m.len(), MESSAGE);
        m
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut a = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
        a.extend_from_slice(&kind.to_ne_bytes());
        a.extend_from_slice(value);
        a.resize(a.len().next_multiple_of(4), 0);
        a
    }

    #[test]
    fn fixed_fields_are_read() {
        let s = parse(&closing()).unwrap();
        assert_eq!(
            (s.local.as_str(), s.remote.as_str()),
            ("192.168.0.1:8080", "192.0.2.1:40000")
        );
        assert_eq!(s.state, "CLOSING");
        assert_eq!(
            (s.timer, s.timer_ms, s.timer_retrans),
            (Some(TimerKind::On), Some(1184), Some(3))
        );
        assert_eq!((s.rqueue, s.wqueue, s.inode), (Some(1), Some(2), Some(77)));
        assert_eq!(s.rto_us, None);
    }

    #[test]
    fn tcp_info_of_any_length_is_read_as_far_as_it_reaches() {
        let mut info = vec![0; 104];
        info[2] = 4;
        info[4] = 5;
        info[8..12].copy_from_slice(&592_000u32.to_ne_bytes());
        info[100..104].copy_from_slice(&9u32.to_ne_bytes());
        let mut m = closing();
        m.extend(attribute(INET_DIAG_INFO, &info));
        let s = parse(&m).unwrap();
        assert_eq!(
            (s.retransmits, s.backoff, s.rto_us),
            (Some(4), Some(5), Some(592_000))
        );
        assert_eq!((s.total_retrans, s.segs_out), (Some(9), None));
        m.truncate(MESSAGE + 4 + 6);
        // An attribute that claims more than there is counts for nothing.
        assert_eq!(parse(&m).unwrap().backoff, None);
    }

    #[test]
    fn old_and_new_memory_say_the_same() {
        let words = |w: &[u32]| w.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>();
        let mut old = closing();
        old.extend(attribute(INET_DIAG_MEMINFO, &words(&[1, 896, 0, 2794])));
        let mut new = closing();
        new.extend(attribute(
            INET_DIAG_SKMEMINFO,
            &words(&[1, 2, 2794, 46080, 0, 896]),
        ));
        for (message, sndbuf) in [(old, None), (new, Some(46080))] {
            let s = parse(&message).unwrap();
            assert_eq!(
                (s.rmem_alloc, s.wmem_alloc, s.wmem_queued),
                (Some(1), Some(2794), Some(896))
            );
            assert_eq!(s.sndbuf, sndbuf);
        }
    }

    #[test]
    fn nothing_that_is_cut_is_a_socket() {
        let m = closing();
        assert!((0..MESSAGE).all(|len| parse(&m[..len]).is_none()));
    }

    #[test]
    fn requests_have_the_kernels_sizes() {
        assert_eq!(Request::by_family(2).bytes(7).len(), HEADER + 56);
        assert_eq!(Request::get_sock().bytes(7).len(), HEADER + 60);
    }
}
