//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

/// A running one's-complement sum over big-endian words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes; an odd last byte counts as the high half of a word, so only the last piece may
    /// have an odd length.
    pub fn bytes(mut self, data: &[u8]) -> Sum {
        let (words, last) = data.as_chunks::<2>();
        for word in words {
            self.0 += u64::from(u16::from_be_bytes(*word));
        }
        if let [byte] = last {
            self.0 += u64::from(*byte) << 8;
        }
        self
    }

    /// Adds the pseudo-header of `protocol` (RFC 9293 §3.1, RFC 8200 §8.1).
    pub fn pseudo_header(self, from: IpAddr, to: IpAddr, protocol: u8, len: usize) -> Sum {
        let sum = match (from, to) {
            (IpAddr::V4(a), IpAddr::V4(b)) => self.bytes(&a.octets()).bytes(&b.octets()),
            (a, b) => self.bytes(&to_v6(a)).bytes(&to_v6(b)),
        };
        Sum(sum.0 + u64::from(protocol) + len as u64)
    }

    /// The value for the checksum field; over data that contains a right checksum it is 0.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }
}

fn to_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // RFC 1071 §3: the sum of these bytes is ddf2 (with carries folded).
        let sum = Sum::default().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn an_odd_byte_is_padded_with_zero() {
        let odd = Sum::default().bytes(&[1, 2, 3]).finish();
        assert_eq!(odd, Sum::default().bytes(&[1, 2, 3, 0]).finish());
    }
}
