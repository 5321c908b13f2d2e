//! Evaluates expressions. Nothing here can loop, and no value grows beyond a fixed size.

use std::cmp::Ordering;

use tunfarm_lang::ast::{BinaryOp, CodeExpr, CompareOp, Spanned, UnaryOp};

use super::format::format;
use super::value::Value;

/// The longest text that a block can make.
pub const MAX_TEXT: usize = 64 * 1024;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The block is wrong, or an assertion is.
    Wrong(String),
    /// The kernel does not tell what the block asks for.
    Missing(String),
}

/// Looks names up.
pub trait Names {
    /// The value of a name.
    fn value(&mut self, name: &str) -> Result<Value, Trouble>;
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Wrong(what.into()))
}

/// The value of an expression.
pub fn evaluate(expr: &Spanned<CodeExpr>, names: &mut impl Names) -> Result<Value, Trouble> {
    match &expr.node {
        CodeExpr::Name(name) => names.value(name),
        CodeExpr::Int(n) => Ok(Value::Int(*n)),
        CodeExpr::Float(x) => Ok(Value::Float(*x)),
        CodeExpr::Str(text) => Ok(Value::Str(text.clone())),
        CodeExpr::Bool(truth) => Ok(Value::Bool(*truth)),
        CodeExpr::None => Ok(Value::None),
        CodeExpr::Unary(op, operand) => unary(*op, &evaluate(operand, names)?),
        CodeExpr::Binary(op, left, right) => {
            let left = evaluate(left, names)?;
            binary(*op, left, evaluate(right, names)?)
        }
        CodeExpr::Compare(first, rest) => {
            let mut left = evaluate(first, names)?;
            for (op, right) in rest {
                let right = evaluate(right, names)?;
                if !compare(*op, &left, &right)? {
                    return Ok(Value::Bool(false));
                }
                left = right;
            }
            Ok(Value::Bool(true))
        }
        CodeExpr::And(parts) => first_with(parts, names, false),
        CodeExpr::Or(parts) => first_with(parts, names, true),
        CodeExpr::Conditional {
            test,
            then,
            otherwise,
        } => {
            let branch = if evaluate(test, names)?.is_true() {
                then
            } else {
                otherwise
            };
            evaluate(branch, names)
        }
        CodeExpr::Tuple(items) | CodeExpr::List(items) => Ok(Value::List(all(items, names)?)),
        CodeExpr::Call {
            function,
            arguments,
        } => call(&function.node, &all(arguments, names)?),
    }
}

fn all(items: &[Spanned<CodeExpr>], names: &mut impl Names) -> Result<Vec<Value>, Trouble> {
    items.iter().map(|item| evaluate(item, names)).collect()
}

/// `and` and `or` give the operand that decides.
fn first_with(
    parts: &[Spanned<CodeExpr>],
    names: &mut impl Names,
    truth: bool,
) -> Result<Value, Trouble> {
    let mut last = Value::Bool(!truth);
    for part in parts {
        last = evaluate(part, names)?;
        if last.is_true() == truth {
            break;
        }
    }
    Ok(last)
}

fn unary(op: UnaryOp, value: &Value) -> Result<Value, Trouble> {
    let result = match (op, value.int()) {
        (UnaryOp::Not, _) => Some(Value::Bool(!value.is_true())),
        (UnaryOp::Minus, Some(n)) => n.checked_neg().map(Value::Int),
        (UnaryOp::Plus, Some(n)) => Some(Value::Int(n)),
        (UnaryOp::Invert, Some(n)) => Some(Value::Int(!n)),
        (UnaryOp::Minus, None) => value.float().map(|x| Value::Float(-x)),
        (UnaryOp::Plus, None) => value.float().map(Value::Float),
        (UnaryOp::Invert, None) => None,
    };
    result.map_or_else(|| wrong(format!("{op:?} of {value}")), Ok)
}

