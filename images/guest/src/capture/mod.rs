//! Packets of the datapath, with the kernel's own times.

mod pcap;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::sys;

pub use pcap::write as write_pcap;

/// Bytes kept of a packet: every header, and so much data that segments can be told apart.
pub const SNAP_LENGTH: usize = 192;
/// Bytes kept of all packets.
const TOTAL: usize = 8 << 20;
/// Room for packets that wait to be read, in bytes.
const QUEUE: libc::c_int = 8 << 20;
/// Bytes for control messages: a timestamp needs 32.
const CONTROL: usize = 128;

const ETH_P_ALL: u16 = 0x0003;
const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

/// One packet, from its IP header on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it passed, in nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: i64,
    /// How long it was.
    pub length: usize,
    /// Its first bytes.
    pub data: Vec<u8>,
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    fd: OwnedFd,
    loopback: i32,
    only_loopback: bool,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC: nobody sets the guest's clock.
    real_offset_ns: i64,
    packets: Vec<Packet>,
    kept: usize,
    cut: bool,
}

impl Capture {
    /// Starts to capture on `device`; on all devices but loopback if there is none yet.
    pub fn start(device: Option<&str>) -> io::Result<Capture> {
        let protocol = i32::from(ETH_P_ALL.to_be());
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory operands. SOCK_DGRAM takes link headers off, so that all datapaths
        // look alike. Protocol 0 receives nothing until it is bound.
        let fd = sys::owned(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        set_option(&fd, libc::SO_TIMESTAMPNS, 1)?;
        // The larger of the two ways of asking that works.
        if set_option(&fd, libc::SO_RCVBUFFORCE, QUEUE).is_err() {
            set_option(&fd, libc::SO_RCVBUF, QUEUE)?;
        }
        let loopback = index_of("lo")?;
        let index = device.map(index_of).transpose()?.unwrap_or(0);
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol as u16;
        address.sll_ifindex = index;
        // SAFETY: an address of that type and size, which outlives the call.
        sys::check(unsafe {
            libc::bind(
                fd.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                socklen(&address),
            )
        })?;
        Ok(Capture {
            fd,
            loopback,
            only_loopback: index == loopback,
            real_offset_ns: sys::clock_ns(libc::CLOCK_REALTIME) - sys::monotonic_ns(),
            packets: Vec::new(),
            kept: 0,
            cut: false,
        })
    }

    /// Takes all packets that wait.
    pub fn drain(&mut self) -> io::Result<()> {
        while let Some((packet, from)) = self.receive()? {
            if !self.wanted(&from) {
                continue;
            }
            self.kept += packet.data.len() + mem::size_of::<Packet>();
            if self.kept > TOTAL {
                self.cut = true;
            } else {
                self.packets.push(packet);
            }
        }
        Ok(())
    }

    /// The packets, oldest first, and notes on what is missing.
    pub fn finish(mut self) -> (Vec<Packet>, Vec<String>) {
        let mut notes = Vec::new();
        if let Err(e) = self.drain() {
            notes.push(format!("the capture ended early: {e}"));
        }
        if self.cut {
            notes.push(format!("capture.pcap was cut at {TOTAL} bytes"));
        }
        match self.dropped() {
            0 => {}
            n => notes.push(format!("the kernel dropped {n} packets of the capture")),
        }
        (self.packets, notes)
    }

    /// On loopback a packet passes twice, going out and coming in: the first counts. Elsewhere
    /// both directions do. ARP and the like are not the script's.
    fn wanted(&self, from: &libc::sockaddr_ll) -> bool {
        let direction = if from.sll_ifindex == self.loopback {
            self.only_loopback && from.sll_pkttype == libc::PACKET_OUTGOING
        } else {
            from.sll_pkttype <= libc::PACKET_OUTGOING
        };
        direction && [ETH_P_IP, ETH_P_IPV6].contains(&u16::from_be(from.sll_protocol))
    }

    fn receive(&self) -> io::Result<Option<(Packet, libc::sockaddr_ll)>> {
        let mut data = vec![0u8; SNAP_LENGTH];
        let mut control = [0u64; CONTROL / 8];
        // SAFETY: all-zero is a valid sockaddr_ll and a valid msghdr.
        let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let mut part = libc::iovec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: SNAP_LENGTH,
        };
        message.msg_name = ptr::from_mut(&mut from).cast();
        message.msg_namelen = socklen(&from);
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = CONTROL;
        let length = loop {
            // SAFETY: everything `message` points to outlives the call. With MSG_TRUNC the result
            // is the packet's length however much of it was kept.
            let got = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &mut message, libc::MSG_TRUNC) };
            match sys::check(got) {
                Ok(length) => break length.unsigned_abs(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // The device went down, which is said once; what is queued is still there.
                Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => {}
                Err(e) => return Err(e),
            }
        };
        data.truncate(length);
        data.shrink_to_fit();
        let at_ns = match timestamp(&message) {
            Some(real_ns) => real_ns - self.real_offset_ns,
            None => sys::monotonic_ns(),
        };
        Ok(Some((
            Packet {
                at_ns,
                length,
                data,
            },
            from,
        )))
    }

    fn dropped(&self) -> u32 {
        // `struct tpacket_stats`: packets, drops.
        let mut stats = [0u32; 2];
        let mut len = socklen(&stats);
        // SAFETY: `stats` and `len` outlive the call, and `len` is the size of `stats`.
        let ret = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                stats.as_mut_ptr().cast(),
                &mut len,
            )
        };
        if ret == 0 { stats[1] } else { 0 }
    }
}

impl AsRawFd for Capture {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The kernel's time for a packet, in nanoseconds of CLOCK_REALTIME.
fn timestamp(message: &libc::msghdr) -> Option<i64> {
    // SAFETY: the kernel has filled the control buffer, which is alive, and its length; the
    // macros stay inside it. A timespec is read unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(message);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_TIMESTAMPNS {
                let t: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(at).cast());
                return Some(t.tv_sec * 1_000_000_000 + t.tv_nsec);
            }
            at = libc::CMSG_NXTHDR(message, at);
        }
    }
    None
}

/// A device's index.
fn index_of(device: &str) -> io::Result<i32> {
    let name = sys::c_string(device);
    // SAFETY: a NUL-terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index as i32),
    }
}

fn set_option(fd: &OwnedFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: an int of that size, which outlives the call.
    sys::check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            socklen(&value),
        )
    })
    .map(drop)
}

fn socklen<T>(value: &T) -> libc::socklen_t {
    mem::size_of_val(value) as libc::socklen_t
}
