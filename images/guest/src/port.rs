//! I/O ports from user space.
//!
//! `iopl(3)` where the kernel has it, else `/dev/port`. Both are PID 1's right on any x86 kernel
//! that is not locked down, and need no driver of the device behind the port.

use std::arch::asm;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use crate::sys;

/// The right to use I/O ports. `iopl` belongs to a thread and is inherited by those it starts.
#[derive(Debug)]
pub enum Ports {
    /// The instructions themselves.
    Instructions,
    /// Through `/dev/port`, one system call for each byte.
    Device(File),
}

impl Ports {
    /// Takes the right.
    ///
    /// # Errors
    /// When the kernel has neither `iopl` nor `/dev/port`.
    pub fn open() -> io::Result<Ports> {
        // SAFETY: a system call without memory operands; level 3 allows the port instructions.
        if unsafe { libc::syscall(libc::SYS_iopl, 3) } == 0 {
            return Ok(Ports::Instructions);
        }
        Ports::device()
    }

    /// The fall-back alone.
    fn device() -> io::Result<Ports> {
        Ok(Ports::Device(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/port")?,
        ))
    }

    /// Writes bytes to a port, one after the other.
    pub fn write(&self, port: u16, bytes: &[u8]) -> io::Result<()> {
        match self {
            Ports::Instructions => {
                // SAFETY: `iopl(3)` succeeded; reads exactly `bytes`.
                unsafe {
                    asm!("rep outsb", in("dx") port, inout("rsi") bytes.as_ptr() => _,
                         inout("rcx") bytes.len() => _, options(nostack, readonly));
                }
                Ok(())
            }
            Ports::Device(file) => bytes
                .iter()
                .try_for_each(|b| file.write_all_at(&[*b], u64::from(port))),
        }
    }

    /// Reads bytes from a port, one after the other.
    pub fn read(&self, port: u16, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Ports::Instructions => {
                // SAFETY: `iopl(3)` succeeded; writes exactly `bytes`.
                unsafe {
                    asm!("rep insb", in("dx") port, inout("rdi") bytes.as_mut_ptr() => _,
                         inout("rcx") bytes.len() => _, options(nostack));
                }
                Ok(())
            }
            Ports::Device(file) => bytes
                .iter_mut()
                .try_for_each(|b| file.read_exact_at(std::slice::from_mut(b), u64::from(port))),
        }
    }

    /// Writes one 16-bit word to a port.
    pub fn write_word(&self, port: u16, word: u16) -> io::Result<()> {
        match self {
            Ports::Instructions => {
                // SAFETY: `iopl(3)` succeeded; touches no memory.
                unsafe { asm!("out dx, ax", in("dx") port, in("ax") word, options(nostack, nomem)) }
                Ok(())
            }
            // A word in two halves means something else to the device.
            Ports::Device(_) => Err(io::Error::other(
                "/dev/port cannot write 16 bits at once; the kernel needs CONFIG_X86_IOPL_IOPERM",
            )),
        }
    }
}

/// Opens ports and says what is missing in one sentence.
pub fn open() -> Result<Ports, String> {
    Ports::open().map_err(|e| {
        format!(
            "this kernel gives PID 1 no I/O ports (neither iopl nor /dev/port: {e}{}); \
             it needs CONFIG_X86_IOPL_IOPERM or CONFIG_DEVPORT and no lockdown",
            if sys::exists("/dev/port") {
                ""
            } else {
                ", no such node"
            }
        )
    })
}
