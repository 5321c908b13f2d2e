//! What was seen by hand before there was a farm, to be put beside what is measured.

use serde::{Deserialize, Serialize};

/// What the article that started this project saw of the same connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// The kernel it was seen on.
    pub kernel: String,
    /// What `ss` showed, in order.
    pub trace: Vec<Seen>,
    /// Why the farm's own trace is not the same.
    pub differences: Vec<String>,
}

/// One look of `ss` at the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// When, in the article's words.
    pub when: String,
    /// The state as `ss` names it; `GONE` once the connection no longer exists.
    pub state: String,
    /// The retransmission time-out in milliseconds.
    #[serde(default)]
    pub rto_ms: Option<u32>,
    /// The delayed-acknowledgement time-out in milliseconds.
    #[serde(default)]
    pub ato_ms: Option<u32>,
    /// Smoothed round-trip time and its variation in milliseconds.
    #[serde(default)]
    pub rtt_ms: Option<(u32, u32)>,
    /// Receive and send queue in bytes.
    #[serde(default)]
    pub queues: Option<(u32, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_a_list_of_looks() {
        let article: Article = tunfarm_config::parse(
            "{kernel: 2.6.32, differences: [], trace: [{when: at once, state: CLOSING, \
             rto_ms: 2000, rtt_ms: [50, 25]}]}",
            std::path::Path::new("article.yaml"),
        )
        .unwrap();
        let seen = &article.trace[0];
        assert_eq!((seen.rto_ms, seen.rtt_ms), (Some(2000), Some((50, 25))));
        assert_eq!(seen.ato_ms, None);
    }
}
