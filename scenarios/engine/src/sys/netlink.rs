//! The few rtnetlink requests that set a stage: links, addresses, routes, neighbours.
//!
//! Message layouts: rtnetlink(7), `linux/rtnetlink.h`, `linux/if_link.h`.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{check, socket};

const RTA_ALIGN: usize = 4;
/// `RTAX_MTU` and `RTAX_ADVMSS` of `linux/rtnetlink.h`.
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;
/// `IFLA_XDP` and the attributes inside it, of `linux/if_link.h`.
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_FLAGS: u16 = 3;
const XDP_FLAGS_SKB_MODE: u32 = 2;
const NLA_F_NESTED: u16 = 0x8000;

/// A link by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(pub u32);

/// Which kind of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Through a device.
    Unicast,
    /// To this host.
    Local,
}

/// A route to be made.
#[derive(Clone, Debug)]
pub struct Route {
    /// Destination prefix.
    pub to: IpAddr,
    /// Its length in bits.
    pub prefix: u8,
    /// Device.
    pub link: Link,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Preferred source.
    pub source: Option<IpAddr>,
    /// Kind.
    pub kind: RouteKind,
    /// `mtu` and `advmss` in bytes, where the device's own do not fit.
    pub metrics: Option<(u32, u32)>,
}

/// A rtnetlink socket.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens one.
    pub fn open() -> io::Result<Netlink> {
        let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        Ok(Netlink { fd, sequence: 0 })
    }

    /// Brings a link up.
    pub fn set_up(&mut self, link: Link) -> io::Result<()> {
        self.change_link(link, libc::IFF_UP as u32, &mut Message::new())
    }

    /// Makes a link of the `dummy` driver, and brings it up.
    pub fn add_dummy(&mut self, name: &str) -> io::Result<()> {
        let mut message = Message::new();
        message.put(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        message.put(&0u32.to_ne_bytes());
        message.put(&(libc::IFF_UP as u32).to_ne_bytes());
        message.put(&(libc::IFF_UP as u32).to_ne_bytes());
        message.attribute(libc::IFLA_IFNAME, &[name.as_bytes(), &[0]].concat());
        let mut kind = Message::new();
        kind.attribute(libc::IFLA_INFO_KIND, b"dummy\0");
        message.attribute(libc::IFLA_LINKINFO, &kind.0);
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.request(libc::RTM_NEWLINK, flags, &message)
    }

    /// Sets a link's MTU.
    pub fn set_mtu(&mut self, link: Link, mtu: u32) -> io::Result<()> {
        let mut attributes = Message::new();
        attributes.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        self.change_link(link, 0, &mut attributes)
    }

    /// Attaches an XDP program in generic mode (Linux 4.12).
    pub fn set_xdp(&mut self, link: Link, program: RawFd) -> io::Result<()> {
        let mut inner = Message::new();
        inner.attribute(IFLA_XDP_FD, &program.to_ne_bytes());
        inner.attribute(IFLA_XDP_FLAGS, &XDP_FLAGS_SKB_MODE.to_ne_bytes());
        let mut attributes = Message::new();
        attributes.attribute(IFLA_XDP | NLA_F_NESTED, &inner.0);
        self.change_link(link, 0, &mut attributes)
    }

    fn change_link(&mut self, link: Link, up: u32, attributes: &mut Message) -> io::Result<()> {
        let mut message = Message::new();
        message.put(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        message.put(&link.0.to_ne_bytes());
        message.put(&up.to_ne_bytes());
        message.put(&up.to_ne_bytes());
        message.0.append(&mut attributes.0);
        self.request(libc::RTM_NEWLINK, 0, &message)
    }

    /// Gives a link an address; one that it has already is fine.
    pub fn add_address(&mut self, link: Link, address: IpAddr, prefix: u8) -> io::Result<()> {
        // IFA_F_NODAD: the address is used at once.
        let flags = if address.is_ipv6() { 0x02 } else { 0 };
        let mut message = Message::new();
        message.put(&[family(address), prefix, flags, 0]);
        message.put(&link.0.to_ne_bytes());
        message.attribute(libc::IFA_LOCAL, &octets(address));
        message.attribute(libc::IFA_ADDRESS, &octets(address));
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        match self.request(libc::RTM_NEWADDR, flags, &message) {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Makes or replaces a route in the main table.
    pub fn add_route(&mut self, route: &Route) -> io::Result<()> {
        let kind = match route.kind {
            RouteKind::Unicast => libc::RTN_UNICAST,
            RouteKind::Local => libc::RTN_LOCAL,
        };
        let scope = match (route.kind, route.gateway) {
            (RouteKind::Local, _) => libc::RT_SCOPE_HOST,
            (RouteKind::Unicast, Some(_)) => libc::RT_SCOPE_UNIVERSE,
            (RouteKind::Unicast, None) => libc::RT_SCOPE_LINK,
        };
        let mut message = Message::new();
        message.put(&[
            family(route.to),
            route.prefix,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            scope,
            kind,
        ]);
        message.put(&0u32.to_ne_bytes());
        message.attribute(libc::RTA_DST, &octets(route.to));
        message.attribute(libc::RTA_OIF, &route.link.0.to_ne_bytes());
        if let Some(gateway) = route.gateway {
            message.attribute(libc::RTA_GATEWAY, &octets(gateway));
        }
        if let Some(source) = route.source {
            message.attribute(libc::RTA_PREFSRC, &octets(source));
        }
        if let Some((mtu, advmss)) = route.metrics {
            let mut inner = Message::new();
            inner.attribute(RTAX_MTU, &mtu.to_ne_bytes());
            inner.attribute(RTAX_ADVMSS, &advmss.to_ne_bytes());
            message.attribute(libc::RTA_METRICS, &inner.0);
        }
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.request(libc::RTM_NEWROUTE, flags, &message)
    }

    /// Makes a permanent neighbour, so that nobody is asked for a link-layer address.
    pub fn add_neighbour(
        &mut self,
        link: Link,
        address: IpAddr,
        link_layer: [u8; 6],
    ) -> io::Result<()> {
        let mut message = Message::new();
        message.put(&[family(address), 0, 0, 0]);
        message.put(&link.0.to_ne_bytes());
        message.put(&libc::NUD_PERMANENT.to_ne_bytes());
        message.put(&[0, libc::RTN_UNICAST]);
        message.attribute(libc::NDA_DST, &octets(address));
        message.attribute(libc::NDA_LLADDR, &link_layer);
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.request(libc::RTM_NEWNEIGH, flags, &message)
    }

    fn request(&mut self, kind: u16, flags: i32, body: &Message) -> io::Result<()> {
        self.sequence += 1;
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        let mut bytes = Vec::with_capacity(16 + body.0.len());
        bytes.extend(((16 + body.0.len()) as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend_from_slice(&body.0);
        // SAFETY: pointer and length are those of `bytes`.
        let sent = unsafe {
            libc::send(
                self.fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
            )
        };
        check(sent as i32)?;
        let mut answer = [0u8; 8192];
        // SAFETY: pointer and length are those of `answer`.
        let len = unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                answer.as_mut_ptr().cast(),
                answer.len(),
                0,
            )
        };
        check(len as i32)?;
        match answer.get(..20) {
            // nlmsghdr, then nlmsgerr begins with the negated errno.
            Some(head) if u16::from_ne_bytes([head[4], head[5]]) == libc::NLMSG_ERROR as u16 => {
                match i32::from_ne_bytes([head[16], head[17], head[18], head[19]]) {
                    0 => Ok(()),
                    errno => Err(io::Error::from_raw_os_error(-errno)),
                }
            }
            _ => Err(io::Error::from_raw_os_error(libc::EPROTO)),
        }
    }
}

/// A message body under construction.
struct Message(Vec<u8>);

impl Message {
    fn new() -> Message {
        Message(Vec::new())
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.put(&((4 + value.len()) as u16).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        while !self.0.len().is_multiple_of(RTA_ALIGN) {
            self.0.push(0);
        }
    }
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned() {
        let mut message = Message::new();
        message.attribute(1, b"abcde");
        assert_eq!(message.0.len(), 12);
        assert_eq!(message.0[..2], 9u16.to_ne_bytes());
    }
}
