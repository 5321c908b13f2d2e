//! `struct tcp_info` and what else code blocks may name.

/// A field of a structure that the kernel fills in, as code blocks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoField {
    /// Name.
    pub name: &'static str,
    /// Octets from the start of the structure to the integer that holds it.
    pub offset: usize,
    /// Octets of that integer: 1, 2, 4 or 8.
    pub size: usize,
    /// Bits below the field in that integer.
    pub shift: u32,
    /// Bits of the field.
    pub bits: u32,
}

impl InfoField {
    /// The field's value in `info`, the octets that the kernel returned in
    /// native order; `None` if the kernel's structure is too short to have it.
    #[must_use]
    pub fn read(&self, info: &[u8]) -> Option<u64> {
        let octets = info.get(self.offset..self.offset.checked_add(self.size)?)?;
        let mut wide = [0; 8];
        wide.get_mut(..self.size)?.copy_from_slice(octets);
        let value = u64::from_le_bytes(wide) >> self.shift;
        Some(if self.bits >= 64 {
            value
        } else {
            value & ((1 << self.bits) - 1)
        })
    }
}

/// A row of the tables below.
const fn field(name: &'static str, offset: usize, size: usize, shift: u32, bits: u32) -> InfoField {
    InfoField {
        name,
        offset,
        size,
        shift,
        bits,
    }
}

/// `struct tcp_info` as of Linux 7.3, in its order. Older kernels have a
/// shorter one.
pub const TCP_INFO: &[InfoField] = &[
    field("tcpi_state", 0, 1, 0, 8),
    field("tcpi_ca_state", 1, 1, 0, 8),
    field("tcpi_retransmits", 2, 1, 0, 8),
    field("tcpi_probes", 3, 1, 0, 8),
    field("tcpi_backoff", 4, 1, 0, 8),
    field("tcpi_options", 5, 1, 0, 8),
    field("tcpi_snd_wscale", 6, 1, 0, 4),
    field("tcpi_rcv_wscale", 6, 1, 4, 4),
    field("tcpi_delivery_rate_app_limited", 7, 1, 0, 1),
    field("tcpi_fastopen_client_fail", 7, 1, 1, 2),
    field("tcpi_rto", 8, 4, 0, 32),
    field("tcpi_ato", 12, 4, 0, 32),
    field("tcpi_snd_mss", 16, 4, 0, 32),
    field("tcpi_rcv_mss", 20, 4, 0, 32),
    field("tcpi_unacked", 24, 4, 0, 32),
    field("tcpi_sacked", 28, 4, 0, 32),
    field("tcpi_lost", 32, 4, 0, 32),
    field("tcpi_retrans", 36, 4, 0, 32),
    field("tcpi_fackets", 40, 4, 0, 32),
    field("tcpi_last_data_sent", 44, 4, 0, 32),
    field("tcpi_last_ack_sent", 48, 4, 0, 32),
    field("tcpi_last_data_recv", 52, 4, 0, 32),
    field("tcpi_last_ack_recv", 56, 4, 0, 32),
    field("tcpi_pmtu", 60, 4, 0, 32),
    field("tcpi_rcv_ssthresh", 64, 4, 0, 32),
    field("tcpi_rtt", 68, 4, 0, 32),
    field("tcpi_rttvar", 72, 4, 0, 32),
    field("tcpi_snd_ssthresh", 76, 4, 0, 32),
    field("tcpi_snd_cwnd", 80, 4, 0, 32),
    field("tcpi_advmss", 84, 4, 0, 32),
    field("tcpi_reordering", 88, 4, 0, 32),
    field("tcpi_rcv_rtt", 92, 4, 0, 32),
    field("tcpi_rcv_space", 96, 4, 0, 32),
    field("tcpi_total_retrans", 100, 4, 0, 32),
    field("tcpi_pacing_rate", 104, 8, 0, 64),
    field("tcpi_max_pacing_rate", 112, 8, 0, 64),
    field("tcpi_bytes_acked", 120, 8, 0, 64),
    field("tcpi_bytes_received", 128, 8, 0, 64),
    field("tcpi_segs_out", 136, 4, 0, 32),
    field("tcpi_segs_in", 140, 4, 0, 32),
    field("tcpi_notsent_bytes", 144, 4, 0, 32),
    field("tcpi_min_rtt", 148, 4, 0, 32),
    field("tcpi_data_segs_in", 152, 4, 0, 32),
    field("tcpi_data_segs_out", 156, 4, 0, 32),
    field("tcpi_delivery_rate", 160, 8, 0, 64),
    field("tcpi_busy_time", 168, 8, 0, 64),
    field("tcpi_rwnd_limited", 176, 8, 0, 64),
    field("tcpi_sndbuf_limited", 184, 8, 0, 64),
    field("tcpi_delivered", 192, 4, 0, 32),
    field("tcpi_delivered_ce", 196, 4, 0, 32),
    field("tcpi_bytes_sent", 200, 8, 0, 64),
    field("tcpi_bytes_retrans", 208, 8, 0, 64),
    field("tcpi_dsack_dups", 216, 4, 0, 32),
    field("tcpi_reord_seen", 220, 4, 0, 32),
    field("tcpi_rcv_ooopack", 224, 4, 0, 32),
    field("tcpi_snd_wnd", 228, 4, 0, 32),
    field("tcpi_rcv_wnd", 232, 4, 0, 32),
    field("tcpi_rehash", 236, 4, 0, 32),
    field("tcpi_total_rto", 240, 2, 0, 16),
    field("tcpi_total_rto_recoveries", 242, 2, 0, 16),
    field("tcpi_total_rto_time", 244, 4, 0, 32),
    field("tcpi_received_ce", 248, 4, 0, 32),
    field("tcpi_delivered_e1_bytes", 252, 4, 0, 32),
    field("tcpi_delivered_e0_bytes", 256, 4, 0, 32),
    field("tcpi_delivered_ce_bytes", 260, 4, 0, 32),
    field("tcpi_received_e1_bytes", 264, 4, 0, 32),
    field("tcpi_received_e0_bytes", 268, 4, 0, 32),
    field("tcpi_received_ce_bytes", 272, 4, 0, 32),
    field("tcpi_ecn_mode", 276, 4, 0, 2),
    field("tcpi_accecn_opt_seen", 276, 4, 2, 2),
    field("tcpi_accecn_fail_mode", 276, 4, 4, 4),
    field("tcpi_options2", 276, 4, 8, 24),
];

