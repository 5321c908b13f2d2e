//! The TUN datapath: a device whose other end is in our hands.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tunfarm_protocol::{Reader, TunMode, TunOptions};

use super::delivery::Delivery;
use super::{Gso, SetError, Step, VNET_HEADER, ethernet, vnet_header};
use crate::config::Config;
use crate::sniff::{Seen, Sniffer};
use crate::sys::{self, Link, Netlink, Route, RouteKind, check};

/// Name of the device, as packetdrill's own.
pub const DEVICE: &str = "tun0";

const TUNSETIFF: u64 = 0x4004_54ca;
const TUNSETOFFLOAD: u64 = 0x4004_54d0;
const TUNGETFEATURES: u64 = 0x8004_54cf;
const IFF_NAPI: i16 = 0x0010;
const IFF_NO_PI: i16 = 0x1000;
const IFF_VNET_HDR: i16 = 0x4000;
const IFF_MULTI_QUEUE: i16 = 0x0100;
const IFF_BACKPRESSURE: i16 = 0x0080;
/// `TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN`: what an ordinary card offers.
const OFFLOADS: u64 = 0x1 | 0x2 | 0x4 | 0x8;
const MAX_PACKET: usize = 1 << 17;
/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
/// `TUN_READQ_SIZE`: the queue's length when nobody says otherwise.
const DEFAULT_QUEUE: u32 = 500;
/// How long an injected packet may wait for room in the stack.
const WRITE_TIMEOUT_NS: i64 = 1_000_000_000;

/// A TUN device with its reader.
pub struct Tun {
    queues: Vec<OwnedFd>,
    sniffer: Sniffer,
    reader: Reader,
    mode: TunMode,
    vnet_header: bool,
    link_address: [u8; 6],
    /// Bytes in front of the IP header in what is read.
    heading: usize,
    /// Packets that were seen on the device and not yet read from the queue.
    owed: u64,
    scratch: Vec<u8>,
    drain: Option<Drain>,
    /// Length of the queue in packets.
    capacity: u32,
    /// What the stack gave to the driver, and what was read from it by whichever reader.
    delivery: Arc<Mutex<Delivery>>,
}

/// The thread of an eager reader.
struct Drain {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tun {
    /// Makes the device, with addresses and routes.
    pub fn set(config: &Config, options: &TunOptions, reader: Reader) -> Result<Tun, SetError> {
        let vnet_header = options.vnet_hdr || config.mss > 0;
        let (flags, queues) = flags(options, vnet_header)?;
        let mut fds = Vec::new();
        for _ in 0..queues {
            fds.push(open_queue(flags)?);
        }
        // Without a vnet header too: it only says that super-segments may come through.
        // SAFETY: the argument is a number.
        let offloads =
            check(unsafe { libc::ioctl(fds[0].as_raw_fd(), TUNSETOFFLOAD as _, OFFLOADS) });
        if let Err(e) = offloads {
            // SAFETY: as above. An old driver knows fewer.
            check(unsafe { libc::ioctl(fds[0].as_raw_fd(), TUNSETOFFLOAD as _, OFFLOADS & 0x7) })
                .step(|| format!("letting {DEVICE} take super-segments (TUNSETOFFLOAD): {e}"))?;
        }
        if let Some(length) = options.txqueuelen {
            set_queue_length(length)?;
        }
        let link_address = link_address(config, options.mode)?;
        let sniffer = Sniffer::open(DEVICE)
            .step(|| format!("opening an AF_PACKET socket on {DEVICE} (CONFIG_PACKET)"))?;
        let delivery = Arc::new(Mutex::new(Delivery::default()));
        let heading = if vnet_header { VNET_HEADER } else { 0 }
            + if options.mode == TunMode::Tap {
                ETHERNET
            } else {
                0
            };
        let drain = match reader {
            Reader::Eager => Some(Drain::start(&fds, heading, &delivery)?),
            Reader::Lazy | Reader::Never => None,
        };
        Ok(Tun {
            queues: fds,
            sniffer,
            reader,
            mode: options.mode,
            vnet_header,
            link_address,
            owed: 0,
            scratch: vec![0; MAX_PACKET],
            drain,
            heading,
            capacity: options.txqueuelen.unwrap_or(DEFAULT_QUEUE),
            delivery,
        })
    }

