//! Arguments as values.

use std::os::fd::RawFd;

use tunfarm_lang::ast::{Expr, Field, Spanned, Syscall};
use tunfarm_lang::symbols::Definitions;

use crate::descriptors::Handle;
use crate::run::World;
use crate::stop::{Stop, failed};

/// The most that one call may move, in bytes.
pub const MAX_BUFFER: usize = 64 << 20;

/// The arguments of a call.
pub struct Arguments<'a> {
    call: &'a Syscall,
}

impl<'a> Arguments<'a> {
    /// Those of `call`.
    pub fn new(call: &'a Syscall) -> Arguments<'a> {
        Arguments { call }
    }

    /// The call's name.
    pub fn name(&self) -> &'a str {
        &self.call.name.node
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.call.arguments.len()
    }

    /// Whether this one is there.
    pub fn has(&self, index: usize) -> bool {
        index < self.count()
    }

    /// One of them, by number from 0.
    pub fn get(&self, index: usize) -> Result<&'a Spanned<Expr>, Stop> {
        match self.call.arguments.get(index) {
            Some(argument) => Ok(argument),
            None => failed(format!(
                "{}() needs at least {} arguments and has {}",
                self.name(),
                index + 1,
                self.count()
            )),
        }
    }

    /// Fails unless there are so many.
    pub fn exactly(&self, count: usize) -> Result<(), Stop> {
        if self.count() == count {
            return Ok(());
        }
        failed(format!(
            "{}() takes {count} arguments and has {}",
            self.name(),
            self.count()
        ))
    }

    /// A number.
    pub fn number(&self, index: usize, world: &World) -> Result<i64, Stop> {
        number(self.get(index)?, &world.config.defines)
    }

    /// A C int.
    pub fn int(&self, index: usize, world: &World) -> Result<i32, Stop> {
        Ok(self.number(index, world)? as i32)
    }

    /// A length that a buffer can have.
    pub fn length(&self, index: usize, world: &World) -> Result<usize, Stop> {
        length(self.number(index, world)?)
    }

    /// Whether it is `...`.
    pub fn is_any(&self, index: usize) -> bool {
        matches!(
            self.call.arguments.get(index).map(|a| &a.node),
            Some(Expr::Ellipsis)
        )
    }

    /// Whether it is `NULL`.
    pub fn is_null(&self, index: usize) -> bool {
        matches!(self.call.arguments.get(index).map(|a| &a.node), Some(Expr::Word(w)) if w == "NULL")
    }

    /// The live descriptor for the script's.
    pub fn descriptor(&self, index: usize, world: &mut World) -> Result<RawFd, Stop> {
        let script = self.number(index, world)?;
        Ok(handle(world, script)?.live())
    }
}

/// A length that a buffer can have.
pub fn length(number: i64) -> Result<usize, Stop> {
    match usize::try_from(number) {
        Ok(len) if len <= MAX_BUFFER => Ok(len),
        _ => failed(format!(
            "a buffer of {number} bytes is outside of 0 to {MAX_BUFFER}"
        )),
    }
}

/// The script's descriptor. While one is unknown that a call under way may still make, that call
/// is waited for.
pub fn handle(world: &mut World, script: i64) -> Result<&Handle, Stop> {
    if world.descriptors.get(script).is_none() {
        world.finish_pending(true)?;
    }
    match world.descriptors.get(script) {
        Some(handle) => Ok(handle),
        None => failed(format!("the script has no open descriptor {script}")),
    }
}

/// A number out of literals, names, `|`, and the functions that C programs use here.
pub fn number(expr: &Spanned<Expr>, names: &Definitions) -> Result<i64, Stop> {
    match &expr.node {
        Expr::Int(literal) => Ok(literal.value),
        Expr::Word(word) if word == "NULL" => Ok(0),
        Expr::Word(word) => match names.value(word) {
            Some(value) => Ok(value),
            None => failed(format!("{word} is not a known name")),
        },
        Expr::Or(parts) => parts
            .iter()
            .try_fold(0, |all, part| Ok(all | number(part, names)?)),
        Expr::Array(items) if items.len() == 1 => number(&items[0], names),
        Expr::Call {
            function,
            arguments,
        } => called(&function.node, arguments, names),
        other => failed(format!("{other:?} is not a number")),
    }
}

fn called(function: &str, arguments: &[Spanned<Expr>], names: &Definitions) -> Result<i64, Stop> {
    let [argument] = arguments else {
        return failed(format!("{function}() takes one argument"));
    };
    match function {
        "htons" | "ntohs" => Ok(i64::from((number(argument, names)? as u16).to_be())),
        "htonl" | "ntohl" => Ok(i64::from((number(argument, names)? as u32).to_be())),
        "inet_addr" => {
            let text = text(argument)?;
            match text.parse::<std::net::Ipv4Addr>() {
                Ok(address) => Ok(i64::from(u32::from_ne_bytes(address.octets()))),
                Err(_) => failed(format!("inet_addr(\"{text}\"): not an IPv4 address")),
            }
        }
        other => failed(format!("{other}() gives no number here")),
    }
}

/// The text of a string argument.
pub fn text(expr: &Spanned<Expr>) -> Result<String, Stop> {
    match &expr.node {
        Expr::String(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        other => failed(format!("{other:?} is not a string")),
    }
}

/// The members of a structure argument.
pub fn fields(expr: &Expr) -> Option<&[Field]> {
    match expr {
        Expr::Struct(fields) => Some(fields),
        Expr::Array(items) if items.len() == 1 => fields(&items[0].node),
        _ => None,
    }
}

/// The member of this name.
pub fn member<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields
        .iter()
        .find(|f| f.name.as_ref().is_some_and(|n| n.node == name))
}
