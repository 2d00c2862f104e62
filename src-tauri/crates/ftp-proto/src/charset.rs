use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::escape;

/// How a server's bytes are text: its names above all. The bytes themselves are always kept, so that another charset can be
/// applied to them later without asking the server again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charset(Option<&'static Encoding>);

/// A word that names no charset, or one that FTP can't carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{label}\" {why}")]
pub struct CharsetError {
    /// The word, escaped and cut.
    pub label: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A text that the server's charset can't express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's charset, {charset}, has no {character:?} (in \"{text}\")")]
pub struct EncodeError {
    /// The charset's name.
    pub charset: &'static str,
    /// The first character that it doesn't have.
    pub character: char,
    /// The whole text, escaped and cut.
    pub text: String,
}

impl Charset {
    /// UTF-8, as RFC 2640 has it. Names in which it makes no sense are shown as if they were Windows-1252, the charset of
    /// old servers in the western world; to the server goes UTF-8 alone.
    pub const AUTO: Self = Self(None);

    /// The charset of that name, in any of the spellings that the Encoding Standard of the WHATWG lists: `windows-1251`,
    /// `latin1`, `sjis`, `euc-kr`, `gbk`, `koi8-r`, `utf-8`; `auto` or nothing is [`Charset::AUTO`].
    ///
    /// # Errors
    /// For a word that is none of them, and for charsets in which ASCII is not itself (UTF-16, ISO-2022-JP): commands could not
    /// be told from names.
    pub fn for_label(label: &str) -> Result<Self, CharsetError> {
        let error = |why| CharsetError {
            label: escape(label.as_bytes(), 200),
            why,
        };
        let word = label.trim();
        if word.is_empty() || word.eq_ignore_ascii_case("auto") {
            return Ok(Self::AUTO);
        }
        let encoding = Encoding::for_label_no_replacement(word.as_bytes())
            .ok_or_else(|| error("is no charset that is known"))?;
        if !encoding.is_ascii_compatible() {
            return Err(error("can't be used for FTP: its ASCII is not ASCII"));
        }
        Ok(Self(Some(encoding)))
    }

    /// Its name, such as `windows-1251`; `auto` for [`Charset::AUTO`].
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.map_or("auto", Encoding::name)
    }

    /// True where nobody has chosen one.
    #[must_use]
    pub const fn is_auto(self) -> bool {
        self.0.is_none()
    }

    /// True where the server is to be spoken to in UTF-8.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        self.0.is_none_or(|encoding| encoding == UTF_8)
    }

    /// The text of these bytes. Bytes that mean nothing become U+FFFD.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self.0 {
            Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
            None => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
            },
        }
    }

    /// The bytes of this text.
    ///
    /// # Errors
    /// For a text with a character that the charset doesn't have: nothing is replaced in silence.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, EncodeError> {
        let Some(encoding) = self.0.filter(|encoding| *encoding != UTF_8) else {
            return Ok(Cow::Borrowed(text.as_bytes()));
        };
        let (bytes, _, lossy) = encoding.encode(text);
        if !lossy {
            return Ok(bytes);
        }
        let character = text
            .chars()
            .find(|c| encoding.encode(c.encode_utf8(&mut [0; 4])).2)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        Err(EncodeError {
            charset: encoding.name(),
            character,
            text: escape(text.as_bytes(), 200),
        })
    }
}

impl std::fmt::Display for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Charset {
    type Err = CharsetError;

    fn from_str(label: &str) -> Result<Self, CharsetError> {
        Self::for_label(label)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn named(label: &str) -> Charset {
        Charset::for_label(label).unwrap()
    }

    #[test]
    fn labels() {
        assert_eq!(named("CP1251").name(), "windows-1251");
        assert_eq!(named(" latin1 ").name(), "windows-1252");
        assert_eq!(named("auto"), Charset::AUTO);
        assert_eq!(named(""), Charset::default());
        assert!(named("utf8").is_utf8() && !named("utf8").is_auto());
        for label in [
            "klingon",
            "utf-16",
            "utf-16le",
            "iso-2022-jp",
            "hz-gb-2312",
            "replacement",
        ] {
            let error = Charset::for_label(label).unwrap_err();
            assert!(error.to_string().contains(label), "{error}");
        }
        let odd = Charset::for_label("\u{1b}[2J").unwrap_err().to_string();
        assert!(!odd.contains('\u{1b}'), "{odd}");
    }

    #[test]
    fn texts_and_their_bytes() {
        for (label, text, bytes) in [
            (
                "windows-1251",
                "Отчёт.txt",
                &b"\xce\xf2\xf7\xb8\xf2.txt"[..],
            ),
            ("koi8-r", "Мир", b"\xed\xc9\xd2"),
            ("shift_jis", "日本", b"\x93\xfa\x96{"),
            ("gbk", "中文", b"\xd6\xd0\xce\xc4"),
            ("latin1", "Müller", b"M\xfcller"),
            ("auto", "Müller", "Müller".as_bytes()),
            ("utf-8", "Müller", "Müller".as_bytes()),
        ] {
            let charset = named(label);
            assert_eq!(charset.decode(bytes), text, "{label}");
            assert_eq!(charset.encode(text).unwrap(), bytes, "{label}");
        }
        // Shown as what it most likely is, where it can't be UTF-8.
        assert_eq!(Charset::AUTO.decode(b"M\xfcller"), "Müller");
        // No mark at the beginning is taken for an order to change the charset: it is a name's own.
        assert_eq!(named("latin1").decode(b"\xef\xbb\xbfa"), "ï»¿a");
    }

    #[test]
    fn what_a_charset_does_not_have_is_not_replaced() {
        let error = named("latin1").encode("Отчёт").unwrap_err();
        assert_eq!((error.charset, error.character), ("windows-1252", 'О'));
        assert!(error.to_string().contains("windows-1252"));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_ascii_is_ascii(
            bytes in vec(any::<u8>(), 0..60),
            ascii in "[ -~]{0,40}",
            label in prop::sample::select(vec!["auto", "utf-8", "windows-1252", "windows-1251", "gbk", "big5", "euc-jp", "euc-kr", "gb18030"]),
        ) {
            let charset = named(label);
            let text = charset.decode(&bytes).into_owned();
            let _ = charset.encode(&text);
            prop_assert_eq!(charset.decode(ascii.as_bytes()), ascii.as_str());
            prop_assert_eq!(charset.encode(&ascii).unwrap(), ascii.as_bytes());
        }
    }
}
