//! Which files a patch changes.

/// The part of a patch that is about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// The file's path in the kernel's source, without the first component (`a/`, `b/`).
    pub path: String,
    /// The file is a new one.
    pub is_new: bool,
    /// The file is taken away.
    pub is_gone: bool,
    /// From the `---` line to the end of its last hunk.
    pub text: String,
    /// Its hunks: header and lines.
    pub hunks: Vec<DiffHunk>,
}

/// One hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffHunk {
    /// First line in the old file.
    pub old_start: usize,
    /// Its lines with their first character.
    pub lines: Vec<String>,
}

impl DiffHunk {
    /// The lines that the old file should have: context and removed ones.
    pub fn old_lines(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(|l| !l.starts_with(['+', '\\']))
            .map(|l| l.get(1..).unwrap_or_default())
    }
}

/// Cuts a patch into files; text around the diffs (mail headers, descriptions, signatures) is
/// left out.
pub fn parse(text: &str) -> Vec<FileDiff> {
    let lines: Vec<&str> = text.lines().map(|l| l.trim_end_matches('\r')).collect();
    let mut files = Vec::new();
    let mut at = 0;
    while at + 1 < lines.len() {
        let (Some(old), Some(new)) = (
            lines[at].strip_prefix("--- "),
            lines[at + 1].strip_prefix("+++ "),
        ) else {
            at += 1;
            continue;
        };
        let (old, new) = (name(old), name(new));
        let mut file = FileDiff {
            path: inside(if new == "/dev/null" { old } else { new }),
            is_new: old == "/dev/null",
            is_gone: new == "/dev/null",
            text: format!("{}\n{}\n", lines[at], lines[at + 1]),
            hunks: Vec::new(),
        };
        at += 2;
        while let Some((start, old_count, new_count)) = lines.get(at).and_then(|l| header(l)) {
            let (mut old_left, mut new_left) = (old_count, new_count);
            file.text += &format!("{}\n", lines[at]);
            at += 1;
            let mut hunk = DiffHunk {
                old_start: start,
                lines: Vec::new(),
            };
            while let Some(line) = lines.get(at) {
                let (old_step, new_step) = match line.bytes().next() {
                    // Mailers strip the space of an empty context line.
                    Some(b' ') | None => (1, 1),
                    Some(b'-') => (1, 0),
                    Some(b'+') => (0, 1),
                    Some(b'\\') => (0, 0),
                    Some(_) => break,
                };
                if old_step > old_left
                    || new_step > new_left
                    || (old_left + new_left == 0 && !line.starts_with('\\'))
                {
                    break;
                }
                old_left -= old_step;
                new_left -= new_step;
                let line = if line.is_empty() { " " } else { line };
                file.text += &format!("{line}\n");
                hunk.lines.push(line.to_owned());
                at += 1;
            }
            file.hunks.push(hunk);
        }
        if !file.hunks.is_empty() {
            files.push(file);
        }
    }
    files
}

/// The name in a `---` or `+++` line: what is before a tab (a date).
fn name(line: &str) -> &str {
    line.split('\t').next().unwrap_or(line).trim()
}

/// A path without its first component, as `patch -p1` reads it; a bare name or one that begins
/// with a folder of the kernel's source stays.
fn inside(path: &str) -> String {
    match path.split_once('/') {
        Some(("drivers" | "include" | "net" | "Documentation" | "tools" | "kernel", _)) | None => {
            path.to_owned()
        }
        Some((_, rest)) => rest.to_owned(),
    }
}

/// `@@ -START[,COUNT] +START[,COUNT] @@`.
fn header(line: &str) -> Option<(usize, usize, usize)> {
    let mut words = line.strip_prefix("@@ ")?.split(' ');
    let range = |word: &str, sign| {
        let (start, count) = match word.strip_prefix(sign)?.split_once(',') {
            Some((start, count)) => (start, count.parse().ok()?),
            None => (word.strip_prefix(sign)?, 1),
        };
        Some((start.parse::<usize>().ok()?, count))
    };
    let (start, old) = range(words.next()?, '-')?;
    let (_, new) = range(words.next()?, '+')?;
    Some((start, old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From 0123 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] tun: x\n\n\
        ---\n drivers/net/tun.c | 2 +-\n\n\
        diff --git a/drivers/net/tun.c b/drivers/net/tun.c\nindex 1..2 100644\n\
        --- a/drivers/net/tun.c\n+++ b/drivers/net/tun.c\n\
        @@ -10,3 +10,3 @@ static int f(void)\n a\n-b\n+c\n\n\
        @@ -20 +20,2 @@\n d\n+--- e\n-- \n2.39.5\n";

    #[test]
    fn a_mail_is_taken_apart() {
        let files = parse(MAIL);
        assert_eq!(files.len(), 1);
        let file = &files[0];
        assert_eq!(file.path, "drivers/net/tun.c");
        assert_eq!(file.hunks.len(), 2);
        assert_eq!(file.hunks[0].lines, [" a", "-b", "+c", " "]);
        assert_eq!(file.hunks[1].lines, [" d", "+--- e"]);
        assert_eq!(
            file.hunks[0].old_lines().collect::<Vec<_>>(),
            ["a", "b", ""]
        );
    }

    #[test]
    fn new_and_removed_files_are_told() {
        let files = parse(
            "--- /dev/null\n+++ b/drivers/net/tun_x.h\n@@ -0,0 +1 @@\n+x\n\
             --- a/drivers/net/tun_y.h\t2020-01-01\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n",
        );
        assert_eq!(files.len(), 2);
        assert!(files[0].is_new && files[0].path == "drivers/net/tun_x.h");
        assert!(files[1].is_gone && files[1].path == "drivers/net/tun_y.h");
    }

    #[test]
    fn what_is_no_patch_has_no_files() {
        for text in [
            "",
            "--- a\n+++ b\n",
            "--- a\n+++ b\n@@ nonsense @@\n",
            "@@ -1 +1 @@\n-a\n+b\n",
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
