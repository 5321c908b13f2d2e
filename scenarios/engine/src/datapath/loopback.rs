//! The loopback datapath: the control, which orphans in its own transmit function.
//!
//! `lo` has the local address and the route to the remote prefix. A packet of the stack leaves
//! through `lo` (there it is seen) and comes back in, where it must end:
//!
//! * IPv4: the packet keeps its route, which is an output route and delivers nowhere; and as its
//!   source is one of the host's own addresses it would be a martian anyway.
//! * IPv6: a unicast route on `lo` would be a reject route (`ip6_route_info_create()`), so the
//!   remote prefix is a `local` one, and a BPF program drops at ingress what goes to it.

use std::io;
use std::os::fd::OwnedFd;

use super::{Gso, SetError, Step, drop_filter, tun};
use crate::config::Config;
use crate::sniff::{LargeSender, Seen, Sniffer};
use crate::sys::{self, Link, Netlink, Route, RouteKind};

/// Name of the device.
pub const DEVICE: &str = "lo";

/// The loopback device with addresses and routes.
pub struct Loopback {
    sniffer: Sniffer,
    /// Absent before Linux 2.6.27.
    large: Option<LargeSender>,
    /// Keeps an idle TUN device alive.
    stand_in: Option<OwnedFd>,
    /// Keeps the filter attached that ends what the stack sends.
    _echo_filter: Option<OwnedFd>,
}

impl Loopback {
    /// Makes a device that is called as the TUN device would be, for commands that configure it
    /// (`tc qdisc add dev tun0 …`): a dummy, or an idle TUN device where there is no dummy driver.
    /// No packet of the script passes it. Without either such commands fail, and say so.
    pub fn add_stand_in(&mut self) {
        let dummy = Netlink::open().and_then(|mut netlink| netlink.add_dummy(tun::DEVICE));
        if dummy.is_err() {
            self.stand_in = tun::idle().ok();
        }
    }
}

impl Loopback {
    /// Prepares it.
    pub fn set(config: &Config) -> Result<Loopback, SetError> {
        let index = sys::interface_index(DEVICE).step(|| format!("looking up {DEVICE}"))?;
        let link = Link(index);
        let mut netlink = Netlink::open().step(|| "opening a rtnetlink socket".into())?;
        netlink
            .set_up(link)
            .step(|| format!("bringing {DEVICE} up"))?;
        let host = if config.local.is_ipv4() { 32 } else { 128 };
        netlink
            .add_address(link, config.local, host)
            .step(|| format!("giving {DEVICE} the address {}", config.local))?;
        let mut echo_filter = None;
        if config.local.is_ipv4() {
            // The injected packets' source is routed to `lo`, which a strict filter would accept;
            // a host's policy for "all" may still differ.
            for name in ["net/ipv4/conf/all/rp_filter", "net/ipv4/conf/lo/rp_filter"] {
                sys::write_sysctl(name, "0").step(|| format!("setting {name} to 0"))?;
            }
        } else {
            echo_filter = drop_filter::attach(&mut netlink, link, config)?;
        }
        // lo keeps its MTU of 65536, or large injected packets would not fit; what the stack
        // believes of the path is on the route.
        let headers = if config.local.is_ipv4() { 40 } else { 60 };
        netlink
            .add_route(&Route {
                to: config.remote_network(),
                prefix: config.remote_prefix,
                link,
                gateway: None,
                source: config.local.is_ipv4().then_some(config.local),
                kind: if config.local.is_ipv4() {
                    RouteKind::Unicast
                } else {
                    RouteKind::Local
                },
                metrics: Some((config.mtu, config.mtu.saturating_sub(headers))),
            })
            .step(|| {
                format!(
                    "routing {}/{} to {DEVICE}",
                    config.remote, config.remote_prefix
                )
            })?;
        let sniffer = Sniffer::open(DEVICE)
            .step(|| format!("opening an AF_PACKET socket on {DEVICE} (CONFIG_PACKET)"))?;
        let large = LargeSender::open(index);
        if let (Err(error), true) = (&large, config.mss > 0) {
            return Err(SetError::Unsupported(format!(
                "super-segments over {DEVICE} (PACKET_VNET_HDR): {error}"
            )));
        }
        Ok(Loopback {
            sniffer,
            large: large.ok(),
            stand_in: None,
            _echo_filter: echo_filter,
        })
    }

    /// Puts a packet into the stack.
    pub fn inject(&mut self, packet: &[u8], gso: Option<Gso>) -> io::Result<()> {
        match &self.large {
            Some(sender) if gso.is_some() || packet.len() > LargeSender::ONE_PAGE => {
                sender.send(packet, gso)
            }
            _ => self.sniffer.send(packet),
        }
    }

    /// The next packet that left the stack. The same packet coming in again is passed over, and
    /// so are our own injections, which a packet socket does not see itself send.
    pub fn next_outgoing(&mut self) -> io::Result<Option<Seen>> {
        self.sniffer.next_outgoing()
    }

    /// Waits at most `timeout_ns` for a packet.
    pub fn wait(&self, timeout_ns: i64) -> io::Result<bool> {
        self.sniffer.wait(timeout_ns)
    }
}
