//! Values of code blocks, which are Python's.

use std::cmp::Ordering;
use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer. Python's have no limit; these end at 128 bits.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// True or False.
    Bool(bool),
    /// None.
    None,
    /// A list or a tuple.
    List(Vec<Value>),
}

impl Value {
    /// Python's truth.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Bool(truth) => *truth,
            Value::None => false,
            Value::List(items) => !items.is_empty(),
        }
    }

    /// As an integer, if it is one (a truth value is).
    pub fn int(&self) -> Option<i128> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Bool(truth) => Some(i128::from(*truth)),
            _ => None,
        }
    }

    /// As a number, if it is one.
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            other => other.int().map(|n| n as f64),
        }
    }

    /// Python's `==`.
    pub fn equals(&self, other: &Value) -> bool {
        match (self.int(), other.int()) {
            (Some(a), Some(b)) => a == b,
            _ => match (self.float(), other.float()) {
                (Some(a), Some(b)) => a == b,
                _ => self == other,
            },
        }
    }

    /// Python's order; `None` where it has none.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self.int(), other.int()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => match (self, other) {
                (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
                _ => self.float()?.partial_cmp(&other.float()?),
            },
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Str(text) => f.write_str(text),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::None => f.write_str("None"),
            Value::List(items) => {
                let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "({})", texts.join(", "))
            }
        }
    }
}
