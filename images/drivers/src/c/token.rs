//! Tokens.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Identifier or keyword.
    Word,
    /// Number, string or character constant.
    Constant,
    /// One character of punctuation.
    Punctuation(u8),
    /// A whole preprocessor line with its continuations.
    Directive,
}

/// One token; comments and white space are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// It stands in an `#else` or `#elif` branch, or in `#if 0`. Only the first branch takes part
    /// in the structure: both together need not be balanced.
    pub elsewhere: bool,
}

impl Token {
    /// Is this the punctuation `c`?
    pub fn is(&self, c: u8) -> bool {
        self.kind == TokenKind::Punctuation(c)
    }

    /// The token's text.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        &source[self.span.clone()]
    }
}

/// The line, from 1, on which the byte `at` stands.
pub fn line_of(source: &str, at: usize) -> usize {
    let end = at.min(source.len());
    1 + source.as_bytes()[..end]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
}

/// Cuts `source` into tokens. Never fails: an unterminated comment or string ends with the text.
pub fn tokenise(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut branches = Branches::default();
    let mut at = 0;
    let mut line_is_empty = true;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b'\n' => {
                line_is_empty = true;
                at += 1;
                continue;
            }
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = logical_line_end(bytes, at);
                continue;
            }
            b'#' if line_is_empty => {
                at = logical_line_end(bytes, at);
                TokenKind::Directive
            }
            quote @ (b'"' | b'\'') => {
                at = constant_end(bytes, at, quote);
                TokenKind::Constant
            }
            b if b.is_ascii_digit() => {
                while at < bytes.len() && (is_word(bytes[at]) || bytes[at] == b'.') {
                    at += 1;
                }
                TokenKind::Constant
            }
            b if is_word(b) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                TokenKind::Word
            }
            b => {
                at += 1;
                TokenKind::Punctuation(b)
            }
        };
        line_is_empty = false;
        if kind == TokenKind::Directive {
            branches.see(&source[start..at]);
        }
        tokens.push(Token {
            kind,
            span: start..at,
            elsewhere: branches.elsewhere(),
        });
    }
    tokens
}

/// Bytes over 127 count as letters, so a slice never cuts a character in two.
fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(what.len())
        .position(|w| w == what)
        .map(|p| p + from)
}

/// Where the line that holds `at` ends: continuations and comments that go on are part of it.
fn logical_line_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' => return at,
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2);
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the constant that begins at `at` ends; at the line's end if it is not terminated.
fn constant_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    at += 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' => return at,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Open conditionals of the preprocessor: for each, is its branch one that is left out?
#[derive(Default)]
struct Branches(Vec<bool>);

impl Branches {
    fn see(&mut self, directive: &str) {
        let mut words = directive[1..].split_whitespace();
        let name = words.next().unwrap_or_default();
        match name {
            "if" | "ifdef" | "ifndef" => {
                let never = name == "if" && words.next() == Some("0");
                self.0.push(never);
            }
            "else" | "elif" => {
                if let Some(top) = self.0.last_mut() {
                    // What follows `#if 0` is the branch that counts.
                    *top = !*top;
                }
            }
            "endif" => {
                self.0.pop();
            }
            _ => {}
        }
    }

    fn elsewhere(&self) -> bool {
        self.0.iter().any(|left_out| *left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        tokenise(source)
            .iter()
            .filter(|t| t.kind == TokenKind::Word && !t.elsewhere)
            .map(|t| t.text(source))
            .collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        let source = "a /* b( */ c // d \\\n e\n \"f \\\" g\" 'h' '\\'' i 0x1fUL";
        assert_eq!(words(source), ["a", "c", "i"]);
    }

    #[test]
    fn a_directive_is_one_token_with_its_continuations() {
        let source = "#define X(a) do { \\\n  a(); \\\n} while (0)\nb";
        let tokens = tokenise(source);
        assert_eq!(tokens.len(), 2);
        assert_eq!(tokens[0].kind, TokenKind::Directive);
        assert_eq!(tokens[1].text(source), "b");
    }

    #[test]
    fn only_one_branch_of_a_conditional_counts() {
        assert_eq!(words("#ifdef A\na {\n#else\nb {\n#endif\nc"), ["a", "c"]);
        assert_eq!(words("#if 0\na\n#else\nb\n#endif\nc"), ["b", "c"]);
        assert_eq!(
            words("#if A\na\n#else\n#if B\nb\n#endif\n#endif\nc"),
            ["a", "c"]
        );
    }

    #[test]
    fn what_is_cut_off_ends_with_the_text() {
        for source in [
            "/* a",
            "\"a",
            "'",
            "#define a \\",
            "a\\",
            "// é",
            "\u{e9}\u{df}",
        ] {
            let tokens = tokenise(source);
            assert!(
                tokens.iter().all(|t| t.span.end <= source.len()),
                "{source}"
            );
        }
    }
}
