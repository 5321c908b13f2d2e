//! Code blocks as text, with brackets only where Python needs them.

use std::fmt::{self, Write};

use super::joined;
use crate::ast::{BinaryOp, Code, CodeExpr, CompareOp, Spanned, Statement, UnaryOp};

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simple =
            |statement: &Spanned<Statement>| !matches!(statement.node, Statement::If { .. });
        match self.body.as_slice() {
            [] => out.write_str("%{ }%"),
            [only] if simple(only) => write!(out, "%{{ {} }}%", Simple(only)),
            body => {
                out.write_str("%{\n")?;
                suite(out, body, 0)?;
                out.write_str("}%")
            }
        }
    }
}

/// Statements, one a line, indented by `level` steps.
fn suite(out: &mut fmt::Formatter<'_>, body: &[Spanned<Statement>], level: usize) -> fmt::Result {
    for statement in body {
        let indent = "  ".repeat(level);
        match &statement.node {
            Statement::If {
                test,
                then,
                otherwise,
            } => {
                writeln!(out, "{indent}if {}:", Shown(test, TEST))?;
                suite(out, then, level + 1)?;
                branches(out, otherwise, level)?;
            }
            _ => writeln!(out, "{indent}{}", Simple(statement))?,
        }
    }
    Ok(())
}

/// What follows an `if`: its `elif`s and `else`.
fn branches(
    out: &mut fmt::Formatter<'_>,
    otherwise: &[Spanned<Statement>],
    level: usize,
) -> fmt::Result {
    let indent = "  ".repeat(level);
    match otherwise {
        [] => Ok(()),
        [only] if matches!(only.node, Statement::If { .. }) => {
            let Statement::If {
                test,
                then,
                otherwise,
            } = &only.node
            else {
                return Ok(());
            };
            writeln!(out, "{indent}elif {}:", Shown(test, TEST))?;
            suite(out, then, level + 1)?;
            branches(out, otherwise, level)
        }
        body => {
            writeln!(out, "{indent}else:")?;
            suite(out, body, level + 1)
        }
    }
}

/// A statement other than `if`.
struct Simple<'a>(&'a Spanned<Statement>);

impl fmt::Display for Simple<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.node {
            Statement::Assert { test, message } => {
                write!(out, "assert {}", Shown(test, TEST))?;
                message
                    .as_ref()
                    .map_or(Ok(()), |text| write!(out, ", {}", Shown(text, TEST)))
            }
            Statement::Print(items) => {
                out.write_str("print(")?;
                list(out, items)?;
                // One tuple would read as the list of what to print.
                let one_tuple =
                    matches!(items.as_slice(), [one] if matches!(one.node, CodeExpr::Tuple(_)));
                out.write_str(if one_tuple { ",)" } else { ")" })
            }
            Statement::Assign { name, op, value } => {
                let op = op.map_or("", symbol);
                write!(out, "{} {op}= {}", name.node, Shown(value, TEST))
            }
            Statement::Expr(value) => write!(out, "{}", Shown(value, TEST)),
            Statement::Pass | Statement::If { .. } => out.write_str("pass"),
        }
    }
}

fn list(out: &mut fmt::Formatter<'_>, items: &[Spanned<CodeExpr>]) -> fmt::Result {
    joined(out, items.iter().map(|item| Shown(item, TEST)), ", ")
}

/// How tightly an expression holds together, loosest first: Python's levels.
const TEST: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const BIT_OR: u8 = 5;
const UNARY: u8 = 11;
const POWER: u8 = 12;
const ATOM: u8 = 13;

/// An expression where one of at least this level must stand.
struct Shown<'a>(&'a Spanned<CodeExpr>, u8);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(expr, at_least) = *self;
        if level(&expr.node) < at_least {
            out.write_str("(")?;
            bare(out, &expr.node)?;
            out.write_str(")")
        } else {
            bare(out, &expr.node)
        }
    }
}

fn level(expr: &CodeExpr) -> u8 {
    match expr {
        CodeExpr::Conditional { .. } => TEST,
        CodeExpr::Or(_) => OR,
        CodeExpr::And(_) => AND,
        CodeExpr::Unary(UnaryOp::Not, _) => NOT,
        CodeExpr::Compare(..) => COMPARE,
        CodeExpr::Binary(op, ..) => binary_level(*op),
        CodeExpr::Unary(..) => UNARY,
        _ => ATOM,
    }
}

