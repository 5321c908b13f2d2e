//! Debian's control files (deb-control(5), deb822(5)): stanzas of fields.

use std::io::{self, BufRead};

/// One stanza.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stanza<'a> {
    fields: Vec<(&'a str, String)>,
}

impl<'a> Stanza<'a> {
    /// Reads one stanza: `Name: value`, lines that begin with a blank go on, `#` lines do not
    /// count. What is neither is passed over.
    pub(crate) fn parse(text: &'a str) -> Stanza<'a> {
        let mut fields: Vec<(&str, String)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name, value.trim().to_owned()));
            }
        }
        Stanza { fields }
    }

    /// The value of a field; names are compared without regard to case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self
            .fields
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// The words of a field.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        self.get(name)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect()
    }
}

/// Hands every stanza of `reader` to `take`, as text.
pub(crate) fn each_stanza(
    mut reader: impl BufRead,
    mut take: impl FnMut(&str) -> io::Result<()>,
) -> io::Result<()> {
    let mut stanza = Vec::new();
    loop {
        let start = stanza.len();
        let read = reader.read_until(b'\n', &mut stanza)?;
        let blank = stanza[start..].iter().all(u8::is_ascii_whitespace);
        if blank && start > 0 {
            take(&String::from_utf8_lossy(&stanza[..start]))?;
        }
        if blank {
            stanza.clear();
        }
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_on_and_comments_do_not_count() {
        let text = "Types: deb\n# a comment\nURIs: a\n b\nsuites : x\nnonsense\n";
        let stanza = Stanza::parse(text);
        assert_eq!(stanza.get("types"), Some("deb"));
        assert_eq!(stanza.words("uris"), ["a", "b"]);
        assert_eq!(stanza.get("none"), None);
    }

    #[test]
    fn stanzas_are_cut_at_blank_lines() {
        let mut seen = Vec::new();
        let text = "\n\nA: 1\nB: 2\n\n \nC: 3";
        each_stanza(text.as_bytes(), |stanza| {
            seen.push(stanza.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["A: 1\nB: 2\n", "C: 3"]);
    }
}
