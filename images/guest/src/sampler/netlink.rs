//! One netlink socket for sock_diag.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tunfarm_protocol::Sample;

use super::message::{HEADER, Request, parse};
use crate::sys;

const NETLINK_SOCK_DIAG: libc::c_int = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The kernel makes its answers as large as the largest buffer it was ever offered, from 8 KiB
/// (`NLMSG_GOODSIZE`) to 32 KiB, and clears that much memory for each. A script has few sockets.
const BUFFER: usize = 8 * 1024;
/// More sockets than this are not a script's.
const MOST: usize = 4096;

/// A connection to sock_diag.
#[derive(Debug)]
pub struct DiagSocket {
    fd: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl DiagSocket {
    /// Connects.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` where the kernel has no inet_diag.
    pub fn open() -> io::Result<DiagSocket> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no memory operands.
        let fd = sys::owned(unsafe { libc::socket(libc::AF_NETLINK, kind, NETLINK_SOCK_DIAG) })?;
        Ok(DiagSocket {
            fd,
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    /// Asks, and reads the answer to its end.
    pub fn dump(&mut self, request: &Request) -> io::Result<Vec<Sample>> {
        self.sequence += 1;
        let bytes = request.bytes(self.sequence);
        // SAFETY: `bytes` is that long and outlives the call. The kernel is the default peer.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        sys::check(sent)?;
        let mut samples = Vec::new();
        while samples.len() < MOST {
            // SAFETY: writes at most the buffer's length into it.
            let got = unsafe {
                libc::recv(
                    self.fd.as_raw_fd(),
                    self.buffer.as_mut_ptr().cast(),
                    BUFFER,
                    0,
                )
            };
            let got = sys::check(got)?.unsigned_abs();
            if got == 0 || collect(&self.buffer[..got], self.sequence, &mut samples)? {
                return Ok(samples);
            }
        }
        Err(io::Error::other("more than 4096 TCP sockets"))
    }
}

/// Takes the sockets out of one datagram; true when it holds the end of the dump.
fn collect(mut datagram: &[u8], sequence: u32, samples: &mut Vec<Sample>) -> io::Result<bool> {
    while let Some((header, _)) = datagram.split_first_chunk::<HEADER>() {
        let len = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let answers = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let Some(body) = datagram.get(HEADER..len) else {
            return Err(io::Error::other(
                "a netlink message is longer than its datagram",
            ));
        };
        if answers == sequence {
            match kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let code = body
                        .first_chunk::<4>()
                        .map_or(0, |b| i32::from_ne_bytes(*b));
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                _ => samples.extend(parse(body)),
            }
        }
        datagram = datagram.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut m = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        m.extend_from_slice(&kind.to_ne_bytes());
        m.extend_from_slice(&[0; 2]);
        m.extend_from_slice(&sequence.to_ne_bytes());
        m.extend_from_slice(&[0; 4]);
        m.extend_from_slice(body);
        m
    }

    #[test]
    fn a_dump_ends_with_done_and_fails_with_the_kernels_error() {
        let mut samples = Vec::new();
        assert!(collect(&message(NLMSG_DONE, 3, &[0; 4]), 3, &mut samples).unwrap());
        assert!(!collect(&message(NLMSG_DONE, 2, &[0; 4]), 3, &mut samples).unwrap());
        let refused = message(NLMSG_ERROR, 3, &(-libc::ENOENT).to_ne_bytes());
        let error = collect(&refused, 3, &mut samples).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(samples.is_empty());
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let mut m = message(20, 1, &[]);
        m[0] = 200;
        assert!(collect(&m, 1, &mut Vec::new()).is_err());
        m[0] = 3;
        assert!(collect(&m, 1, &mut Vec::new()).is_err());
    }

    #[test]
    fn this_kernels_sockets_are_seen() {
        // Where the test runs there may be no inet_diag; the agent has other means then.
        let Ok(mut socket) = DiagSocket::open() else {
            return;
        };
        let Ok(before) = socket.dump(&Request::by_family(libc::AF_INET as u8)) else {
            return;
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap().to_string();
        let after = socket
            .dump(&Request::by_family(libc::AF_INET as u8))
            .unwrap();
        assert!(!before.iter().any(|s| s.local == local));
        assert!(
            after
                .iter()
                .any(|s| s.local == local && s.state == "LISTEN")
        );
    }
}
