//! An XDP program that drops at ingress the IPv6 packets to the remote prefix.
//!
//! Generic XDP needs no module and no tool: `bpf(2)` and one netlink attribute (Linux 4.12).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::SetError;
use crate::config::Config;
use crate::sys::{Link, Netlink, check};

const BPF_PROG_LOAD: i64 = 5;
const BPF_PROG_TYPE_XDP: u32 = 6;
const XDP_DROP: i32 = 1;
const XDP_PASS: i32 = 2;
/// Ethernet header, then the destination address at byte 24 of the IPv6 header.
const DESTINATION_AT: i16 = 14 + 24;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The part of `union bpf_attr` that loading a program needs.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// Attaches the program to `link`.
pub fn attach(netlink: &mut Netlink, link: Link, config: &Config) -> Result<(), SetError> {
    let program = load(config).map_err(|e| unsupported("loading an XDP program", &e))?;
    netlink
        .set_xdp(link, program.as_raw_fd())
        .map_err(|e| unsupported("attaching an XDP program to lo", &e))
}

fn unsupported(what: &str, error: &io::Error) -> SetError {
    SetError::Unsupported(format!(
        "IPv6 over loopback needs generic XDP (Linux 4.12) to end what the stack sends: \
         {what}: {error}"
    ))
}

fn load(config: &Config) -> io::Result<OwnedFd> {
    let program = assemble(config);
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_XDP,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the attributes point to the program and the licence, which outlive the call; the
    // size is theirs. The descriptor is new and ours.
    unsafe {
        let fd = check(libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const attributes,
            size_of_val(&attributes),
        ) as i32)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// `if it is long enough, IPv6, and its destination begins as the remote prefix: drop; else pass`.
fn assemble(config: &Config) -> Vec<Instruction> {
    let IpAddr::V6(network) = config.remote_network() else {
        return verdict(XDP_PASS).to_vec();
    };
    let octets = network.octets();
    // Whole 32-bit words of the prefix; the standard's own prefixes are multiples of 16 bits, so
    // the rest is compared by half-words.
    let halves = usize::from(config.remote_prefix / 16).clamp(1, 8);
    let mut code = vec![
        insn(0x61, 2, 1, 0, 0),                              // r2 = data
        insn(0x61, 3, 1, 4, 0),                              // r3 = data_end
        insn(0xbf, 4, 2, 0, 0),                              // r4 = r2
        insn(0x07, 4, 0, 0, i32::from(DESTINATION_AT) + 16), // r4 += all we look at
        insn(0x2d, 4, 3, 0, 0),                              // if r4 > r3 goto pass
        insn(0x69, 5, 2, 12, 0),                             // r5 = EtherType
        insn(0x55, 5, 0, 0, i32::from(0x86ddu16.to_be())),   // if r5 != IPv6 goto pass
    ];
    for half in 0..halves {
        let value = u16::from_ne_bytes([octets[half * 2], octets[half * 2 + 1]]);
        let at = DESTINATION_AT + half as i16 * 2;
        code.push(insn(0x69, 5, 2, at, 0));
        code.push(insn(0x55, 5, 0, 0, i32::from(value)));
    }
    let drop = verdict(XDP_DROP);
    let pass_at = code.len() + drop.len();
    for (at, instruction) in code.iter_mut().enumerate() {
        if matches!(instruction.code, 0x2d | 0x55) {
            instruction.offset = (pass_at - at - 1) as i16;
        }
    }
    code.extend(drop);
    code.extend(verdict(XDP_PASS));
    code
}

fn verdict(value: i32) -> [Instruction; 2] {
    [insn(0xb7, 0, 0, 0, value), insn(0x95, 0, 0, 0, 0)]
}

fn insn(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: from << 4 | to,
        offset,
        immediate,
    }
}
