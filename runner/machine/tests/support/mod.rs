//! A kernel of 32 KiB for tests of the machine: a real bzImage to QEMU, written here, that does
//! at once what a hostile or unlucky guest does some day.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tunfarm_machine::{Accel, BootSpec, Clock, Host, Limits, Snapshot};
use tunfarm_protocol::{
    Finish, KernelFacts, Outcome, ScriptResult, encode_finish, encode_frame, encode_ready, evidence,
};

// Real mode, loaded by QEMU's linuxboot ROM as a kernel's setup code: entered at offset 0x200 of
// the file with CS = DS + 0x20. The Linux boot protocol's header lies between, from 0x1f1 on.
//
// It writes the ready frame, then reads fw_cfg until the job is there, and does what the job's
// first letter says.
core::arch::global_asm!(
    ".pushsection .rodata.tunfarm_kernel,\"a\"",
    ".code16",
    "tunfarm_kernel_start:",
    "cli",
    "cld",
    "mov ax, cs",
    "mov ds, ax",
    "mov es, ax",
    "mov ss, ax",
    "mov sp, 0x7ff0",
    // The interval timer of the firmware would tick for ever: counts once and stays silent.
    "mov al, 0x30",
    "out 0x43, al",
    "xor al, al",
    "out 0x40, al",
    "out 0x40, al",
    // The word before the first frame says how this kernel boots.
    "mov al, [0x7000]",
    "cmp al, 'p'",
    "je 20f",
    "cmp al, 'h'",
    "je 21f",
    "cmp al, 'm'",
    "jne 65f",
    // m: halts where there is no PCI bus, that is, on microvm.
    "mov eax, 0x80000000",
    "mov dx, 0xcf8",
    "out dx, eax",
    "in eax, dx",
    "cmp eax, 0x80000000",
    "jne 21f",
    "65: mov si, 0x1000",
    "call 90f",
    // Wait for the job: fw_cfg's directory, 64 bytes an entry.
    "62: mov ax, 0x19",
    "mov dx, 0x510",
    "out dx, ax",
    "inc dx",
    "xor cx, cx",
    "in al, dx",
    "in al, dx",
    "in al, dx",
    "mov ch, al",
    "in al, dx",
    "mov cl, al",
    "test cx, cx",
    "jz 62b",
    "63: push cx",
    "mov di, 0x6000",
    "mov cx, 64",
    "rep insb",
    "mov si, 0x6008",
    "mov di, 0x6f00",
    "mov cx, 20",
    "repe cmpsb",
    "pop cx",
    "je 64f",
    "loop 63b",
    "jmp 62b",
    "64: mov ah, [0x6004]",
    "mov al, [0x6005]",
    "mov dx, 0x510",
    "out dx, ax",
    "inc dx",
    "in al, dx",
    "cmp al, 'f'",
    "je 30f",
    "cmp al, 'p'",
    "je 20f",
    "cmp al, 'h'",
    "je 21f",
    "cmp al, 's'",
    "je 22f",
    "cmp al, 'r'",
    "je 23f",
    "cmp al, 'j'",
    "je 24f",
    "cmp al, 'o'",
    "je 25f",
    "cmp al, 'c'",
    "je 26f",
    "jmp 21f",
    // p: a panic on the console, then nothing.
    "20: mov si, 0x4000",
    "call 92f",
    "jmp 21f",
    // h: halted for ever.
    "21: cli",
    "hlt",
    "jmp 21b",
    // s: spins.
    "22: jmp 22b",
    // r: a triple fault.
    "23: mov eax, 0",
    "mov dword ptr [0x6000], eax",
    "mov dword ptr [0x6004], eax",
    "lidt [0x6000]",
    "int 3",
    "jmp 23b",
    // j: bytes that are no frame.
    "24: mov si, 0x4000",
    "call 90f",
    "jmp 21b",
    // o: evidence without end.
    "25: mov si, 0x2000",
    "call 90f",
    "jmp 25b",
    // c: console without end.
    "26: mov si, 0x4000",
    "call 92f",
    "jmp 26b",
    // f: one evidence frame, the end frame, and no more.
    "30: mov si, 0x2000",
    "call 90f",
    "mov si, 0x3000",
    "call 90f",
    "jmp 21b",
    // The assembler's `call` pushes 32 bits here, so the returns (66 c3) pop as many.
    // Writes what is at si (length in the first word) to the evidence port.
    "90: lodsw",
    "mov cx, ax",
    "mov dx, 0xe9",
    "rep outsb",
    ".byte 0x66, 0xc3",
    // The same to the console.
    "92: lodsw",
    "mov cx, ax",
    "93: mov dx, 0x3fd",
    "94: in al, dx",
    "test al, 0x20",
    "jz 94b",
    "mov dx, 0x3f8",
    "lodsb",
    "out dx, al",
    "loop 93b",
    ".byte 0x66, 0xc3",
    "tunfarm_kernel_end:",
    ".code64",
    ".popsection",
);

unsafe extern "C" {
    static tunfarm_kernel_start: u8;
    static tunfarm_kernel_end: u8;
}

