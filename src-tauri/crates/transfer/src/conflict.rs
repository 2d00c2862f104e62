//! What happens where the target exists already, and the numbered names of those that are to stand beside it.

use std::ffi::{OsStr, OsString};

use crate::{ConflictRule, Facts};

/// What is done about a target that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Decision {
    /// It is replaced.
    Overwrite,
    /// It stays, and the source is not transferred.
    Skip,
    /// The source gets a name of its own: [`numbered`].
    Rename,
    /// What is there is compared at its end with the source, and completed; what turns out to be no beginning of the
    /// source is replaced. It may be complete already.
    Resume,
    /// A person decides.
    Ask,
}

/// What a rule says, given what is known of both files. What is not known never keeps a file from being transferred.
///
/// Times are compared to the second, which is what FTP carries (RFC 3659 section 2.3), so both have to be exact to it:
/// the minutes of a LIST are no times for this.
pub(crate) fn decide(rule: ConflictRule, source: Facts, target: Facts) -> Decision {
    let newer = || match (source.modified, target.modified) {
        (Some(source), Some(target)) => source.as_second() > target.as_second(),
        _ => true,
    };
    let size_differs = || match (source.size, target.size) {
        (Some(source), Some(target)) => source != target,
        _ => true,
    };
    let overwrite_if = |yes| match yes {
        true => Decision::Overwrite,
        false => Decision::Skip,
    };
    match rule {
        ConflictRule::Overwrite => Decision::Overwrite,
        ConflictRule::IfNewer => overwrite_if(newer()),
        ConflictRule::IfSizeDiffers => overwrite_if(size_differs()),
        ConflictRule::IfNewerOrSizeDiffers => overwrite_if(newer() || size_differs()),
        ConflictRule::Resume => match (source.size, target.size) {
            (_, Some(0)) => Decision::Overwrite,
            // What is longer is not the beginning of the source.
            (Some(source), Some(target)) if target > source => Decision::Overwrite,
            _ => Decision::Resume,
        },
        ConflictRule::Rename => Decision::Rename,
        ConflictRule::Skip => Decision::Skip,
        ConflictRule::Ask => Decision::Ask,
    }
}

/// No name is longer (bytes): the limit of Linux, macOS and Windows, the last of which counts otherwise, but not less.
const LONGEST: usize = 255;
/// What follows the last dot is an ending only if it is not longer (bytes).
const LONGEST_ENDING: usize = 16;

/// A name that stands beside `name`: `name (2).txt`. Made of a name, it is one; it has at most 255 bytes, for which the
/// part before the number is cut if need be.
pub(crate) fn numbered(name: &[u8], number: u32) -> Vec<u8> {
    let (stem, ending) = split_ending(name);
    let number = format!(" ({number})").into_bytes();
    let room = LONGEST.saturating_sub(number.len() + ending.len());
    let mut result = cut(stem, room).to_vec();
    result.extend_from_slice(&number);
    result.extend_from_slice(ending);
    result
}

/// As [`numbered`], for a local name.
#[cfg(unix)]
pub(crate) fn numbered_local(name: &OsStr, number: u32) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    OsString::from_vec(numbered(name.as_bytes(), number))
}

