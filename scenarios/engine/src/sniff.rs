//! Sees and injects packets of a device with an AF_PACKET socket (packet(7)).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::datapath::{Gso, vnet_header};
use crate::sys::{self, check};

/// `PACKET_AUXDATA` (2.6.21) and the status bit for a checksum that is still to be filled in.
const PACKET_AUXDATA: i32 = 8;
const PACKET_VNET_HDR: i32 = 15;
const TP_STATUS_CSUMNOTREADY: u32 = 1 << 3;
const MAX_PACKET: usize = 1 << 18;
/// What the kernel may queue for us before it drops; scripts send bursts of hundreds of packets.
const QUEUE_BYTES: i32 = 16 << 20;

/// One packet that left the stack.
#[derive(Clone, Debug)]
pub struct Seen {
    /// From the IP header on.
    pub bytes: Vec<u8>,
    /// When, on `CLOCK_REALTIME`, in nanoseconds; `None` if the kernel did not say.
    pub realtime_ns: Option<i64>,
    /// The transport checksum is left to a device that would compute it.
    pub checksum_pending: bool,
}

/// A packet socket on one device.
#[derive(Debug)]
pub struct Sniffer {
    fd: OwnedFd,
    index: u32,
    buffer: Vec<u8>,
}

impl Sniffer {
    /// Listens on a device.
    pub fn open(device: &str) -> io::Result<Sniffer> {
        let index = sys::interface_index(device)?;
        // Protocol 0 until bound, so that no packet of another device gets in.
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0)?;
        sys::set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, QUEUE_BYTES)
            .or_else(|_| sys::set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, QUEUE_BYTES))?;
        sys::set_int(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        sys::set_int(&fd, libc::SOL_PACKET, PACKET_AUXDATA, 1)?;
        let address = link_address(index, libc::ETH_P_ALL as u16);
        // SAFETY: a sockaddr_ll and its length.
        check(unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        })?;
        Ok(Sniffer {
            fd,
            index,
            buffer: vec![0; MAX_PACKET],
        })
    }

    /// The next packet that the stack sent through the device, if there is one. Packets that came
    /// in are passed over.
    pub fn next_outgoing(&mut self) -> io::Result<Option<Seen>> {
        loop {
            match self.receive() {
                Ok((seen, true)) => return Ok(Some(seen)),
                Ok((_, false)) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits at most `timeout_ns` for any packet.
    pub fn wait(&self, timeout_ns: i64) -> io::Result<bool> {
        sys::wait_readable(self.fd.as_raw_fd(), timeout_ns)
    }

    /// Sends a packet that begins with its IP header out of the device.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let protocol = match packet.first().map(|b| b >> 4) {
            Some(6) => libc::ETH_P_IPV6,
            _ => libc::ETH_P_IP,
        };
        let address = link_address(self.index, protocol as u16);
        // SAFETY: pointers and lengths of `packet` and `address`.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        check(sent as i32)?;
        Ok(())
    }

    fn receive(&mut self) -> io::Result<(Seen, bool)> {
        let mut control = [0u64; 32];
        // SAFETY: plain data for which all zeros is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        let mut vector = libc::iovec {
            iov_base: self.buffer.as_mut_ptr().cast(),
            iov_len: self.buffer.len(),
        };
        message.msg_name = (&raw mut address).cast();
        message.msg_namelen = size_of_val(&address) as libc::socklen_t;
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer in `message` is to something that outlives the call.
        let len = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        if len < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut seen = Seen {
            bytes: self.buffer[..(len as usize).min(self.buffer.len())].to_vec(),
            realtime_ns: None,
            checksum_pending: false,
        };
        // SAFETY: the CMSG macros walk the control buffer that the kernel has filled in; data is
        // read unaligned, as its alignment is not promised.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while !header.is_null() {
                let data = libc::CMSG_DATA(header);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                        let time: libc::timespec = data.cast::<libc::timespec>().read_unaligned();
                        seen.realtime_ns = Some(time.tv_sec * 1_000_000_000 + time.tv_nsec);
                    }
                    (libc::SOL_PACKET, PACKET_AUXDATA) => {
                        let status: u32 = data.cast::<u32>().read_unaligned();
                        seen.checksum_pending = status & TP_STATUS_CSUMNOTREADY != 0;
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Ok((seen, address.sll_pkttype == libc::PACKET_OUTGOING))
    }
}

/// A packet socket that sends large packets as the TUN driver would (`PACKET_VNET_HDR`,
/// Linux 2.6.27): super-segments, and others in pieces instead of one.
#[derive(Debug)]
pub struct LargeSender {
    fd: OwnedFd,
    index: u32,
}

impl LargeSender {
    /// As much of a packet as the TUN driver puts in one piece: what fits into a page with the
    /// kernel's own data (`SKB_MAX_HEAD`). Memory and so receive windows depend on it.
    pub const ONE_PAGE: usize = 3712;

    /// One for the device of this number.
    pub fn open(index: u32) -> io::Result<LargeSender> {
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        sys::set_int(&fd, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
        Ok(LargeSender { fd, index })
    }

    /// Sends a packet that begins with its IP header.
    pub fn send(&self, packet: &[u8], gso: Option<Gso>) -> io::Result<()> {
        const ETHERNET: usize = 14;
        let protocol = match packet.first().map(|b| b >> 4) {
            Some(6) => libc::ETH_P_IPV6,
            _ => libc::ETH_P_IP,
        } as u16;
        // 0 would mean the link header alone.
        let linear = (packet.len().min(Self::ONE_PAGE) + ETHERNET) as u16;
        let mut frame = vnet_header(gso, linear).to_vec();
        // The addresses of the loopback device are zeros.
        frame.extend([0; 12]);
        frame.extend(protocol.to_be_bytes());
        frame.extend_from_slice(packet);
        let address = link_address(self.index, protocol);
        // SAFETY: pointers and lengths of `frame` and `address`.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        check(sent as i32)?;
        Ok(())
    }
}

fn link_address(index: u32, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: plain data for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index as i32;
    address.sll_halen = 6;
    address
}
