//! `%{ … }%` blocks: looks at the socket and judges.

mod eval;
mod format;
mod value;

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use tunfarm_lang::ast::{Code, Spanned, Statement};
use tunfarm_lang::symbols::{self, InfoField};

use crate::run::World;
use crate::stop::{Broken, Stop};
use eval::{Names, Trouble};
pub use value::Value;

/// The largest of the structures that are asked for, with room for what newer kernels append.
const INFO_ROOM: usize = 1024;
/// `TCP_CC_INFO` and `SO_MEMINFO`, which libc has only for some targets.
const TCP_CC_INFO: i32 = 26;
const SO_MEMINFO: i32 = 55;

/// Variables that blocks have assigned; they live until the script ends.
pub type Variables = BTreeMap<String, Value>;

/// Runs a block.
pub fn run(world: &mut World, code: &Code) -> Result<(), Stop> {
    let fd = world
        .descriptors
        .of_flow(world.flows.under_test())
        .map(crate::descriptors::Handle::live);
    let scope = Scope {
        infos: [
            Info::new(symbols::TCP_INFO, libc::IPPROTO_TCP, libc::TCP_INFO),
            Info::new(symbols::TCP_CC_INFO, libc::IPPROTO_TCP, TCP_CC_INFO),
            Info::new(symbols::SK_MEMINFO, libc::SOL_SOCKET, SO_MEMINFO),
        ],
        fd,
        read: BTreeMap::new(),
    };
    let mut variables = std::mem::take(&mut world.variables);
    let definitions = world.config.defines.clone();
    let mut printed = Vec::new();
    let mut names = Block {
        scope,
        variables: &mut variables,
        definitions: &definitions,
    };
    let result = statements(&code.body, &mut names, &mut printed);
    let read = std::mem::take(&mut names.scope.read);
    world.variables = variables;
    let now = world.clock.now_us();
    for line in printed {
        world.log.say(now, world.line, &line);
    }
    let seen: Vec<String> = read.iter().map(|(n, v)| format!("{n} = {v}")).collect();
    if !seen.is_empty() {
        world
            .log
            .say(now, world.line, &format!("code: {}", seen.join(", ")));
    }
    result.map_err(|trouble| match trouble {
        Trouble::Wrong(summary) => {
            let mut broken = Broken::new(summary);
            broken.notes = seen;
            Stop::Failed(broken)
        }
        Trouble::Missing(reason) => Stop::Unsupported(reason),
    })
}

fn statements(
    body: &[Spanned<Statement>],
    names: &mut Block<'_>,
    printed: &mut Vec<String>,
) -> Result<(), Trouble> {
    for statement in body {
        match &statement.node {
            Statement::Pass => {}
            Statement::Expr(expr) => {
                eval::evaluate(expr, names)?;
            }
            Statement::Print(items) => {
                let texts: Vec<String> = items
                    .iter()
                    .map(|i| Ok(eval::evaluate(i, names)?.to_string()))
                    .collect::<Result<_, Trouble>>()?;
                printed.push(texts.join(" "));
            }
            Statement::Assign { name, op, value } => {
                let mut new = eval::evaluate(value, names)?;
                if let Some(op) = op {
                    let old = names.value(&name.node)?;
                    new = eval::binary(*op, old, new)?;
                }
                names.variables.insert(name.node.clone(), new);
            }
            Statement::If {
                test,
                then,
                otherwise,
            } => {
                let branch = if eval::evaluate(test, names)?.is_true() {
                    then
                } else {
                    otherwise
                };
                statements(branch, names, printed)?;
            }
            Statement::Assert { test, message } => {
                if eval::evaluate(test, names)?.is_true() {
                    continue;
                }
                let message = match message {
                    Some(message) => format!(": {}", eval::evaluate(message, names)?),
                    None => String::new(),
                };
                return Err(Trouble::Wrong(format!("the assertion is false{message}")));
            }
        }
    }
    Ok(())
}

/// One of the structures that the kernel fills in; asked for when first named.
struct Info {
    fields: &'static [InfoField],
    level: i32,
    option: i32,
    bytes: Option<Result<Vec<u8>, String>>,
}

impl Info {
    fn new(fields: &'static [InfoField], level: i32, option: i32) -> Info {
        Info {
            fields,
            level,
            option,
            bytes: None,
        }
    }

    fn read(&mut self, name: &str, fd: Option<RawFd>) -> Option<Result<Value, Trouble>> {
        let field = self.fields.iter().find(|f| f.name == name)?;
        let (level, option) = (self.level, self.option);
        let bytes = self.bytes.get_or_insert_with(|| ask(fd, level, option));
        Some(match bytes {
            Ok(bytes) => match field.read(bytes) {
                Some(value) => Ok(Value::Int(i128::from(value))),
                None => Err(Trouble::Missing(format!(
                    "this kernel does not tell {name} (its structure has {} bytes)",
                    bytes.len()
                ))),
            },
            Err(why) => Err(Trouble::Wrong(format!("asking for {name}: {why}"))),
        })
    }
}

fn ask(fd: Option<RawFd>, level: i32, option: i32) -> Result<Vec<u8>, String> {
    let fd = fd.ok_or_else(|| "the script has no open socket".to_owned())?;
    let mut bytes = vec![0u8; INFO_ROOM];
    let mut room = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer has the room it says.
    let result =
        unsafe { libc::getsockopt(fd, level, option, bytes.as_mut_ptr().cast(), &raw mut room) };
    crate::sys::check(result).map_err(|e| e.to_string())?;
    bytes.truncate(room as usize);
    Ok(bytes)
}

/// What the kernel tells of one socket at one moment.
struct Scope {
    infos: [Info; 3],
    fd: Option<RawFd>,
    read: BTreeMap<String, Value>,
}

/// The names that a block can use.
struct Block<'a> {
    scope: Scope,
    variables: &'a mut Variables,
    definitions: &'a symbols::Definitions,
}

impl Names for Block<'_> {
    fn value(&mut self, name: &str) -> Result<Value, Trouble> {
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        let fd = self.scope.fd;
        for info in &mut self.scope.infos {
            if let Some(value) = info.read(name, fd) {
                let value = value?;
                self.scope.read.insert(name.to_owned(), value.clone());
                return Ok(value);
            }
        }
        match self.definitions.value(name) {
            Some(value) => Ok(Value::Int(i128::from(value))),
            None => Err(Trouble::Wrong(format!("the name {name} is not defined"))),
        }
    }
}
