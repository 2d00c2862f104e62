use std::fmt;

use crate::escape;

/// An argument of a command: any bytes but CR, LF and NUL, which would end the command and begin another one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Argument(Vec<u8>);

/// A text that can't be an argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of \"{text}\" is {what}, which no FTP command can carry")]
pub struct ArgumentError {
    /// Where the byte stands, from 0.
    pub offset: usize,
    /// Which one it is: CR, LF or NUL.
    pub what: &'static str,
    /// The text, escaped; empty where it is a secret.
    pub text: String,
}

/// Refuses CR, LF and NUL (RFC 959 section 5.3.2: they end a command).
pub(crate) fn check(bytes: &[u8]) -> Result<(), ArgumentError> {
    let found = bytes
        .iter()
        .position(|byte| matches!(byte, b'\r' | b'\n' | 0));
    match found {
        None => Ok(()),
        Some(offset) => Err(ArgumentError {
            offset,
            what: match bytes[offset] {
                b'\r' => "CR",
                b'\n' => "LF",
                _ => "NUL",
            },
            text: escape(bytes, 200),
        }),
    }
}

impl Argument {
    /// The bytes as they are sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl TryFrom<Vec<u8>> for Argument {
    type Error = ArgumentError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, ArgumentError> {
        check(&bytes).map(|()| Self(bytes))
    }
}

impl TryFrom<&[u8]> for Argument {
    type Error = ArgumentError;
    fn try_from(bytes: &[u8]) -> Result<Self, ArgumentError> {
        Self::try_from(bytes.to_vec())
    }
}

impl TryFrom<&str> for Argument {
    type Error = ArgumentError;
    fn try_from(text: &str) -> Result<Self, ArgumentError> {
        Self::try_from(text.as_bytes())
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0, usize::MAX))
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// An argument that nobody may read: it prints as `*****`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Argument);

impl Secret {
    /// The bytes, for sending and comparing only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// True where there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl TryFrom<Vec<u8>> for Secret {
    type Error = ArgumentError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, ArgumentError> {
        Argument::try_from(bytes)
            .map(Self)
            .map_err(|error| ArgumentError {
                text: "*****".to_owned(),
                ..error
            })
    }
}

impl TryFrom<&[u8]> for Secret {
    type Error = ArgumentError;
    fn try_from(bytes: &[u8]) -> Result<Self, ArgumentError> {
        Self::try_from(bytes.to_vec())
    }
}

impl TryFrom<&str> for Secret {
    type Error = ArgumentError;
    fn try_from(text: &str) -> Result<Self, ArgumentError> {
        Self::try_from(text.as_bytes())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*****")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*****")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_refused_and_shown() {
        for (text, offset, what) in [
            ("a\r\nDELE b", 1, "CR"),
            ("\n", 0, "LF"),
            ("ab\0", 2, "NUL"),
        ] {
            let error = Argument::try_from(text).unwrap_err();
            assert_eq!((error.offset, error.what), (offset, what));
            assert!(!error.to_string().contains(['\r', '\n', '\0']));
        }
        assert_eq!(Argument::try_from(" a\t ").unwrap().as_bytes(), b" a\t ");
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::try_from("hunter2").unwrap();
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret))
                .matches("hunter")
                .count(),
            0
        );
        let error = Secret::try_from("hunter2\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"));
    }
}
