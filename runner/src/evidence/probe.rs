//! `probe.txt`: what the retransmit function returned.

/// One return of the probed function.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeCall {
    /// Seconds on the script's clock.
    pub t: f64,
    /// Which function.
    pub function: String,
    /// What it returned: 0, or a negative errno.
    pub returned: i64,
}

impl ProbeCall {
    /// Reads one line, `SECONDS FUNCTION RETURN`.
    pub fn parse(line: &str) -> Result<ProbeCall, String> {
        let wrong = || format!("`{line}` is not `SECONDS FUNCTION RETURN`");
        let mut words = line.split_whitespace();
        let mut word = || words.next().ok_or_else(wrong);
        let t = word()?.parse().map_err(|_| wrong())?;
        let function = word()?.to_owned();
        let returned = word()?.parse().map_err(|_| wrong())?;
        Ok(ProbeCall {
            t,
            function,
            returned,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads() {
        let call = ProbeCall::parse("1.032001 tcp_retransmit_skb -16").unwrap();
        assert_eq!((call.t, call.returned), (1.032001, -16));
        assert!(ProbeCall::parse("1.0 tcp_retransmit_skb").is_err());
        assert!(ProbeCall::parse("x tcp_retransmit_skb 0").is_err());
    }
}
