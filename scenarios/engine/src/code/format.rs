//! Python's `%` formatting.

use super::eval::{MAX_TEXT, Trouble};
use super::value::Value;

/// The widest field.
const MAX_WIDTH: usize = 256;

/// Fills the items into the pattern.
pub fn format(pattern: &str, items: &[Value]) -> Result<Value, Trouble> {
    let wrong = |what: String| Err(Trouble::Wrong(what));
    let mut out = String::new();
    let mut items = items.iter();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if rest.peek() == Some(&'%') {
            rest.next();
            out.push('%');
            continue;
        }
        let mut flags = String::new();
        let mut width = String::new();
        let mut precision = None;
        let kind = loop {
            match rest.next() {
                Some(c @ ('-' | '+' | ' ' | '#')) => flags.push(c),
                Some('0') if width.is_empty() && precision.is_none() => flags.push('0'),
                Some('.') => precision = Some(String::new()),
                Some(c) if c.is_ascii_digit() => match &mut precision {
                    Some(digits) => digits.push(c),
                    None => width.push(c),
                },
                // Length modifiers mean nothing in Python.
                Some('l' | 'h' | 'L') => {}
                Some(c) => break c,
                None => return wrong("the format ends in the middle of a field".into()),
            }
        };
        let Some(item) = items.next() else {
            return wrong("the format has more fields than there are values".into());
        };
        let precision = precision.and_then(|digits| digits.parse().ok());
        let Some(text) = field(kind, item, &flags, precision) else {
            return wrong(format!("%{kind} of {item}"));
        };
        let width = width.parse().unwrap_or(0).min(MAX_WIDTH);
        let missing = width.saturating_sub(text.chars().count());
        let fill = |c: char| c.to_string().repeat(missing);
        if flags.contains('-') {
            out += &text;
            out += &fill(' ');
        } else if flags.contains('0') && kind != 's' {
            let (sign, digits) = match text.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", text.as_str()),
            };
            out += sign;
            out += &fill('0');
            out += digits;
        } else {
            out += &fill(' ');
            out += &text;
        }
        if out.len() > MAX_TEXT {
            return wrong("a text becomes too long".into());
        }
    }
    if items.next().is_some() {
        return wrong("the format has fewer fields than there are values".into());
    }
    Ok(Value::Str(out))
}

fn field(kind: char, item: &Value, flags: &str, precision: Option<usize>) -> Option<String> {
    let integer = || match item {
        Value::Float(x) => Some(*x as i128),
        other => other.int(),
    };
    let sign = |n: i128| if n < 0 { "-" } else { "" };
    Some(match kind {
        'd' | 'i' | 'u' => {
            let n = integer()?;
            if flags.contains('+') && n >= 0 {
                format!("+{n}")
            } else {
                n.to_string()
            }
        }
        'x' => {
            let n = integer()?;
            let prefix = if flags.contains('#') { "0x" } else { "" };
            format!("{}{prefix}{:x}", sign(n), n.unsigned_abs())
        }
        'X' => format!("{}{:X}", sign(integer()?), integer()?.unsigned_abs()),
        'o' => format!("{}{:o}", sign(integer()?), integer()?.unsigned_abs()),
        'f' | 'F' => format!(
            "{:.*}",
            precision.unwrap_or(6).min(MAX_WIDTH),
            item.float()?
        ),
        'e' => format!(
            "{:.*e}",
            precision.unwrap_or(6).min(MAX_WIDTH),
            item.float()?
        ),
        'g' => format!("{}", item.float()?),
        's' | 'r' => match precision {
            Some(most) => item.to_string().chars().take(most).collect(),
            None => item.to_string(),
        },
        'c' => char::from_u32(u32::try_from(integer()?).ok()?)?.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in() {
        let text = |pattern, items: &[Value]| match format(pattern, items) {
            Ok(Value::Str(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            text(
                "%5d|%-4x|%05d",
                &[Value::Int(7), Value::Int(255), Value::Int(-3)]
            ),
            "    7|ff  |-0003"
        );
        assert_eq!(
            text("%.2f %s%%", &[Value::Float(1.0), Value::Bool(true)]),
            "1.00 True%"
        );
        assert!(format("%d", &[]).is_err());
        assert!(format("x", &[Value::Int(1)]).is_err());
        assert!(format("%d", &[Value::Str("x".into())]).is_err());
        assert!(format("%", &[Value::Int(1)]).is_err());
    }
}
