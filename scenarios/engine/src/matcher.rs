//! Compares what a line expects with what came, field by field.

use std::fmt::Display;

use tunfarm_lang::ast;
use tunfarm_protocol::Mismatch;

use crate::config::Config;
use crate::flows::Flow;
use crate::packet::{Packet, Tcp, TcpFlags, TcpOption, Transport, show_options};
use crate::translate;

/// What differs between a line and a live packet of its flow. Ties the script's TCP timestamps
/// to the live ones on the way.
///
/// # Errors
/// The line cannot be understood (a name that is not defined).
pub fn compare(
    line: &ast::Packet,
    actual: &Packet,
    flow: &mut Flow,
    config: &Config,
) -> Result<Vec<Mismatch>, String> {
    let mut differ = Differ::default();
    match (&line.body, &actual.transport) {
        (ast::PacketBody::Tcp(wanted), Transport::Tcp(live)) => {
            let tcp = flow.to_script(live);
            compare_tcp(&mut differ, wanted, &tcp, actual.payload.len());
            compare_options(&mut differ, wanted, &tcp, flow, config)?;
        }
        (ast::PacketBody::Udp(wanted), Transport::Udp(_)) => {
            differ.field(
                "payload length",
                usize::from(wanted.payload_len.node),
                actual.payload.len(),
            );
        }
        (ast::PacketBody::Icmp(_), Transport::Icmp(_)) => {}
        (wanted, other) => differ.field("protocol", name_of(wanted), protocol_name(other)),
    }
    compare_ip(&mut differ, &line.ip, actual);
    Ok(differ.found)
}

fn name_of(body: &ast::PacketBody) -> &'static str {
    match body {
        ast::PacketBody::Tcp(_) => "tcp",
        ast::PacketBody::Udp(_) => "udp",
        ast::PacketBody::Icmp(_) => "icmp",
    }
}

fn protocol_name(transport: &Transport) -> &'static str {
    match transport {
        Transport::Tcp(_) => "tcp",
        Transport::Udp(_) => "udp",
        Transport::Icmp(_) => "icmp",
        Transport::Other(_) => "another",
    }
}

/// Collects differences.
#[derive(Default)]
struct Differ {
    found: Vec<Mismatch>,
}

impl Differ {
    fn field<T: PartialEq + Display>(&mut self, field: &str, expected: T, actual: T) {
        if expected != actual {
            self.add(field, expected.to_string(), actual.to_string());
        }
    }

    fn add(&mut self, field: &str, expected: String, actual: String) {
        self.found.push(Mismatch {
            field: field.into(),
            expected,
            actual,
        });
    }
}

fn compare_tcp(differ: &mut Differ, wanted: &ast::TcpPacket, tcp: &Tcp, payload: usize) {
    let flags = TcpFlags(wanted.flags.node.header_bits());
    match wanted.flags.node.ace {
        // A digit is about ACE as a number; show it as one.
        Some(ace) if ace != tcp.flags.ace() => {
            differ.field("ACE", ace, tcp.flags.ace());
            let rest = |f: TcpFlags| TcpFlags(f.0 & !0x1c0).to_string();
            differ.field("flags", rest(flags), rest(tcp.flags));
        }
        _ => differ.field("flags", flags.to_string(), tcp.flags.to_string()),
    }
    differ.field("reserved bits", 0, tcp.flags.0 & TcpFlags::RESERVED.0);
    let sequence = wanted.sequence.node;
    differ.field("seq", sequence.start, tcp.seq);
    differ.field("payload length", sequence.payload_len as usize, payload);
    match (&wanted.ack, tcp.flags.has(TcpFlags::ACK)) {
        (Some(ack), _) => differ.field("ack", ack.node, tcp.ack),
        // The flag differs then, and is named above.
        (None, true) => {}
        (None, false) => differ.field("ack", 0, tcp.ack),
    }
    if let Some(window) = &wanted.window {
        differ.field("window", window.node, tcp.window);
    }
    if let Some(urgent) = &wanted.urgent {
        differ.field("urgent pointer", urgent.node, tcp.urgent);
    }
}

fn compare_options(
    differ: &mut Differ,
    wanted: &ast::TcpPacket,
    tcp: &Tcp,
    flow: &mut Flow,
    config: &Config,
) -> Result<(), String> {
    if wanted.options == ast::TcpOptions::Any {
        // Unchecked, but an echo in a later line may want the timestamp.
        return Ok(());
    }
    let mut expected = translate::tcp_options(&wanted.options, config)?;
    let digest_matters = digests(&wanted.options);
    for (wanted, live) in expected.iter_mut().zip(&tcp.options) {
        match (wanted, live) {
            (TcpOption::Timestamp { val, .. }, TcpOption::Timestamp { val: live_val, .. }) => {
                let moved = flow.stamp(*val, *live_val);
                if config.ts_tick_us > 0 {
                    let tick = i64::from(config.ts_tick_us);
                    let slack = (config.tolerance_us / tick).max(1);
                    if moved.abs() > slack {
                        differ.add(
                            "option TS val",
                            format!("{val} (within {slack} ticks)"),
                            format!("{}", i64::from(*val) + moved),
                        );
                    }
                }
                *val = *live_val;
            }
            (TcpOption::Md5(digest), TcpOption::Md5(live)) if !digest_matters => {
                *digest = *live;
            }
            _ => {}
        }
    }
    if expected != tcp.options {
        // With the script's own TS val, so that only true differences meet the eye.
        differ.add(
            "options",
            show_options(&expected),
            show_options(&tcp.options),
        );
    }
    Ok(())
}

fn digests(options: &ast::TcpOptions) -> bool {
    match options {
        ast::TcpOptions::List(list) => list
            .iter()
            .any(|o| matches!(o.node, ast::TcpOption::Md5(Some(_)))),
        _ => false,
    }
}

fn compare_ip(differ: &mut Differ, wanted: &ast::IpInfo, actual: &Packet) {
    let ip = &actual.ip;
    if let Some(ecn) = &wanted.ecn {
        let live = ip.tos & 3;
        let right = match ecn.node {
            ast::IpEcn::Ect01 => live == 1 || live == 2,
            other => live == translate::ecn_bits(other),
        };
        if !right {
            differ.add("ECN", ecn_name(ecn.node).into(), ecn_of(live).into());
        }
    }
    if let Some(tos) = &wanted.tos {
        differ.field("tos", format!("{:#x}", tos.node), format!("{:#x}", ip.tos));
    }
    if let Some(label) = &wanted.flow_label {
        differ.field(
            "flow label",
            format!("{:#x}", label.node),
            format!("{:#x}", ip.flow_label),
        );
    }
    if let Some(ttl) = &wanted.ttl {
        differ.field("ttl", ttl.node, ip.hop_limit);
    }
}

fn ecn_name(ecn: ast::IpEcn) -> &'static str {
    match ecn {
        ast::IpEcn::NotEct => "noecn",
        ast::IpEcn::Ect1 => "ect1",
        ast::IpEcn::Ect0 => "ect0",
        ast::IpEcn::Ce => "ce",
        ast::IpEcn::Ect01 => "ect0 or ect1",
    }
}

fn ecn_of(bits: u8) -> &'static str {
    ["noecn", "ect1", "ect0", "ce"][usize::from(bits & 3)]
}