/// As [`numbered`], for a local name.
#[cfg(not(unix))]
pub(crate) fn numbered_local(name: &OsStr, number: u32) -> OsString {
    // Halves of characters, which only Windows knows, are replaced: it is a new name in any case.
    let bytes = numbered(name.to_string_lossy().as_bytes(), number);
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// `a.txt` is `a` and `.txt`, `a.tar.gz` is `a` and `.tar.gz`, `.profile` has no ending.
fn split_ending(name: &[u8]) -> (&[u8], &[u8]) {
    let dot = |text: &[u8]| {
        text.iter()
            .rposition(|byte| *byte == b'.')
            .filter(|at| *at > 0)
    };
    let Some(last) = dot(name) else {
        return (name, b"");
    };
    if name.len() - last > LONGEST_ENDING {
        return (name, b"");
    }
    match dot(&name[..last]) {
        Some(before) if name[before..last].eq_ignore_ascii_case(b".tar") => name.split_at(before),
        _ => name.split_at(last),
    }
}

/// At most so many bytes of it, and no half of a character.
fn cut(text: &[u8], most: usize) -> &[u8] {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    // At most three bytes: text that is no UTF-8 is cut anywhere.
    while end > 0 && most - end < 3 && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ConflictRule as R;
    use Decision as D;
    use ftp_client::ftp_proto::Name;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn facts(size: impl Into<Option<u64>>, second: impl Into<Option<i64>>) -> Facts {
        Facts {
            size: size.into(),
            modified: second.into().map(|s| Timestamp::from_second(s).unwrap()),
        }
    }

    #[test]
    fn rules() {
        let (older, newer) = (facts(10, 100), facts(10, 200));
        let (unknown, longer) = (facts(None, None), facts(11, 100));
        for (rule, source, target, expected) in [
            (R::Overwrite, older, newer, D::Overwrite),
            (R::Skip, newer, older, D::Skip),
            (R::Rename, newer, older, D::Rename),
            (R::Ask, newer, older, D::Ask),
            (R::IfNewer, newer, older, D::Overwrite),
            (R::IfNewer, older, newer, D::Skip),
            (R::IfNewer, older, older, D::Skip),
            (R::IfNewer, longer, older, D::Skip),
            (R::IfNewer, unknown, older, D::Overwrite),
            (R::IfNewer, older, unknown, D::Overwrite),
            (R::IfSizeDiffers, newer, older, D::Skip),
            (R::IfSizeDiffers, longer, older, D::Overwrite),
            (R::IfSizeDiffers, unknown, older, D::Overwrite),
            (R::IfSizeDiffers, older, unknown, D::Overwrite),
            (R::IfNewerOrSizeDiffers, older, newer, D::Skip),
            (R::IfNewerOrSizeDiffers, newer, older, D::Overwrite),
            (R::IfNewerOrSizeDiffers, longer, newer, D::Overwrite),
            (R::Resume, longer, older, D::Resume),
            (R::Resume, older, older, D::Resume),
            (R::Resume, older, longer, D::Overwrite),
            (R::Resume, older, facts(0, 100), D::Overwrite),
            (R::Resume, unknown, older, D::Resume),
            (R::Resume, older, unknown, D::Resume),
        ] {
            let decision = decide(rule, source, target);
            assert_eq!(decision, expected, "{rule:?} {source:?} {target:?}");
        }
    }

    #[test]
    fn what_ftp_cannot_carry_makes_nothing_newer() {
        let disk = Facts {
            modified: Some("2024-05-06T07:08:09.987654321Z".parse().unwrap()),
            ..facts(1, None)
        };
        let server = Facts {
            modified: Some("2024-05-06T07:08:09Z".parse().unwrap()),
            ..facts(1, None)
        };
        assert_eq!(decide(R::IfNewer, disk, server), D::Skip);
        assert_eq!(decide(R::IfNewer, server, disk), D::Skip);
    }

    #[test]
    fn numbered_names() {
        for (name, expected) in [
            ("a.txt", "a (2).txt"),
            ("a", "a (2)"),
            (".profile", ".profile (2)"),
            ("a.tar.gz", "a (2).tar.gz"),
            (".tar.gz", ".tar (2).gz"),
            ("a.b.c", "a.b (2).c"),
            ("a.", "a (2)."),
            (
                "Mr. President goes home now",
                "Mr. President goes home now (2)",
            ),
        ] {
            assert_eq!(numbered(name.as_bytes(), 2), expected.as_bytes(), "{name}");
            assert_eq!(numbered_local(OsStr::new(name), 2), expected, "{name}");
        }
        let long = format!("{}.txt", "\u{e4}".repeat(140));
        let made = String::from_utf8(numbered(long.as_bytes(), 12)).unwrap();
        assert!(made.ends_with("\u{e4} (12).txt") && made.len() <= 255 && made.len() > 250);
    }

    proptest! {
        #[test]
        fn numbered_names_are_names(name: Vec<u8>, long in "[a.\u{e4}]{0,300}", n: u32, m: u32) {
            for name in [name.as_slice(), long.as_bytes()] {
                if Name::try_from(name).is_err() {
                    continue;
                }
                let made = numbered(name, n);
                prop_assert!(Name::try_from(made.as_slice()).is_ok());
                prop_assert!(made.len() <= LONGEST);
                prop_assert_ne!(&made, name);
                prop_assert_eq!(made == numbered(name, m), n == m);
                if std::str::from_utf8(name).is_ok() {
                    prop_assert!(std::str::from_utf8(&made).is_ok());
                }
            }
        }

        #[test]
        fn nothing_newer_is_skipped(size: Option<u64>, other: Option<u64>, at in proptest::option::of(-10_000i64..10_000), then in proptest::option::of(-10_000i64..10_000)) {
            let (source, target) = (facts(size, at), facts(other, then));
            let newer = at.zip(then).is_none_or(|(at, then)| at > then);
            let differs = size.zip(other).is_none_or(|(a, b)| a != b);
            prop_assert_eq!(decide(R::IfNewer, source, target) == D::Overwrite, newer);
            prop_assert_eq!(decide(R::IfNewerOrSizeDiffers, source, target) == D::Overwrite, newer || differs);
        }
    }
}
