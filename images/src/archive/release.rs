//! A suite's `InRelease`: the signed list of its indices.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::control::Stanza;
use crate::{Digest, Error, Result};

/// An index a suite lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) sha256: Digest,
    pub(super) size: u64,
}

/// The signed part of `InRelease`.
pub(super) struct Release {
    text: String,
}

impl Release {
    /// Checks the signature of `in_release`, which came from `url`. Only what the signature
    /// covers is used afterwards: text before or after it could be anybody's.
    pub(super) fn verify(in_release: &[u8], url: &str, keyring: &Path) -> Result<Release> {
        if !keyring.exists() {
            return Err(Error::NoKeyring {
                path: keyring.to_owned(),
            });
        }
        let bad = |why: String| Error::Signature {
            url: url.to_owned(),
            keyring: keyring.to_owned(),
            why,
        };
        let program = |source| Error::Program {
            program: "gpgv",
            package: "gpgv",
            source,
        };
        let mut child = Command::new("gpgv")
            .args(["--status-fd", "2", "--output", "-", "--keyring"])
            .arg(keyring)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(program)?;
        let mut stdin = child.stdin.take().expect("it was asked for");
        let output = std::thread::scope(|scope| {
            // Dropped at its end, so that gpgv sees the end of its input; gpgv may stop reading
            // early, and says why itself.
            scope.spawn(move || drop(stdin.write_all(in_release)));
            child.wait_with_output()
        })
        .map_err(program)?;
        let status = String::from_utf8_lossy(&output.stderr);
        judge(&status).map_err(bad)?;
        let text = String::from_utf8(output.stdout)
            .map_err(|_| bad("the signed text is not UTF-8".to_owned()))?;
        Ok(Release { text })
    }

    fn stanza(&self) -> Stanza<'_> {
        Stanza::parse(&self.text)
    }

    /// `Valid-Until`, as it is written.
    pub(super) fn valid_until(&self) -> Option<String> {
        self.stanza().get("Valid-Until").map(str::to_owned)
    }

    /// Whether indices can be had by their hash, which is the only way that never races with an
    /// update of the mirror.
    pub(super) fn by_hash(&self) -> bool {
        self.stanza().get("Acquire-By-Hash") == Some("yes")
    }

    /// The entry for `path` among the SHA-256 sums.
    pub(super) fn listed(&self, path: &str) -> Option<Listed> {
        let stanza = self.stanza();
        stanza.get("SHA256")?.lines().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let sha256 = words.next()?.parse().ok()?;
            let size = words.next()?.parse().ok()?;
            (words.next()? == path).then_some(Listed { sha256, size })
        })
    }
}

/// gpgv's exit status is that of the worst signature, and a suite is signed with several keys,
/// of which an older keyring knows some: one good one is needed, and no bad one.
fn judge(status: &str) -> std::result::Result<(), String> {
    let says = |word: &str| {
        status
            .lines()
            .filter_map(|line| line.strip_prefix("[GNUPG:] "))
            .find(|line| line.split(' ').next() == Some(word))
    };
    if let Some(line) = says("BADSIG") {
        return Err(format!("the text was changed after it was signed ({line})"));
    }
    if says("GOODSIG").is_some() && says("VALIDSIG").is_some() {
        return Ok(());
    }
    let why = if says("EXPKEYSIG").is_some() {
        "it was signed with a key that has expired"
    } else if says("REVKEYSIG").is_some() {
        "it was signed with a key that was revoked"
    } else if says("EXPSIG").is_some() {
        "the signature has expired"
    } else if says("NO_PUBKEY").is_some() {
        "it was signed with a key that is not in the keyring (install a newer \
         debian-archive-keyring)"
    } else if says("NODATA").is_some() {
        "it is not signed at all; perhaps a proxy or a login page answered"
    } else {
        return Err(format!("gpgv said: {}", status.trim()));
    };
    Err(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_signature_is_needed_and_no_bad_one() {
        let good = "gpgv: Good\n[GNUPG:] GOODSIG 6ED0 Debian\n[GNUPG:] VALIDSIG 4CB5 2026\n";
        let unknown = "[GNUPG:] ERRSIG 78DB\n[GNUPG:] NO_PUBKEY 78DB\n";
        let bad = "[GNUPG:] BADSIG 6ED0 Debian\n";
        let expired = "[GNUPG:] EXPKEYSIG 6ED0 Debian\n[GNUPG:] VALIDSIG 4CB5 2026\n";
        assert_eq!(judge(good), Ok(()));
        assert_eq!(judge(&format!("{unknown}{good}")), Ok(()));
        assert!(
            judge(&format!("{good}{bad}"))
                .unwrap_err()
                .contains("changed")
        );
        assert!(judge(unknown).unwrap_err().contains("not in the keyring"));
        assert!(judge(expired).unwrap_err().contains("expired"));
        assert!(
            judge("[GNUPG:] NODATA 1\n")
                .unwrap_err()
                .contains("not signed")
        );
        // The user id of a key is its maker's choice.
        assert!(judge("[GNUPG:] ERRSIG GOODSIG VALIDSIG\n").is_err());
        assert!(judge("").is_err());
    }

    #[test]
    fn sums_are_found_by_path() {
        let sum = Digest::of(b"x");
        let text = format!(
            "Origin: Debian\nAcquire-By-Hash: yes\nMD5Sum:\n 0123 7 main/binary-amd64/Packages.xz\n\
             SHA256:\n {sum}  12 main/binary-amd64/Packages\n {sum}\t34 main/binary-amd64/Packages.xz\n"
        );
        let release = Release { text };
        assert!(release.by_hash());
        let listed = release.listed("main/binary-amd64/Packages.xz");
        assert_eq!(
            listed,
            Some(Listed {
                sha256: sum,
                size: 34
            })
        );
        assert_eq!(release.listed("binary-amd64/Packages.xz"), None);
    }
}
