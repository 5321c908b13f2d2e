//! Real kernels boot the initramfs, and the tools of the layer run on them.
//!
//! `/init` is a shell script here, not the guest's binary: what is tested is the image.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tunfarm_images::{Archive, ArchiveOptions, Cache, Image, Step, ToolSet};

/// Uses every program once, and says how each ended.
const INIT: &str = r#"#!/bin/sh
# The kernel asks for modules through the link /sbin/modprobe, which leads here too.
case $0 in *modprobe) echo "$*" >> /tmp/asked; exit 1 ;; esac
exec < /dev/null > /dev/ttyS0 2>&1
try() { if "$@" > /tmp/out 2>&1; then echo "ok: $*"; else echo "failed: $*"; cat /tmp/out; fi; }
echo "kernel $(uname -r)"
try ss -V
try ip -V
try ip link set lo up
try tc -V
try nstat -V
try tcpdump --version
try ethtool --version
try sysctl --version
try grep -q tun /lib/modules/index
try sed -n 1p /lib/modules/index
try awk 'BEGIN { exit 0 }'
try bash -c 'exit 0'
try test -c /dev/net/tun -a -L /sbin/modprobe -a -d /proc -a -x /init
try test "$(wc -l < /lib/modules/index)" -gt 100
for file in $(grep -P '^tun\t' /lib/modules/index | cut -f2); do try test -s "$file"; done
try test -s /tmp/asked
echo "the end"
# Dying as PID 1 panics the kernel, which ends a machine that may not reboot.
exit 0
"#;

#[test]
fn every_tool_runs_on_the_oldest_and_the_newest_kernel() {
    let cache = Cache::open(&Cache::default_dir()).unwrap();
    let show = |step: Step<'_>| match step {
        Step::Fetching { .. } => {}
        step => println!("{step:?}"),
    };
    let archive = Archive::open(&ArchiveOptions::default(), cache.clone(), Arc::new(show)).unwrap();
    let tools = archive.tools(ToolSet::Standard).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let init = dir.path().join("init");
    std::fs::write(&init, INIT).unwrap();
    std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o755)).unwrap();
    for spec in ["debian:bullseye-security", "debian:trixie-backports"] {
        let kernel = archive.kernel(&spec.parse().unwrap()).unwrap();
        let image = Image::build(&cache, &kernel, Some(&tools), &init).unwrap();
        let console = boot(&image);
        println!("{console}");
        assert!(
            console.contains(&format!("kernel {}", kernel.label)),
            "{console}"
        );
        assert!(console.contains("the end"), "{console}");
        assert!(!console.contains("failed: "), "{console}");
        let fine: Vec<_> = console
            .lines()
            .filter(|line| line.starts_with("ok: "))
            .collect();
        assert_eq!(fine.len(), 16, "{fine:#?}");
    }
}

/// What the console says until the machine ends.
fn boot(image: &Image) -> String {
    let command_line = "console=ttyS0 reboot=t panic=-1 quiet tsc=reliable no_timer_check";
    let output = Command::new("timeout")
        .args([
            "300",
            "qemu-system-x86_64",
            "-M",
            "microvm",
            "-accel",
            "tcg",
            "-cpu",
            "max",
        ])
        .args([
            "-m",
            "256",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .args([
            "-icount",
            "shift=0,sleep=off",
            "-serial",
            "stdio",
            "-append",
            command_line,
        ])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.initramfs)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