fn binary_level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::BitOr => BIT_OR,
        BinaryOp::BitXor => 6,
        BinaryOp::BitAnd => 7,
        BinaryOp::ShiftLeft | BinaryOp::ShiftRight => 8,
        BinaryOp::Add | BinaryOp::Subtract => 9,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::FloorDivide | BinaryOp::Modulo => 10,
        BinaryOp::Power => POWER,
    }
}

fn bare(out: &mut fmt::Formatter<'_>, expr: &CodeExpr) -> fmt::Result {
    match expr {
        CodeExpr::Name(name) => out.write_str(name),
        CodeExpr::Int(value) => write!(out, "{value}"),
        CodeExpr::Float(value) => write!(out, "{value:?}"),
        CodeExpr::Str(text) => string(out, text),
        CodeExpr::Bool(true) => out.write_str("True"),
        CodeExpr::Bool(false) => out.write_str("False"),
        CodeExpr::None => out.write_str("None"),
        CodeExpr::Unary(UnaryOp::Not, operand) => write!(out, "not {}", Shown(operand, NOT)),
        CodeExpr::Unary(op, operand) => {
            let sign = match op {
                UnaryOp::Plus => "+",
                UnaryOp::Invert => "~",
                UnaryOp::Minus | UnaryOp::Not => "-",
            };
            write!(out, "{sign}{}", Shown(operand, UNARY))
        }
        CodeExpr::Binary(BinaryOp::Power, base, exponent) => {
            write!(out, "{} ** {}", Shown(base, ATOM), Shown(exponent, UNARY))
        }
        CodeExpr::Binary(op, left, right) => {
            let level = binary_level(*op);
            write!(
                out,
                "{} {} {}",
                Shown(left, level),
                symbol(*op),
                Shown(right, level + 1)
            )
        }
        CodeExpr::Compare(first, rest) => {
            write!(out, "{}", Shown(first, BIT_OR))?;
            rest.iter().try_for_each(|(op, right)| {
                write!(out, " {} {}", comparison(*op), Shown(right, BIT_OR))
            })
        }
        CodeExpr::And(operands) => joined(out, operands.iter().map(|one| Shown(one, NOT)), " and "),
        CodeExpr::Or(operands) => joined(out, operands.iter().map(|one| Shown(one, AND)), " or "),
        CodeExpr::Conditional {
            test,
            then,
            otherwise,
        } => {
            write!(
                out,
                "{} if {} else {}",
                Shown(then, OR),
                Shown(test, OR),
                Shown(otherwise, TEST)
            )
        }
        CodeExpr::Tuple(items) => {
            out.write_str("(")?;
            list(out, items)?;
            out.write_str(if items.len() == 1 { ",)" } else { ")" })
        }
        CodeExpr::List(items) => {
            out.write_str("[")?;
            list(out, items)?;
            out.write_str("]")
        }
        CodeExpr::Call {
            function,
            arguments,
        } => {
            write!(out, "{}(", function.node)?;
            list(out, arguments)?;
            out.write_str(")")
        }
    }
}

fn string(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str("'")?;
    let mut before = ' ';
    for character in text.chars() {
        match character {
            '\\' | '\'' => write!(out, "\\{character}")?,
            '\n' => out.write_str("\\n")?,
            // `}%` would end the block; two strings side by side are one.
            '%' if before == '}' => out.write_str("' '%")?,
            other => out.write_char(other)?,
        }
        before = character;
    }
    out.write_str("'")
}

fn symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::FloorDivide => "//",
        BinaryOp::Modulo => "%",
        BinaryOp::Power => "**",
        BinaryOp::ShiftLeft => "<<",
        BinaryOp::ShiftRight => ">>",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
    }
}

fn comparison(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => "==",
        CompareOp::NotEqual => "!=",
        CompareOp::Less => "<",
        CompareOp::LessOrEqual => "<=",
        CompareOp::Greater => ">",
        CompareOp::GreaterOrEqual => ">=",
        CompareOp::In => "in",
        CompareOp::NotIn => "not in",
        CompareOp::Is => "is",
        CompareOp::IsNot => "is not",
    }
}
