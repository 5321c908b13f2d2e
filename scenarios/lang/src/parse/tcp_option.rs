//! TCP options.

use super::{Cursor, Parse, number};
use crate::ast::{AccEcnField, Bytes, SackBlock, Spanned, TcpOption, TcpOptions};
use crate::diagnostic::Diagnostic;

/// The options by name, for suggestions.
const KNOWN: [&str; 12] = [
    "mss", "nop", "eol", "sackOK", "sack", "wscale", "TS", "FO", "FOEXP", "md5", "ECN", "kind",
];

/// Options of Multipath TCP, by the names that its scripts use.
const MULTIPATH: [&str; 16] = [
    "mpcapable",
    "mpcdatalen",
    "mp_capable",
    "mp_join",
    "mp_join_syn",
    "mp_join_syn_ack",
    "mp_join_ack",
    "mp_prio",
    "mp_fail",
    "mp_fastclose",
    "mp_reset",
    "dss",
    "add_addr",
    "add_address",
    "remove_addr",
    "remove_address",
];

/// The options of a segment, the opening `<` already taken.
pub(super) fn options(cursor: &mut Cursor<'_>) -> Parse<TcpOptions> {
    if cursor.eat("...")? {
        cursor.expect(">", "`>`")?;
        return Ok(TcpOptions::Any);
    }
    let mut list = Vec::new();
    loop {
        list.push(option(cursor)?);
        if cursor.eat(">")? {
            return Ok(TcpOptions::List(list));
        }
        cursor.expect(",", "`,` or `>`")?;
    }
}

fn option(cursor: &mut Cursor<'_>) -> Parse<Spanned<TcpOption>> {
    let name = cursor.word("a TCP option")?;
    let start = name.span.start as usize;
    let option = match name.node {
        "nop" => TcpOption::NoOperation,
        "eol" => TcpOption::EndOfList,
        "sackOK" => TcpOption::SackPermitted,
        "mss" => TcpOption::MaximumSegmentSize(cursor.unsigned_or_name("the segment size")?.node),
        "wscale" => {
            refuse_any(cursor)?;
            TcpOption::WindowScale(cursor.unsigned("the shift count")?.node)
        }
        "sack" => TcpOption::Sack(sack_blocks(cursor)?),
        "TS" => timestamps(cursor)?,
        "md5" => TcpOption::Md5(bytes(cursor)?),
        "FO" => TcpOption::FastOpen(bytes(cursor)?),
        "FOEXP" => TcpOption::FastOpenExperimental(bytes(cursor)?),
        "ECN" => TcpOption::AccEcn(acc_ecn(cursor)?),
        "kind" => unknown_kind(cursor)?,
        name_written if MULTIPATH.contains(&name_written) => {
            return Err(Box::new(
                Diagnostic::new(
                    name.span,
                    format!(
                        "`{name_written}` is an option of Multipath TCP, which is not supported"
                    ),
                )
                .label(format!("expected one of {}", KNOWN.join(", "))),
            ));
        }
        unknown => {
            return Err(Box::new(
                Diagnostic::new(name.span, format!("unknown TCP option `{unknown}`"))
                    .label(format!("expected one of {}", KNOWN.join(", ")))
                    .suggest(unknown, KNOWN),
            ));
        }
    };
    Ok(Spanned::new(option, cursor.since(start)))
}

fn sack_blocks(cursor: &mut Cursor<'_>) -> Parse<Vec<SackBlock>> {
    let mut blocks = Vec::new();
    loop {
        cursor.skip()?;
        let more = cursor.peek().is_some_and(|next| next.is_ascii_digit());
        if !more && !blocks.is_empty() {
            return Ok(blocks);
        }
        let left = cursor.unsigned("a block such as `1001:2001`")?.node;
        cursor.expect(":", "`:` and the end of the block")?;
        let right = cursor.unsigned("the end of the block")?.node;
        blocks.push(SackBlock { left, right });
    }
}

fn timestamps(cursor: &mut Cursor<'_>) -> Parse<TcpOption> {
    if !cursor.eat_word("val")? {
        return Err(cursor.expected("`val` and a number"));
    }
    refuse_any(cursor)?;
    let val = cursor.unsigned("the timestamp value")?.node;
    if !cursor.eat_word("ecr")? {
        return Err(cursor.expected("`ecr` and a number"));
    }
    refuse_any(cursor)?;
    let ecr = cursor.unsigned("the timestamp echo reply")?.node;
    Ok(TcpOption::Timestamps { val, ecr })
}

/// One value of an option that is not to be looked at.
fn refuse_any(cursor: &mut Cursor<'_>) -> Parse<()> {
    cursor.skip()?;
    if !cursor.sees("...") && !cursor.sees("*") {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::new(
            cursor.here(),
            "a single value that may be anything is not supported",
        )
        .label("expected a number")
        .help("`<...>` looks at no option at all"),
    ))
}

/// Octets in hexadecimal, or a name for them, if either stands here.
fn bytes(cursor: &mut Cursor<'_>) -> Parse<Option<Bytes>> {
    const WHAT: &str = "octets in hexadecimal, two digits each, or a defined name";
    cursor.skip()?;
    if cursor.peek_word().is_empty() {
        return Ok(None);
    }
    let word = cursor.word(WHAT)?;
    let digits = word.node.strip_prefix("0x").unwrap_or(word.node);
    if let Some(octets) = hex(digits) {
        return Ok(Some(Bytes::Literal(octets)));
    }
    let named =
        number::is_name(word.node) && !digits.chars().all(|digit| digit.is_ascii_hexdigit());
    if named {
        return Ok(Some(Bytes::Named(word.node.to_owned())));
    }
    Err(Box::new(
        Diagnostic::new(word.span, format!("`{}` is no run of octets", word.node))
            .label(format!("expected {WHAT}")),
    ))
}

/// The octets that pairs of hexadecimal digits stand for.
fn hex(digits: &str) -> Option<Vec<u8>> {
    let even = !digits.is_empty() && digits.len().is_multiple_of(2);
    if !even || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

fn acc_ecn(cursor: &mut Cursor<'_>) -> Parse<Vec<AccEcnField>> {
    let mut fields = Vec::new();
    loop {
        cursor.skip()?;
        let field: fn(u32) -> AccEcnField = match cursor.peek_word() {
            "e0b" => AccEcnField::Ect0,
            "ceb" => AccEcnField::Ce,
            "e1b" => AccEcnField::Ect1,
            _ if fields.is_empty() => {
                return Err(cursor.expected("`e0b`, `ceb` or `e1b` and a number (the first says which of the two kinds it is)"));
            }
            _ => return Ok(fields),
        };
        cursor.take(3);
        fields.push(field(cursor.unsigned("a number of octets")?.node));
    }
}

/// `kind N HEX`, the word already taken.
fn unknown_kind(cursor: &mut Cursor<'_>) -> Parse<TcpOption> {
    let kind = cursor.unsigned("the option's kind")?;
    let data = match bytes(cursor)? {
        None => Vec::new(),
        Some(Bytes::Literal(data)) => data,
        Some(Bytes::Named(name)) => {
            return Err(Box::new(
                Diagnostic::new(kind.span, format!("`{name}` is no run of octets"))
                    .label("expected octets in hexadecimal after it"),
            ));
        }
    };
    Ok(TcpOption::Unknown {
        kind: kind.node,
        data,
    })
}
