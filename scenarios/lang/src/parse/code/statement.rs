//! Python's statements, as far as blocks use them.

use super::token::{Kind, Token};
use super::{MAX_DEPTH, Parse};
use crate::ast::{BinaryOp, CodeExpr, Span, Spanned, Statement};
use crate::diagnostic::Diagnostic;

/// Statements of Python that a block may not use.
const REFUSED: [&str; 18] = [
    "for", "while", "def", "class", "import", "from", "lambda", "try", "with", "return", "global",
    "del", "raise", "yield", "exec", "nonlocal", "async", "match",
];

/// Assignments that compute.
const AUGMENTED: [(&str, BinaryOp); 12] = [
    ("+=", BinaryOp::Add),
    ("-=", BinaryOp::Subtract),
    ("*=", BinaryOp::Multiply),
    ("/=", BinaryOp::Divide),
    ("//=", BinaryOp::FloorDivide),
    ("%=", BinaryOp::Modulo),
    ("**=", BinaryOp::Power),
    ("<<=", BinaryOp::ShiftLeft),
    (">>=", BinaryOp::ShiftRight),
    ("&=", BinaryOp::BitAnd),
    ("|=", BinaryOp::BitOr),
    ("^=", BinaryOp::BitXor),
];

/// All statements of a block.
pub(super) fn statements(tokens: &[Token]) -> Parse<Vec<Spanned<Statement>>> {
    let mut reader = Reader {
        tokens,
        at: 0,
        operators: 0,
    };
    let mut body = Vec::new();
    while *reader.kind() != Kind::End {
        reader.line(&mut body, 1)?;
    }
    Ok(body)
}

