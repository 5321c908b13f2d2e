//! The image: a kernel file and the initramfs it boots with.
//!
//! The initramfs is three cpio archives one after the other, which the kernel takes as one: the
//! base with the guest's binary, the tools, the modules of this kernel. It is not compressed:
//! unpacking under emulation would cost more than reading a few megabytes more.

pub(crate) mod cpio;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::io_error;
use crate::tools::Tools;
use crate::{Cache, Digest, Kernel, Result};

/// What a machine boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The kernel's label.
    pub label: String,
    /// The bzImage.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// Size of the initramfs in bytes: the guest's memory holds it once packed and once unpacked
    /// while it boots.
    pub initramfs_size: u64,
    /// sha256 over both files: the same digest, the same machine.
    pub digest: String,
}

const VERSION: &str = "initramfs, version 1";
const KIND: &str = "initramfs";

impl Image {
    /// Puts an image together, or finds the one that was made of the same parts. `guest` is the
    /// static binary that becomes `/init`.
    pub fn build(
        cache: &Cache,
        kernel: &Kernel,
        tools: Option<&Tools>,
        guest: &Path,
    ) -> Result<Image> {
        let binary = fs::read(guest).map_err(io_error("reading the guest binary", guest))?;
        let modules = kernel.modules.as_ref();
        let part = |digest: Option<&Digest>| digest.map_or("none".to_owned(), Digest::to_string);
        let key = Digest::of_lines([
            VERSION.to_owned(),
            Digest::of(&binary).to_string(),
            part(tools.map(|tools| &tools.sha256)),
            part(modules.map(|modules| &modules.sha256)),
        ]);
        let kept: Option<Digest> = cache.record(KIND, &key);
        let found = match kept {
            Some(digest) => cache.blob(&digest)?.map(|path| (digest, path)),
            None => None,
        };
        let (sha256, initramfs) = match found {
            Some(found) => found,
            None => {
                let mut writer = cache.writer()?;
                writer.write(&base(&binary)?)?;
                let rest = tools
                    .map(|t| &t.path)
                    .into_iter()
                    .chain(modules.map(|m| &m.path));
                for path in rest {
                    writer.write(&fs::read(path).map_err(io_error("reading", path))?)?;
                }
                let made = writer.keep()?;
                cache.put_record(KIND, &key, &made.0)?;
                made
            }
        };
        let size = fs::metadata(&initramfs)
            .map_err(io_error("looking at", &initramfs))?
            .len();
        Ok(Image {
            label: kernel.label.clone(),
            kernel: kernel.vmlinuz.clone(),
            initramfs,
            initramfs_size: size,
            digest: Digest::of_lines([kernel.vmlinuz_sha256.to_string(), sha256.to_string()])
                .to_string(),
        })
    }
}

/// Device nodes (Documentation/admin-guide/devices.txt): kernels without devtmpfs have no others,
/// and PID 1 needs a console before it can mount anything.
const DEVICES: [(&str, u32, (u32, u32)); 13] = [
    ("console", 0o600, (5, 1)),
    ("full", 0o666, (1, 7)),
    ("kmsg", 0o600, (1, 11)),
    ("mem", 0o600, (1, 1)),
    ("net/tun", 0o666, (10, 200)),
    ("null", 0o666, (1, 3)),
    ("port", 0o600, (1, 4)),
    ("random", 0o666, (1, 8)),
    ("tty", 0o666, (5, 0)),
    ("ttyS0", 0o600, (4, 64)),
    ("ttyS1", 0o600, (4, 65)),
    ("urandom", 0o666, (1, 9)),
    ("zero", 0o666, (1, 5)),
];

/// tcpdump insists on changing to a user of its own; here that is root, so that it can write.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\ntcpdump:x:0:0:tcpdump:/root:/bin/sh\n";

fn base(guest: &[u8]) -> Result<Vec<u8>> {
    let mut cpio = cpio::Writer::default();
    for dir in ["dev/pts", "proc", "root", "run", "sys", "var/tmp"] {
        cpio.directory(dir, 0o755)?;
    }
    cpio.directory("tmp", 0o1777)?;
    for dir in ["bin", "lib", "lib64", "sbin"] {
        cpio.directory(&format!("usr/{dir}"), 0o755)?;
        cpio.link(dir, &format!("usr/{dir}"))?;
    }
    for (name, permissions, device) in DEVICES {
        cpio.device(&format!("dev/{name}"), permissions, device)?;
    }
    cpio.file("etc/passwd", 0o644, PASSWD.as_bytes())?;
    cpio.file("etc/group", 0o644, b"root:x:0:\n")?;
    cpio.file("etc/hosts", 0o644, b"127.0.0.1 localhost\n::1 localhost\n")?;
    cpio.file("etc/nsswitch.conf", 0o644, b"hosts: files\n")?;
    cpio.file("init", 0o755, guest)?;
    cpio.link("usr/sbin/modprobe", "/init")?;
    cpio.finish()
}