/// An operator with two operands.
pub fn binary(op: BinaryOp, left: Value, right: Value) -> Result<Value, Trouble> {
    match (op, &left, &right) {
        (BinaryOp::Modulo, Value::Str(pattern), _) => {
            let items = match right {
                Value::List(items) => items,
                one => vec![one],
            };
            return format(pattern, &items);
        }
        (BinaryOp::Add, Value::Str(a), Value::Str(b)) => {
            if a.len() + b.len() > MAX_TEXT {
                return wrong("a text becomes too long");
            }
            return Ok(Value::Str(format!("{a}{b}")));
        }
        _ => {}
    }
    if let (Some(a), Some(b)) = (left.int(), right.int())
        && op != BinaryOp::Divide
    {
        return match integers(op, a, b) {
            Some(value) => Ok(value),
            None => wrong(format!("{op:?} of {a} and {b} has no value here")),
        };
    }
    match (left.float(), right.float()) {
        (Some(a), Some(b)) => match floats(op, a, b) {
            Some(x) => Ok(Value::Float(x)),
            None => wrong(format!("{op:?} of {a} and {b} has no value")),
        },
        _ => wrong(format!("{op:?} of {left} and {right}")),
    }
}

fn integers(op: BinaryOp, a: i128, b: i128) -> Option<Value> {
    let shift = u32::try_from(b).ok().filter(|b| *b < 127);
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::FloorDivide => {
            let quotient = a.checked_div(b)?;
            let inexact = a.checked_rem(b)? != 0 && (a < 0) != (b < 0);
            Some(quotient - i128::from(inexact))
        }
        BinaryOp::Modulo => {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) {
                rest + b
            } else {
                rest
            })
        }
        BinaryOp::Power => a.checked_pow(u32::try_from(b).ok()?),
        BinaryOp::ShiftLeft => a.checked_mul(1i128.checked_shl(shift?)?),
        BinaryOp::ShiftRight => Some(a >> shift?),
        BinaryOp::BitAnd => Some(a & b),
        BinaryOp::BitOr => Some(a | b),
        BinaryOp::BitXor => Some(a ^ b),
        BinaryOp::Divide => None,
    };
    result.map(Value::Int)
}

fn floats(op: BinaryOp, a: f64, b: f64) -> Option<f64> {
    match op {
        BinaryOp::Add => Some(a + b),
        BinaryOp::Subtract => Some(a - b),
        BinaryOp::Multiply => Some(a * b),
        BinaryOp::Divide => (b != 0.0).then(|| a / b),
        BinaryOp::FloorDivide => (b != 0.0).then(|| (a / b).floor()),
        BinaryOp::Modulo => (b != 0.0).then(|| a - b * (a / b).floor()),
        BinaryOp::Power => Some(a.powf(b)),
        _ => None,
    }
}

fn compare(op: CompareOp, left: &Value, right: &Value) -> Result<bool, Trouble> {
    let ordered = |accept: fn(Ordering) -> bool| match left.compare(right) {
        Some(order) => Ok(accept(order)),
        None => wrong(format!("{left} and {right} have no order")),
    };
    match op {
        CompareOp::Equal | CompareOp::Is => Ok(left.equals(right)),
        CompareOp::NotEqual | CompareOp::IsNot => Ok(!left.equals(right)),
        CompareOp::Less => ordered(Ordering::is_lt),
        CompareOp::LessOrEqual => ordered(Ordering::is_le),
        CompareOp::Greater => ordered(Ordering::is_gt),
        CompareOp::GreaterOrEqual => ordered(Ordering::is_ge),
        CompareOp::In | CompareOp::NotIn => {
            let inside = match (left, right) {
                (_, Value::List(items)) => items.iter().any(|item| item.equals(left)),
                (Value::Str(part), Value::Str(whole)) => whole.contains(part.as_str()),
                _ => return wrong(format!("{right} contains nothing")),
            };
            Ok(inside == (op == CompareOp::In))
        }
    }
}

