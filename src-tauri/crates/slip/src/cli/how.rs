//! How transfers are done: what `get`, `put`, `queue add` and `mirror` share.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use transfer::{
    CompiledFilter, ConflictRule, Filter, HashCheck, KeepTime, Links, NameRules, Options, Sync,
    UploadName,
};

use super::values::{self, Rate};
use crate::exit::Failure;

/// Which files, and what becomes of them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct How {
    /// How many connections to a server at most, 1 to 64 [default: 8]
    #[arg(short = 'j', long, alias = "jobs", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) connections: Option<u8>,
    /// By how many connections one big download may go on where that is faster, 1 to 64; 1: never several [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) segments: Option<u8>,
    /// Use no more than this many bytes a second: 512K, 1.5M
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) limit: Option<Rate>,
    /// Write uploads under their final names from the first byte, not under temporary ones
    #[arg(long)]
    plain_names: bool,
    /// Don't compare a hash, even where the server offers one
    #[arg(long)]
    no_hash: bool,
    /// Force downloads to the disk before they get their names
    #[arg(long)]
    fsync: bool,
    /// Give files the permissions of their sources
    #[arg(long)]
    keep_permissions: bool,
    /// Leave files the times of their arrival
    #[arg(long)]
    no_times: bool,
    /// Make local names that every system can have
    #[arg(long)]
    portable_names: bool,
    #[command(flatten)]
    which: Which,
}

/// Which files of a folder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection in folders")]
struct Which {
    /// Take only files that match: *.html, or with a slash the path below the folder; may be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out files and folders that match; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out files smaller than this: 300, 10K, 1.5M
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    min_size: Option<u64>,
    /// Leave out files larger than this
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_size: Option<u64>,
    /// Take only files modified since: 2026-05-31, 2026-05-31T18:00, or an age: 12h, 2d
    #[arg(long, value_name = "TIME", value_parser = values::past)]
    newer: Option<Timestamp>,
    /// Take only files modified before that
    #[arg(long, value_name = "TIME", value_parser = values::past)]
    older: Option<Timestamp>,
    /// Leave out names that begin with a dot
    #[arg(long)]
    no_hidden: bool,
    /// Leave out .git, .svn, .hg, CVS and the like
    #[arg(long)]
    no_vcs: bool,
}

/// What becomes of links. Not of `mirror`, which leaves them alone.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Selection in folders")]
pub(crate) struct AndLinks {
    /// What becomes of symbolic links: what they lead to is transferred, they are made again, or left out
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = LinkRule::Follow)]
    pub(crate) links: LinkRule,
}

/// What happens where the target exists.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct Conflicts {
    /// What happens where the target exists
    #[arg(long, value_name = "RULE", value_enum, default_value_t = Rule::Overwrite)]
    pub(crate) conflict: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// It is replaced
    Overwrite,
    /// It is replaced if the source is newer
    #[value(alias = "newer")]
    IfNewer,
    /// It is replaced if the sizes differ
    #[value(alias = "size")]
    IfSizeDiffers,
    /// It is replaced if the source is newer or the sizes differ
    #[value(alias = "newer-or-size")]
    IfNewerOrSizeDiffers,
    /// It is the beginning of the source: compared at its end, and completed
    Resume,
    /// The new one gets a number: "name (2).txt"
    Rename,
    /// It stays
    Skip,
    /// You are asked, once for everything
    Ask,
}

impl From<Rule> for ConflictRule {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Overwrite => Self::Overwrite,
            Rule::IfNewer => Self::IfNewer,
            Rule::IfSizeDiffers => Self::IfSizeDiffers,
            Rule::IfNewerOrSizeDiffers => Self::IfNewerOrSizeDiffers,
            Rule::Resume => Self::Resume,
            Rule::Rename => Self::Rename,
            Rule::Skip => Self::Skip,
            Rule::Ask => Self::Ask,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkRule {
    /// What they lead to is transferred
    Follow,
    /// They are made again as links, where that can be
    Copy,
    /// They are left out
    Skip,
}

impl From<AndLinks> for Links {
    fn from(links: AndLinks) -> Self {
        match links.links {
            LinkRule::Follow => Self::Follow,
            LinkRule::Copy => Self::Copy,
            LinkRule::Skip => Self::Skip,
        }
    }
}

impl How {
    /// The queue's words for it. Limits of speed and the number of connections are not part of them.
    pub(crate) fn options(&self, conflict: ConflictRule, links: Links) -> Result<Options, Failure> {
        let which = &self.which;
        if let (Some(min), Some(max)) = (which.min_size, which.max_size)
            && min > max
        {
            return Err(Failure::usage("--min-size is more than --max-size"));
        }
        if let (Some(newer), Some(older)) = (which.newer, which.older)
            && newer >= older
        {
            return Err(Failure::usage(
                "--newer and --older leave no time between them",
            ));
        }
        let filter = Filter {
            include: which.include.clone(),
            exclude: which.exclude.clone(),
            min_size: which.min_size,
            max_size: which.max_size,
            modified_after: which.newer,
            modified_before: which.older,
            skip_hidden: which.no_hidden,
            skip_vcs: which.no_vcs,
        };
        // Said now, and not by each folder.
        CompiledFilter::new(&filter).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Options {
            conflict,
            filter,
            links,
            upload: if self.plain_names {
                UploadName::Final
            } else {
                UploadName::Temporary
            },
            names: if self.portable_names {
                NameRules::Portable
            } else {
                NameRules::Native
            },
            keep_time: if self.no_times {
                KeepTime::No
            } else {
                KeepTime::Yes
            },
            keep_permissions: self.keep_permissions,
            sync: if self.fsync {
                Sync::Always
            } else {
                Sync::Never
            },
            hash: if self.no_hash {
                HashCheck::Never
            } else {
                HashCheck::IfOffered
            },
            ..Options::default()
        })
    }
}
