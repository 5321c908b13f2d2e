//! QEMU's command line and the kernel's, from what is asked for. Pure: nothing is opened here.

use std::path::Path;

use tunfarm_protocol::{EVIDENCE_PORT, FW_CFG_JOB};

use crate::spec::{Accel, BootSpec, Clock, MachineType};

/// Descriptors under which a QEMU finds its channels, the same in every run so that a cell's
/// command line says nothing about the moment.
pub mod fd {
    /// QMP, a socket.
    pub const QMP: i32 = 100;
    /// The guest's console (ttyS0), the writing end of a pipe.
    pub const CONSOLE: i32 = 101;
    /// The evidence port, the writing end of a pipe.
    pub const EVIDENCE: i32 = 102;
    /// The job, a file in memory.
    pub const JOB: i32 = 103;
}

/// One instruction counts as 2^`ICOUNT_SHIFT` nanoseconds of virtual time.
///
/// Measured on 6.12, shifts 0 to 5: an idle virtual second and a cell cost the same with each; how
/// late a sleeper wakes (beyond its timer slack) is 7, 14, 30, 59, 116, 240 us; a boot costs 9.3,
/// 8.0, 7.0, 7.4, 6.5, 6.7 s of processor time. At 1 the guest is as fast as a real machine of 500
/// MIPS, and its boot costs little more than the least.
const ICOUNT_SHIFT: u32 = 1;

/// QEMU's own system-call filter, as tight as it goes: all files are opened before it matters.
pub const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// The virtual clock's real-time clock starts with this year.
pub const CLOCK_BASE_YEAR: u64 = 2026;

/// What distinguishes the starts of a machine.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// From the kernel; RAM in `ram` (written through).
    Boot {
        /// The kernel.
        kernel: &'a Path,
        /// The initramfs.
        initramfs: &'a Path,
        /// The kernel's command line.
        append: &'a str,
        /// RAM file, created.
        ram: &'a Path,
    },
    /// From firmware in the job's descriptor; RAM of its own.
    Firmware,
    /// From a snapshot; RAM mapped privately from `ram`; device state comes over QMP.
    Restore {
        /// RAM file, only read.
        ram: &'a Path,
    },
}

/// The shape of a machine: the same for a snapshot and everything restored from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    /// Machine type.
    pub machine: MachineType,
    /// Whose time.
    pub clock: Clock,
    /// What executes it.
    pub accel: Accel,
    /// RAM in MiB.
    pub memory_mb: u32,
}

impl Shape {
    /// The shape `spec` asks for, on `machine`.
    pub fn new(spec: &BootSpec, machine: MachineType) -> Shape {
        Shape {
            machine,
            clock: spec.clock,
            accel: spec.accel,
            memory_mb: spec.memory_mb,
        }
    }

    /// The options that make the hardware: they are part of a snapshot's key.
    pub fn hardware(&self) -> Vec<String> {
        let machine = match self.machine {
            // No virtio here, so none of its devices has to be announced to the kernel.
            MachineType::Microvm => "microvm,isa-serial=on,rtc=on,auto-kernel-cmdline=off",
            // hpet=off: the kernel would take it for the broadcast timer, and computing it costs
            // ten times as much as all the rest of an idle virtual second.
            MachineType::Pc => "pc,usb=off,vmport=off,hpet=off",
        };
        let mut args = strings(&["-machine", machine]);
        args[1].push_str(",memory-backend=ram,dump-guest-core=off");
        match (self.accel, self.clock) {
            (Accel::Kvm, _) => args.extend(strings(&["-accel", "kvm", "-cpu", "host"])),
            (Accel::Tcg, clock) => {
                // One translating thread: -icount demands it, and a second has nothing to do.
                args.extend(strings(&["-accel", "tcg,thread=single"]));
                if clock == Clock::Virtual {
                    args.extend([
                        "-icount".to_owned(),
                        format!("shift={ICOUNT_SHIFT},sleep=off"),
                    ]);
                }
                // Hardware random numbers would be the one thing that differs between two runs.
                // Fast strings tempt the kernel into copying byte by byte, and each byte counts as
                // an instruction here: a read() of 1 MB took 4.6 ms of virtual time with them.
                args.extend(strings(&["-cpu", "max,-rdrand,-rdseed,-erms,-fsrm"]));
            }
        }
        args.extend(strings(&["-smp", "1"]));
        args.extend(["-m".to_owned(), self.memory_mb.to_string()]);
        args.extend(strings(&[
            "-rtc",
            match self.clock {
                Clock::Virtual => "base=2026-01-01T00:00:00,clock=vm",
                Clock::Real => "base=utc,clock=host",
            },
            "-serial",
            "chardev:console",
            "-device",
        ]));
        args.push(format!(
            "isa-debugcon,iobase={EVIDENCE_PORT:#x},chardev=evidence"
        ));
        args
    }

