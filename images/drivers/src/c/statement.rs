//! Statements of a function's body.

use std::ops::Range;

use super::function::closing;
use super::token::{Token, TokenKind};

/// What kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// An expression, a declaration, a jump: all that ends with a semicolon.
    Simple,
    /// `{ … }`.
    Block,
    /// `if`, `for`, `while`, `do`, `switch` or a macro that heads a statement.
    Control,
    /// A label or `case`; the statement after it is the next one.
    Label,
}

/// A statement with those inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What kind.
    pub kind: StatementKind,
    /// Its tokens, as indices into the token list; the last is part of it.
    pub tokens: Range<usize>,
    /// Statements inside it, in order.
    pub children: Vec<Statement>,
}

impl Statement {
    /// The statements from the outermost to the innermost that hold token `at`.
    pub fn path<'a>(list: &'a [Statement], at: usize) -> Vec<&'a Statement> {
        let mut path = Vec::new();
        let mut level: &'a [Statement] = list;
        while let Some(inside) = level.iter().find(|s| s.tokens.contains(&at)) {
            path.push(inside);
            level = &inside.children;
        }
        path
    }
}

/// The statements of `body`; `None` when brackets or semicolons do not fit.
pub fn statements(source: &str, tokens: &[Token], body: Range<usize>) -> Option<Vec<Statement>> {
    // Directives and other branches do not take part in the structure. A body that stands in
    // another branch as a whole is read as it is.
    let whole = tokens[body.clone()].iter().all(|t| t.elsewhere);
    let visible: Vec<usize> = body
        .filter(|at| {
            let token = &tokens[*at];
            token.kind != TokenKind::Directive && (whole || !token.elsewhere)
        })
        .collect();
    let mut parser = Parser {
        source,
        tokens,
        visible,
        next: 0,
    };
    let mut list = Vec::new();
    while parser.next < parser.visible.len() {
        list.push(parser.statement()?);
    }
    Some(list)
}

struct Parser<'a> {
    source: &'a str,
    tokens: &'a [Token],
    /// Indices of the tokens that count.
    visible: Vec<usize>,
    /// Index into `visible`.
    next: usize,
}

impl Parser<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        Some(&self.tokens[*self.visible.get(self.next + ahead)?])
    }

    fn word(&self, ahead: usize) -> &str {
        match self.token(ahead) {
            Some(t) if t.kind == TokenKind::Word => t.text(self.source),
            _ => "",
        }
    }

    /// Passes over the bracket that stands next.
    fn bracket(&mut self) -> Option<()> {
        let open = *self.visible.get(self.next)?;
        let close = closing(self.tokens, open)?;
        self.next = self.visible.partition_point(|at| *at <= close);
        Some(())
    }

    /// Passes over everything up to and with `end` outside of brackets.
    fn until(&mut self, end: u8) -> Option<()> {
        loop {
            match self.token(0)?.kind {
                TokenKind::Punctuation(b'(' | b'[' | b'{') => self.bracket()?,
                TokenKind::Punctuation(b')' | b']' | b'}') => return None,
                TokenKind::Punctuation(c) if c == end => {
                    self.next += 1;
                    return Some(());
                }
                _ => self.next += 1,
            }
        }
    }

    fn statement(&mut self) -> Option<Statement> {
        let start = *self.visible.get(self.next)?;
        let mut children = Vec::new();
        let kind = if self.token(0)?.is(b'{') {
            let close = closing(self.tokens, start)?;
            self.next += 1;
            while *self.visible.get(self.next)? < close {
                children.push(self.statement()?);
            }
            self.next += 1;
            StatementKind::Block
        } else {
            match self.word(0) {
                "if" | "while" | "for" | "switch" => {
                    let is_if = self.word(0) == "if";
                    self.next += 1;
                    self.bracket()?;
                    children.push(self.statement()?);
                    if is_if && self.word(0) == "else" {
                        self.next += 1;
                        children.push(self.statement()?);
                    }
                    StatementKind::Control
                }
                "do" => {
                    self.next += 1;
                    children.push(self.statement()?);
                    self.until(b';')?;
                    StatementKind::Control
                }
                "case" | "default" => {
                    self.until(b':')?;
                    StatementKind::Label
                }
                "return" | "goto" | "break" | "continue" => {
                    self.until(b';')?;
                    StatementKind::Simple
                }
                word if !word.is_empty() && self.token(1).is_some_and(|t| t.is(b':')) => {
                    self.next += 2;
                    StatementKind::Label
                }
                _ if self.heads_a_statement() => {
                    self.next += 1;
                    self.bracket()?;
                    children.push(self.statement()?);
                    StatementKind::Control
                }
                _ => {
                    self.until(b';')?;
                    StatementKind::Simple
                }
            }
        };
        let last = self.visible[self.next - 1];
        Some(Statement {
            kind,
            tokens: start..last + 1,
            children,
        })
    }

    /// `list_for_each_entry(…)` and its like: a call with a brace or another word behind it.
    fn heads_a_statement(&self) -> bool {
        let word = self.word(0);
        if word.is_empty() || word.contains("typeof") || word.starts_with("__attribute") {
            return false;
        }
        if !self.token(1).is_some_and(|t| t.is(b'(')) {
            return false;
        }
        let Some(close) = closing(self.tokens, self.visible[self.next + 1]) else {
            return false;
        };
        let after = self.visible.partition_point(|at| *at <= close);
        self.visible.get(after).is_some_and(|at| {
            let token = &self.tokens[*at];
            token.is(b'{') || token.kind == TokenKind::Word
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenise;
    use super::*;

    fn outline(body: &str) -> String {
        fn show(source: &str, tokens: &[Token], list: &[Statement]) -> String {
            list.iter()
                .map(|s| match s.kind {
                    StatementKind::Simple => "s".to_owned(),
                    StatementKind::Label => "l".to_owned(),
                    StatementKind::Block => format!("{{{}}}", show(source, tokens, &s.children)),
                    StatementKind::Control => format!(
                        "{}({})",
                        tokens[s.tokens.start].text(source),
                        show(source, tokens, &s.children)
                    ),
                })
                .collect::<Vec<_>>()
                .join(" ")
        }
        let tokens = tokenise(body);
        match statements(body, &tokens, 0..tokens.len()) {
            Some(list) => show(body, &tokens, &list),
            None => "?".to_owned(),
        }
    }

    #[test]
    fn structure_is_seen() {
        assert_eq!(
            outline("int a = 1; if (a) b(); else { c(); d(); }"),
            "s if(s {s s})"
        );
        assert_eq!(outline("do { a(); } while (b); c();"), "do({s}) s");
        assert_eq!(
            outline("for (;;) if (a) goto out; out: return;"),
            "for(if(s)) l s"
        );
        assert_eq!(
            outline("switch (a) { case 1: b(); break; default: c(); }"),
            "switch({l s s l s})"
        );
        assert_eq!(
            outline("list_for_each(a, b) { c(); } list_for_each(a, b) c();"),
            "list_for_each({s}) list_for_each(s)"
        );
        assert_eq!(
            outline("typeof(a) b = { 1, 2 }; x = ({ y(); z(); });"),
            "s s"
        );
        assert_eq!(outline("a = b ? c : d;"), "s");
    }

    #[test]
    fn branches_need_not_balance() {
        assert_eq!(
            outline("#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\nc(); }"),
            "if({s})"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for body in ["a()", "if (a", "{ a(); ", "a(); }", "if (a)"] {
            assert_eq!(outline(body), "?", "{body}");
        }
    }
}
