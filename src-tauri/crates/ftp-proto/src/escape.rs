use std::fmt::Write as _;

/// Bytes from a stranger as one line of text: what is printable UTF-8 stays, the rest becomes `\xNN`, and
/// after `limit` bytes an ellipsis ends it. Backslashes are doubled, so that the result is unambiguous.
#[must_use]
pub fn escape(bytes: &[u8], limit: usize) -> String {
    let cut = bytes.len() > limit;
    let mut out = String::with_capacity(bytes.len().min(limit) + 8);
    for chunk in bytes[..bytes.len().min(limit)].utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push_str("\\\\");
            } else if is_plain(c) {
                out.push(c);
            } else {
                let mut buffer = [0; 4];
                hex(&mut out, c.encode_utf8(&mut buffer).as_bytes());
            }
        }
        hex(&mut out, chunk.invalid());
    }
    if cut {
        out.push('…');
    }
    out
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Control characters could forge a line of the log, and the marks that turn text around could make a name
/// read as another one.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_and_the_rest_is_hex() {
        assert_eq!(escape("größe".as_bytes(), 200), "größe");
        assert_eq!(escape(b"a\r\n\0\xff\\", 200), "a\\x0d\\x0a\\x00\\xff\\\\");
        assert_eq!(escape("a\u{202e}b".as_bytes(), 200), "a\\xe2\\x80\\xaeb");
    }

    #[test]
    fn a_long_one_is_cut_even_inside_a_character() {
        assert_eq!(escape(b"abcdef", 3), "abc…");
        assert_eq!(escape("aä".as_bytes(), 2), "a\\xc3…");
    }
}
