use crate::{ArgumentError, RemotePath, escape};

/// A 257 reply without a usable path in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PwdError {
    /// Nothing in it looks like a path.
    #[error("\"{text}\" names no path")]
    NoPath {
        /// The text, escaped and cut.
        text: String,
    },
    /// The path has a byte that no command can carry.
    #[error("the server's path can't be used: {0}")]
    Bytes(#[from] ArgumentError),
}

/// Finds the path in the text of a 257 reply, to PWD and to MKD: in double quotes, with those inside doubled
/// (RFC 959 appendix II).
///
/// Tolerated: other text before the quote, single quotes, no quotes at all, and a quote that nobody closes.
///
/// # Errors
/// No path, an empty path, or one with CR, LF or NUL.
pub fn parse_257(text: &[u8]) -> Result<RemotePath, PwdError> {
    let path = double_quoted(text)
        .or_else(|| single_quoted(text))
        .or_else(|| bare(text))
        .filter(|path| !path.is_empty())
        .ok_or_else(|| PwdError::NoPath {
            text: escape(text, 200),
        })?;
    Ok(RemotePath::try_from(path)?)
}

/// Writes a path as a 257 reply does: in double quotes, with those inside doubled (RFC 959 appendix II).
#[must_use]
pub fn quote_257(path: &RemotePath) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
    out
}

fn double_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let start = position(text, b'"')? + 1;
    let mut path = Vec::new();
    let mut rest = text[start..].iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte == b'"' && rest.next_if(|next| **next == b'"').is_none() {
            return Some(path);
        }
        path.push(*byte);
    }
    // Nobody closed it: the sentence behind it is cut off where it is known.
    let end = sentence(&path).unwrap_or(path.len());
    Some(path[..end].trim_ascii_end().to_vec())
}

fn single_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let start = position(text, b'\'')? + 1;
    let end = text
        .iter()
        .rposition(|byte| *byte == b'\'')
        .filter(|end| *end >= start)?;
    Some(text[start..end].to_vec())
}

fn bare(text: &[u8]) -> Option<Vec<u8>> {
    let words = || {
        text.split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty())
    };
    let slash = (0..text.len()).find(|at| text[*at] == b'/' && (*at == 0 || text[at - 1] == b' '));
    if let Some(start) = slash {
        let rest = &text[start..];
        let end = sentence(rest)
            .or_else(|| position(rest, b' '))
            .unwrap_or(rest.len());
        return Some(rest[..end].to_vec());
    }
    // No absolute path of ours: a drive, a path of VMS, or a single word.
    let first = words().next()?;
    let looks_like_one = first
        .iter()
        .any(|byte| matches!(byte, b'\\' | b':' | b'[' | b'/'));
    (looks_like_one || words().count() == 1).then(|| first.to_vec())
}

/// Where the words behind a path begin, as in `/pub is current directory.`
fn sentence(text: &[u8]) -> Option<usize> {
    const WORDS: [&[u8]; 7] = [
        b" is current",
        b" is the ",
        b" is your",
        b" is cwd",
        b" is working",
        b" directory created",
        b" created",
    ];
    (0..text.len()).find(|at| {
        text[*at] == b' '
            && WORDS.iter().any(|words| {
                text.get(*at..at + words.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(words))
            })
    })
}

fn position(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn paths_in_every_dress() {
        for (text, path) in [
            (r#""/pub" is current directory."#, "/pub"),
            (r#""/pub""#, "/pub"),
            (r#"Current folder: "/pub""#, "/pub"),
            (r#""/a ""b"" c" created"#, r#"/a "b" c"#),
            (r#"""""#, "\""),
            (r#""/ends in """ created"#, "/ends in \""),
            (r#""/it's" is 'current'"#, "/it's"),
            (r#"" /blanks ""#, " /blanks "),
            ("'/pub' is current directory", "/pub"),
            ("'/it's' is current directory", "/it's"),
            ("/pub is current directory", "/pub"),
            ("/my pub is current directory", "/my pub"),
            ("/pub directory created.", "/pub"),
            ("/pub and more", "/pub"),
            ("Now in /pub", "/pub"),
            ("/", "/"),
            ("\"/pub", "/pub"),
            ("\"/my pub is current directory", "/my pub"),
            ("\"/my pub ", "/my pub"),
            ("C:\\pub is current directory", "C:\\pub"),
            ("DISK:[A.B] is current", "DISK:[A.B]"),
            ("home", "home"),
        ] {
            assert_eq!(
                parse_257(text.as_bytes()).unwrap().as_bytes(),
                path.as_bytes(),
                "{text}"
            );
        }
        assert_eq!(parse_257(b"\"/caf\xe9\"").unwrap().as_bytes(), b"/caf\xe9");
    }

    #[test]
    fn what_names_no_path() {
        for text in ["", " ", "\"\"", "\"", "''", "there is none"] {
            assert!(
                matches!(parse_257(text.as_bytes()), Err(PwdError::NoPath { .. })),
                "{text}"
            );
        }
        assert!(
            matches!(parse_257(b"\"/a\nb\""), Err(PwdError::Bytes(error)) if error.offset == 2)
        );
    }

    proptest! {
        #[test]
        fn paths_come_back(
            bytes in vec(prop_oneof![Just(b'"'), Just(b' '), any::<u8>()].prop_filter("", |byte| !matches!(byte, 0 | b'\r' | b'\n')), 1..40),
        ) {
            let path = RemotePath::try_from(bytes).unwrap();
            let mut text = quote_257(&path);
            prop_assert_eq!(&parse_257(&text).unwrap(), &path);
            text.extend_from_slice(b" is \"current\" directory");
            prop_assert_eq!(&parse_257(&text).unwrap(), &path);
        }

        #[test]
        fn no_bytes_make_a_panic(bytes in vec(prop_oneof![Just(b'"'), Just(b'\''), Just(b'/'), Just(b' '), any::<u8>()], 0..40)) {
            let _ = parse_257(&bytes);
        }
    }
}
