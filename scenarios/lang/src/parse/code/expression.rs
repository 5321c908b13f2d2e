//! Python's expressions, as far as blocks use them.

use super::statement::Reader;
use super::token::Kind;
use super::{MAX_DEPTH, Parse};
use crate::ast::{BinaryOp, CodeExpr, CompareOp, Spanned, UnaryOp};
use crate::diagnostic::Diagnostic;

/// Most operators in one statement.
const MAX_OPERATORS: usize = 256;

/// Binary operators that group to the left, from the loosest level.
const LEVELS: [&[(&str, BinaryOp)]; 6] = [
    &[("|", BinaryOp::BitOr)],
    &[("^", BinaryOp::BitXor)],
    &[("&", BinaryOp::BitAnd)],
    &[("<<", BinaryOp::ShiftLeft), (">>", BinaryOp::ShiftRight)],
    &[("+", BinaryOp::Add), ("-", BinaryOp::Subtract)],
    &[
        ("*", BinaryOp::Multiply),
        ("//", BinaryOp::FloorDivide),
        ("/", BinaryOp::Divide),
        ("%", BinaryOp::Modulo),
    ],
];

type Expr = Spanned<CodeExpr>;

impl Reader<'_> {
    /// An expression without a comma outside brackets.
    pub(super) fn expression(&mut self, depth: usize) -> Parse<Expr> {
        if depth > MAX_DEPTH {
            return Err(Box::new(
                Diagnostic::new(self.span(), "the expression is nested too deep")
                    .label(format!("expected at most {MAX_DEPTH} levels")),
            ));
        }
        let then = self.or(depth)?;
        if !self.eat_word("if") {
            return Ok(then);
        }
        let start = then.span;
        let test = self.or(depth)?;
        if !self.eat_word("else") {
            return Err(self.expected("`else`"));
        }
        let otherwise = self.expression(depth + 1)?;
        let node = CodeExpr::Conditional {
            test: Box::new(test),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        Ok(Spanned::new(node, self.since(start)))
    }

    fn or(&mut self, depth: usize) -> Parse<Expr> {
        self.joined(depth, "or", Self::and, CodeExpr::Or)
    }

    fn and(&mut self, depth: usize) -> Parse<Expr> {
        self.joined(depth, "and", Self::not, CodeExpr::And)
    }

    /// Operands joined by the word `joint`.
    fn joined(
        &mut self,
        depth: usize,
        joint: &str,
        operand: fn(&mut Self, usize) -> Parse<Expr>,
        node: fn(Vec<Expr>) -> CodeExpr,
    ) -> Parse<Expr> {
        let first = operand(self, depth)?;
        if !self.sees_word(joint) {
            return Ok(first);
        }
        let start = first.span;
        let mut operands = vec![first];
        while self.eat_word(joint) {
            self.count_operator()?;
            operands.push(operand(self, depth)?);
        }
        Ok(Spanned::new(node(operands), self.since(start)))
    }

    fn not(&mut self, depth: usize) -> Parse<Expr> {
        let start = self.span();
        if !self.eat_word("not") {
            return self.comparison(depth);
        }
        self.count_operator()?;
        let operand = self.not(depth)?;
        let node = CodeExpr::Unary(UnaryOp::Not, Box::new(operand));
        Ok(Spanned::new(node, self.since(start)))
    }

    fn comparison(&mut self, depth: usize) -> Parse<Expr> {
        let first = self.binary(0, depth)?;
        let mut rest = Vec::new();
        while let Some(op) = self.compare_op()? {
            self.count_operator()?;
            rest.push((op, self.binary(0, depth)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let start = first.span;
        Ok(Spanned::new(
            CodeExpr::Compare(Box::new(first), rest),
            self.since(start),
        ))
    }

    fn compare_op(&mut self) -> Parse<Option<CompareOp>> {
        let op = match self.kind() {
            Kind::Op("==") => CompareOp::Equal,
            Kind::Op("!=" | "<>") => CompareOp::NotEqual,
            Kind::Op("<") => CompareOp::Less,
            Kind::Op("<=") => CompareOp::LessOrEqual,
            Kind::Op(">") => CompareOp::Greater,
            Kind::Op(">=") => CompareOp::GreaterOrEqual,
            Kind::Name(name) if name == "in" => CompareOp::In,
            Kind::Name(name) if name == "is" => {
                self.advance();
                return Ok(Some(if self.eat_word("not") {
                    CompareOp::IsNot
                } else {
                    CompareOp::Is
                }));
            }
            Kind::Name(name) if name == "not" => {
                self.advance();
                if !self.eat_word("in") {
                    return Err(self.expected("`in` after `not`"));
                }
                return Ok(Some(CompareOp::NotIn));
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(op))
    }

    /// Binary operators from `level` up.
    fn binary(&mut self, level: usize, depth: usize) -> Parse<Expr> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary(depth);
        };
        let mut left = self.binary(level + 1, depth)?;
        loop {
            let Kind::Op(written) = self.kind() else {
                return Ok(left);
            };
            let Some((_, op)) = operators.iter().find(|(known, _)| known == written) else {
                return Ok(left);
            };
            self.count_operator()?;
            self.advance();
            let right = self.binary(level + 1, depth)?;
            let span = left.span.to(right.span);
            left = Spanned::new(CodeExpr::Binary(*op, Box::new(left), Box::new(right)), span);
        }
    }

    fn unary(&mut self, depth: usize) -> Parse<Expr> {
        let start = self.span();
        let op = match self.kind() {
            Kind::Op("-") => UnaryOp::Minus,
            Kind::Op("+") => UnaryOp::Plus,
            Kind::Op("~") => UnaryOp::Invert,
            _ => return self.power(depth),
        };
        self.count_operator()?;
        self.advance();
        let operand = self.unary(depth)?;
        Ok(Spanned::new(
            CodeExpr::Unary(op, Box::new(operand)),
            self.since(start),
        ))
    }

    fn power(&mut self, depth: usize) -> Parse<Expr> {
        let base = self.atom(depth)?;
        if !self.eat("**") {
            return Ok(base);
        }
        self.count_operator()?;
        // `**` groups to the right and holds tighter than a sign before it.
        let exponent = self.unary(depth)?;
        let span = base.span.to(exponent.span);
        let node = CodeExpr::Binary(BinaryOp::Power, Box::new(base), Box::new(exponent));
        Ok(Spanned::new(node, span))
    }

    fn atom(&mut self, depth: usize) -> Parse<Expr> {
        let start = self.span();
        let node = match self.kind() {
            Kind::Int(value) => CodeExpr::Int(*value),
            Kind::Float(value) => CodeExpr::Float(*value),
            Kind::Str(_) => {
                let string = self.string();
                return self.trailer(string);
            }
            Kind::Op("(") => return self.brackets(depth, ")"),
            Kind::Op("[") => return self.brackets(depth, "]"),
            Kind::Name(name) => match name.as_str() {
                "True" => CodeExpr::Bool(true),
                "False" => CodeExpr::Bool(false),
                "None" => CodeExpr::None,
                "lambda" | "and" | "or" | "in" | "is" | "else" | "elif" | "if" => {
                    return Err(self.expected("a value"));
                }
                _ => return self.name(depth, name),
            },
            _ => return Err(self.expected("a value")),
        };
        self.advance();
        self.trailer(Spanned::new(node, start))
    }

    /// A name, or a call of a function by name.
    fn name(&mut self, depth: usize, name: &str) -> Parse<Expr> {
        let start = self.span();
        self.advance();
        if !self.eat("(") {
            return self.trailer(Spanned::new(CodeExpr::Name(name.to_owned()), start));
        }
        let (arguments, _) = self.items(depth, ")")?;
        let function = Spanned::new(name.to_owned(), start);
        let call = CodeExpr::Call {
            function,
            arguments,
        };
        self.trailer(Spanned::new(call, self.since(start)))
    }

    /// Refuses what Python would allow after a value and blocks do not.
    fn trailer(&self, value: Expr) -> Parse<Expr> {
        let refused = match self.kind() {
            Kind::Op(".") => "attributes and methods are",
            Kind::Op("[") => "indexing is",
            Kind::Op("(") => "calling anything but a function by its name is",
            _ => return Ok(value),
        };
        Err(Box::new(
            Diagnostic::new(
                self.span(),
                format!("{refused} not supported in code blocks"),
            )
            .label("expected an operator or the end of the expression"),
        ))
    }

    /// Strings side by side are one.
    fn string(&mut self) -> Expr {
        let start = self.span();
        let mut value = String::new();
        while let Kind::Str(part) = self.kind() {
            value.push_str(part);
            self.advance();
        }
        Spanned::new(CodeExpr::Str(value), self.since(start))
    }

    /// `(…)` or `[…]`.
    fn brackets(&mut self, depth: usize, close: &'static str) -> Parse<Expr> {
        let start = self.span();
        self.advance();
        let (mut items, comma) = self.items(depth, close)?;
        let span = self.since(start);
        let node = match (close, items.len(), comma) {
            ("]", _, _) => CodeExpr::List(items),
            (_, 1, false) => match items.pop() {
                Some(inner) => inner.node,
                None => CodeExpr::Tuple(items),
            },
            _ => CodeExpr::Tuple(items),
        };
        self.trailer(Spanned::new(node, span))
    }

    /// Expressions between commas up to `close`, which is taken too, and
    /// whether the last one had a comma after it.
    fn items(&mut self, depth: usize, close: &'static str) -> Parse<(Vec<Expr>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.eat(close) {
            if !items.is_empty() && !comma {
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
            items.push(self.expression(depth + 1)?);
            comma = self.eat(",");
        }
        Ok((items, comma))
    }

    fn count_operator(&mut self) -> Parse<()> {
        self.operators += 1;
        if self.operators <= MAX_OPERATORS {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::new(self.span(), "too many operators in one statement")
                .label(format!("expected at most {MAX_OPERATORS}")),
        ))
    }
}
