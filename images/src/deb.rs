//! Reading Debian packages: an `ar` archive that holds a compressed `tar` with the files.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use liblzma::read::XzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::{Error, Result};

/// What a package puts in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A regular file with its permission bits.
    File { mode: u32, data: Vec<u8> },
    /// A symbolic link to this.
    Link(String),
}

/// No single file of a package we read comes near this; a damaged header may say anything.
const LARGEST: u64 = 512 << 20;

/// Hands every file and link that `wanted` picks by its path (without a leading slash) to `take`.
pub(crate) fn read(
    deb: &Path,
    mut wanted: impl FnMut(&str) -> bool,
    mut take: impl FnMut(String, Content) -> Result<()>,
) -> Result<()> {
    let broken = |why: String| Error::Package {
        path: deb.to_owned(),
        why,
    };
    let io = |error: io::Error| broken(error.to_string());
    let file = File::open(deb).map_err(crate::error::io_error("opening the package", deb))?;
    let mut archive = ar::Archive::new(BufReader::new(file));
    while let Some(member) = archive.next_entry() {
        let member = member.map_err(io)?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(compression) = name.trim_end_matches('/').strip_prefix("data.tar") else {
            continue;
        };
        let data = decompressor(compression, member).map_err(io)?;
        let mut tar = tar::Archive::new(data);
        for entry in tar.entries().map_err(io)? {
            let mut entry = entry.map_err(io)?;
            let path = entry.path().map_err(io)?;
            let path = path.to_string_lossy();
            let path = path
                .trim_start_matches("./")
                .trim_end_matches('/')
                .to_owned();
            if path.split('/').any(|part| part == "..") {
                return Err(broken(format!("it has a path outside of itself: {path}")));
            }
            if !wanted(&path) {
                continue;
            }
            let kind = entry.header().entry_type();
            let target = || {
                let link = entry.link_name().map_err(io)?;
                link.map(|link| link.to_string_lossy().into_owned())
                    .ok_or_else(|| broken(format!("{path} links to nothing")))
            };
            if kind.is_symlink() {
                take(path.clone(), Content::Link(target()?))?;
            } else if kind.is_hard_link() {
                // As a symbolic link it is the same file; Debian's packages have few.
                let target = target()?;
                let target = target.trim_start_matches("./");
                take(path.clone(), Content::Link(format!("/{target}")))?;
            } else if kind.is_file() {
                let size = entry.header().size().map_err(io)?;
                if size > LARGEST {
                    return Err(broken(format!("{path} has {size} bytes")));
                }
                let mode = entry.header().mode().map_err(io)? & 0o777;
                let mut data = Vec::with_capacity(size as usize);
                entry.read_to_end(&mut data).map_err(io)?;
                take(path, Content::File { mode, data })?;
            }
        }
        return Ok(());
    }
    Err(broken(
        "it has no data.tar: not a Debian package".to_owned(),
    ))
}

/// A reader for the extension's compression: `.xz`, `.zst`, `.gz`, or none.
pub(crate) fn decompressor<'a>(
    extension: &str,
    from: impl Read + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match extension {
        "" => Box::new(from),
        // A .xz may be several streams one after the other.
        ".xz" => Box::new(XzDecoder::new_multi_decoder(from)),
        ".gz" => Box::new(GzDecoder::new(from)),
        ".zst" => Box::new(StreamingDecoder::new(from).map_err(io::Error::other)?),
        other => return Err(io::Error::other(format!("unknown compression `{other}`"))),
    })
}
