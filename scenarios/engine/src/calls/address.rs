//! Socket addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tunfarm_lang::ast::{Expr, Spanned};
use tunfarm_lang::symbols::Definitions;
use tunfarm_protocol::IpVersion;

use super::values;
use crate::config::Config;
use crate::flows::End;
use crate::stop::{Stop, failed};

/// The address family that `...` stands for.
pub fn family(config: &Config) -> i32 {
    match config.ip {
        IpVersion::Ipv4 => libc::AF_INET,
        IpVersion::Ipv6 | IpVersion::Mapped => libc::AF_INET6,
    }
}

/// A `sockaddr_in` or `sockaddr_in6` of the run's family.
pub fn encode(config: &Config, end: End) -> Vec<u8> {
    let mut out = Vec::with_capacity(28);
    match (family(config), end.0) {
        (libc::AF_INET, IpAddr::V4(address)) => {
            out.extend((libc::AF_INET as u16).to_ne_bytes());
            out.extend(end.1.to_be_bytes());
            out.extend(address.octets());
            out.extend([0; 8]);
        }
        (_, address) => {
            let address = match address {
                IpAddr::V4(a) => a.to_ipv6_mapped(),
                IpAddr::V6(a) => a,
            };
            out.extend((libc::AF_INET6 as u16).to_ne_bytes());
            out.extend(end.1.to_be_bytes());
            out.extend([0; 4]);
            out.extend(address.octets());
            out.extend([0; 4]);
        }
    }
    out
}

/// Reads what the kernel wrote; a mapped address is an IPv4 one.
pub fn decode(bytes: &[u8]) -> Option<End> {
    let family = i32::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
    let port = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
    match family {
        libc::AF_INET => {
            let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some((Ipv4Addr::from(octets).into(), port))
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let address = Ipv6Addr::from(octets);
            let address = address
                .to_ipv4_mapped()
                .map_or(IpAddr::V6(address), IpAddr::V4);
            Some((address, port))
        }
        _ => None,
    }
}

/// An address argument that the script wrote out.
pub enum Written {
    /// `...`
    Any,
    /// `NULL`
    Null,
    /// A structure or a family: its bytes, and the end it names if it is one of the Internet's.
    Bytes(Vec<u8>, Option<End>),
}

/// Understands an address argument.
pub fn written(expr: &Spanned<Expr>, names: &Definitions) -> Result<Written, Stop> {
    let fields = match &expr.node {
        Expr::Ellipsis => return Ok(Written::Any),
        Expr::Word(word) if word == "NULL" => return Ok(Written::Null),
        // `connect(3, AF_UNSPEC, ...)`
        Expr::Word(_) => {
            let mut bytes = vec![0; 16];
            let family = values::number(expr, names)? as u16;
            bytes[..2].copy_from_slice(&family.to_ne_bytes());
            return Ok(Written::Bytes(bytes, None));
        }
        other => match values::fields(other) {
            Some(fields) => fields,
            None => return failed(format!("{other:?} is not a socket address")),
        },
    };
    let number = |name: &str| match values::member(fields, name) {
        Some(field) => values::number(&field.value, names).map(Some),
        None => Ok(None),
    };
    let Some(family) = number("sa_family")? else {
        return failed("a socket address needs sa_family");
    };
    let mut bytes = (family as u16).to_ne_bytes().to_vec();
    match family as i32 {
        libc::AF_INET => {
            let port = number("sin_port")?.unwrap_or(0) as u16;
            let address = number("sin_addr")?.unwrap_or(0) as u32;
            bytes.extend(port.to_ne_bytes());
            bytes.extend(address.to_ne_bytes());
            bytes.extend([0; 8]);
        }
        libc::AF_INET6 => {
            let port = number("sin6_port")?.unwrap_or(0) as u16;
            bytes.extend(port.to_ne_bytes());
            bytes.extend((number("sin6_flowinfo")?.unwrap_or(0) as u32).to_ne_bytes());
            bytes.extend(match values::member(fields, "sin6_addr") {
                Some(field) => v6(&field.value)?.octets(),
                None => [0; 16],
            });
            bytes.extend((number("sin6_scope_id")?.unwrap_or(0) as u32).to_ne_bytes());
        }
        _ => bytes.extend([0; 14]),
    }
    let end = decode(&bytes);
    Ok(Written::Bytes(bytes, end))
}

/// `inet_pton(AF_INET6, "…")`, or a string.
fn v6(expr: &Spanned<Expr>) -> Result<Ipv6Addr, Stop> {
    let text = match &expr.node {
        Expr::Call { arguments, .. } => match arguments.last() {
            Some(last) => values::text(last)?,
            None => return failed("an IPv6 address needs its text"),
        },
        _ => values::text(expr)?,
    };
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => failed(format!("\"{text}\" is not an IPv6 address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_trip() {
        let v4: End = ([192, 0, 2, 1].into(), 8080);
        for ip in [IpVersion::Ipv4, IpVersion::Mapped] {
            let bytes = encode(&Config::new(ip), v4);
            assert_eq!(decode(&bytes), Some(v4));
        }
        let v6: End = ("fd3d::1".parse().unwrap(), 1);
        assert_eq!(decode(&encode(&Config::new(IpVersion::Ipv6), v6)), Some(v6));
        assert_eq!(decode(&[2]), None);
    }
}
