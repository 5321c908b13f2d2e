//! What the driver was given and what its reader got: a driver that loses, doubles or changes
//! packets is seen here, whatever the script expected.

use std::collections::BTreeMap;

/// Counts of TCP packets by their content.
#[derive(Debug, Default)]
pub struct Delivery {
    given: BTreeMap<u64, u32>,
    taken: BTreeMap<u64, u32>,
}

impl Delivery {
    /// The stack gave this packet (from its IP header on) to the driver.
    pub fn given(&mut self, packet: &[u8]) {
        count(&mut self.given, packet);
    }

    /// The driver's reader got it.
    pub fn taken(&mut self, packet: &[u8]) {
        count(&mut self.taken, packet);
    }

    /// What is wrong, once the queue has been emptied; `capacity` is the queue's length: what the
    /// stack gave beyond it may rightly be lost.
    pub fn complaint(&self, capacity: u32) -> Option<String> {
        let sum = |counts: &BTreeMap<u64, u32>| counts.values().sum::<u32>();
        let (given, taken) = (sum(&self.given), sum(&self.taken));
        let twice: u32 = self
            .given
            .iter()
            .map(|(packet, n)| self.taken.get(packet).map_or(0, |t| t.saturating_sub(*n)))
            .sum();
        let altered: u32 = self
            .taken
            .iter()
            .filter(|(p, _)| !self.given.contains_key(p))
            .map(|(_, n)| n)
            .sum();
        if altered > 0 {
            return Some(format!(
                "the driver delivered {altered} packets that the stack never gave it (of {taken})"
            ));
        }
        if twice > 0 {
            return Some(format!(
                "the driver delivered {twice} of {given} packets twice"
            ));
        }
        let lost = given.saturating_sub(taken);
        if lost > 0 && given <= capacity {
            return Some(format!(
                "the driver lost {lost} of the {given} packets that the stack gave it"
            ));
        }
        None
    }
}

const TCP: u8 = 6;

/// Only TCP: router solicitations and their like begin before anybody counts.
fn count(counts: &mut BTreeMap<u64, u32>, packet: &[u8]) {
    let protocol = match packet.first().map(|b| b >> 4) {
        Some(4) => packet.get(9),
        Some(6) => packet.get(6),
        _ => None,
    };
    if protocol == Some(&TCP) {
        // FNV-1a, 64 bits: told apart are some hundred packets of one run.
        let hash = packet.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3)
        });
        *counts.entry(hash).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(n: u8) -> Vec<u8> {
        let mut packet = vec![0; 40];
        (packet[0], packet[9], packet[39]) = (0x45, TCP, n);
        packet
    }

    fn complaint(given: &[u8], taken: &[u8], capacity: u32) -> Option<String> {
        let mut delivery = Delivery::default();
        given.iter().for_each(|n| delivery.given(&packet(*n)));
        taken.iter().for_each(|n| delivery.taken(&packet(*n)));
        delivery.complaint(capacity)
    }

    #[test]
    fn a_driver_delivers_each_packet_once_and_unchanged() {
        assert_eq!(complaint(&[1, 2, 2], &[2, 1, 2], 500), None);
        let lost = complaint(&[1, 2], &[1], 500).unwrap();
        assert_eq!(
            lost,
            "the driver lost 1 of the 2 packets that the stack gave it"
        );
        assert!(complaint(&[1], &[1, 1], 500).unwrap().contains("twice"));
        assert!(
            complaint(&[1], &[9], 500)
                .unwrap()
                .contains("never gave it")
        );
    }

    #[test]
    fn a_queue_that_was_too_short_may_lose_packets() {
        assert_eq!(complaint(&[1, 2, 3], &[1, 2], 2), None);
    }

    #[test]
    fn what_is_not_tcp_does_not_count() {
        let mut delivery = Delivery::default();
        delivery.given(&[0x60; 48]);
        delivery.given(&[]);
        assert_eq!(delivery.complaint(500), None);
    }
}
