//! `%{ … }%`: the Python that scripts use to look at `tcp_info`.
//!
//! A closed subset: no loops, no imports, no functions of one's own. A block
//! that needs more is refused by name.

use super::Spanned;

/// A block.
#[derive(Debug, Clone)]
pub struct Code {
    /// The text between the braces, as written.
    pub text: String,
    /// Its statements.
    pub body: Vec<Spanned<Statement>>,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `assert TEST, MESSAGE`
    Assert {
        /// What must be true.
        test: Spanned<CodeExpr>,
        /// What to say when it is not.
        message: Option<Spanned<CodeExpr>>,
    },
    /// `print(a, b)` or Python 2's `print a, b`.
    Print(Vec<Spanned<CodeExpr>>),
    /// `NAME = VALUE`, or `NAME += VALUE` with the operator.
    Assign {
        /// The name; it lives until the script ends, in later blocks too.
        name: Spanned<String>,
        /// The operator of an augmented assignment.
        op: Option<BinaryOp>,
        /// The value.
        value: Spanned<CodeExpr>,
    },
    /// `if TEST: … elif …: … else: …`; an `elif` is an `If` alone in `otherwise`.
    If {
        /// The condition.
        test: Spanned<CodeExpr>,
        /// Statements where it holds.
        then: Vec<Spanned<Statement>>,
        /// Statements where it does not.
        otherwise: Vec<Spanned<Statement>>,
    },
    /// An expression for its own sake.
    Expr(Spanned<CodeExpr>),
    /// `pass`
    Pass,
}

/// A Python expression.
#[derive(Debug, Clone, PartialEq)]
pub enum CodeExpr {
    /// `tcpi_snd_cwnd`, `TCP_CLOSE`, or a name assigned before.
    Name(String),
    /// An integer.
    Int(i128),
    /// A decimal number.
    Float(f64),
    /// A string, escapes resolved.
    Str(String),
    /// `True` or `False`.
    Bool(bool),
    /// `None`
    None,
    /// `-x`, `+x`, `~x`, `not x`
    Unary(UnaryOp, Box<Spanned<CodeExpr>>),
    /// `a + b` …; `'%d' % x` is [`BinaryOp::Modulo`] on a string.
    Binary(BinaryOp, Box<Spanned<CodeExpr>>, Box<Spanned<CodeExpr>>),
    /// `a <= b <= c`: at least one operator.
    Compare(Box<Spanned<CodeExpr>>, Vec<(CompareOp, Spanned<CodeExpr>)>),
    /// `a and b and c`: at least two.
    And(Vec<Spanned<CodeExpr>>),
    /// `a or b or c`: at least two.
    Or(Vec<Spanned<CodeExpr>>),
    /// `then if test else otherwise`
    Conditional {
        /// The condition.
        test: Box<Spanned<CodeExpr>>,
        /// The value where it holds.
        then: Box<Spanned<CodeExpr>>,
        /// The value where it does not.
        otherwise: Box<Spanned<CodeExpr>>,
    },
    /// `(a, b)`
    Tuple(Vec<Spanned<CodeExpr>>),
    /// `[a, b]`
    List(Vec<Spanned<CodeExpr>>),
    /// `abs(x)`, `min(a, b)`: a builtin by name.
    Call {
        /// Its name.
        function: Spanned<String>,
        /// Its arguments.
        arguments: Vec<Spanned<CodeExpr>>,
    },
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `~`
    Invert,
    /// `not`
    Not,
}

/// An arithmetic or bitwise operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/` (true division, as in Python 3)
    Divide,
    /// `//`
    FloorDivide,
    /// `%`: remainder, or formatting where the left side is a string.
    Modulo,
    /// `**`
    Power,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `not in`
    NotIn,
    /// `is`
    Is,
    /// `is not`
    IsNot,
}