fn call(function: &str, arguments: &[Value]) -> Result<Value, Trouble> {
    let items: &[Value] = match arguments {
        [Value::List(items)] if matches!(function, "min" | "max" | "sum") => items,
        other => other,
    };
    let result = match (function, items) {
        ("min" | "max", items) => extreme(function == "max", items),
        ("sum", items) => items
            .iter()
            .try_fold(0i128, |sum, v| sum.checked_add(v.int()?))
            .map(Value::Int),
        ("abs", [value]) => match value.int() {
            Some(n) => n.checked_abs().map(Value::Int),
            None => value.float().map(|x| Value::Float(x.abs())),
        },
        ("int", [Value::Float(x)]) => Some(Value::Int(*x as i128)),
        ("int", [Value::Str(text)]) => text.trim().parse().ok().map(Value::Int),
        ("int", [value]) => value.int().map(Value::Int),
        ("float", [value]) => value.float().map(Value::Float),
        ("round", [value]) => match value.int() {
            Some(n) => Some(Value::Int(n)),
            None => value
                .float()
                .map(|x| Value::Int(x.round_ties_even() as i128)),
        },
        ("bool", [value]) => Some(Value::Bool(value.is_true())),
        ("str" | "repr", [value]) => Some(Value::Str(value.to_string())),
        ("hex", [value]) => value.int().map(|n| {
            let sign = if n < 0 { "-" } else { "" };
            Value::Str(format!("{sign}{:#x}", n.unsigned_abs()))
        }),
        ("len", [Value::Str(text)]) => Some(Value::Int(text.chars().count() as i128)),
        ("len", [Value::List(items)]) => Some(Value::Int(items.len() as i128)),
        _ => None,
    };
    match result {
        Some(value) => Ok(value),
        None => wrong(format!("{function}() of these arguments")),
    }
}

fn extreme(largest: bool, items: &[Value]) -> Option<Value> {
    let (first, rest) = items.split_first()?;
    let mut best = first;
    for item in rest {
        let order = item.compare(best)?;
        if (largest && order.is_gt()) || (!largest && order.is_lt()) {
            best = item;
        }
    }
    Some(best.clone())
}

#[cfg(test)]
mod tests {
    use tunfarm_lang::ast::{Action, Statement};

    use super::*;

    struct Two;

    impl Names for Two {
        fn value(&mut self, name: &str) -> Result<Value, Trouble> {
            match name {
                "tcpi_snd_cwnd" => Ok(Value::Int(10)),
                other => wrong(format!("{other} is not defined")),
            }
        }
    }

    /// Through the real parser, so that both mean the same.
    fn value(text: &str) -> Result<Value, Trouble> {
        let script = format!("0 %{{ x = {text} }}%\n");
        let script = tunfarm_lang::parse(&script, "test").expect("an expression");
        let Action::Code(code) = &script.events[0].action else {
            panic!("a code block");
        };
        let Statement::Assign { value, .. } = &code.node.body[0].node else {
            panic!("an assignment");
        };
        evaluate(value, &mut Two)
    }

    #[test]
    fn arithmetic_is_pythons() {
        for (text, expected) in [
            ("tcpi_snd_cwnd * 2 + 1", Value::Int(21)),
            ("-7 // 2", Value::Int(-4)),
            ("-7 % 3", Value::Int(2)),
            ("7 / 2", Value::Float(3.5)),
            ("2 ** 10 >> 3", Value::Int(128)),
            ("0x30 & ~0x10", Value::Int(0x20)),
            ("1 < tcpi_snd_cwnd <= 10", Value::Bool(true)),
            ("1 < tcpi_snd_cwnd < 10", Value::Bool(false)),
            ("0 or 'b'", Value::Str("b".into())),
            ("min(3, 2.5)", Value::Float(2.5)),
            ("2 in (1, 2)", Value::Bool(true)),
            ("1 if not 0 else 2", Value::Int(1)),
            (
                "'cwnd=%d of %s' % (tcpi_snd_cwnd, 'it')",
                Value::Str("cwnd=10 of it".into()),
            ),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        for text in [
            "1 / 0",
            "1 % 0",
            "1 << 4000",
            "9 ** 999",
            "'a' < 1",
            "nope",
            "-'a'",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
