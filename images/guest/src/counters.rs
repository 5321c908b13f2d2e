//! The kernel's SNMP and TcpExt counters, before and after.

use std::collections::BTreeMap;

use tunfarm_protocol::Counters;

use crate::sys;

/// Counters at one moment, by the names `nstat` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading(BTreeMap<String, i64>);

impl Reading {
    /// Reads all there are; a file this kernel does not have adds nothing.
    pub fn take() -> Reading {
        let mut reading = Reading::default();
        for name in ["snmp", "netstat"] {
            reading.add_tables(&sys::read_net(name).unwrap_or_default());
        }
        reading.add_list(&sys::read_net("snmp6").unwrap_or_default());
        reading
    }

    /// How far each moved since `before`; what did not move is left out.
    pub fn since(&self, before: &Reading) -> Counters {
        let moved = |(name, now): (&String, &i64)| {
            let delta = now.wrapping_sub(before.0.get(name).copied().unwrap_or(0));
            (delta != 0).then(|| (name.clone(), delta))
        };
        self.0.iter().filter_map(moved).collect()
    }

    /// Pairs of lines, names and values, that begin with the same word: `Tcp: InSegs …`.
    fn add_tables(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let (Some((group, names)), Some((_, values))) =
                (names.split_once(':'), values.split_once(':'))
            else {
                continue;
            };
            for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
                self.add(&format!("{group}{name}"), value);
            }
        }
    }

    /// A name and a value a line.
    fn add_list(&mut self, text: &str) {
        for line in text.lines() {
            let mut fields = line.split_whitespace();
            if let (Some(name), Some(value)) = (fields.next(), fields.next()) {
                self.add(name, value);
            }
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        // Counters are unsigned, but a few are limits that may be -1.
        let value = value
            .parse::<i64>()
            .or_else(|_| value.parse::<u64>().map(|v| v as i64));
        if let Ok(value) = value {
            self.0.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Tcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 4\n\
        TcpExt: TCPTimeouts TCPRetransFail\nTcpExt: 0 0\n";
    const AFTER: &str = "Tcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 13\n\
        TcpExt: TCPTimeouts TCPRetransFail\nTcpExt: 9 0\n";

    fn reading(tables: &str, list: &str) -> Reading {
        let mut r = Reading::default();
        r.add_tables(tables);
        r.add_list(list);
        r
    }

    #[test]
    fn names_are_nstats_and_only_what_moved_is_there() {
        let before = reading(BEFORE, "Ip6InReceives   \t5\n");
        let after = reading(AFTER, "Ip6InReceives   \t7\nIp6New 18446744073709551615\n");
        let moved: Vec<_> = after.since(&before).into_iter().collect();
        let expected = [
            ("Ip6InReceives", 2),
            ("Ip6New", -1),
            ("TcpExtTCPTimeouts", 9),
            ("TcpRetransSegs", 9),
        ];
        assert_eq!(moved, expected.map(|(n, d)| (n.to_owned(), d)));
    }

    #[test]
    fn rubbish_is_no_counter() {
        assert_eq!(
            reading("no colon\nhere\nTcp: A\n", "lonely\n"),
            Reading::default()
        );
    }

    #[test]
    fn this_kernel_counts() {
        assert!(Reading::take().0.contains_key("TcpRetransSegs"));
    }
}
