//! Classic pcap, written by hand: a header of 24 bytes, then 16 before each packet (the format of
//! libpcap's `pcap-savefile(5)`).

use super::Packet;

/// Raw IP; the version is in the packet's first four bits.
const LINKTYPE_RAW: u32 = 101;
/// The longest packet the file may speak of, as tcpdump announces it. Fewer bytes are kept of each,
/// but some readers refuse a packet that was longer than this.
const MAX_LENGTH: u32 = 262_144;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;

/// A file of these packets with times on the script's clock, so that its start is the year 1970.
/// Packets from before it belong to the setting-up and are left out.
pub fn write(packets: &[Packet], zero_ns: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + packets.iter().map(|p| p.data.len() + 16).sum::<usize>());
    out.extend_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
    out.extend_from_slice(&2u16.to_le_bytes());
    out.extend_from_slice(&4u16.to_le_bytes());
    for word in [0, 0, MAX_LENGTH, LINKTYPE_RAW] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for packet in packets {
        let Ok(us) = u64::try_from((packet.at_ns - zero_ns).div_euclid(1000)) else {
            continue;
        };
        let words = [
            us / 1_000_000,
            us % 1_000_000,
            packet.data.len() as u64,
            packet.length as u64,
        ];
        for word in words {
            out.extend_from_slice(&(word as u32).to_le_bytes());
        }
        out.extend_from_slice(&packet.data);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_scripts_and_the_set_up_is_left_out() {
        let packet = |at_ns| Packet {
            at_ns,
            length: 1500,
            data: vec![0x45, 0],
        };
        let file = write(&[packet(999), packet(3_000_400_000_999)], 1_000);
        assert_eq!(file.len(), 24 + 16 + 2);
        assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
        assert_eq!(file[20..24], [101, 0, 0, 0]);
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(
            [word(24), word(28), word(32), word(36)],
            [3000, 399_999, 2, 1500]
        );
        assert_eq!(file[40..], [0x45, 0]);
    }
}
