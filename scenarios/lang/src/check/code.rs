//! Code blocks: names and functions that exist where they are used.

use std::collections::BTreeSet;

use super::Checker;
use crate::ast::{Code, CodeExpr, Spanned, Statement};
use crate::diagnostic::Diagnostic;
use crate::symbols::{self, SK_MEMINFO, TCP_CC_INFO, TCP_INFO};

/// Functions that blocks may call, with the least and the most arguments.
const FUNCTIONS: [(&str, usize, usize); 12] = [
    ("abs", 1, 1),
    ("bool", 1, 1),
    ("float", 1, 1),
    ("hex", 1, 1),
    ("int", 1, 1),
    ("len", 1, 1),
    ("max", 1, 255),
    ("min", 1, 255),
    ("repr", 1, 1),
    ("round", 1, 1),
    ("str", 1, 1),
    ("sum", 1, 255),
];

/// The names that blocks before this one have assigned.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn check(&mut self, checker: &mut Checker<'_>, block: &Code) {
        self.statements(checker, &block.body);
    }

    fn statements(&mut self, checker: &mut Checker<'_>, body: &[Spanned<Statement>]) {
        for statement in body {
            match &statement.node {
                Statement::Assert { test, message } => {
                    if matches!(&test.node, CodeExpr::Tuple(items) if !items.is_empty()) {
                        checker.report(
                            Diagnostic::new(test.span, "a tuple is always true: this cannot fail")
                                .label(
                                    "expected `assert test, message` without brackets around both",
                                ),
                        );
                    }
                    self.expr(checker, test);
                    message
                        .iter()
                        .for_each(|message| self.expr(checker, message));
                }
                Statement::Print(items) => items.iter().for_each(|item| self.expr(checker, item)),
                Statement::Assign { name, op, value } => {
                    self.expr(checker, value);
                    if op.is_some() && !self.0.contains(&name.node) {
                        self.unknown(checker, name);
                    }
                    self.0.insert(name.node.clone());
                }
                Statement::If {
                    test,
                    then,
                    otherwise,
                } => {
                    self.expr(checker, test);
                    self.statements(checker, then);
                    self.statements(checker, otherwise);
                }
                Statement::Expr(value) => {
                    if matches!(value.node, CodeExpr::Compare(..)) {
                        checker.report(
                            Diagnostic::new(value.span, "this comparison has no effect")
                                .label("expected `assert` before it"),
                        );
                    }
                    self.expr(checker, value);
                }
                Statement::Pass => {}
            }
        }
    }

    fn expr(&self, checker: &mut Checker<'_>, expr: &Spanned<CodeExpr>) {
        match &expr.node {
            CodeExpr::Name(name) => {
                if !self.0.contains(name) && !is_known(name) {
                    self.unknown(checker, &Spanned::new(name.clone(), expr.span));
                }
            }
            CodeExpr::Int(_)
            | CodeExpr::Float(_)
            | CodeExpr::Str(_)
            | CodeExpr::Bool(_)
            | CodeExpr::None => {}
            CodeExpr::Unary(_, operand) => self.expr(checker, operand),
            CodeExpr::Binary(_, left, right) => {
                self.expr(checker, left);
                self.expr(checker, right);
            }
            CodeExpr::Compare(first, rest) => {
                self.expr(checker, first);
                rest.iter().for_each(|(_, right)| self.expr(checker, right));
            }
            CodeExpr::And(items)
            | CodeExpr::Or(items)
            | CodeExpr::Tuple(items)
            | CodeExpr::List(items) => items.iter().for_each(|item| self.expr(checker, item)),
            CodeExpr::Conditional {
                test,
                then,
                otherwise,
            } => {
                [test, then, otherwise]
                    .iter()
                    .for_each(|part| self.expr(checker, part));
            }
            CodeExpr::Call {
                function,
                arguments,
            } => {
                function_call(checker, function, arguments.len());
                arguments
                    .iter()
                    .for_each(|argument| self.expr(checker, argument));
            }
        }
    }

    fn unknown(&self, checker: &mut Checker<'_>, name: &Spanned<String>) {
        let names = info_names().chain(symbols::names());
        let known = self
            .0
            .iter()
            .map(String::as_str)
            .chain(names.map(|name| name as &str));
        let diagnostic = Diagnostic::new(name.span, format!("unknown name `{}`", name.node))
            .label("expected a field of tcp_info, a constant, or a name assigned before");
        checker.report_unknown(diagnostic, &name.node, known, None);
    }
}

fn function_call(checker: &mut Checker<'_>, function: &Spanned<String>, given: usize) {
    let known = FUNCTIONS.iter().find(|(known, ..)| *known == function.node);
    let names = FUNCTIONS.map(|(name, ..)| name);
    match known {
        None => checker.report(
            Diagnostic::new(
                function.span,
                format!("unknown function `{}` in a code block", function.node),
            )
            .label(format!("expected one of {}", names.join(", ")))
            .suggest(&function.node, names),
        ),
        Some((_, least, most)) if given < *least || given > *most => checker.report(
            Diagnostic::new(
                function.span,
                format!("`{}` with {given} arguments", function.node),
            )
            .label(format!("expected at least {least}")),
        ),
        Some(_) => {}
    }
}

/// What the kernel fills in before each block.
fn info_names() -> impl Iterator<Item = &'static str> {
    TCP_INFO
        .iter()
        .chain(TCP_CC_INFO)
        .chain(SK_MEMINFO)
        .map(|field| field.name)
}

fn is_known(name: &str) -> bool {
    symbols::value(name).is_some() || info_names().any(|known| known == name)
}
