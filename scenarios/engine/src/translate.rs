//! A packet line of the script as a packet.

use tunfarm_lang::ast;

use crate::config::Config;
use crate::packet::TcpOption;

/// The TCP options of a line as they go on the wire, padded to whole words with end-of-list bytes
/// where the line's own do not fill them. `None` stands for a digest that is not checked.
///
/// # Errors
/// A name that is not defined.
pub fn tcp_options(options: &ast::TcpOptions, config: &Config) -> Result<Vec<TcpOption>, String> {
    let ast::TcpOptions::List(list) = options else {
        return Ok(Vec::new());
    };
    let mut out: Vec<TcpOption> = list
        .iter()
        .map(|o| tcp_option(&o.node, config))
        .collect::<Result<_, _>>()?;
    let mut bytes = Vec::new();
    out.iter().for_each(|o| o.emit(&mut bytes));
    let missing = bytes.len().next_multiple_of(4) - bytes.len();
    out.extend(std::iter::repeat_n(TcpOption::EndOfList, missing));
    Ok(out)
}

fn tcp_option(option: &ast::TcpOption, config: &Config) -> Result<TcpOption, String> {
    Ok(match option {
        ast::TcpOption::EndOfList => TcpOption::EndOfList,
        ast::TcpOption::NoOperation => TcpOption::NoOperation,
        ast::TcpOption::MaximumSegmentSize(mss) => TcpOption::MaximumSegmentSize(match mss {
            ast::Number::Literal(mss) => *mss,
            ast::Number::Named(name) => defined(config, name)?
                .parse()
                .map_err(|_| format!("{name} is defined as something that is no mss"))?,
        }),
        ast::TcpOption::WindowScale(shift) => TcpOption::WindowScale(*shift),
        ast::TcpOption::SackPermitted => TcpOption::SackPermitted,
        ast::TcpOption::Sack(blocks) => {
            TcpOption::Sack(blocks.iter().map(|b| (b.left, b.right)).collect())
        }
        ast::TcpOption::Timestamps { val, ecr } => TcpOption::Timestamp {
            val: *val,
            ecr: *ecr,
        },
        ast::TcpOption::Md5(digest) => {
            let mut out = [0; 16];
            if let Some(digest) = digest {
                let digest = bytes(digest, config)?;
                if digest.len() != out.len() {
                    return Err(format!("an md5 digest has 16 octets, not {}", digest.len()));
                }
                out.copy_from_slice(&digest);
            }
            TcpOption::Md5(out)
        }
        ast::TcpOption::FastOpen(cookie) => TcpOption::FastOpen {
            cookie: optional_bytes(cookie.as_ref(), config)?,
            experimental: false,
        },
        ast::TcpOption::FastOpenExperimental(cookie) => TcpOption::FastOpen {
            cookie: optional_bytes(cookie.as_ref(), config)?,
            experimental: true,
        },
        ast::TcpOption::AccEcn(fields) => TcpOption::AccEcn {
            order1: matches!(fields.first(), Some(ast::AccEcnField::Ect1(_))),
            counters: fields
                .iter()
                .map(|f| match f {
                    ast::AccEcnField::Ect0(n)
                    | ast::AccEcnField::Ce(n)
                    | ast::AccEcnField::Ect1(n) => *n,
                })
                .collect(),
        },
        ast::TcpOption::Unknown { kind, data } => TcpOption::Unknown {
            kind: *kind,
            data: data.clone(),
        },
    })
}

fn optional_bytes(value: Option<&ast::Bytes>, config: &Config) -> Result<Vec<u8>, String> {
    value.map_or_else(|| Ok(Vec::new()), |v| bytes(v, config))
}

fn bytes(value: &ast::Bytes, config: &Config) -> Result<Vec<u8>, String> {
    match value {
        ast::Bytes::Literal(bytes) => Ok(bytes.clone()),
        ast::Bytes::Named(name) => {
            let text = defined(config, name)?;
            config
                .defines
                .octets(name)
                .ok_or_else(|| format!("{name} is defined as {text}, which is no row of octets"))
        }
    }
}

fn defined<'c>(config: &'c Config, name: &str) -> Result<&'c str, String> {
    config
        .defines
        .get(name)
        .ok_or_else(|| format!("{name} is not defined (-D {name}=…)"))
}

/// The ECN bits that a line asks for in an injected packet.
pub fn ecn_bits(ecn: ast::IpEcn) -> u8 {
    match ecn {
        ast::IpEcn::NotEct => 0,
        ast::IpEcn::Ect1 => 1,
        // `ect01` belongs to outbound lines only; the checker says so.
        ast::IpEcn::Ect0 | ast::IpEcn::Ect01 => 2,
        ast::IpEcn::Ce => 3,
    }
}

#[cfg(test)]
mod tests {
    use tunfarm_protocol::IpVersion;

    use super::*;

    #[test]
    fn options_are_padded_to_words() {
        let config = Config::new(IpVersion::Ipv4);
        let list = ast::TcpOptions::List(vec![ast::Spanned::new(
            ast::TcpOption::WindowScale(7),
            ast::Span::default(),
        )]);
        assert_eq!(
            tcp_options(&list, &config),
            Ok(vec![TcpOption::WindowScale(7), TcpOption::EndOfList])
        );
    }

    #[test]
    fn a_cookie_can_have_a_name() {
        let mut config = Config::new(IpVersion::Ipv4);
        let named = ast::Bytes::Named("COOKIE".into());
        assert!(bytes(&named, &config).unwrap_err().contains("-D COOKIE="));
        config.defines.define("COOKIE", "3021b9");
        assert_eq!(bytes(&named, &config), Ok(vec![0x30, 0x21, 0xb9]));
        config.defines.define("COOKIE", "302");
        assert!(bytes(&named, &config).is_err());
    }
}