    /// QEMU's arguments for a start of this machine.
    pub fn arguments(&self, start: Start<'_>) -> Vec<String> {
        let mut args = strings(&[
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-sandbox",
            SANDBOX,
            "-seed",
            "1",
            "-chardev",
        ]);
        args.push(format!("socket,id=qmp,fd={}", fd::QMP));
        args.extend(strings(&["-mon", "chardev=qmp,mode=control"]));
        for (id, fd) in [("console", fd::CONSOLE), ("evidence", fd::EVIDENCE)] {
            args.push("-chardev".to_owned());
            args.push(format!("file,id={id},path=/proc/self/fd/{fd}"));
        }
        args.extend(self.hardware());
        let file = |ram, how| format!("memory-backend-file,mem-path={},{how}", comma(ram));
        let ram = match start {
            Start::Boot { ram, .. } => file(ram, "share=on"),
            Start::Restore { ram, .. } => file(ram, "share=off,readonly=on,rom=off"),
            Start::Firmware => "memory-backend-ram".to_owned(),
        };
        args.push("-object".to_owned());
        args.push(format!("{ram},id=ram,size={}M", self.memory_mb));
        match start {
            Start::Boot {
                kernel,
                initramfs,
                append,
                ..
            } => args.extend([
                "-kernel".to_owned(),
                kernel.display().to_string(),
                "-initrd".to_owned(),
                comma(initramfs),
                "-append".to_owned(),
                append.to_owned(),
            ]),
            // Where from is told over QMP, after the capability without which RAM is expected in
            // the stream; QEMU has no option for that.
            Start::Restore { .. } => args.extend([
                "-incoming".to_owned(),
                "defer".to_owned(),
                "-fw_cfg".to_owned(),
                format!("name={FW_CFG_JOB},file=/proc/self/fd/{}", fd::JOB),
            ]),
            Start::Firmware => {
                args.push("-bios".to_owned());
                args.push(format!("/proc/self/fd/{}", fd::JOB));
            }
        }
        args
    }
}

/// The kernel's command line for `spec`.
pub fn kernel(spec: &BootSpec) -> String {
    // reboot=t: without ACPI only a triple fault ends a guest; -no-reboot makes it QEMU's end.
    // panic=1: -1 hangs 2.6.32.
    // cryptomgr.notests: the self-tests of ciphers nobody uses here are 2 s of the boot.
    let mut line = "console=ttyS0,115200 earlyprintk=ttyS0,115200 panic=1 reboot=t \
                    cryptomgr.notests"
        .to_owned();
    if spec.accel == Accel::Tcg {
        line.push_str(" tsc=reliable");
    }
    if !spec.extra_cmdline.is_empty() {
        line.push(' ');
        line.push_str(&spec.extra_cmdline);
    }
    line
}

/// QEMU's option syntax doubles a comma inside a value.
fn comma(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        machine: MachineType::Microvm,
        clock: Clock::Virtual,
        accel: Accel::Tcg,
        memory_mb: 256,
    };

    fn boot() -> Vec<String> {
        SHAPE.arguments(Start::Boot {
            kernel: Path::new("/k"),
            initramfs: Path::new("/odd,name"),
            append: "console=ttyS0",
            ram: Path::new("/cache/ram"),
        })
    }

    #[test]
    fn no_start_has_a_network_a_port_or_a_default_device() {
        let restore = SHAPE.arguments(Start::Restore {
            ram: Path::new("/cache/ram"),
        });
        for args in [boot(), restore, SHAPE.arguments(Start::Firmware)] {
            let line = args.join(" ");
            assert!(line.contains("-nodefaults -no-user-config"), "{line}");
            assert!(line.contains("-sandbox on,"), "{line}");
            for word in ["netdev", "-nic", "-net", "tcp:", "port=", "unix:", "server"] {
                assert!(!line.contains(word), "{word} in {line}");
            }
        }
    }

    #[test]
    fn only_a_boot_writes_ram() {
        assert!(boot().iter().any(|a| a.contains("/cache/ram,share=on")));
        let restore = SHAPE.arguments(Start::Restore {
            ram: Path::new("/a,b/ram"),
        });
        assert!(
            restore
                .iter()
                .any(|a| a.contains("/a,,b/ram,share=off,readonly=on"))
        );
    }

    #[test]
    fn the_virtual_clock_is_a_count_of_instructions() {
        assert!(boot().join(" ").contains("-icount shift="));
        let real = Shape {
            clock: Clock::Real,
            ..SHAPE
        };
        assert!(!real.hardware().join(" ").contains("icount"));
    }
}