/// A place among the tokens. The last token is never passed.
pub(super) struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    /// Operators in the statement so far: bounds the height of its tree.
    pub(super) operators: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn kind(&self) -> &'t Kind {
        self.tokens
            .get(self.at)
            .map_or(&Kind::End, |token| &token.kind)
    }

    pub(super) fn span(&self) -> Span {
        self.tokens
            .get(self.at)
            .map_or(Span::default(), |token| token.span)
    }

    fn indent(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.indent)
    }

    /// The end of the token before.
    pub(super) fn since(&self, start: Span) -> Span {
        let last = self
            .at
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before));
        last.map_or(start, |token| start.to(token.span))
    }

    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }

    /// Takes `operator` if it comes next.
    pub(super) fn eat(&mut self, operator: &str) -> bool {
        let found = matches!(self.kind(), Kind::Op(op) if *op == operator);
        if found {
            self.advance();
        }
        found
    }

    /// Whether the word `keyword` comes next.
    pub(super) fn sees_word(&self, keyword: &str) -> bool {
        matches!(self.kind(), Kind::Name(name) if name == keyword)
    }

    /// Takes the word `keyword` if it comes next.
    pub(super) fn eat_word(&mut self, keyword: &str) -> bool {
        let found = self.sees_word(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// That `what` was expected here.
    pub(super) fn expected(&self, what: &str) -> Box<Diagnostic> {
        let found = match self.kind() {
            Kind::Name(name) => format!("unexpected `{name}` in a code block"),
            Kind::Op(op) => format!("unexpected `{op}` in a code block"),
            Kind::Int(value) => format!("unexpected `{value}` in a code block"),
            Kind::Float(value) => format!("unexpected `{value}` in a code block"),
            Kind::Str(_) => "unexpected string in a code block".to_owned(),
            Kind::Newline => "unexpected end of a line in a code block".to_owned(),
            Kind::End => "unexpected end of a code block".to_owned(),
        };
        Box::new(Diagnostic::new(self.span(), found).label(format!("expected {what}")))
    }

    /// The statements of one line, which may be none.
    fn line(&mut self, body: &mut Vec<Spanned<Statement>>, depth: usize) -> Parse<()> {
        if *self.kind() == Kind::Newline {
            self.advance();
            return Ok(());
        }
        if self.sees_word("if") {
            body.push(self.if_statement(depth)?);
            return Ok(());
        }
        self.simple_statements(body)
    }

    /// Simple statements between `;` to the end of the line.
    fn simple_statements(&mut self, body: &mut Vec<Spanned<Statement>>) -> Parse<()> {
        loop {
            while self.eat(";") {}
            if *self.kind() == Kind::Newline {
                self.advance();
                return Ok(());
            }
            body.push(self.simple()?);
            let over = matches!(self.kind(), Kind::Newline) || matches!(self.kind(), Kind::Op(";"));
            if !over {
                let error = self.expected("the end of the statement");
                let compared = matches!(self.kind(), Kind::Op("="));
                return Err(if compared {
                    Box::new(error.help("did you mean `==`?"))
                } else {
                    error
                });
            }
        }
    }

    fn simple(&mut self) -> Parse<Spanned<Statement>> {
        self.operators = 0;
        let start = self.span();
        if let Kind::Name(name) = self.kind() {
            if REFUSED.contains(&name.as_str()) {
                return Err(Box::new(
                    Diagnostic::new(start, format!("`{name}` is not supported in code blocks"))
                        .label("expected assert, print, if, pass, an assignment or an expression"),
                ));
            }
            let next = self
                .tokens
                .get(self.at + 1)
                .map_or(&Kind::End, |token| &token.kind);
            let assigns = match next {
                Kind::Op("=") => Some(None),
                Kind::Op(op) => AUGMENTED
                    .iter()
                    .find(|(known, _)| known == op)
                    .map(|(_, op)| Some(*op)),
                _ => None,
            };
            if let Some(op) = assigns {
                self.advance();
                self.advance();
                let value = self.expression_list()?;
                let name = Spanned::new(name.clone(), start);
                let statement = Statement::Assign { name, op, value };
                return Ok(Spanned::new(statement, self.since(start)));
            }
        }
        let statement = if self.eat_word("pass") {
            Statement::Pass
        } else if self.eat_word("assert") {
            let test = self.expression(1)?;
            let message = if self.eat(",") {
                Some(self.expression(1)?)
            } else {
                None
            };
            Statement::Assert { test, message }
        } else if self.eat_word("print") {
            Statement::Print(self.printed()?)
        } else {
            Statement::Expr(self.expression_list()?)
        };
        Ok(Spanned::new(statement, self.since(start)))
    }

    /// What `print` prints: the arguments of a call, or Python 2's list.
    fn printed(&mut self) -> Parse<Vec<Spanned<CodeExpr>>> {
        if matches!(self.kind(), Kind::Newline | Kind::Op(";")) {
            return Ok(Vec::new());
        }
        let list = self.expression_list()?;
        Ok(match list.node {
            CodeExpr::Tuple(items) => items,
            _ => vec![list],
        })
    }

    /// One expression, or several between commas as a tuple.
    fn expression_list(&mut self) -> Parse<Spanned<CodeExpr>> {
        let first = self.expression(1)?;
        let start = first.span;
        if !self.eat(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while !matches!(self.kind(), Kind::Newline | Kind::Op(";") | Kind::End) {
            items.push(self.expression(1)?);
            if !self.eat(",") {
                break;
            }
        }
        Ok(Spanned::new(CodeExpr::Tuple(items), self.since(start)))
    }

    /// `if TEST: SUITE elif … else …`, also entered at an `elif`.
    fn if_statement(&mut self, depth: usize) -> Parse<Spanned<Statement>> {
        let start = self.span();
        if depth > MAX_DEPTH {
            return Err(Box::new(
                Diagnostic::new(start, "`if` is nested too deep")
                    .label(format!("expected at most {MAX_DEPTH} levels")),
            ));
        }
        let indent = self.indent();
        self.advance();
        self.operators = 0;
        let test = self.expression(1)?;
        let then = self.suite(indent, depth)?;
        self.skip_empty_lines();
        let same_level = self.indent() == indent;
        let otherwise = if same_level && self.sees_word("elif") {
            vec![self.if_statement(depth + 1)?]
        } else if same_level && self.eat_word("else") {
            self.suite(indent, depth)?
        } else {
            Vec::new()
        };
        Ok(Spanned::new(
            Statement::If {
                test,
                then,
                otherwise,
            },
            self.since(start),
        ))
    }

    /// `: statements` on the line, or on lines indented more than `indent`.
    fn suite(&mut self, indent: usize, depth: usize) -> Parse<Vec<Spanned<Statement>>> {
        if !self.eat(":") {
            return Err(self.expected("`:`"));
        }
        let mut body = Vec::new();
        if *self.kind() != Kind::Newline {
            self.simple_statements(&mut body)?;
            return Ok(body);
        }
        self.skip_empty_lines();
        while self.indent() > indent && *self.kind() != Kind::End {
            self.line(&mut body, depth + 1)?;
            self.skip_empty_lines();
        }
        if body.is_empty() {
            Err(self.expected("indented statements"))
        } else {
            Ok(body)
        }
    }

    fn skip_empty_lines(&mut self) {
        while *self.kind() == Kind::Newline {
            self.advance();
        }
    }
}
