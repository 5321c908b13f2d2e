//! Control messages (cmsg(3)).

use tunfarm_lang::ast::{Expr, Field, Spanned};
use tunfarm_lang::symbols::Definitions;
use tunfarm_protocol::Mismatch;

use super::values;
use crate::clock::seconds;
use crate::run::World;
use crate::stop::{Broken, Stop, failed};

/// `struct cmsghdr`: length, level, type.
const HEADER: usize = 16;

/// Members of `struct sock_extended_err`: name, offset, size.
const EXTENDED_ERROR: [(&str, usize, usize); 6] = [
    ("ee_errno", 0, 4),
    ("ee_origin", 4, 1),
    ("ee_type", 5, 1),
    ("ee_code", 6, 1),
    ("ee_info", 8, 4),
    ("ee_data", 12, 4),
];

/// A control message that the script expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    level: i32,
    kind: i32,
    data: Data,
}

/// What must be in it.
#[derive(Clone, Debug, PartialEq)]
enum Data {
    /// Anything.
    Any,
    /// A number, of the size that came.
    Number(i64),
    /// These bytes.
    Bytes(Vec<u8>),
    /// Members of `struct sock_extended_err` by offset and size.
    Error(Vec<(&'static str, usize, usize, i64)>),
    /// A software timestamp at this time of the script, in nanoseconds.
    Stamp(i64),
}

/// A control message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    level: i32,
    kind: i32,
    data: Vec<u8>,
}

/// Reads the script's list.
pub fn parse(expr: &Spanned<Expr>, names: &Definitions) -> Result<Vec<Wanted>, Stop> {
    let items = match &expr.node {
        Expr::Array(items) => items,
        other => return failed(format!("{other:?} is not an array of control messages")),
    };
    items
        .iter()
        .map(|item| {
            let Some(fields) = values::fields(&item.node) else {
                return failed("a control message is {cmsg_level=…, cmsg_type=…, cmsg_data=…}");
            };
            let number = |name: &str| match values::member(fields, name) {
                Some(field) => values::number(&field.value, names),
                None => failed(format!("a control message needs {name}")),
            };
            Ok(Wanted {
                level: number("cmsg_level")? as i32,
                kind: number("cmsg_type")? as i32,
                data: match values::member(fields, "cmsg_data") {
                    Some(field) => data(&field.value, names)?,
                    None => Data::Any,
                },
            })
        })
        .collect()
}

fn data(expr: &Spanned<Expr>, names: &Definitions) -> Result<Data, Stop> {
    match &expr.node {
        Expr::Ellipsis => Ok(Data::Any),
        Expr::String(bytes) => Ok(Data::Bytes(bytes.clone())),
        other => match values::fields(other) {
            Some(fields) => structure(fields, names),
            None => values::number(expr, names).map(Data::Number),
        },
    }
}

fn structure(fields: &[Field], names: &Definitions) -> Result<Data, Stop> {
    let number = |field: &Field| values::number(&field.value, names);
    if let Some(sec) = values::member(fields, "scm_sec") {
        let nsec = match values::member(fields, "scm_nsec") {
            Some(field) => number(field)?,
            None => 0,
        };
        return Ok(Data::Stamp(
            number(sec)?
                .saturating_mul(1_000_000_000)
                .saturating_add(nsec),
        ));
    }
    let mut members = Vec::new();
    for field in fields {
        let name = field.name.as_ref().map_or("", |n| n.node.as_str());
        let Some((name, offset, size)) = EXTENDED_ERROR.iter().find(|(n, ..)| *n == name) else {
            return failed(format!("no control message here has a member \"{name}\""));
        };
        if matches!(field.value.node, Expr::Ellipsis) {
            continue;
        }
        members.push((*name, *offset, *size, number_or_errno(field, names)?));
    }
    Ok(Data::Error(members))
}

/// `ee_errno=ENOMSG`: the names of errnos are numbers here.
fn number_or_errno(field: &Field, names: &Definitions) -> Result<i64, Stop> {
    if let Expr::Word(word) = &field.value.node
        && let Some(errno) = tunfarm_lang::symbols::errno(word)
    {
        return Ok(i64::from(errno));
    }
    values::number(&field.value, names)
}

/// Control messages to send, in words so that they are aligned.
pub fn encode(expr: &Spanned<Expr>, names: &Definitions) -> Result<Vec<u64>, Stop> {
    let mut bytes: Vec<u8> = Vec::new();
    for wanted in parse(expr, names)? {
        let data = match wanted.data {
            Data::Any => vec![0; 4],
            Data::Number(n) => (n as i32).to_ne_bytes().to_vec(),
            Data::Bytes(bytes) => bytes,
            Data::Error(_) | Data::Stamp(_) => {
                return failed("a control message of this kind comes and is not sent");
            }
        };
        bytes.extend((HEADER + data.len()).to_ne_bytes());
        bytes.extend(wanted.level.to_ne_bytes());
        bytes.extend(wanted.kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let (words, _) = bytes.as_chunks::<8>();
    Ok(words.iter().map(|w| u64::from_ne_bytes(*w)).collect())
}

/// The control messages that the kernel has put into a header.
pub fn walk(message: &libc::msghdr) -> Vec<Came> {
    let mut out = Vec::new();
    // SAFETY: the kernel has filled in the control buffer and its length; the macros stay inside.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let len = ((*header).cmsg_len as usize).saturating_sub(HEADER);
            let data = std::slice::from_raw_parts(libc::CMSG_DATA(header), len);
            out.push(Came {
                level: (*header).cmsg_level,
                kind: (*header).cmsg_type,
                data: data.to_vec(),
            });
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    out
}

/// Compares the two lists, in order.
pub fn compare(world: &World, wanted: &[Wanted], came: &[Came]) -> Result<(), Stop> {
    let mut mismatches: Vec<Mismatch> = Vec::new();
    let mut differ = |field: String, expected: String, actual: String| {
        mismatches.push(Mismatch {
            field,
            expected,
            actual,
        });
    };
    if wanted.len() != came.len() {
        let list = |kinds: Vec<(i32, i32)>| {
            let texts: Vec<String> = kinds.iter().map(|(l, k)| format!("{l}/{k}")).collect();
            format!("{} [{}]", kinds.len(), texts.join(", "))
        };
        differ(
            "control messages (level/type)".into(),
            list(wanted.iter().map(|w| (w.level, w.kind)).collect()),
            list(came.iter().map(|c| (c.level, c.kind)).collect()),
        );
    }
    for (at, (wanted, came)) in wanted.iter().zip(came).enumerate() {
        let name = |what: &str| format!("control message {} {what}", at + 1);
        if (wanted.level, wanted.kind) != (came.level, came.kind) {
            differ(
                name("level/type"),
                format!("{}/{}", wanted.level, wanted.kind),
                format!("{}/{}", came.level, came.kind),
            );
            continue;
        }
        match &wanted.data {
            Data::Any => {}
            Data::Number(n) => {
                let got = unsigned(&came.data, 0, came.data.len().min(8));
                // As wide as what came: -1 and 0xffffffff are the same number there.
                let mask = match came.data.len() {
                    len @ 0..8 => (1u64 << (len * 8)) - 1,
                    _ => u64::MAX,
                };
                if *n as u64 & mask != got {
                    differ(name("data"), n.to_string(), got.to_string());
                }
            }
            Data::Bytes(bytes) => {
                if *bytes != came.data {
                    differ(
                        name("data"),
                        bytes.escape_ascii().to_string(),
                        came.data.escape_ascii().to_string(),
                    );
                }
            }
            Data::Error(members) => {
                for (member, offset, size, n) in members {
                    let got = unsigned(&came.data, *offset, *size);
                    if *n as u64 & ((1u64 << (size * 8)) - 1) != got {
                        differ(name(member), n.to_string(), got.to_string());
                    }
                }
            }
            Data::Stamp(ns) => {
                let got = stamp_us(world, &came.data);
                let expected = ns / 1000;
                let close =
                    got.is_some_and(|got| (got - expected).abs() <= world.config.tolerance_us);
                if !close {
                    differ(
                        name("time"),
                        seconds(expected),
                        got.map_or_else(|| "none".into(), seconds),
                    );
                }
            }
        }
    }
    if mismatches.is_empty() {
        return Ok(());
    }
    let mut broken = Broken::new("the control messages differ");
    broken.mismatches = mismatches;
    Err(broken.into())
}

/// The software timestamp of `struct scm_timestamping` on the script's clock.
fn stamp_us(world: &World, data: &[u8]) -> Option<i64> {
    let sec = i64::from_ne_bytes(data.get(..8)?.try_into().ok()?);
    let nsec = i64::from_ne_bytes(data.get(8..16)?.try_into().ok()?);
    Some(world.clock.from_realtime_us(sec * 1_000_000_000 + nsec))
}

/// Bytes in native order as a number; what is not there is 0.
fn unsigned(data: &[u8], offset: usize, size: usize) -> u64 {
    let mut bytes = [0u8; 8];
    if let Some(part) = data.get(offset..offset + size) {
        bytes[..size].copy_from_slice(part);
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_where_the_kernel_has_them() {
        // struct sock_extended_err { u32, u8, u8, u8, u8 pad, u32 info, u32 data }
        let mut data = 61u32.to_ne_bytes().to_vec();
        data.extend([5, 0, 1, 0]);
        data.extend(7u32.to_ne_bytes());
        data.extend(9u32.to_ne_bytes());
        let got: Vec<u64> = EXTENDED_ERROR
            .iter()
            .map(|(_, offset, size)| unsigned(&data, *offset, *size))
            .collect();
        assert_eq!(got, [61, 5, 0, 1, 7, 9]);
        assert_eq!(unsigned(&data, 100, 4), 0);
    }
}
