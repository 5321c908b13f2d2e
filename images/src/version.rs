//! Debian's order of versions (deb-version(7)).

use std::cmp::Ordering;

/// Compares two versions `[epoch:]upstream[-revision]` as dpkg does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (split(a), split(b));
    number(a.0, b.0)
        .then_with(|| part(a.1, b.1))
        .then_with(|| part(a.2, b.2))
}

/// Epoch, upstream version, revision; what is absent counts as `0`, or as empty.
fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// The upstream part of a version: `6.1.170` of `6.1.170-3`.
pub fn upstream(version: &str) -> &str {
    split(version).1
}

/// Stretches of non-digits and of digits by turns.
fn part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (take(&mut a, false), take(&mut b, false));
        let (digits_a, digits_b) = (take(&mut a, true), take(&mut b, true));
        let order = text(text_a, text_b).then_with(|| number(digits_a, digits_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(rest: &mut &'a str, digits: bool) -> &'a str {
    let end = rest
        .find(|c: char| c.is_ascii_digit() != digits)
        .unwrap_or(rest.len());
    let (taken, after) = rest.split_at(end);
    *rest = after;
    taken
}

/// `~` before the end, the end before letters, letters before everything else.
fn text(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<u8>| match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(c),
        Some(c) => i32::from(c) + 256,
    };
    let (a, b) = (a.as_bytes(), b.as_bytes());
    (0..a.len().max(b.len()))
        .map(|i| weight(a.get(i).copied()).cmp(&weight(b.get(i).copied())))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Digits of any length, without ever overflowing.
fn number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_dpkgs_order() {
        let ascending = [
            "5.10.9-1",
            "5.10.223-1",
            "5.10.223-1.1",
            "6.1.170-3",
            "6.1.176~rc1-1",
            "6.1.176-1~deb11u1",
            "6.1.176-1",
            "6.1.176-1+b1",
            "6.12.90-2~bpo12+1",
            "6.12.90-2",
            "6.12.90+deb13-2",
            "7.0.4-1",
            "7.0.10-1",
            "1:0.1-1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn leading_zeros_and_absent_parts_count_as_nothing() {
        for (a, b) in [("1.0", "1.00"), ("0:1", "1"), ("1", "1-"), ("1.0", "1.")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
        assert_eq!(compare("1-0", "1"), Ordering::Equal);
        assert_eq!(
            compare("99999999999999999999", "100000000000000000000"),
            Ordering::Less
        );
        assert_eq!(compare("1a", "1+"), Ordering::Less);
        assert_eq!(compare("1~~", "1~"), Ordering::Less);
    }

    #[test]
    fn the_upstream_part() {
        assert_eq!(upstream("2:6.12.95-1~bpo12+1"), "6.12.95");
        assert_eq!(upstream("7.3"), "7.3");
    }
}
