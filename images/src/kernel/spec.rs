//! How a user names a kernel.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which kernel is meant.
///
/// | text | meaning |
/// |---|---|
/// | `debian:SUITE[/FLAVOUR]` | the newest of that suite |
/// | `debian:VERSION-FLAVOUR` | this one, from whatever suite still has it; the newest of several |
/// | `deb:FILE[,FILE…]` | out of these package files |
/// | `path:VMLINUZ[,modules=DIR][,initrd-modules=NAME[:NAME…]]` | one of one's own |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KernelSpec {
    /// The newest kernel of a suite.
    Newest {
        /// Suite, e.g. `trixie-backports`.
        suite: String,
        /// Flavour.
        flavour: Flavour,
    },
    /// One kernel of the archive.
    Exact {
        /// As it stands in the release (`6.12.95+deb12`, `6.1.0-47`), or the version of the
        /// package (`6.1.170-3`), its upstream part (`6.1.170`), or a series (`6.1`).
        version: String,
        /// Flavour.
        flavour: Flavour,
    },
    /// Package files.
    Debs(Vec<PathBuf>),
    /// A kernel file.
    Path {
        /// The bzImage.
        vmlinuz: PathBuf,
        /// A `/lib/modules/RELEASE` tree, or a directory that holds one.
        modules: Option<PathBuf>,
        /// Modules of that tree that the guest gets besides those it always gets, and loads
        /// before anything else.
        initrd_modules: Vec<String>,
    },
}

/// How Debian built a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavour {
    /// `-cloud-amd64`: for virtual machines, small, and enough.
    #[default]
    Cloud,
    /// `-amd64`.
    Generic,
    /// `-rt-amd64`: PREEMPT_RT.
    Rt,
}

impl Flavour {
    const ALL: [Flavour; 3] = [Flavour::Cloud, Flavour::Generic, Flavour::Rt];

    /// Its name in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Flavour::Cloud => "cloud",
            Flavour::Generic => "generic",
            Flavour::Rt => "rt",
        }
    }

    fn of_name(name: &str) -> Option<Flavour> {
        Flavour::ALL
            .into_iter()
            .find(|flavour| flavour.name() == name)
    }

    /// Takes a release apart: `6.12.95+deb12-cloud-amd64` is `6.12.95+deb12` and cloud.
    pub(crate) fn split_release(release: &str) -> Option<(&str, Flavour)> {
        let body = release.strip_suffix("-amd64")?;
        Some(match body.rsplit_once('-') {
            Some((version, "cloud")) => (version, Flavour::Cloud),
            Some((version, "rt")) => (version, Flavour::Rt),
            _ => (body, Flavour::Generic),
        })
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for KernelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelSpec::Newest { suite, flavour } => write!(f, "debian:{suite}/{flavour}"),
            KernelSpec::Exact { version, flavour } => write!(f, "debian:{version}-{flavour}"),
            KernelSpec::Debs(files) => {
                let files: Vec<_> = files
                    .iter()
                    .map(|file| file.display().to_string())
                    .collect();
                write!(f, "deb:{}", files.join(","))
            }
            KernelSpec::Path {
                vmlinuz,
                modules,
                initrd_modules,
            } => {
                write!(f, "path:{}", vmlinuz.display())?;
                if let Some(dir) = modules {
                    write!(f, ",modules={}", dir.display())?;
                }
                if !initrd_modules.is_empty() {
                    write!(f, ",initrd-modules={}", initrd_modules.join(":"))?;
                }
                Ok(())
            }
        }
    }
}

/// A text that names no kernel.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{spec}` names no kernel: {why}")]
pub struct SpecError {
    /// What was given.
    pub spec: String,
    /// What is wrong with it, and what was perhaps meant.
    pub why: String,
}

impl FromStr for KernelSpec {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<KernelSpec, SpecError> {
        let parsed = match spec.split_once(':') {
            Some(("debian", rest)) => debian(rest),
            Some(("deb", rest)) => debs(rest),
            Some(("path", rest)) => path(rest),
            Some((kind, _)) => Err(unknown("kind", kind, ["debian", "deb", "path"])),
            None => Err(format!(
                "expected `debian:SUITE[/FLAVOUR]`, `debian:VERSION-FLAVOUR`, `deb:FILE…` or \
                 `path:VMLINUZ`{}",
                match spec {
                    s if s.ends_with(".deb") => format!("; did you mean `deb:{s}`?"),
                    s if s.contains('/') && !s.starts_with(|c: char| c.is_ascii_lowercase()) =>
                        format!("; did you mean `path:{s}`?"),
                    s if !s.is_empty() => format!("; did you mean `debian:{s}`?"),
                    _ => String::new(),
                }
            )),
        };
        parsed.map_err(|why| SpecError {
            spec: spec.to_owned(),
            why,
        })
    }
}

