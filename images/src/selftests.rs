//! The kernel's own packetdrill tests, out of its source package.
//!
//! A source package is 150 MB and holds a compressed tar inside a compressed tar; of it only one
//! small folder is kept.

use std::collections::BTreeMap;
use std::io::{self, Read};

use liblzma::read::XzDecoder;
use serde::{Deserialize, Serialize};

use crate::deb::{self, Content};
use crate::progress::Step;
use crate::{Archive, Digest, Error, Kernel, Result};

/// The folder of a kernel's source in which the tests lie.
const FOLDER: &str = "tools/testing/selftests/net/packetdrill/";
const KIND: &str = "selftests";
const VERSION: &str = "packetdrill selftests, version 1";
/// A longer file is no script.
const LARGEST_FILE: u64 = 1 << 20;

/// The files of the kernel's packetdrill tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selftests {
    /// Where they come from, for people: `linux-source-7.3 7.3.4-1~bpo13+1`.
    pub from: String,
    /// Scripts and helpers by their path in the folder.
    pub files: BTreeMap<String, String>,
}

impl Archive {
    /// The packetdrill tests in the source of exactly this kernel.
    ///
    /// # Errors
    /// The kernel did not come from the archive, its source is not there, or it has no such tests
    /// (Linux has them since 6.12).
    pub fn selftests(&self, kernel: &Kernel) -> Result<Selftests> {
        let missing = |why: String| Error::NoSelftests {
            kernel: kernel.label.clone(),
            why,
        };
        let Some(origin) = &kernel.origin else {
            let why = "it did not come from the archive; name a folder with its scripts";
            return Err(missing(why.to_owned()));
        };
        let series = series(&kernel.label)
            .ok_or_else(|| missing("its release names no series".to_owned()))?;
        let name = format!("linux-source-{series}");
        let listed = self.linux_packages(&self.suite(&origin.suite)?)?;
        let package = listed
            .into_iter()
            .find(|p| p.name == name && p.version == origin.version)
            .ok_or_else(|| missing(format!("{} has no {name} {}", origin.suite, origin.version)))?;
        let key = Digest::of_lines([VERSION, &package.sha256.to_string()]);
        if let Some(kept) = self.cache().record(KIND, &key) {
            return Ok(kept);
        }
        let path = self.fetch(&package)?;
        let from = format!("{name} {}", package.version);
        let what = format!("reading {from}");
        self.progress().step(Step::Working { what: &what });
        let mut found = None;
        deb::read(
            &path,
            |path| path.contains("/linux-source-") && path.ends_with(".tar.xz"),
            |_, content| {
                if let Content::File { data, .. } = content {
                    found = Some(read_tree(XzDecoder::new_multi_decoder(&data[..])));
                }
                Ok(())
            },
        )?;
        let files = match found {
            Some(Ok(files)) => files,
            Some(Err(error)) => {
                let why = format!("its kernel source does not unpack: {error}");
                return Err(Error::Package { path, why });
            }
            None => {
                let why = "it holds no packed kernel source".to_owned();
                return Err(Error::Package { path, why });
            }
        };
        if files.is_empty() {
            return Err(missing(format!("{from} has no {FOLDER}")));
        }
        let selftests = Selftests { from, files };
        self.cache().put_record(KIND, &key, &selftests)?;
        Ok(selftests)
    }
}

/// `7.3` of `7.3.4+deb13-cloud-amd64`.
fn series(release: &str) -> Option<String> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let both = !major.is_empty() && !minor.is_empty();
    both.then(|| format!("{major}.{minor}"))
}

/// The folder's files.
fn read_tree(tree: impl Read) -> io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tree).entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        // The first part is the tree's own name.
        let inside = path.trim_start_matches("./").split_once('/');
        let Some(name) = inside.and_then(|(_, rest)| rest.strip_prefix(FOLDER)) else {
            // A folder's files come one after another: behind them there is nothing more.
            if files.is_empty() {
                continue;
            }
            break;
        };
        if !entry.header().entry_type().is_file() || name.split('/').any(|p| p == "..") {
            continue;
        }
        let name = name.to_owned();
        let mut text = Vec::new();
        entry.take(LARGEST_FILE).read_to_end(&mut text)?;
        files.insert(name, String::from_utf8_lossy(&text).into_owned());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_is_kept() {
        let mut tar = tar::Builder::new(Vec::new());
        for name in [
            "linux-source-7.3/tools/testing/selftests/net/ip.sh",
            "linux-source-7.3/tools/testing/selftests/net/packetdrill/defaults.sh",
            "linux-source-7.3/tools/testing/selftests/net/packetdrill/tcp_a.pkt",
            "linux-source-7.3/tools/testing/selftests/net/psock.c",
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(name.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, name.as_bytes()).unwrap();
        }
        let files = read_tree(&tar.into_inner().unwrap()[..]).unwrap();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["defaults.sh", "tcp_a.pkt"]);
    }

    #[test]
    fn a_release_names_its_series() {
        assert_eq!(series("7.3.4+deb13-cloud-amd64").as_deref(), Some("7.3"));
        assert_eq!(series("6.19-rc1").as_deref(), Some("6.19"));
        assert_eq!(series("mine"), None);
    }
}
