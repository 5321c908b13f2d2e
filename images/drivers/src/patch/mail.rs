//! Patches as they come by mail: a mailbox of messages, some of them encoded for transport.

/// The text of `bytes` with quoted-printable and base64 bodies of its messages decoded; what is
/// no mail is returned as it is.
pub fn decode(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("Content-Transfer-Encoding:") && !text.contains("content-transfer-encoding:")
    {
        return text.into_owned();
    }
    let mut out = String::new();
    for message in messages(&text) {
        let Some((head, body)) = message.split_once("\n\n") else {
            out.push_str(message);
            continue;
        };
        let encoding = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-transfer-encoding")
                .then(|| value.trim().to_ascii_lowercase())
        });
        out.push_str(head);
        out.push_str("\n\n");
        match encoding.as_deref() {
            Some("quoted-printable") => out.push_str(&quoted_printable(body)),
            Some("base64") => out.push_str(&base64(body)),
            _ => out.push_str(body),
        }
    }
    out
}

/// Messages of a mailbox begin with a line `From …` at its start or behind an empty line.
fn messages(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    starts.extend(text.match_indices("\n\nFrom ").map(|(at, _)| at + 2));
    starts.push(text.len());
    starts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

fn quoted_printable(body: &str) -> String {
    let mut out = Vec::with_capacity(body.len());
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"=\n") {
            at += 2;
        } else if rest.starts_with(b"=\r\n") {
            at += 3;
        } else if let [b'=', high, low, ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// Ends at the padding or at the first thing that is no base64.
fn base64(body: &str) -> String {
    let mut out = Vec::with_capacity(body.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in body.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\n' | b'\r' | b' ' => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_decoded_message_by_message() {
        let mailbox = "From a\nContent-Transfer-Encoding: quoted-printable\n\n-a =3D =\nb\n\n\
                       From b\nContent-Transfer-Encoding: base64\n\nK2IgPSBjCg==\n\n\
                       From c\nSubject: x\n\n+d =3D\n";
        let text = decode(mailbox.as_bytes());
        assert!(text.contains("\n-a = b\n"), "{text}");
        assert!(text.contains("\n+b = c\n"), "{text}");
        assert!(text.contains("\n+d =3D\n"), "{text}");
    }

    #[test]
    fn a_plain_diff_stays_as_it_is() {
        assert_eq!(decode(b"--- a/x\n+++ b/x\n"), "--- a/x\n+++ b/x\n");
    }
}
