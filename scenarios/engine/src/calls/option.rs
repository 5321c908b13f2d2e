//! Socket options.

use tunfarm_lang::ast::{Expr, Field, Spanned};
use tunfarm_lang::symbols::Definitions;

use super::{Arguments, Invoke, Returned, values};
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// Members of the structures that options take: name and size in bytes, in the kernel's order.
const STRUCTURES: &[&[(&str, usize)]] = &[
    // struct linger
    &[("onoff", 4), ("linger", 4)],
    // struct timeval
    &[("tv_sec", 8), ("tv_usec", 8)],
    // struct tcp_repair_opt
    &[("opt_code", 4), ("opt_val", 4)],
];

/// `setsockopt(FD, LEVEL, NAME, VALUE, LENGTH)`
pub fn set(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(5)?;
    let fd = args.descriptor(0, world)?;
    let level = args.int(1, world)?;
    let name = args.int(2, world)?;
    let value = args.get(3)?;
    let null = args.is_null(3);
    let mut bytes = encode(value, &world.config.defines)?;
    let length = if args.is_any(4) {
        bytes.len()
    } else {
        args.length(4, world)?
    };
    // The kernel reads as much as the length says.
    if bytes.len() < length {
        bytes.resize(length, 0);
    }
    Ok(Box::new(move || {
        let pointer = if null {
            std::ptr::null()
        } else {
            bytes.as_ptr().cast()
        };
        // SAFETY: the buffer has at least the length it says; a null pointer the kernel refuses.
        Returned::new(unsafe {
            libc::setsockopt(fd, level, name, pointer, length as libc::socklen_t)
        })
    }))
}

/// `getsockopt(FD, LEVEL, NAME, [VALUE], [LENGTH])`: the value must be what comes out.
pub fn get(world: &mut World, args: &Arguments) -> Result<Invoke, Stop> {
    args.exactly(5)?;
    let fd = args.descriptor(0, world)?;
    let level = args.int(1, world)?;
    let name = args.int(2, world)?;
    let expected = if args.is_any(3) {
        None
    } else {
        Some(encode(args.get(3)?, &world.config.defines)?)
    };
    let length = if args.is_any(4) {
        expected.as_ref().map_or(4, Vec::len)
    } else {
        args.length(4, world)?
    };
    let as_number = matches!(&args.get(3)?.node, Expr::Array(_) | Expr::Int(_));
    Ok(Box::new(move || {
        let mut bytes = vec![0u8; length];
        let mut room = length as libc::socklen_t;
        // SAFETY: the buffer has the room it says.
        let returned = Returned::new(unsafe {
            libc::getsockopt(fd, level, name, bytes.as_mut_ptr().cast(), &raw mut room)
        });
        bytes.truncate(room as usize);
        returned.then(move |_, result| {
            let Some(mut expected) = expected else {
                return Ok(());
            };
            if result != 0 {
                return Ok(());
            }
            if expected.len() > bytes.len() {
                expected.truncate(bytes.len());
            }
            if bytes.starts_with(&expected) {
                return Ok(());
            }
            let show = |bytes: &[u8]| match bytes.first_chunk::<4>() {
                Some(word) if as_number => i32::from_ne_bytes(*word).to_string(),
                _ => bytes.iter().map(|b| format!("{b:02x}")).collect(),
            };
            Err(Broken::new("getsockopt() gave another value")
                .field("value", show(&expected), show(&bytes))
                .into())
        })
    }))
}

/// A value's bytes: an int, a string, or a structure.
fn encode(value: &Spanned<Expr>, names: &Definitions) -> Result<Vec<u8>, Stop> {
    match &value.node {
        Expr::String(text) => Ok(text.clone()),
        Expr::Word(word) if let Some(text) = names.string(word) => Ok(text.as_bytes().to_vec()),
        Expr::Ellipsis => Ok(vec![0; 4]),
        Expr::Array(items) if items.len() != 1 => {
            let mut bytes = Vec::new();
            for item in items {
                bytes.extend((values::number(item, names)? as i32).to_ne_bytes());
            }
            Ok(bytes)
        }
        Expr::Array(items) if matches!(items[0].node, Expr::String(_) | Expr::Struct(_)) => {
            encode(&items[0], names)
        }
        other => match values::fields(other) {
            Some(fields) => structure(fields, names),
            None => Ok((values::number(value, names)? as i32)
                .to_ne_bytes()
                .to_vec()),
        },
    }
}

fn structure(fields: &[Field], names: &Definitions) -> Result<Vec<u8>, Stop> {
    let known = STRUCTURES.iter().find(|members| {
        fields.iter().all(|field| {
            field
                .name
                .as_ref()
                .is_some_and(|n| members.iter().any(|(name, _)| *name == n.node))
        })
    });
    let Some(members) = known else {
        return failed("a structure that no socket option here takes");
    };
    let mut bytes = Vec::new();
    for (name, size) in *members {
        let number = match values::member(fields, name) {
            Some(field) => values::number(&field.value, names)?,
            None => 0,
        };
        bytes.extend(&number.to_ne_bytes()[..*size]);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tunfarm_lang::ast::Span;

    use super::*;

    #[test]
    fn a_name_is_a_number_or_a_string_as_it_was_defined() {
        let names: Definitions = [("CONTROL", "\"reno\""), ("SIZE", "7")]
            .into_iter()
            .collect();
        let word = |name: &str| Spanned::new(Expr::Word(name.into()), Span::new(0, 1));
        let encoded = |name| encode(&word(name), &names).ok();
        assert_eq!(encoded("CONTROL").as_deref(), Some(&b"reno"[..]));
        assert_eq!(encoded("SIZE"), Some(7_i32.to_ne_bytes().to_vec()));
        assert_eq!(encoded("NOTHING"), None);
    }
}
