//! From bytes to the text of a printk line.

/// A longer line is cut; the rest of it is dropped.
const MAX_LINE: usize = 1024;

/// Cuts a byte stream into lines of text.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes bytes and hands out each whole line.
    pub fn push(&mut self, bytes: &[u8], mut take: impl FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' => self.finish(&mut take),
                b'\r' => {}
                _ if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => {}
            }
        }
    }

    /// Hands out what is left as a line.
    pub fn finish(&mut self, mut take: impl FnMut(&str)) {
        if !self.line.is_empty() {
            take(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

/// The message of a console line: without log level, time stamp and caller.
///
/// `<4>[    1.234567][    T1] text` → `text`; user space's own lines are left as they are.
pub fn message(line: &str) -> &str {
    let mut rest = line;
    if let Some((level, tail)) = rest.strip_prefix('<').and_then(|r| r.split_once('>'))
        && !level.is_empty()
        && level.bytes().all(|b| b.is_ascii_digit())
    {
        rest = tail;
    }
    if let Some((stamp, tail)) = bracket(rest)
        && stamp.contains('.')
        && stamp.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        rest = tail;
        // CONFIG_PRINTK_CALLER: task (T) or CPU (C) and a number.
        if let Some((caller, tail)) = bracket(rest.trim_start())
            && caller.starts_with(['T', 'C'])
            && caller[1..].bytes().all(|b| b.is_ascii_digit())
            && caller.len() > 1
        {
            rest = tail;
        }
        return rest.strip_prefix(' ').unwrap_or(rest);
    }
    rest
}

/// `[ inside] tail`.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (inside, tail) = text.strip_prefix('[')?.split_once(']')?;
    Some((inside.trim(), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_printk_are_taken_off() {
        for (line, text) in [
            ("[    1.234567] a: b", "a: b"),
            ("<4>[    1.234567]  indented", " indented"),
            ("[    1.234567][    T1] x", "x"),
            ("[    1.234567] [   C12] x", "x"),
            ("[ cut here ]", "[ cut here ]"),
            (
                "[<ffffffff81000000>] f+0x1/0x2",
                "[<ffffffff81000000>] f+0x1/0x2",
            ),
            ("", ""),
            ("[", "["),
            ("<>", "<>"),
        ] {
            assert_eq!(message(line), text, "{line}");
        }
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        lines.push(&vec![b'x'; 1 << 20], |l| seen.push(l.len()));
        lines.push(b"\nshort\n", |l| seen.push(l.len()));
        assert_eq!(seen, [MAX_LINE, 5]);
    }
}
