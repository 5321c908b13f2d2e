//! One build directory, used for one tree after another.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::output::{first_error, tail};
use crate::{BuildError, Config, Result};

/// The driver's module, in source and build directory.
const TUN: &str = "drivers/net/tun.ko";
const BZIMAGE: &str = "arch/x86/boot/bzImage";
/// What is written beside the build, so that the next one knows what is there.
const CONFIGURED: &str = "tunfarm.config";
/// Who builds in the directory holds a lock on this file.
const LOCK: &str = "tunfarm.lock";

/// A kernel that was built; its files are in the build directory until the next build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The kernel.
    pub bzimage: PathBuf,
    /// tun, where it is a module.
    pub tun: Option<PathBuf>,
    /// Only the module was built; the kernel is the one that was there.
    pub module_only: bool,
}

/// Builds kernels of one configuration in one directory.
#[derive(Clone, Debug)]
pub struct Builder {
    source: PathBuf,
    dir: PathBuf,
    config: Config,
    jobs: usize,
    ccache: Option<PathBuf>,
}

impl Builder {
    /// Builds the tree `source` in `dir`, which is made if it is not there and is kept.
    ///
    /// # Errors
    /// `source` is no kernel source.
    pub fn new(source: &Path, dir: &Path, config: Config) -> Result<Builder> {
        for missing in ["Kconfig", "arch/x86/Makefile", "drivers/net/tun.c"] {
            if !source.join(missing).exists() {
                return Err(BuildError::NoSource {
                    tree: source.to_owned(),
                    missing,
                });
            }
        }
        fs::create_dir_all(dir).map_err(BuildError::io("making", dir))?;
        let absolute =
            |path: &Path| fs::canonicalize(path).map_err(BuildError::io("finding", path));
        Ok(Builder {
            source: absolute(source)?,
            dir: absolute(dir)?,
            config,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            ccache: None,
        })
    }

    /// Compiles through ccache with its store in `dir`, where ccache is installed.
    pub fn with_ccache(self, dir: &Path) -> Builder {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|d| d.join("ccache").is_file()));
        Builder {
            ccache: found.then(|| dir.to_owned()),
            ..self
        }
    }

    /// With this many compilers at once, in place of one for each processor.
    pub fn with_jobs(self, jobs: usize) -> Builder {
        Builder {
            jobs: jobs.max(1),
            ..self
        }
    }

    /// Builds the kernel, and tun where it is a module. What did not change since the last build
    /// in this directory is not compiled again.
    pub fn build(&self) -> Result<Built> {
        self.configure()?;
        let module = self.config.get("CONFIG_TUN") == "m";
        let targets: &[&str] = if module {
            &["bzImage", "modules"]
        } else {
            &["bzImage"]
        };
        self.make(targets)?;
        self.built(module, false)
    }

    /// Builds tun alone against the kernel that is in the build directory. The caller knows that
    /// nothing but the driver's own files changed since.
    pub fn build_module(&self) -> Result<Built> {
        if self.config.get("CONFIG_TUN") != "m" || !self.has_kernel() {
            return self.build();
        }
        self.make(&[TUN])?;
        self.built(true, true)
    }

    /// A whole build of this configuration is in the directory.
    pub fn has_kernel(&self) -> bool {
        let configured = fs::read_to_string(self.dir.join(CONFIGURED)).unwrap_or_default();
        configured == self.config.text() && self.dir.join(BZIMAGE).is_file()
    }

    fn built(&self, module: bool, module_only: bool) -> Result<Built> {
        let file = |name: &str| -> Result<PathBuf> {
            let path = self.dir.join(name);
            fs::metadata(&path).map_err(BuildError::io("finding", &path))?;
            Ok(path)
        };
        Ok(Built {
            bzimage: file(BZIMAGE)?,
            tun: module.then(|| file(TUN)).transpose()?,
            module_only,
        })
    }

    /// Writes the `.config`. It is made anew for each tree, since options come and go; kbuild
    /// itself compiles only what an option's change concerns.
    fn configure(&self) -> Result<()> {
        let wanted = self.dir.join(CONFIGURED);
        let text = self.config.text();
        fs::write(&wanted, &text).map_err(BuildError::io("writing", &wanted))?;
        let mut all = OsString::from("KCONFIG_ALLCONFIG=");
        all.push(&wanted);
        let mut command = self.command();
        command.arg(all).arg("allnoconfig");
        self.finish(command)?;
        let made = self.dir.join(".config");
        let made = fs::read_to_string(&made).map_err(BuildError::io("reading", &made))?;
        let options = self.config.missing(&made);
        if !options.is_empty() {
            return Err(BuildError::Options {
                tree: self.source.clone(),
                options,
            });
        }
        Ok(())
    }

    fn make(&self, targets: &[&str]) -> Result<()> {
        let mut command = self.command();
        command.args(targets);
        self.finish(command)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("make");
        let variable = |name: &str, value: &Path| {
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value);
            word
        };
        command
            .arg("-C")
            .arg(&self.source)
            .arg(variable("O", &self.dir))
            .arg(format!("-j{}", self.jobs))
            .arg("ARCH=x86_64")
            // Time, place and number of a build are no part of a kernel, or each would need a
            // snapshot of its own.
            .arg("KBUILD_BUILD_TIMESTAMP=1970-01-01")
            .arg("KBUILD_BUILD_USER=tunfarm")
            .arg("KBUILD_BUILD_HOST=tunfarm")
            .arg("KBUILD_BUILD_VERSION=1")
            .arg("LOCALVERSION=")
            .env("LC_ALL", "C")
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL");
        if let Some(dir) = &self.ccache {
            // The source's folder differs from one worktree to the next.
            command
                .arg("CC=ccache gcc")
                .env("CCACHE_DIR", dir)
                .env("CCACHE_BASEDIR", &self.source)
                .env("CCACHE_NOHASHDIR", "1");
        }
        command
    }

    fn finish(&self, mut command: Command) -> Result<()> {
        // make has the lock as its standard input, which nobody reads, and so holds it until its
        // last compiler has ended, even where whoever started it was killed: two builds at once
        // would spoil each other's files.
        let path = self.dir.join(LOCK);
        let lock = fs::File::create(&path).map_err(BuildError::io("making", &path))?;
        lock.lock().map_err(BuildError::io("locking", &path))?;
        command.stdin(lock);
        let output = command.output().map_err(|source| BuildError::Program {
            program: "make".to_owned(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Err(BuildError::DoesNotBuild {
            tree: self.source.clone(),
            first: first_error(&text),
            output: tail(&text).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_source_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = Builder::new(dir.path(), &dir.path().join("o"), Config::bare()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is no kernel source: it has no Kconfig"),
            "{error}"
        );
    }
}
