//! The kernel a driver is built for.

use std::path::PathBuf;

/// A kernel, as far as building a driver for it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetKernel {
    /// Its release as `uname -r` tells it, e.g. `6.12.117+deb13-cloud-amd64`.
    pub release: String,
    /// Where source and headers come from.
    pub origin: Origin,
}

/// Where a kernel's source and headers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the packages of its own version.
    Package {
        /// The suite it is in, e.g. `trixie-security`.
        suite: String,
        /// Its package version, e.g. `6.12.117-1`.
        version: String,
    },
    /// From a folder of the user: a configured kernel tree, or unpacked headers.
    Tree {
        /// The folder.
        build_dir: PathBuf,
    },
    /// Neither is there: only `stock` and `ko:FILE` can be had.
    None,
}

impl TargetKernel {
    /// What is needed of `kernel`; `build_dir` is the user's own tree, which comes first.
    pub fn of(kernel: &tunfarm_images::Kernel, build_dir: Option<PathBuf>) -> TargetKernel {
        let origin = match (build_dir, &kernel.origin) {
            (Some(build_dir), _) => Origin::Tree { build_dir },
            (None, Some(origin)) => Origin::Package {
                suite: origin.suite.clone(),
                version: origin.version.clone(),
            },
            (None, None) => Origin::None,
        };
        TargetKernel {
            release: kernel.label.clone(),
            origin,
        }
    }

    /// The series that names source packages: `6.12` of `6.12.117+deb13-cloud-amd64`.
    pub fn series(&self) -> Option<String> {
        let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let mut parts = self.release.split(['.', '-', '+']);
        let (major, minor) = (parts.next()?, parts.next()?);
        (number(major) && number(minor)).then(|| format!("{major}.{minor}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_its_series() {
        for (release, series) in [
            ("6.12.117+deb13-cloud-amd64", Some("6.12")),
            ("5.10.0-46-cloud-amd64", Some("5.10")),
            ("7.3-rc1", Some("7.3")),
            ("next", None),
        ] {
            let kernel = TargetKernel {
                release: release.into(),
                origin: Origin::None,
            };
            assert_eq!(kernel.series().as_deref(), series);
        }
    }
}
