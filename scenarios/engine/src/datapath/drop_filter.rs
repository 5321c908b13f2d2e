//! A BPF program that drops at ingress the IPv6 packets to the remote prefix.
//!
//! Neither a module nor a tool is needed, only `bpf(2)`: from Linux 6.6 on the program is attached
//! with tcx, before that as generic XDP (4.12). Generic XDP makes each packet linear, so that it
//! takes more memory and receive windows come out smaller than over TUN.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::SetError;
use crate::config::Config;
use crate::sys::{Link, Netlink, check};

const BPF_PROG_LOAD: i64 = 5;
const BPF_LINK_CREATE: i64 = 28;
const BPF_TCX_INGRESS: u32 = 46;
/// Ethernet header, then the destination address at byte 24 of the IPv6 header.
const DESTINATION_AT: i16 = 14 + 24;

/// Where a program is attached, and what differs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    /// `struct __sk_buff`, verdicts of traffic control.
    Tcx,
    /// `struct xdp_md`, verdicts of XDP.
    Xdp,
}

impl Hook {
    /// `BPF_PROG_TYPE_SCHED_CLS`, `BPF_PROG_TYPE_XDP`.
    fn program_type(self) -> u32 {
        match self {
            Hook::Tcx => 3,
            Hook::Xdp => 6,
        }
    }

    /// Offsets of `data` and `data_end` in the context.
    fn data(self) -> (i16, i16) {
        match self {
            Hook::Tcx => (76, 80),
            Hook::Xdp => (0, 4),
        }
    }

    /// `TC_ACT_SHOT`, `XDP_DROP`.
    fn drop(self) -> i32 {
        match self {
            Hook::Tcx => 2,
            Hook::Xdp => 1,
        }
    }

    /// `TCX_PASS`, `XDP_PASS`.
    fn pass(self) -> i32 {
        match self {
            Hook::Tcx => 0,
            Hook::Xdp => 2,
        }
    }
}

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

/// The part of `union bpf_attr` that `BPF_LINK_CREATE` needs for tcx.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    device: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    padding: u32,
    expected_revision: u64,
}

/// Attaches the program to `link`. What is returned keeps it there, where that is needed.
pub fn attach(
    netlink: &mut Netlink,
    link: Link,
    config: &Config,
) -> Result<Option<OwnedFd>, SetError> {
    if let Ok(attached) = load(config, Hook::Tcx).and_then(|program| attach_tcx(&program, link)) {
        return Ok(Some(attached));
    }
    let program = load(config, Hook::Xdp).map_err(|e| unsupported("loading an XDP program", &e))?;
    netlink
        .set_xdp(link, program.as_raw_fd())
        .map_err(|e| unsupported("attaching an XDP program to lo", &e))?;
    Ok(None)
}

fn attach_tcx(program: &OwnedFd, link: Link) -> io::Result<OwnedFd> {
    let attributes = LinkAttributes {
        program: program.as_raw_fd() as u32,
        device: link.0,
        attach_type: BPF_TCX_INGRESS,
        flags: 0,
        relative: 0,
        padding: 0,
        expected_revision: 0,
    };
    // SAFETY: the size is that of the attributes, which outlive the call.
    unsafe { bpf(BPF_LINK_CREATE, &attributes) }
}

/// Makes a BPF object.
///
/// # Safety
/// `attributes` must be the beginning of what the command takes, with valid pointers in it.
unsafe fn bpf<T>(command: i64, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: by the caller's promise; the descriptor is new and ours.
    unsafe {
        let fd = check(libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        ) as i32)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn unsupported(what: &str, error: &io::Error) -> SetError {
    SetError::Unsupported(format!(
        "IPv6 over loopback needs generic XDP (Linux 4.12) to end what the stack sends: \
         {what}: {error}"
    ))
}

fn load(config: &Config, hook: Hook) -> io::Result<OwnedFd> {
    let program = assemble(config, hook);
    let attributes = LoadAttributes {
        program_type: hook.program_type(),
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the attributes point to the program and the licence, which outlive the call.
    unsafe { bpf(BPF_PROG_LOAD, &attributes) }
}

/// `if it is long enough, IPv6, and its destination begins as the remote prefix: drop; else pass`.
fn assemble(config: &Config, hook: Hook) -> Vec<Instruction> {
    let IpAddr::V6(network) = config.remote_network() else {
        return verdict(hook.pass()).to_vec();
    };
    let octets = network.octets();
    // Whole 32-bit words of the prefix; the standard's own prefixes are multiples of 16 bits, so
    // the rest is compared by half-words.
    let halves = usize::from(config.remote_prefix / 16).clamp(1, 8);
    let (data, data_end) = hook.data();
    let mut code = vec![
        insn(0x61, 2, 1, data, 0),                           // r2 = data
        insn(0x61, 3, 1, data_end, 0),                       // r3 = data_end
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
    let drop = verdict(hook.drop());
    let pass_at = code.len() + drop.len();
    for (at, instruction) in code.iter_mut().enumerate() {
        if matches!(instruction.code, 0x2d | 0x55) {
            instruction.offset = (pass_at - at - 1) as i16;
        }
    }
    code.extend(drop);
    code.extend(verdict(hook.pass()));
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

#[cfg(test)]
mod tests {
    use tunfarm_protocol::IpVersion;

    use super::*;

    /// Runs the few instructions that the program uses.
    fn verdict_on(program: &[Instruction], frame: &[u8], hook: Hook) -> i32 {
        let (data, _) = hook.data();
        let mut registers = [0i64; 11];
        let mut at = 0;
        loop {
            let i = program[at];
            let (to, from) = (
                usize::from(i.registers & 0xf),
                usize::from(i.registers >> 4),
            );
            at += 1;
            match i.code {
                0x61 if i.offset == data => registers[to] = 0,
                0x61 => registers[to] = frame.len() as i64,
                0xbf => registers[to] = registers[from],
                0x07 => registers[to] += i64::from(i.immediate),
                0x69 => {
                    let from = (registers[from] + i64::from(i.offset)) as usize;
                    let half = u16::from_ne_bytes([frame[from], frame[from + 1]]);
                    registers[to] = i64::from(half);
                }
                0x2d if registers[to] > registers[from] => at += i.offset as usize,
                0x55 if registers[to] != i64::from(i.immediate) => at += i.offset as usize,
                0x2d | 0x55 => {}
                0xb7 => registers[to] = i64::from(i.immediate),
                0x95 => return registers[0] as i32,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn frame(destination: &str, kind: u16) -> Vec<u8> {
        let mut frame = vec![0; 14 + 40];
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        let address: std::net::Ipv6Addr = destination.parse().unwrap();
        frame[38..].copy_from_slice(&address.octets());
        frame
    }

    #[test]
    fn only_what_goes_to_the_peer_is_dropped() {
        let config = Config::new(IpVersion::Ipv6);
        for hook in [Hook::Tcx, Hook::Xdp] {
            let program = assemble(&config, hook);
            let on = |frame: &[u8]| verdict_on(&program, frame, hook);
            assert_eq!(on(&frame("fd3d:fa7b:d17d::1", 0x86dd)), hook.drop());
            assert_eq!(on(&frame("fd3d:fa7b:d17d:9::", 0x86dd)), hook.drop());
            assert_eq!(on(&frame("fd3d:a0b:17d6::1", 0x86dd)), hook.pass());
            assert_eq!(on(&frame("fd3d:fa7b:d17d::1", 0x0800)), hook.pass());
            assert_eq!(on(&[0; 20]), hook.pass());
        }
    }
}