    /// Puts a packet into the stack, as if it had come over the wire.
    pub fn inject(&mut self, packet: &[u8], gso: Option<Gso>) -> io::Result<()> {
        let mut frame = Vec::with_capacity(VNET_HEADER + 14 + packet.len());
        if self.vnet_header {
            frame.extend(vnet_header(gso, 0));
        }
        if self.mode == TunMode::Tap {
            frame.extend(ethernet::header(self.link_address, packet));
        }
        frame.extend_from_slice(packet);
        loop {
            // SAFETY: pointer and length are those of `frame`.
            let written = unsafe {
                libc::write(
                    self.queues[0].as_raw_fd(),
                    frame.as_ptr().cast(),
                    frame.len(),
                )
            };
            match check(written as i32) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if !sys::wait_writable(self.queues[0].as_raw_fd(), WRITE_TIMEOUT_NS)? {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The next packet of the stack, as [`Sniffer::next_outgoing`]; a lazy reader then reads as
    /// many packets from the queue as were taken here.
    pub fn next_outgoing(&mut self) -> io::Result<Option<Seen>> {
        let seen = self.sniffer.next_outgoing()?;
        if let Some(seen) = &seen {
            note(&self.delivery, |d| d.given(&seen.bytes));
        }
        if seen.is_some() && self.reader == Reader::Lazy {
            self.owed += 1;
            self.read_owed()?;
        }
        Ok(seen)
    }

    /// Empties the queue and says what the driver did wrong with what it was given. Only for the
    /// end of a script: afterwards nothing is unread any more.
    pub fn complaint(&mut self) -> io::Result<Option<String>> {
        while self.next_outgoing()?.is_some() {}
        for queue in &self.queues {
            loop {
                match read(queue.as_raw_fd(), &mut self.scratch) {
                    Ok(len) => {
                        let packet = self.scratch.get(self.heading..len).unwrap_or_default();
                        note(&self.delivery, |d| d.taken(packet));
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        let capacity = self.capacity;
        let mut complaint = None;
        note(&self.delivery, |d| complaint = d.complaint(capacity));
        Ok(complaint)
    }

    /// Waits at most `timeout_ns` for a packet.
    pub fn wait(&self, timeout_ns: i64) -> io::Result<bool> {
        self.sniffer.wait(timeout_ns)
    }

    /// Reads what the lazy reader owes. A packet is seen before the driver has queued it, and some
    /// never get that far, so an empty queue is no error: the debt stays.
    fn read_owed(&mut self) -> io::Result<()> {
        for queue in &self.queues {
            while self.owed > 0 {
                match read(queue.as_raw_fd(), &mut self.scratch) {
                    Ok(len) => {
                        self.owed -= 1;
                        let packet = self.scratch.get(self.heading..len).unwrap_or_default();
                        note(&self.delivery, |d| d.taken(packet));
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Tun {
    fn drop(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.stop.store(true, Ordering::Relaxed);
            if let Some(thread) = drain.thread.take() {
                // The thread looks at the flag every time its wait ends.
                let _ = thread.join();
            }
        }
    }
}

impl Drain {
    fn start(
        queues: &[OwnedFd],
        heading: usize,
        delivery: &Arc<Mutex<Delivery>>,
    ) -> Result<Drain, SetError> {
        let delivery = Arc::clone(delivery);
        let fds: Vec<OwnedFd> = queues
            .iter()
            .map(OwnedFd::try_clone)
            .collect::<io::Result<_>>()
            .step(|| "duplicating the queues of the TUN device".into())?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("tun-reader".into())
            .spawn(move || {
                let mut buffer = vec![0u8; MAX_PACKET];
                while !flag.load(Ordering::Relaxed) {
                    for fd in &fds {
                        while let Ok(len) = read(fd.as_raw_fd(), &mut buffer) {
                            let packet = buffer.get(heading..len).unwrap_or_default();
                            note(&delivery, |d| d.taken(packet));
                        }
                    }
                    // One queue is watched; the others are looked at whenever it wakes or
                    // the wait ends.
                    let _ = sys::wait_readable(fds[0].as_raw_fd(), 50_000_000);
                }
            })
            .step(|| "starting the reader of the TUN device".into())?;
        Ok(Drain {
            stop,
            thread: Some(thread),
        })
    }
}

/// Reads one packet; returns its length.
fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of `buffer`.
    let len = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    check(len as i32).map(|len| len as usize)
}

/// Counting never panics, so a lock that was held when another thread ended is as good as any.
fn note(delivery: &Mutex<Delivery>, count: impl FnOnce(&mut Delivery)) {
    count(&mut delivery.lock().unwrap_or_else(|e| e.into_inner()));
}

fn flags(options: &TunOptions, vnet_header: bool) -> Result<(i16, u32), SetError> {
    let mut flags = IFF_NO_PI
        | match options.mode {
            TunMode::Tun => libc::IFF_TUN as i16,
            TunMode::Tap => libc::IFF_TAP as i16,
        };
    let queues = options.queues.max(1);
    if queues > 1 {
        flags |= IFF_MULTI_QUEUE;
    }
    for (wanted, flag) in [
        (options.napi, IFF_NAPI),
        (vnet_header, IFF_VNET_HDR),
        (options.backpressure, IFF_BACKPRESSURE),
    ] {
        if wanted {
            flags |= flag;
        }
    }
    let offered = features()?;
    for (flag, name) in [
        (IFF_MULTI_QUEUE, "IFF_MULTI_QUEUE"),
        (IFF_NAPI, "IFF_NAPI"),
        (IFF_VNET_HDR, "IFF_VNET_HDR"),
        (IFF_BACKPRESSURE, "IFF_BACKPRESSURE"),
    ] {
        if flags & flag != 0 && offered & flag == 0 {
            return Err(SetError::Unsupported(format!(
                "this tun driver has no {name} (TUNGETFEATURES: {:#x})",
                offered as u16
            )));
        }
    }
    Ok((flags, queues))
}

/// What the driver can do.
fn features() -> Result<i16, SetError> {
    let fd = open_device()?;
    let mut features: u32 = 0;
    // SAFETY: the argument points to an u32, which the driver writes.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNGETFEATURES as _, &raw mut features) })
        .step(|| "asking the tun driver for its features (TUNGETFEATURES)".into())?;
    Ok(features as i16)
}

fn open_device() -> Result<OwnedFd, SetError> {
    let mut errors = Vec::new();
    for path in ["/dev/net/tun", "/dev/tun"] {
        let name = sys::c_string(path).step(|| path.into())?;
        let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: a terminated string.
        match check(unsafe { libc::open(name.as_ptr(), flags) }) {
            // SAFETY: the descriptor is new and ours.
            Ok(fd) => return Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            Err(e) => errors.push(format!("{path}: {e}")),
        }
    }
    Err(SetError::Failed(format!(
        "opening the tun device: {}; is the tun driver loaded and the node there?",
        errors.join(", ")
    )))
}

fn open_queue(flags: i16) -> Result<OwnedFd, SetError> {
    let fd = open_device()?;
    let mut request = sys::interface_request(DEVICE).step(|| DEVICE.into())?;
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: the argument points to an ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETIFF as _, &raw mut request) })
        .step(|| format!("making {DEVICE} (TUNSETIFF, flags {:#x})", flags as u16))?;
    Ok(fd)
}

/// A device that is up and that nothing is routed to; it lives as long as the descriptor.
pub fn idle() -> Result<OwnedFd, SetError> {
    let fd = open_queue(IFF_NO_PI | libc::IFF_TUN as i16)?;
    let index = sys::interface_index(DEVICE).step(|| format!("looking up {DEVICE}"))?;
    Netlink::open()
        .and_then(|mut netlink| netlink.set_up(Link(index)))
        .step(|| format!("bringing {DEVICE} up"))?;
    Ok(fd)
}

fn set_queue_length(length: u32) -> Result<(), SetError> {
    let what = || format!("setting the queue length of {DEVICE} to {length}");
    let fd = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).step(what)?;
    let mut request = sys::interface_request(DEVICE).step(what)?;
    request.ifr_ifru.ifru_metric = length as i32;
    // SAFETY: the argument points to an ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCSIFTXQLEN as _, &raw mut request) })
        .step(what)?;
    Ok(())
}

/// Addresses and routes; returns the device's own link address.
fn link_address(config: &Config, mode: TunMode) -> Result<[u8; 6], SetError> {
    let index = sys::interface_index(DEVICE).step(|| format!("looking up {DEVICE}"))?;
    let link = Link(index);
    let mut netlink = Netlink::open().step(|| "opening a rtnetlink socket".into())?;
    netlink
        .set_mtu(link, config.mtu)
        .step(|| format!("setting the MTU of {DEVICE} to {}", config.mtu))?;
    let address = match mode {
        TunMode::Tun => [0; 6],
        TunMode::Tap => ethernet::address_of(DEVICE)?,
    };
    netlink
        .add_address(link, config.local, config.local_prefix)
        .step(|| format!("giving {DEVICE} the address {}", config.local))?;
    netlink
        .set_up(link)
        .step(|| format!("bringing {DEVICE} up"))?;
    let route = |gateway: Option<IpAddr>| Route {
        to: config.remote_network(),
        prefix: config.remote_prefix,
        link,
        gateway,
        source: None,
        kind: RouteKind::Unicast,
        metrics: None,
    };
    let what = || {
        format!(
            "routing {}/{} to {DEVICE}",
            config.remote, config.remote_prefix
        )
    };
    // Not every kernel takes one of its own addresses, or none of the link's, as a gateway.
    netlink
        .add_route(&route(Some(config.gateway)))
        .or_else(|_| netlink.add_route(&route(None)))
        .step(what)?;
    if mode == TunMode::Tap {
        for neighbour in [config.gateway, config.remote] {
            netlink
                .add_neighbour(link, neighbour, ethernet::PEER)
                .step(|| format!("making {neighbour} a neighbour on {DEVICE}"))?;
        }
    }
    Ok(address)
}
