//! Can this machine run a guest at all? Only a trial tells: `/dev/kvm` may open, create a machine,
//! and then fail every guest.

use std::time::{Duration, Instant};

use tunfarm_protocol::{EVIDENCE_PORT, encode_log};

use crate::cmdline::{Shape, Start};
use crate::error::{HostError, RunCause, Stop};
use crate::evidence::ConsoleLog;
use crate::host::Host;
use crate::spec::{Accel, Clock, Limits, MachineType};
use crate::vm::{Happening, Vm};

/// The guest is a dozen instructions.
const LIMIT: Duration = Duration::from_secs(20);

const WORD: &str = "alive";

impl Host {
    /// Runs a guest of a dozen instructions under `accel`: it enters protected mode and says a
    /// word on the evidence port. Returns how long that took.
    ///
    /// # Errors
    /// Why this accelerator cannot be used here, in QEMU's words.
    pub async fn trial(&self, accel: Accel) -> Result<Duration, RunCause> {
        let clock = match accel {
            Accel::Tcg => Clock::Virtual,
            Accel::Kvm => Clock::Real,
        };
        let shape = Shape {
            machine: MachineType::Microvm,
            clock,
            accel,
            memory_mb: 64,
        };
        let limits = Limits {
            wall: LIMIT,
            ..Limits::default()
        };
        let folder = tempfile::tempdir().map_err(|source| HostError::System {
            doing: "make a temporary folder",
            source,
        })?;
        let log = ConsoleLog::create(folder.path(), 0)?;
        let began = Instant::now();
        let args = shape.arguments(Start::Firmware);
        let firmware = firmware();
        let mut vm = Vm::start(
            self.qemu(),
            &args,
            Some(&firmware),
            None,
            clock,
            &limits,
            log,
        )?;
        let said = loop {
            match vm.next().await {
                Ok(Happening::Log(word)) if word == WORD => break Ok(began.elapsed()),
                Ok(Happening::Answered | Happening::Resumed) => {}
                Ok(other) => {
                    break Err(Stop::Died {
                        reason: format!("the trial guest says something else: {other:?}"),
                        console: Vec::new(),
                    }
                    .into());
                }
                Err(cause) => break Err(cause),
            }
        };
        vm.end().await?;
        said
    }
}

/// Where a 64 KiB firmware lies: it ends with the reset vector, 16 bytes below 4 GiB.
const BASE: u32 = 0xffff_0000;
const SIZE: usize = 0x1_0000;
const RESET: usize = 0xfff0;

/// Offsets of the parts within the firmware.
const PROTECTED: u16 = 0x20;
const GDT: u16 = 0x80;
const GDT_POINTER: u16 = 0xa0;
const TEXT: u16 = 0xc0;

/// A firmware that says [`WORD`] on the evidence port and halts.
fn firmware() -> Vec<u8> {
    let text = encode_log(WORD);
    let at = |offset: u16| (BASE + u32::from(offset)).to_le_bytes();
    let port = u32::from(EVIDENCE_PORT).to_le_bytes();
    let len = (text.len() as u32).to_le_bytes();
    let pointer = GDT_POINTER.to_le_bytes();

    // Real mode, as the processor starts.
    let real = [
        &[0xfa][..],                                             // cli
        &[0x2e, 0x66, 0x0f, 0x01, 0x16, pointer[0], pointer[1]], // lgdt cs:[GDT_POINTER]
        &[0x0f, 0x20, 0xc0],                                     // mov eax, cr0
        &[0x66, 0x83, 0xc8, 0x01],                               // or eax, PE
        &[0x0f, 0x22, 0xc0],                                     // mov cr0, eax
        &[0x66, 0xea],                                           // jmp 0x08:PROTECTED
        &at(PROTECTED),
        &[0x08, 0x00],
    ]
    .concat();
    // Protected mode, flat.
    let protected = [
        &[0x66, 0xb8, 0x10, 0x00][..], // mov ax, 0x10
        &[0x8e, 0xd8],                 // mov ds, ax
        &[0x8e, 0xc0],                 // mov es, ax
        &[0x8e, 0xd0],                 // mov ss, ax
        &[0xba],                       // mov edx, EVIDENCE_PORT
        &port,
        &[0xbe], // mov esi, TEXT
        &at(TEXT),
        &[0xb9], // mov ecx, length
        &len,
        &[0xfc, 0xf3, 0x6e], // cld; rep outsb
        &[0xf4, 0xeb, 0xfd], // hlt, for ever
    ]
    .concat();
    let segments: [u64; 3] = [0, 0x00cf_9a00_0000_ffff, 0x00cf_9200_0000_ffff];
    let gdt: Vec<u8> = segments.iter().flat_map(|s| s.to_le_bytes()).collect();
    let gdt_pointer = [&(gdt.len() as u16 - 1).to_le_bytes()[..], &at(GDT)].concat();
    // jmp to the firmware's first byte, relative to the end of these three.
    let back = 0u16.wrapping_sub(RESET as u16 + 3).to_le_bytes();

    let mut image = vec![0xf4; SIZE];
    let mut put = |offset: usize, bytes: &[u8]| {
        image[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &real);
    put(usize::from(PROTECTED), &protected);
    put(usize::from(GDT), &gdt);
    put(usize::from(GDT_POINTER), &gdt_pointer);
    put(usize::from(TEXT), &text);
    put(RESET, &[0xe9, back[0], back[1]]);
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_firmware_do_not_overlap() {
        let image = firmware();
        assert_eq!(image.len(), SIZE);
        assert_eq!(image[0], 0xfa);
        assert_eq!(image[usize::from(PROTECTED) - 1], 0xf4);
        assert_eq!(image[usize::from(GDT) - 1], 0xf4);
        assert_eq!(&image[usize::from(TEXT)..][..4], b"\x1etfe");
        assert_eq!(image[RESET], 0xe9);
    }
}
