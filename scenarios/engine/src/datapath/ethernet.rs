//! Ethernet headers, for TAP.

use std::os::fd::AsRawFd;

use super::{SetError, Step};
use crate::sys::{self, check};

/// The peer's address: locally administered.
pub const PEER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// The header in front of an IP packet to the device.
pub fn header(to: [u8; 6], packet: &[u8]) -> [u8; 14] {
    let kind: u16 = match packet.first().map(|b| b >> 4) {
        Some(6) => libc::ETH_P_IPV6 as u16,
        _ => libc::ETH_P_IP as u16,
    };
    let mut header = [0; 14];
    header[..6].copy_from_slice(&to);
    header[6..12].copy_from_slice(&PEER);
    header[12..].copy_from_slice(&kind.to_be_bytes());
    header
}

/// A device's own address.
pub fn address_of(device: &str) -> Result<[u8; 6], SetError> {
    let what = || format!("asking for the link address of {device}");
    let fd = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).step(what)?;
    let mut request = sys::interface_request(device).step(what)?;
    // SAFETY: the argument points to an ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request) })
        .step(what)?;
    // SAFETY: the ioctl has filled in the hardware address.
    let data = unsafe { request.ifr_ifru.ifru_hwaddr.sa_data };
    Ok(std::array::from_fn(|i| data[i] as u8))
}
