//! A suite's list of packages.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use liblzma::read::XzDecoder;

use super::{Archive, Package, Suite};
use crate::control::each_stanza;
use crate::error::io_error;
use crate::{Digest, Error, Result};

const PATH: &str = "main/binary-amd64/Packages.xz";

/// The packages of a suite that are wanted of its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Those whose name begins with `linux-`: images, binaries, modules, headers, sources.
    Linux,
    All,
}

impl Archive {
    /// The suite's packages whose names begin with `linux-`.
    pub fn linux_packages(&self, suite: &Suite) -> Result<Vec<Package>> {
        self.packages(suite, Wanted::Linux)
    }

    /// All packages of the suite's `main` for amd64.
    pub fn all_packages(&self, suite: &Suite) -> Result<Vec<Package>> {
        self.packages(suite, Wanted::All)
    }

    /// The digest of the suite's index: the same index, the same packages.
    pub fn index_digest(&self, suite: &Suite) -> Result<Digest> {
        Ok(listed(suite)?.sha256)
    }

    fn packages(&self, suite: &Suite, wanted: Wanted) -> Result<Vec<Package>> {
        let listed = listed(suite)?;
        // Reading 60,000 stanzas to find a hundred kernels takes a second: the find is kept.
        let key = Digest::of_lines([
            "linux packages, version 1",
            &suite.name,
            &suite.mirror,
            &listed.sha256.to_string(),
        ]);
        if wanted == Wanted::Linux {
            let kept: Option<Digest> = self.cache().record("linux-packages", &key);
            if let Some(path) = kept.and_then(|digest| self.cache().blob(&digest).transpose()) {
                let path = path?;
                let text = std::fs::read(&path).map_err(io_error("reading", &path))?;
                if let Ok(packages) = serde_json::from_slice(&text) {
                    return Ok(packages);
                }
            }
        }
        let dists = format!("{}/dists/{}", suite.mirror, suite.name);
        let plain = format!("{dists}/{PATH}");
        let by_hash = format!("{dists}/main/binary-amd64/by-hash/SHA256/{}", listed.sha256);
        let what = format!("index of {}", suite.name);
        let fetch = |url: &str| self.fetch_as(&what, url, &listed.sha256, listed.size);
        let path = match suite.release().by_hash() {
            false => fetch(&plain)?,
            true => match fetch(&by_hash) {
                // Some caching proxies do not pass the by-hash directory on.
                Err(Error::Missing { .. }) => fetch(&plain)?,
                fetched => fetched?,
            },
        };
        let packages = read(&path, suite, wanted)?;
        if wanted == Wanted::Linux {
            let text = serde_json::to_vec(&packages).unwrap_or_default();
            let (digest, _) = self.cache().put(&text)?;
            self.cache().put_record("linux-packages", &key, &digest)?;
        }
        Ok(packages)
    }
}

fn listed(suite: &Suite) -> Result<super::release::Listed> {
    suite.release().listed(PATH).ok_or_else(|| Error::Index {
        suite: suite.name.clone(),
        why: format!("it lists no {PATH}"),
    })
}

fn read(path: &Path, suite: &Suite, wanted: Wanted) -> Result<Vec<Package>> {
    let file = File::open(path).map_err(io_error("opening", path))?;
    read_stanzas(XzDecoder::new(file), &suite.name, &suite.mirror, wanted).map_err(|error| {
        Error::Index {
            suite: suite.name.clone(),
            why: error.to_string(),
        }
    })
}

fn read_stanzas(
    from: impl Read,
    suite: &str,
    mirror: &str,
    wanted: Wanted,
) -> std::io::Result<Vec<Package>> {
    let mut packages = Vec::new();
    each_stanza(BufReader::with_capacity(256 * 1024, from), |text| {
        // `Package` comes first in every index; reading the rest of each stanza costs most.
        if wanted == Wanted::All || text.starts_with("Package: linux-") {
            packages.extend(Package::from_stanza(text, suite, mirror));
        }
        Ok(())
    })?;
    Ok(packages)
}

/// Seconds since 1970 of `Fri, 06 Nov 2026 08:08:01 UTC`.
pub(super) fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = words
        .next()?
        .parse()
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let mut time = words
        .next()?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // Days since 0000-03-01, so that the leap day is a year's last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_releases() {
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(date("Fri, 06 Nov 2026 08:08:01 UTC"), Some(1_793_952_481));
        assert_eq!(date("Tue, 29 Feb 2028 12:00:00 UTC"), Some(1_835_438_400));
        assert_eq!(date("soon"), None);
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let file = |name: &str| {
            format!(
                "Package: {name}\nVersion: 1\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {}\n\n",
                Digest::of(name.as_bytes())
            )
        };
        let text = ["bash", "linux-image-1", "broken", "linux-headers-1"]
            .map(file)
            .concat();
        let text = text.replace("pool/broken.deb", "/etc/passwd");
        let names = |wanted| {
            let packages = read_stanzas(text.as_bytes(), "sid", "m", wanted).unwrap();
            packages.into_iter().map(|p| p.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Wanted::Linux), ["linux-image-1", "linux-headers-1"]);
        assert_eq!(
            names(Wanted::All),
            ["bash", "linux-image-1", "linux-headers-1"]
        );
    }
}
