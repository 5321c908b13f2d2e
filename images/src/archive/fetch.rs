//! Fetching one file whose hash is known.

use std::io::Read;
use std::path::PathBuf;

use super::{Archive, Package, http};
use crate::cache::BlobWriter;
use crate::{Digest, Error, Result, progress::Step};

/// Between two reports of progress, in bytes.
const REPORT: u64 = 1 << 20;

impl Archive {
    /// The package's file, from the cache or from the archive.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        self.fetch_as(
            package.file_name(),
            &package.url(),
            &package.sha256,
            package.size,
        )
    }

    /// Whether the package's file can be had: it is in the cache, or the archive still has it.
    pub fn is_there(&self, package: &Package) -> Result<bool> {
        if self.cache().blob(&package.sha256)?.is_some() {
            return Ok(true);
        }
        match http::with_patience(|| self.http.look(&package.url())) {
            Err(Error::Missing { .. }) => Ok(false),
            looked => looked.map(|()| true),
        }
    }

    /// The file with this hash, from the cache or from `url`; `what` names it for people.
    pub(super) fn fetch_as(
        &self,
        what: &str,
        url: &str,
        sha256: &Digest,
        size: u64,
    ) -> Result<PathBuf> {
        if let Some(path) = self.cache().blob(sha256)? {
            return Ok(path);
        }
        self.progress().step(Step::FetchStarted {
            what,
            size: Some(size),
        });
        let mut writer = BlobWriter::resume(self.cache(), sha256)?;
        let resumed = writer.size() > 0;
        let first = self.download(url, &mut writer, what, sha256, size);
        let done = match first {
            // What an earlier attempt left may be what is wrong: once more from the beginning.
            Err(Error::WrongHash { .. } | Error::Truncated { .. }) if resumed => {
                writer.restart()?;
                self.download(url, &mut writer, what, sha256, size)
            }
            done => done,
        };
        match done {
            Ok(()) => {
                let (_, path) = writer.keep()?;
                self.progress().step(Step::Fetched { what, size });
                Ok(path)
            }
            Err(error) => {
                if matches!(error, Error::Network { .. } | Error::Status { .. }) {
                    writer.leave();
                }
                Err(error)
            }
        }
    }

    fn download(
        &self,
        url: &str,
        writer: &mut BlobWriter,
        what: &str,
        sha256: &Digest,
        size: u64,
    ) -> Result<()> {
        if writer.size() < size {
            http::with_patience(|| self.download_once(url, writer, what, size))?;
        }
        if writer.size() != size {
            return Err(Error::Truncated {
                url: url.to_owned(),
                expected: size,
                got: writer.size(),
            });
        }
        let got = writer.digest();
        if got != *sha256 {
            return Err(Error::WrongHash {
                what: url.to_owned(),
                expected: *sha256,
                got,
            });
        }
        Ok(())
    }

    /// One connection's worth; what came stays in `writer`, for the next attempt to go on from.
    fn download_once(
        &self,
        url: &str,
        writer: &mut BlobWriter,
        what: &str,
        size: u64,
    ) -> Result<()> {
        let download = self.http.get_from(url, writer.size())?;
        if download.from != writer.size() {
            writer.restart()?;
        }
        // One byte more than it should have is enough to know.
        let mut body = download.body.take((size + 1).saturating_sub(writer.size()));
        let mut buffer = vec![0; 128 * 1024];
        let mut reported = writer.size();
        loop {
            let read = body
                .read(&mut buffer)
                .map_err(|error| http::network(url, &error))?;
            if read == 0 {
                return Ok(());
            }
            writer.write(&buffer[..read])?;
            if writer.size() - reported >= REPORT {
                reported = writer.size();
                self.progress().step(Step::Fetching {
                    what,
                    done: reported,
                    size: Some(size),
                });
            }
        }
    }
}
