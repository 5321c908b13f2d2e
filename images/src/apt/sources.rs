//! Where packages come from: `sources.list`, `*.list` and `*.sources` (sources.list(5)).

use std::fs;
use std::path::{Path, PathBuf};

use crate::control::{Stanza, each_stanza};

/// One entry for binary packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Address without a slash at its end: `http://mirror.example/debian`.
    pub uri: String,
    /// Suite, e.g. `trixie-security`.
    pub suite: String,
    /// Components, e.g. `main`.
    pub components: Vec<String>,
    /// The keyring file this entry names.
    pub signed_by: Option<PathBuf>,
}

/// All enabled entries below `root` (`/etc/apt`), in apt's order. Files that cannot be read are
/// passed over, as a user without rights to one of them can still use the others.
pub fn read_sources(root: &Path) -> Vec<Source> {
    let mut files = vec![root.join("sources.list")];
    let mut parts: Vec<_> = fs::read_dir(root.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    files.extend(parts);
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|e| e.to_str()) {
            Some("list") => sources.extend(parse_list(&text)),
            Some("sources") => sources.extend(parse_deb822(&text)),
            _ => {}
        }
    }
    sources.into_iter().flat_map(follow_mirror_file).collect()
}

/// `mirror+file:` names a file that lists mirrors, the best first.
fn follow_mirror_file(source: Source) -> Vec<Source> {
    let Some(path) = source.uri.strip_prefix("mirror+file:") else {
        return vec![source];
    };
    // Both `mirror+file:/path` and `mirror+file:///path` are in use.
    let path = format!("/{}", path.trim_start_matches('/'));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|word| !word.starts_with('#'))
        .map(|uri| Source {
            uri: trimmed(uri),
            ..source.clone()
        })
        .collect()
}

fn trimmed(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

/// One entry a line: `deb [option=value …] URI SUITE COMPONENT…`.
fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next().unwrap_or_default();
    let mut rest = line.trim().strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let mut signed_by = None;
    rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('[') {
        let (options, after) = after.split_once(']')?;
        for option in options.split_ascii_whitespace() {
            match option.split_once('=') {
                Some(("signed-by", value)) => signed_by = keyring(value),
                Some(("arch", value)) if !value.split(',').any(|a| a == "amd64") => return None,
                _ => {}
            }
        }
        rest = after;
    }
    let mut words = rest.split_ascii_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let components = words.map(str::to_owned).collect();
    Some(Source {
        uri: trimmed(uri),
        suite: suite.to_owned(),
        components,
        signed_by,
    })
}

/// Only a file can be handed to gpgv; a fingerprint or a key in the text cannot.
fn keyring(value: &str) -> Option<PathBuf> {
    value
        .split([',', '\n', ' '])
        .find(|part| part.starts_with('/'))
        .map(PathBuf::from)
}

/// Stanzas with `Types`, `URIs`, `Suites`, `Components`.
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let each = each_stanza(text.as_bytes(), |stanza| {
        sources.extend(from_stanza(&Stanza::parse(stanza)));
        Ok(())
    });
    each.expect("reading from memory does not fail");
    sources
}

fn from_stanza(stanza: &Stanza) -> Vec<Source> {
    let enabled = !matches!(stanza.get("Enabled"), Some("no" | "false" | "0" | "off"));
    let architectures = stanza.words("Architectures");
    if !enabled
        || !stanza.words("Types").iter().any(|kind| kind == "deb")
        || !(architectures.is_empty() || architectures.iter().any(|a| a == "amd64"))
    {
        return Vec::new();
    }
    let components = stanza.words("Components");
    let signed_by = stanza.get("Signed-By").and_then(keyring);
    let suites = stanza.words("Suites");
    let of_uri = |uri: String| {
        let (components, signed_by) = (components.clone(), signed_by.clone());
        suites.iter().map(move |suite| Source {
            uri: trimmed(&uri),
            suite: suite.clone(),
            components: components.clone(),
            signed_by: signed_by.clone(),
        })
    };
    stanza.words("URIs").into_iter().flat_map(of_uri).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(sources: &[Source]) -> Vec<String> {
        let key = |s: &Source| {
            s.signed_by
                .as_ref()
                .map(|k| format!(" [{}]", k.display()))
                .unwrap_or_default()
        };
        sources
            .iter()
            .map(|s| format!("{} {} {}{}", s.uri, s.suite, s.components.join(","), key(s)))
            .collect()
    }

    #[test]
    fn one_line_entries() {
        let text = "\
# deb http://commented.example/debian sid main
deb http://mirror.example/debian/ trixie main contrib # a remark
deb-src http://mirror.example/debian trixie main
deb [arch=arm64] http://ports.example/debian trixie main
deb [ arch=amd64,i386 signed-by=/usr/share/keyrings/d.gpg ] https://mirror.example/debian-security trixie-security main
deb [trusted=yes] file:/srv/local ./
debris http://mirror.example/debian trixie main
deb http://lonely.example
";
        assert_eq!(
            short(&parse_list(text)),
            [
                "http://mirror.example/debian trixie main,contrib",
                "https://mirror.example/debian-security trixie-security main \
                 [/usr/share/keyrings/d.gpg]",
                "file:/srv/local ./ ",
            ]
        );
    }

    #[test]
    fn deb822_entries() {
        let text = "\
Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian http://second.example/debian/
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

types: deb
uris: http://other.example/apt
suites: stable
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEZ

Types: deb
URIs: http://arm.example/debian
Suites: sid
Architectures: arm64
Components: main
";
        let key = " [/usr/share/keyrings/debian-archive-keyring.gpg]";
        let expected = [
            format!("http://mirror.example/debian bookworm main{key}"),
            format!("http://mirror.example/debian bookworm-updates main{key}"),
            format!("http://second.example/debian bookworm main{key}"),
            format!("http://second.example/debian bookworm-updates main{key}"),
            "http://other.example/apt stable main".to_owned(),
        ];
        assert_eq!(short(&parse_deb822(text)), expected);
    }

    #[test]
    fn a_whole_directory_with_a_mirror_list() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("sources.list.d")).unwrap();
        fs::write(
            root.join("sources.list"),
            "deb http://first.example/d sid main",
        )
        .unwrap();
        let list = root.join("mirrors/debian.list");
        fs::create_dir(root.join("mirrors")).unwrap();
        fs::write(&list, "# best first\nhttp://a.example/debian/ priority:1\n").unwrap();
        let stanza = format!(
            "Types: deb\nURIs: mirror+file://{}\nSuites: trixie\nComponents: main\n",
            list.display()
        );
        fs::write(root.join("sources.list.d/b.sources"), stanza).unwrap();
        let entry = "deb http://z.example/d sid main";
        fs::write(root.join("sources.list.d/a.list"), entry).unwrap();
        fs::write(root.join("sources.list.d/c.list.save"), entry).unwrap();
        assert_eq!(
            short(&read_sources(root)),
            [
                "http://first.example/d sid main",
                "http://z.example/d sid main",
                "http://a.example/debian trixie main",
            ]
        );
        assert_eq!(read_sources(&root.join("nowhere")), []);
    }
}
