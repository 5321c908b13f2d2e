//! Finding a function's body.

use std::ops::Range;

use super::token::{Token, TokenKind};

/// A function definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Byte at which its name stands.
    pub name_at: usize,
    /// Tokens of the body between its braces, as indices into the token list.
    pub body: Range<usize>,
}

/// Why a function has no body that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Braces or parentheses do not match.
    #[error("the braces of `{0}` do not match")]
    Unbalanced(String),
}

/// Every definition of `name` at the top level of the text, those in other branches of the
/// preprocessor included: more than one is for the caller to refuse.
pub fn functions_named(
    source: &str,
    tokens: &[Token],
    name: &str,
) -> Result<Vec<Function>, FunctionError> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if !token.elsewhere {
            match token.kind {
                TokenKind::Punctuation(b'{') => depth += 1,
                TokenKind::Punctuation(b'}') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth == 0
            && token.kind == TokenKind::Word
            && token.text(source) == name
            && let Some(open) = body_open(tokens, at + 1)
        {
            let close =
                closing(tokens, open).ok_or_else(|| FunctionError::Unbalanced(name.to_owned()))?;
            found.push(Function {
                name_at: token.span.start,
                body: open + 1..close,
            });
            at = close;
        }
        at += 1;
    }
    Ok(found)
}

/// From a name's next token: parameters, annotations (`__must_hold(x)`), then the brace.
fn body_open(tokens: &[Token], mut at: usize) -> Option<usize> {
    if !tokens.get(at)?.is(b'(') {
        return None;
    }
    at = closing(tokens, at)? + 1;
    loop {
        let token = tokens.get(at)?;
        match token.kind {
            TokenKind::Punctuation(b'{') => return Some(at),
            TokenKind::Punctuation(b'(') => at = closing(tokens, at)? + 1,
            TokenKind::Word | TokenKind::Directive => at += 1,
            _ => return None,
        }
    }
}

/// The token that closes the bracket `tokens[open]`; other branches of the preprocessor are
/// passed over unless the bracket itself stands in one.
pub(super) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let elsewhere = tokens[open].elsewhere;
    let mut stack = Vec::new();
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.elsewhere && !elsewhere {
            continue;
        }
        let TokenKind::Punctuation(c) = token.kind else {
            continue;
        };
        match c {
            b'(' => stack.push(b')'),
            b'[' => stack.push(b']'),
            b'{' => stack.push(b'}'),
            b')' | b']' | b'}' => {
                if stack.pop() != Some(c) {
                    return None;
                }
                if stack.is_empty() {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tokenise;
    use super::*;

    fn bodies(source: &str, name: &str) -> Vec<String> {
        let tokens = tokenise(source);
        functions_named(source, &tokens, name)
            .unwrap()
            .iter()
            .map(|f| {
                let span = tokens[f.body.start - 1].span.end..tokens[f.body.end].span.start;
                source[span].trim().to_owned()
            })
            .collect()
    }

    #[test]
    fn declarations_calls_and_comments_are_no_definitions() {
        let source = "static int f(int a);\n/* f(x) { */\nint g(void)\n{ return f(1); }\n\
                      struct ops o = { .x = f, };\nint f(int a) __must_hold(a)\n{ b(); }\n";
        assert_eq!(bodies(source, "f"), ["b();"]);
        assert_eq!(bodies(source, "g"), ["return f(1);"]);
        assert_eq!(bodies(source, "h"), Vec::<String>::new());
    }

    #[test]
    fn both_branches_are_told() {
        let source = "#ifdef X\nvoid f(void) { a(); }\n#else\nvoid f(void) { b(); }\n#endif\n";
        assert_eq!(bodies(source, "f"), ["a();", "b();"]);
    }

    #[test]
    fn a_body_cut_off_is_an_error() {
        let source = "void f(void) { if (a) { b(); }";
        let tokens = tokenise(source);
        assert_eq!(
            functions_named(source, &tokens, "f"),
            Err(FunctionError::Unbalanced("f".into()))
        );
    }
}
