//! Why something is done, or left.

use std::fmt;

use jiff::Timestamp;

use crate::HashAlgorithm;

/// Why something is done, or left, and what was assumed for that. `Display` is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Why.
    pub why: Why,
    /// What was assumed.
    pub assumed: Option<Assumed>,
}

/// Why something is done, or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The target doesn't have it.
    Missing,
    /// The source doesn't have it.
    Extra,
    /// It has another kind than what the source has under this name.
    InTheWay,
    /// The sizes (bytes) differ.
    SizeDiffers {
        /// Of the source.
        source: u64,
        /// Of the target.
        target: u64,
    },
    /// A size is not known, and nothing else was to be compared.
    SizeUnknown,
    /// The source is newer.
    Newer {
        /// When the source was modified.
        source: Timestamp,
        /// When the target was.
        target: Timestamp,
    },
    /// The target is newer, so that it is not what was copied there.
    Older {
        /// When the source was modified.
        source: Timestamp,
        /// When the target was.
        target: Timestamp,
    },
    /// A time is not known, or not its zone, so that it can't be compared.
    TimeUnknown,
    /// The hashes differ.
    HashDiffers(HashAlgorithm),
    /// The server tells no hash, and times were not to be compared.
    HashUnknown,
    /// Source and target have different kinds, and what is there may not be deleted.
    KindDiffers {
        /// What the source has.
        source: &'static str,
        /// What the target has.
        target: &'static str,
    },
    /// A link, which is not followed.
    Link,
    /// Something that can't be copied; what it is.
    Special(&'static str),
    /// A folder that the source doesn't have, with something in it that stays.
    HoldsSomething,
}

/// What was assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Assumed {
    /// Times are equal if their minutes are: a side tells no more.
    Minutes,
    /// Times are equal if their days are: a side tells no more.
    Days,
    /// A zone is not known, but no zone makes up for such a difference.
    AnyZone,
    /// The target can't be given the time of the source, so only a source that is newer counts.
    NewerOnly,
    /// The server tells no hash for it, so the times were compared.
    NoHash,
    /// A size is not known, so only the rest was compared.
    NoSize,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        Self { why, assumed: None }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.assumed {
            Some(assumed) => write!(f, "{}; {assumed}", self.why),
            None => self.why.fmt(f),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Missing => f.write_str("not there yet"),
            Why::Extra => f.write_str("not in the source"),
            Why::InTheWay => f.write_str("in the way of something of another kind"),
            Why::SizeDiffers { source, target } => {
                write!(f, "{source} bytes instead of {target}")
            }
            Why::SizeUnknown => f.write_str("the size is not known"),
            Why::Newer { source, target } => write!(f, "of {source}, newer than {target}"),
            Why::Older { source, target } => write!(f, "of {source}, and there it is of {target}"),
            Why::TimeUnknown => f.write_str("the times can't be compared"),
            Why::HashDiffers(algorithm) => write!(f, "another {algorithm}"),
            Why::HashUnknown => f.write_str("the server tells no hash"),
            Why::KindDiffers { source, target } => {
                write!(f, "the source has {source}, and the target {target}")
            }
            Why::Link => f.write_str("a link, which is not followed"),
            Why::Special(what) => write!(f, "{what}, which can't be copied"),
            Why::HoldsSomething => f.write_str("not in the source, but it holds what stays"),
        }
    }
}

impl fmt::Display for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Assumed::Minutes => "times compared to the minute",
            Assumed::Days => "times compared to the day",
            Assumed::AnyZone => "the server's zone is not known, but in none they are equal",
            Assumed::NewerOnly => "the target does not keep times, so only newer ones count",
            Assumed::NoHash => "the server tells no hash, so times were compared",
            Assumed::NoSize => "a size is not known",
        })
    }
}
