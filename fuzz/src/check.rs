//! What must hold of every decoder. Each of these panics where it doesn't.

use bytes::BytesMut;

use crate::random::Random;

/// The most offending bytes that an error may show.
const SHOWN: usize = 200;
/// How long a byte is when it is escaped.
const ESCAPED: usize = 4;
/// Room for the words around them.
const WORDS: usize = 200;

/// An error's text: one line, no control characters, nothing that turns text around, and not too long.
///
/// # Panics
/// Where it is not.
pub fn message(error: &dyn std::error::Error) {
    let text = error.to_string();
    printable(&text);
    assert!(
        text.len() <= SHOWN * ESCAPED + WORDS,
        "an error of {} bytes: {text}",
        text.len()
    );
    assert!(!text.is_empty(), "an error that says nothing: {error:?}");
    if let Some(source) = error.source() {
        message(source);
    }
}

/// A text that may be shown to a person as it is.
///
/// # Panics
/// Where it may not.
pub fn printable(text: &str) {
    let bad = text.chars().find(|c| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert!(bad.is_none(), "{bad:?} in {text:?}");
}

/// Pieces of the input, cut at places that depend on the input alone: one byte each, or of any size.
#[must_use]
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let mut random = Random::of(input);
    let widest = match random.below(4) {
        0 if input.len() < 4096 => 1,
        1 => 7,
        2 => 64,
        _ => 2 + input.len() / 2,
    };
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((1 + random.below(widest)).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Runs a decoder that takes from a buffer over the whole input, and over pieces of it: what comes out must be the same, and
/// the first error ends both. Returns it, and what was left in the buffer.
///
/// # Panics
/// Where it is not the same.
pub fn same_in_pieces<D: Clone, T: PartialEq + std::fmt::Debug, E: PartialEq + std::fmt::Debug>(
    decoder: &D,
    input: &[u8],
    decode: impl Fn(&mut D, &mut BytesMut) -> Result<Option<T>, E>,
) -> Decoded<D, T, E> {
    let run = |pieces: &[&[u8]]| {
        let mut decoder = decoder.clone();
        let mut buffer = BytesMut::new();
        let (mut out, mut error) = (Vec::new(), None);
        'all: for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let before = buffer.len();
                match decode(&mut decoder, &mut buffer) {
                    Ok(Some(item)) => {
                        assert!(buffer.len() < before, "something came out of nothing");
                        out.push(item);
                    }
                    Ok(None) => break,
                    Err(found) => {
                        error = Some(found);
                        break 'all;
                    }
                }
            }
        }
        Decoded {
            out,
            error,
            decoder,
            left: buffer,
        }
    };
    let whole = run(&[input]);
    let parts = run(&pieces(input));
    assert_eq!(whole.out, parts.out, "in pieces something else comes out");
    assert_eq!(
        whole.error, parts.error,
        "in pieces another error comes out"
    );
    if whole.error.is_none() {
        assert_eq!(whole.left, parts.left, "in pieces something else is left");
    }
    whole
}

/// What came of [`same_in_pieces`].
#[derive(Debug)]
pub struct Decoded<D, T, E> {
    /// What came out.
    pub out: Vec<T>,
    /// How it ended, if not with the input.
    pub error: Option<E>,
    /// The decoder, with what it holds.
    pub decoder: D,
    /// What it has not taken.
    pub left: BytesMut,
}
