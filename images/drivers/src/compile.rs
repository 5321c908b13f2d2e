//! From source files to a module.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{CompilerError, io_error};
use crate::sandbox::{BUILD, Sandbox, run};
use crate::source::DRIVER_FOLDER;
use crate::store::Store;
use crate::{Error, Result};

/// What is built.
pub struct Request<'a> {
    /// The driver's label, for errors.
    pub driver: &'a str,
    /// The kernel's release.
    pub release: &'a str,
    /// The source files; those of `drivers/net` are built.
    pub files: &'a BTreeMap<PathBuf, String>,
    /// The user brought a Makefile; otherwise `tun.c` is the one module.
    pub own_makefile: bool,
}

/// Builds the modules of `request`: names and bytes.
pub fn compile(
    request: &Request<'_>,
    sandbox: &Sandbox,
    store: &Store,
) -> Result<Vec<(String, Vec<u8>)>> {
    let scratch = store.scratch()?;
    let headers = store.scratch()?;
    let folder = scratch.path();
    let mut overlays = Vec::new();
    for (path, text) in request.files {
        if path.starts_with("include") {
            // A header of the kernel that a patch changed takes the place of the packaged one.
            let file = headers.path().join(overlays.len().to_string());
            fs::write(&file, text).map_err(io_error("writing", &file))?;
            overlays.extend(
                sandbox
                    .header(request.release, path)
                    .map(|inside| (file, inside)),
            );
            continue;
        }
        let inside = path.strip_prefix(DRIVER_FOLDER).unwrap_or(path);
        let file = folder.join(inside);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(io_error("creating", parent))?;
        }
        fs::write(&file, text).map_err(io_error("writing", &file))?;
    }
    if !request.own_makefile {
        let file = folder.join("Makefile");
        fs::write(&file, "obj-m := tun.o\n").map_err(io_error("writing", &file))?;
    }
    let tree = match sandbox {
        Sandbox::Root(_) => format!("/usr/src/linux-headers-{}", request.release),
        Sandbox::Host { build_dir } => build_dir.display().to_string(),
    };
    let module_dir = format!("M={BUILD}");
    // Module BTF needs pahole and the kernel's own vmlinux; nobody looks at it here.
    let command = [
        "make",
        "-C",
        &tree,
        &module_dir,
        "modules",
        "CONFIG_DEBUG_INFO_BTF_MODULES=",
        // Time and place of a build are no part of it.
        "KBUILD_BUILD_TIMESTAMP=1970-01-01",
        "KBUILD_BUILD_USER=tunfarm",
        "KBUILD_BUILD_HOST=tunfarm",
    ];
    let toolchain = |why| Error::Toolchain {
        kernel: request.release.to_owned(),
        why,
    };
    let ran = run(sandbox, folder, &overlays, &command).map_err(toolchain)?;
    if !ran.success {
        return Err(match first_error(&ran.output) {
            Some(first) => Error::DoesNotCompile {
                driver: request.driver.to_owned(),
                kernel: request.release.to_owned(),
                first: Box::new(first),
                output: ran.output,
            },
            // Not a word about the source: the build itself is broken.
            None => toolchain(format!("the kernel's build failed: {}", ran.output.trim())),
        });
    }
    // Debug information is nine tenths of a module, and each byte of it would have to go into
    // the guest. What is left is what `make modules_install INSTALL_MOD_STRIP=1` leaves.
    let strip = [
        "sh",
        "-c",
        "set -- *.ko; [ ! -e \"$1\" ] || strip --strip-debug \"$@\"",
    ];
    let stripped = run(sandbox, folder, &[], &strip).map_err(toolchain)?;
    if !stripped.success {
        return Err(toolchain(format!(
            "cannot strip the module: {}",
            stripped.output.trim()
        )));
    }
    let mut modules = modules_in(folder)?;
    if modules.is_empty() {
        return Err(Error::DoesNotCompile {
            driver: request.driver.to_owned(),
            kernel: request.release.to_owned(),
            first: Box::new(CompilerError {
                file: String::new(),
                line: 0,
                message: "the build succeeded but made no module; does the Makefile name one \
                          in obj-m?"
                    .into(),
            }),
            output: ran.output,
        });
    }
    modules.sort();
    Ok(modules)
}

fn modules_in(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let entries = fs::read_dir(folder).map_err(io_error("listing", folder))?;
    let mut modules = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|t| t.is_file());
        if is_file && path.extension().is_some_and(|e| e == "ko") {
            let data = fs::read(&path).map_err(io_error("reading", &path))?;
            modules.push((entry.file_name().to_string_lossy().into_owned(), data));
        }
    }
    Ok(modules)
}

/// The first error in a build's output: the compiler's, modpost's, or the linker's.
pub fn first_error(output: &str) -> Option<CompilerError> {
    output.lines().find_map(compiler_error).or_else(|| {
        output.lines().find_map(|line| {
            let message = line
                .strip_prefix("ERROR: modpost: ")
                .or_else(|| line.strip_prefix("ERROR: "))?;
            Some(CompilerError {
                file: String::new(),
                line: 0,
                message: message.to_owned(),
            })
        })
    })
}

/// `FILE:LINE[:COLUMN]: [fatal ]error: MESSAGE`.
fn compiler_error(line: &str) -> Option<CompilerError> {
    let (place, message) = line
        .split_once(": fatal error: ")
        .or_else(|| line.split_once(": error: "))?;
    let mut parts = place.splitn(3, ':');
    let (file, number) = (parts.next()?, parts.next()?);
    // Files of the driver get the name they have in the kernel.
    let file = match file.strip_prefix(BUILD).map(|f| f.trim_start_matches('/')) {
        Some(inside) => format!("{DRIVER_FOLDER}/{inside}"),
        None if !file.contains('/') => format!("{DRIVER_FOLDER}/{file}"),
        None => file.to_owned(),
    };
    Some(CompilerError {
        file,
        line: number.parse().ok()?,
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_has_its_place() {
        let output = "make: Entering directory '/usr/src/x'\n\
            /build/tun.c: In function 'tun_net_xmit':\n\
            /build/tun.c:1100:9: warning: unused variable 'x'\n\
            /build/tun.c:1101:9: error: 'sbk' undeclared; did you mean 'skb'?\n\
            /build/tun.c:1102:9: error: later\n";
        assert_eq!(
            first_error(output).unwrap().to_string(),
            "drivers/net/tun.c:1101: 'sbk' undeclared; did you mean 'skb'?"
        );
    }

    #[test]
    fn errors_without_a_line_are_seen() {
        let output = "  MODPOST /build/Module.symvers\n\
            ERROR: modpost: \"no_such_function\" [/build/tun.ko] undefined!\n";
        assert_eq!(
            first_error(output).unwrap().to_string(),
            "\"no_such_function\" [/build/tun.ko] undefined!"
        );
        let output = "tun.c:5:10: fatal error: tun_vnet.h: No such file or directory\n";
        assert_eq!(
            first_error(output).unwrap().to_string(),
            "drivers/net/tun.c:5: tun_vnet.h: No such file or directory"
        );
    }

    #[test]
    fn a_broken_tool_is_no_error_of_the_driver() {
        assert_eq!(
            first_error("make: gcc-14: No such file or directory\n"),
            None
        );
    }
}
