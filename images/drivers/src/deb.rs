//! Reading `.deb` files as a stream.

use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use liblzma::read::XzDecoder;

/// Hands the data archive inside a `.deb`, unpacked on the way, to `visit`, then reads the rest
/// of the package too, so that whoever hands its bytes out can check all of them.
pub fn data_of<T>(
    deb: impl Read,
    visit: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let mut members = ar::Archive::new(BufReader::with_capacity(1 << 17, deb));
    let mut visit = Some(visit);
    let mut found = None;
    while let Some(member) = members.next_entry() {
        let mut member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        if let Some(form) = name.trim_end_matches('/').strip_prefix("data.tar")
            && let Some(visit) = visit.take()
        {
            let mut data: Box<dyn Read + '_> = match form {
                "" => Box::new(&mut member),
                ".gz" => Box::new(GzDecoder::new(&mut member)),
                ".xz" => Box::new(XzDecoder::new(&mut member)),
                other => {
                    let why = format!("its data are packed in a way that is not known: {other}");
                    return Err(io::Error::new(io::ErrorKind::Unsupported, why));
                }
            };
            found = Some(visit(&mut data)?);
        }
        io::copy(&mut member, &mut io::sink())?;
    }
    found.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it has no data.tar"))
}

/// Unpacks every file into `root`, as the package has them.
pub fn unpack(deb: impl Read, root: &Path) -> io::Result<()> {
    data_of(deb, |data| {
        let mut tar = tar::Archive::new(data);
        tar.set_preserve_permissions(true);
        tar.set_preserve_mtime(false);
        for entry in tar.entries()? {
            let mut entry = entry?;
            // Packages of releases before the merged /usr have a folder where there is a link to
            // one now: what is in it goes where the link leads.
            let there = root.join(entry.path()?);
            if entry.header().entry_type().is_dir() && there.is_dir() {
                continue;
            }
            // Refuses whatever would end up outside of `root`.
            entry.unpack_in(root)?;
        }
        Ok(())
    })
}
