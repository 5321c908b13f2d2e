//! Python's tokens, as far as blocks use them.

use super::Parse;
use crate::ast::Span;
use crate::diagnostic::Diagnostic;

/// Operators and punctuation, longer ones first.
const OPERATORS: [&str; 44] = [
    "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "<>", "+=", "-=",
    "*=", "/=", "%=", "&=", "|=", "^=", "->", ":=", "+", "-", "*", "/", "%", "&", "|", "^", "~",
    "<", ">", "=", "(", ")", "[", "]", ",", ":", ";", ".", "{",
];

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name(String),
    Int(i128),
    Float(f64),
    Str(String),
    Op(&'static str),
    /// The end of a line that is not inside brackets.
    Newline,
    /// The end of the block.
    End,
}

/// A token, where it stands, and how far its line is indented.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Span,
    pub indent: usize,
}

/// The tokens of `text`, which starts at byte `base` of the script. The last
/// one is [`Kind::End`].
pub(super) fn tokens(text: &str, base: usize) -> Parse<Vec<Token>> {
    let mut lexer = Lexer {
        text,
        base,
        at: 0,
        indent: 0,
        brackets: 0,
    };
    let mut tokens = Vec::new();
    lexer.start_line();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    let end = lexer.span(lexer.at, lexer.at);
    tokens.push(Token {
        kind: Kind::Newline,
        span: end,
        indent: lexer.indent,
    });
    tokens.push(Token {
        kind: Kind::End,
        span: end,
        indent: 0,
    });
    Ok(tokens)
}

struct Lexer<'t> {
    text: &'t str,
    base: usize,
    at: usize,
    indent: usize,
    brackets: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new((self.base + start) as u32, (self.base + end) as u32)
    }

    /// Measures the indentation of the line that starts here.
    fn start_line(&mut self) {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t']);
        self.indent = rest.len() - trimmed.len();
    }

    fn next(&mut self) -> Parse<Option<Token>> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return Ok(None);
            };
            if first == '\n' {
                let token = self.token(Kind::Newline, 1);
                self.start_line();
                if self.brackets == 0 {
                    return Ok(Some(token));
                }
            } else if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if first == '#' {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if first == '\\'
                && rest[1..]
                    .trim_start_matches([' ', '\t', '\r'])
                    .starts_with('\n')
            {
                // The line goes on; its indentation stays the first one's.
                self.at += rest.find('\n').map_or(1, |line_break| line_break + 1);
            } else {
                return self.solid(first).map(Some);
            }
        }
    }

    /// A token of `len` bytes that starts here.
    fn token(&mut self, kind: Kind, len: usize) -> Token {
        let span = self.span(self.at, self.at + len);
        self.at += len;
        Token {
            kind,
            span,
            indent: self.indent,
        }
    }

    /// A token other than a line break.
    fn solid(&mut self, first: char) -> Parse<Token> {
        let rest = self.rest();
        let word_len = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.string(0);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let word = &rest[..word_len];
            if rest[word_len..].starts_with(['"', '\'']) {
                if word == "u" {
                    return self.string(1);
                }
                return Err(self.refuse(word_len, &format!("`{word}` strings are not supported")));
            }
            let kind = Kind::Name(word.to_owned());
            return Ok(self.token(kind, word_len));
        }
        let Some(operator) = OPERATORS
            .iter()
            .find(|operator| rest.starts_with(**operator))
        else {
            return Err(self.refuse(
                first.len_utf8(),
                &format!("unexpected `{first}` in a code block"),
            ));
        };
        match *operator {
            "(" | "[" => self.brackets += 1,
            ")" | "]" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        Ok(self.token(Kind::Op(operator), operator.len()))
    }

    fn number(&mut self) -> Parse<Token> {
        let rest = self.rest();
        let prefix = rest.get(..2).unwrap_or_default().to_ascii_lowercase();
        let base = match prefix.as_str() {
            "0x" => 16,
            "0o" => 8,
            "0b" => 2,
            _ => 10,
        };
        let mut len = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && (c != '.' || base != 10))
            .unwrap_or(rest.len());
        // `1e-7`: the exponent's sign belongs to the number.
        let exponent = base == 10 && rest[..len].ends_with(['e', 'E']);
        if exponent && rest[len..].starts_with(['+', '-']) {
            let digits = &rest[len + 1..];
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            len += 1 + end;
        }
        let digits: String = rest[..len].chars().filter(|c| *c != '_').collect();
        // Python 2 marks long integers; nothing else ends in an L.
        let digits = digits.strip_suffix('L').unwrap_or(&digits);
        let kind = if base == 10 {
            let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            if plain {
                digits.parse().ok().map(Kind::Int)
            } else {
                digits
                    .parse()
                    .ok()
                    .filter(|f: &f64| f.is_finite())
                    .map(Kind::Float)
            }
        } else {
            i128::from_str_radix(digits.get(2..).unwrap_or_default(), base)
                .ok()
                .map(Kind::Int)
        };
        match kind {
            Some(kind) => Ok(self.token(kind, len)),
            None => Err(self.refuse(len, &format!("`{}` is no number", &rest[..len]))),
        }
    }

    /// A string whose quote comes after `prefix` bytes.
    fn string(&mut self, prefix: usize) -> Parse<Token> {
        let rest = &self.rest()[prefix..];
        let Some(quote) = rest.chars().next() else {
            return Err(self.refuse(prefix, "string never ends"));
        };
        if rest[1..].starts_with([quote]) && rest[2..].starts_with([quote]) {
            return Err(self.refuse(3 + prefix, "strings in triple quotes are not supported"));
        }
        let mut value = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\n' => break,
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, '\n')) => {}
                    Some((_, same @ ('\\' | '\'' | '"'))) => value.push(same),
                    // As in Python, an unknown escape stays as it is.
                    Some((_, other)) => value.extend(['\\', other]),
                    None => break,
                },
                end if end == quote => return Ok(self.token(Kind::Str(value), prefix + at + 1)),
                other => value.push(other),
            }
        }
        let span = self.span(self.at, self.at + prefix + 1);
        Err(Box::new(Diagnostic::new(span, "string never ends").label(
            format!("expected another `{quote}` before the end of the line"),
        )))
    }

    fn refuse(&self, len: usize, message: &str) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(self.span(self.at, self.at + len), message).label("expected Python"),
        )
    }
}