/// `union tcp_cc_info`: what `TCP_CC_INFO` returns, by congestion control.
pub const TCP_CC_INFO: &[InfoField] = &[
    field("tcpv_enabled", 0, 4, 0, 32),
    field("tcpv_rttcnt", 4, 4, 0, 32),
    field("tcpv_rtt", 8, 4, 0, 32),
    field("tcpv_minrtt", 12, 4, 0, 32),
    field("bbr_bw_lo", 0, 4, 0, 32),
    field("bbr_bw_hi", 4, 4, 0, 32),
    field("bbr_min_rtt", 8, 4, 0, 32),
    field("bbr_pacing_gain", 12, 4, 0, 32),
    field("bbr_cwnd_gain", 16, 4, 0, 32),
    field("dctcp_enabled", 0, 2, 0, 16),
    field("dctcp_ce_state", 2, 2, 0, 16),
    field("dctcp_alpha", 4, 4, 0, 32),
    field("dctcp_ab_ecn", 8, 4, 0, 32),
    field("dctcp_ab_tot", 12, 4, 0, 32),
];

/// What `SO_MEMINFO` returns: 32-bit integers, in this order.
pub const SK_MEMINFO: &[InfoField] = &[
    field("SK_MEMINFO_RMEM_ALLOC", 0, 4, 0, 32),
    field("SK_MEMINFO_RCVBUF", 4, 4, 0, 32),
    field("SK_MEMINFO_WMEM_ALLOC", 8, 4, 0, 32),
    field("SK_MEMINFO_SNDBUF", 12, 4, 0, 32),
    field("SK_MEMINFO_FWD_ALLOC", 16, 4, 0, 32),
    field("SK_MEMINFO_WMEM_QUEUED", 20, 4, 0, 32),
    field("SK_MEMINFO_OPTMEM", 24, 4, 0, 32),
    field("SK_MEMINFO_BACKLOG", 28, 4, 0, 32),
    field("SK_MEMINFO_DROPS", 32, 4, 0, 32),
];
