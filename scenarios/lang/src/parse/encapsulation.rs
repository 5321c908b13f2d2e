//! Headers around a packet: `ipv4 A > B: gre: mpls (…): psp spi N:`.

use std::str::FromStr;

use super::{Cursor, Parse};
use crate::ast::{Encapsulation, GreHeader, MplsEntry, PspHeader, Spanned};
use crate::diagnostic::Diagnostic;

/// All the headers that stand here, the outermost first.
pub(super) fn headers(cursor: &mut Cursor<'_>) -> Parse<Vec<Spanned<Encapsulation>>> {
    let mut headers = Vec::new();
    loop {
        cursor.skip()?;
        let start = cursor.at();
        let word = cursor.peek_word();
        let transport_mode = word == "encap";
        let header = match word {
            "ipv4" => {
                let (source, destination) = addresses(cursor)?;
                Encapsulation::Ipv4 {
                    source,
                    destination,
                }
            }
            "ipv6" => {
                let (source, destination) = addresses(cursor)?;
                Encapsulation::Ipv6 {
                    source,
                    destination,
                }
            }
            "gre" => gre(cursor)?,
            "mpls" => mpls(cursor)?,
            "psp" => psp(cursor, false)?,
            "encap" => {
                cursor.take(word.len());
                cursor.skip()?;
                if cursor.peek_word() != "psp" {
                    return Err(cursor.expected("`psp`"));
                }
                psp(cursor, true)?
            }
            _ => return Ok(headers),
        };
        headers.push(Spanned::new(header, cursor.since(start)));
        if !transport_mode {
            cursor.expect(":", "`:` after the header")?;
        }
    }
}

/// `ipv4 A > B`, the word still there.
fn addresses<A: FromStr>(cursor: &mut Cursor<'_>) -> Parse<(A, A)> {
    let version = cursor.take("ipv4".len());
    let source = address(cursor, version)?;
    cursor.expect(">", "`>` and the destination address")?;
    let destination = address(cursor, version)?;
    Ok((source, destination))
}

fn address<A: FromStr>(cursor: &mut Cursor<'_>, version: &str) -> Parse<A> {
    cursor.skip()?;
    let start = cursor.at();
    let written = cursor.take_while(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':'));
    // The `:` after the header touches the address.
    let (address, touching) = match written.strip_suffix(':') {
        Some(address) if address.parse::<A>().is_ok() => (address, true),
        _ => (written, false),
    };
    let span = cursor.since(start);
    if touching {
        cursor.go_to(start + address.len());
    }
    if written.is_empty() {
        return Err(cursor.expected(&format!("an {version} address")));
    }
    address.parse().map_err(|_| {
        Box::new(
            Diagnostic::new(span, format!("`{written}` is no {version} address"))
                .label(format!("expected an {version} address")),
        )
    })
}

/// `gre` with its fields, if any, separated by commas.
fn gre(cursor: &mut Cursor<'_>) -> Parse<Encapsulation> {
    const FIELDS: [&str; 5] = ["flags", "sum", "off", "key", "seq"];
    cursor.take("gre".len());
    let mut header = GreHeader::default();
    cursor.skip()?;
    while !cursor.sees(":") {
        let name = cursor.word("`:` or a field of the GRE header")?;
        match name.node {
            "flags" => header.flags = Some(cursor.unsigned("the flags")?.node),
            "sum" => header.checksum = Some(cursor.unsigned("the checksum")?.node),
            "off" => header.offset = Some(cursor.unsigned("the offset")?.node),
            "key" => header.key = Some(cursor.unsigned("the key")?.node),
            "seq" => header.sequence = Some(cursor.unsigned("the sequence number")?.node),
            unknown => {
                return Err(Box::new(
                    Diagnostic::new(
                        name.span,
                        format!("unknown field `{unknown}` of the GRE header"),
                    )
                    .label(format!("expected one of {}", FIELDS.join(", ")))
                    .suggest(unknown, FIELDS),
                ));
            }
        }
        if !cursor.eat(",")? {
            break;
        }
        cursor.skip()?;
    }
    Ok(Encapsulation::Gre(header))
}

/// `mpls (label 123, tc 1, [S], ttl 255) …`
fn mpls(cursor: &mut Cursor<'_>) -> Parse<Encapsulation> {
    cursor.take("mpls".len());
    let mut stack = Vec::new();
    while cursor.eat("(")? {
        field(cursor, "label")?;
        let label = cursor.unsigned("the label")?.node;
        cursor.expect(",", "`,` and `tc`")?;
        field(cursor, "tc")?;
        let traffic_class = cursor.unsigned("the traffic class")?.node;
        cursor.expect(",", "`,` and `[S]` or `ttl`")?;
        let bottom = cursor.eat("[")?;
        if bottom {
            field(cursor, "S")?;
            cursor.expect("]", "`]`")?;
            cursor.expect(",", "`,` and `ttl`")?;
        }
        field(cursor, "ttl")?;
        let ttl = cursor.unsigned("the time to live")?.node;
        cursor.expect(")", "`)`")?;
        stack.push(MplsEntry {
            label,
            traffic_class,
            bottom,
            ttl,
        });
    }
    if stack.is_empty() {
        return Err(cursor.expected("`(` and an entry of the label stack"));
    }
    Ok(Encapsulation::Mpls(stack))
}

/// `psp spi 12, vc 0x1`, the word still there.
fn psp(cursor: &mut Cursor<'_>, transport_mode: bool) -> Parse<Encapsulation> {
    cursor.take("psp".len());
    field(cursor, "spi")?;
    let spi = cursor.unsigned("the security parameters index")?.node;
    let virtual_cookie = if cursor.eat(",")? {
        field(cursor, "vc")?;
        Some(cursor.unsigned("the virtualization cookie")?.node)
    } else {
        None
    };
    Ok(Encapsulation::Psp(PspHeader {
        spi,
        virtual_cookie,
        transport_mode,
    }))
}

/// Takes the name of a field that must come now.
fn field(cursor: &mut Cursor<'_>, name: &str) -> Parse<()> {
    if cursor.eat_word(name)? {
        Ok(())
    } else {
        Err(cursor.expected(&format!("`{name}`")))
    }
}