fn code() -> &'static [u8] {
    // SAFETY: both labels delimit one read-only block assembled above.
    unsafe {
        let (start, end) = (
            &raw const tunfarm_kernel_start,
            &raw const tunfarm_kernel_end,
        );
        std::slice::from_raw_parts(start, end.offset_from(start) as usize)
    }
}

/// What the console of this kernel says when it panics.
pub const PANIC: &str = "[    0.100000] Kernel panic - not syncing: test of the machine\n\
                         [    0.100000] ---[ end Kernel panic - not syncing: test of the machine ]---\n";

/// What it hands out as `script.log`.
pub const EVIDENCE: &[u8] = b"evidence of a kernel of 32 KiB\n";

/// Facts it states about itself.
pub fn facts() -> KernelFacts {
    KernelFacts {
        release: "0.0-test".into(),
        ..KernelFacts::default()
    }
}

/// Its last frame.
pub fn finish() -> Finish {
    Finish {
        outcome: Outcome {
            result: ScriptResult::Passed,
            ran_us: 42,
            notes: vec![],
        },
    }
}

/// The bzImage; `boot` is `b'r'` for one that comes up, `b'p'` for one that panics, `b'h'` for one
/// that halts, `b'm'` for one that halts on microvm.
pub fn bzimage(boot: u8) -> Vec<u8> {
    const SETUP_SECTORS: usize = 64;
    // Addresses in the assembly count from here.
    const SEGMENT: usize = 0x200;
    let mut image = vec![0; (1 + SETUP_SECTORS + 8) * 512];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[SETUP_SECTORS as u8]);
    put(0x1f4, &(8u32 * 32).to_le_bytes());
    put(0x1fe, &[0x55, 0xaa]);
    put(0x200, &[0xeb, 0x7e]);
    put(0x202, b"HdrS");
    put(0x206, &0x0204u16.to_le_bytes());
    put(0x211, &[1]);
    put(0x214, &0x10_0000u32.to_le_bytes());
    put(0x22c, &0x37ff_ffffu32.to_le_bytes());
    put(SEGMENT + 0x80, code());
    let mut block = |at: usize, bytes: &[u8]| {
        put(SEGMENT + at, &(bytes.len() as u16).to_le_bytes());
        put(SEGMENT + at + 2, bytes);
    };
    block(0x1000, &encode_ready(&facts()));
    block(0x2000, &encode_frame(evidence::SCRIPT_LOG, EVIDENCE));
    block(0x3000, &encode_finish(&finish()));
    block(0x4000, PANIC.as_bytes());
    put(SEGMENT + 0x6f00, b"opt/org.tunfarm/job\0");
    put(SEGMENT + 0x7000, &[boot]);
    image
}

/// A host, a cache and a kernel of its own for one test.
pub struct Bench {
    /// This machine's QEMU.
    pub host: Host,
    /// Everything of the test lies here.
    pub dir: TempDir,
}

impl Bench {
    /// Finds QEMU; everything will lie under `parent`.
    pub async fn new(parent: &Path) -> Bench {
        Bench {
            host: Host::find()
                .await
                .expect("these tests need QEMU; ci/setup installs it"),
            dir: tempfile::tempdir_in(parent).unwrap(),
        }
    }

    /// The cache.
    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// A cell's folder.
    pub fn cell(&self, name: &str) -> PathBuf {
        self.dir.path().join("cells").join(name)
    }

    /// A kernel that boots as `boot` says.
    pub fn spec(&self, boot: u8) -> BootSpec {
        let name = format!("kernel-{}", boot as char);
        let (kernel, initramfs) = (
            self.dir.path().join(&name),
            self.dir.path().join("initramfs"),
        );
        fs::write(&kernel, bzimage(boot)).unwrap();
        fs::write(&initramfs, b"not looked at").unwrap();
        BootSpec {
            kernel,
            initramfs,
            digest: name.clone(),
            label: name,
            clock: Clock::Virtual,
            accel: Accel::Tcg,
            memory_mb: 32,
            extra_cmdline: String::new(),
        }
    }

    /// The snapshot of the kernel that comes up.
    pub async fn snapshot(&self) -> Snapshot {
        self.host
            .ensure_snapshot(&self.spec(b'r'), &self.cache(), None)
            .await
            .unwrap()
    }
}

/// Limits short enough for a test.
pub fn limits(wall: u64) -> Limits {
    Limits {
        wall: Duration::from_secs(wall),
        evidence_bytes: 1 << 16,
        console_bytes: 1 << 16,
        ..Limits::default()
    }
}

/// QEMUs that run a cell with a snapshot under `dir`.
pub fn qemus_of(dir: &Path) -> usize {
    let needle = dir.display().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|cmdline| cmdline.starts_with(b"/") || cmdline.starts_with(b"qemu"))
        .filter(|cmdline| String::from_utf8_lossy(cmdline).contains(&needle))
        .filter(|cmdline| String::from_utf8_lossy(cmdline).contains("-incoming"))
        .count()
}
