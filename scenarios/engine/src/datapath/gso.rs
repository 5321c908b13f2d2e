//! Super-segments: what the stack is told about them.

/// Length of `struct virtio_net_hdr` without mergeable buffers.
pub const VNET_HEADER: usize = 10;

/// How a super-segment is to be cut (`struct virtio_net_hdr`).
#[derive(Clone, Copy, Debug)]
pub struct Gso {
    /// IPv6.
    pub v6: bool,
    /// Bytes of payload in each segment.
    pub size: u16,
}

/// The header in front of a packet, `gso` if it is a super-segment.
///
/// `linear` bytes of it shall lie in one piece, 0 for all: a packet in one piece takes more memory
/// than its length, and the receive window of the kernel's scripts counts on that.
pub fn vnet_header(gso: Option<Gso>, linear: u16) -> [u8; VNET_HEADER] {
    // flags, gso_type (0 none, 1 TCPV4, 4 TCPV6), hdr_len, gso_size, csum_start, csum_offset.
    // No VIRTIO_NET_HDR_F_NEEDS_CSUM: the checksum of the whole is right already.
    let (kind, size) = match gso {
        None => (0, 0),
        Some(Gso { v6: false, size }) => (1, size),
        Some(Gso { v6: true, size }) => (4, size),
    };
    let [h0, h1] = linear.to_ne_bytes();
    let [s0, s1] = size.to_ne_bytes();
    [0, kind, h0, h1, s0, s1, 0, 0, 0, 0]
}
