//! What the kernel says about the script's TCP sockets, by the newest means it has.

mod history;
mod message;
mod netlink;
mod pace;
mod procfs;

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use tunfarm_protocol::{IpVersion, Sample};

pub use history::History;
pub use pace::{Pace, Pending};

use message::Request;
use netlink::DiagSocket;

/// By which means sockets are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// `SOCK_DIAG_BY_FAMILY` (3.3 on).
    SockDiag,
    /// `TCPDIAG_GETSOCK` (2.6.14 on).
    TcpDiag,
    /// `/proc/net/tcp` and `tcp6`.
    ProcFs,
}

/// All of them, the best first.
pub const MEANS: [Means; 3] = [Means::SockDiag, Means::TcpDiag, Means::ProcFs];

impl Means {
    /// The name, as [`tunfarm_protocol::KernelFacts::sampler`] has it.
    pub fn name(self) -> &'static str {
        match self {
            Means::SockDiag => "sock_diag",
            Means::TcpDiag => "tcpdiag",
            Means::ProcFs => "procfs",
        }
    }

    /// Tries these means on a socket which is certainly there; whether memory comes with it.
    ///
    /// # Errors
    /// When the socket is not seen.
    pub fn try_out(self) -> io::Result<bool> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let local = listener.local_addr()?.to_string();
        let sockets = Sampler::open(self, IpVersion::Ipv4)?.everything()?;
        match sockets.iter().find(|s| s.local == local) {
            Some(found) => Ok(found.wmem_alloc.is_some()),
            None => Err(io::Error::other(format!(
                "{} does not show a socket",
                self.name()
            ))),
        }
    }
}

/// Asks for sockets.
#[derive(Debug)]
pub enum Sampler {
    /// By [`Means::SockDiag`], with the address family of the script's sockets.
    SockDiag(DiagSocket, u8),
    /// By [`Means::TcpDiag`].
    TcpDiag(DiagSocket),
    /// By [`Means::ProcFs`].
    ProcFs,
}

impl Sampler {
    /// Gets ready to ask for the sockets of scripts on this IP version. sock_diag walks all its
    /// tables for each family, so it is asked for one only; the older means give both.
    pub fn open(means: Means, ip: IpVersion) -> io::Result<Sampler> {
        let family = match ip {
            IpVersion::Ipv4 => libc::AF_INET,
            IpVersion::Ipv6 | IpVersion::Mapped => libc::AF_INET6,
        };
        Ok(match means {
            Means::SockDiag => Sampler::SockDiag(DiagSocket::open()?, family as u8),
            Means::TcpDiag => Sampler::TcpDiag(DiagSocket::open()?),
            Means::ProcFs => Sampler::ProcFs,
        })
    }

    /// The script's sockets now: all TCP sockets but those on 127.0.0.0/8 and ::1, where no script
    /// has any. Times are left 0.
    pub fn sockets(&mut self) -> io::Result<Vec<Sample>> {
        let mut sockets = self.everything()?;
        sockets.retain(|s| !s.local.starts_with("127.") && !s.local.starts_with("[::1]"));
        Ok(sockets)
    }

    /// Sockets of the machine that are not freed, where nothing better tells of their memory.
    pub fn in_use(&self) -> Option<u32> {
        match self {
            Sampler::SockDiag(..) | Sampler::TcpDiag(_) => None,
            Sampler::ProcFs => procfs::in_use(),
        }
    }

    fn everything(&mut self) -> io::Result<Vec<Sample>> {
        match self {
            Sampler::SockDiag(socket, family) => socket.dump(&Request::by_family(*family)),
            Sampler::TcpDiag(socket) => socket.dump(&Request::get_sock()),
            Sampler::ProcFs => procfs::sockets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_shows_this_kernels_sockets() {
        assert!(!Means::ProcFs.try_out().unwrap());
    }
}