fn unknown<const N: usize>(what: &str, word: &str, known: [&str; N]) -> String {
    let hint = match tunfarm_config::nearest(word, known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    format!(
        "unknown {what} `{word}`, expected one of {}{hint}",
        known.join(", ")
    )
}

fn flavour(name: &str) -> Result<Flavour, String> {
    Flavour::of_name(name).ok_or_else(|| unknown("flavour", name, Flavour::ALL.map(Flavour::name)))
}

fn debian(rest: &str) -> Result<KernelSpec, String> {
    if rest.is_empty() {
        return Err("a suite or a version has to follow `debian:`".to_owned());
    }
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "+-.~/:".contains(c));
    if let Some(c) = rest.chars().find(|c| odd(*c)) {
        return Err(format!("`{c}` is in no suite and no version"));
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return exact(rest);
    }
    let (suite, flavour) = match rest.split_once('/') {
        // `bullseye/updates` was a suite once, and is none any more.
        Some((suite, name)) => (suite, flavour(name)?),
        None => (rest, Flavour::default()),
    };
    if suite.is_empty() || suite.starts_with(['.', '-']) {
        return Err(format!("`{suite}` is no suite"));
    }
    Ok(KernelSpec::Newest {
        suite: suite.to_owned(),
        flavour,
    })
}

fn exact(rest: &str) -> Result<KernelSpec, String> {
    if let Some((version, flavour)) = Flavour::split_release(rest) {
        return Ok(KernelSpec::Exact {
            version: version.to_owned(),
            flavour,
        });
    }
    // `/` as for a suite is easily typed, and can mean nothing else.
    match rest.split_once('/').or_else(|| rest.rsplit_once('-')) {
        Some((version, name)) if !version.is_empty() && !name.starts_with(char::is_numeric) => {
            Ok(KernelSpec::Exact {
                version: version.to_owned(),
                flavour: flavour(name)?,
            })
        }
        _ => Err(format!(
            "it has no flavour: did you mean `debian:{rest}-{}`?",
            Flavour::default()
        )),
    }
}

fn debs(rest: &str) -> Result<KernelSpec, String> {
    let files: Vec<PathBuf> = rest
        .split(',')
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
        .collect();
    if files.is_empty() {
        return Err("a package file has to follow `deb:`".to_owned());
    }
    Ok(KernelSpec::Debs(files))
}

fn path(rest: &str) -> Result<KernelSpec, String> {
    let mut parts = rest.split(',');
    let vmlinuz = parts.next().unwrap_or_default();
    if vmlinuz.is_empty() {
        return Err("a kernel file has to follow `path:`".to_owned());
    }
    let (mut modules, mut initrd_modules) = (None, Vec::new());
    for part in parts {
        match part.split_once('=') {
            Some((key @ ("modules" | "initrd-modules"), "")) => {
                return Err(format!("nothing follows `{key}=`"));
            }
            Some(("modules", dir)) => modules = Some(PathBuf::from(dir)),
            Some(("initrd-modules", names)) => initrd_modules.extend(
                names
                    .split(':')
                    .filter(|n| !n.is_empty())
                    .map(str::to_owned),
            ),
            _ => {
                let key = part.split('=').next().unwrap_or_default();
                return Err(unknown("option", key, ["modules", "initrd-modules"]));
            }
        }
    }
    if modules.is_none() && !initrd_modules.is_empty() {
        return Err("`initrd-modules=` needs `modules=DIR` to take them from".to_owned());
    }
    Ok(KernelSpec::Path {
        vmlinuz: PathBuf::from(vmlinuz),
        modules,
        initrd_modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_as_they_print() {
        for (text, printed) in [
            ("debian:trixie", "debian:trixie/cloud"),
            (
                "debian:trixie-backports/generic",
                "debian:trixie-backports/generic",
            ),
            ("debian:sid/rt", "debian:sid/rt"),
            ("debian:6.12.95+deb12-cloud", "debian:6.12.95+deb12-cloud"),
            (
                "debian:6.12.95+deb12-cloud-amd64",
                "debian:6.12.95+deb12-cloud",
            ),
            ("debian:6.1.0-47-generic", "debian:6.1.0-47-generic"),
            ("debian:6.1.0-47-amd64", "debian:6.1.0-47-generic"),
            ("debian:6.1.0-0.deb11.48-rt", "debian:6.1.0-0.deb11.48-rt"),
            ("debian:6.1.170-3-cloud", "debian:6.1.170-3-cloud"),
            ("debian:7.3/cloud", "debian:7.3-cloud"),
            ("deb:a.deb,dir/b.deb", "deb:a.deb,dir/b.deb"),
            ("path:bzImage", "path:bzImage"),
            (
                "path:/b/bzImage,modules=/lib/m,initrd-modules=virtio:9p",
                "path:/b/bzImage,modules=/lib/m,initrd-modules=virtio:9p",
            ),
        ] {
            let spec: KernelSpec = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.to_string(), printed);
            assert_eq!(printed.parse(), Ok(spec));
        }
    }

    #[test]
    fn errors_say_what_was_probably_meant() {
        let errors: Vec<String> = [
            "",
            "trixie",
            "linux-image-6.1.deb",
            "./bzImage",
            "debain:trixie",
            "debian:",
            "debian:trixie/clud",
            "debian:trixie/desktop",
            "debian:tri xie",
            "debian:../x",
            "debian:6.12.95+deb12",
            "debian:6.1.0-47",
            "debian:6.1.0-47-genric",
            "deb:",
            "path:",
            "path:bzImage,module=/x",
            "path:bzImage,modules=",
            "path:bzImage,initrd-modules=a",
        ]
        .iter()
        .map(|spec| spec.parse::<KernelSpec>().unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
