//! Names in another charset than UTF-8 on the wire. Inside of the server all is UTF-8.

use bytes::{Bytes, BytesMut};
use ftp_proto::{Charset, CommandError};

/// A line of the client as UTF-8.
///
/// # Errors
/// It has bytes that mean nothing in this charset: a file must not get a name that nobody meant.
pub(super) fn line(charset: Charset, line: &[u8]) -> Result<Vec<u8>, CommandError> {
    let text = charset.decode(line);
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(CommandError::Syntax {
            verb: "A command",
            wants: "text in the charset of the server",
            got: String::new(),
        });
    }
    Ok(text.into_owned().into_bytes())
}

/// A reply, as it was encoded: what the charset has no letters for becomes `?`, since the reply must come in any case.
pub(super) fn reply(charset: Charset, encoded: &[u8]) -> BytesMut {
    let text = String::from_utf8_lossy(encoded);
    if let Ok(bytes) = charset.encode(&text) {
        return BytesMut::from(bytes.as_ref());
    }
    let mut out = BytesMut::with_capacity(encoded.len());
    for character in text.chars() {
        match charset.encode(character.encode_utf8(&mut [0; 4])) {
            Ok(bytes) => out.extend_from_slice(&bytes),
            Err(_) => out.extend_from_slice(b"?"),
        }
    }
    out
}

/// Whole lines of a listing. Those that the charset can't express are left out: a name with `?` in it would be that of another file.
pub(super) fn listing(charset: Charset, lines: &Bytes) -> Bytes {
    let mut out = BytesMut::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if let Some(line) = std::str::from_utf8(line)
            .ok()
            .and_then(|text| charset.encode(text).ok())
        {
            out.extend_from_slice(&line);
        }
    }
    out.freeze()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let cyrillic = Charset::for_label("windows-1251").unwrap();
        let bytes = b"RETR \xec\xe8\xf0.txt";
        assert_eq!(line(cyrillic, bytes).unwrap(), "RETR мир.txt".as_bytes());
        let out = reply(cyrillic, "257 \"/мир 漢\"\r\n".as_bytes());
        assert_eq!(&out[..], b"257 \"/\xec\xe8\xf0 ?\"\r\n");
        let lines = Bytes::from("мир\r\n漢\r\nplain\r\n");
        let lines = [&lines[..], b"\xff\r\n"].concat().into();
        assert_eq!(&listing(cyrillic, &lines)[..], b"\xec\xe8\xf0\r\nplain\r\n");
        let japanese = Charset::for_label("sjis").unwrap();
        assert!(line(japanese, b"RETR \x81").is_err(), "half a letter");
        assert_eq!(
            line(japanese, b"RETR \x83\x5c").unwrap(),
            "RETR ソ".as_bytes()
        );
    }
}
