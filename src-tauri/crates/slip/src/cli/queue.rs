//! The words of `slip queue` and `slip mirror`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use transfer::TransferId;
use transfer::mirror::Compare;

use super::how::{AndLinks, Conflicts, How};
use super::values::{self, Hours, Rate};

#[derive(Debug, Args)]
pub(crate) struct Queue {
    /// The queue's file [default: queue.sqlite in the data folder, ~/.local/share/slipway]
    #[arg(long, global = true, value_name = "FILE", env = "SLIPWAY_JOURNAL")]
    pub(crate) journal: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: QueueCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Put downloads or uploads into the queue
    Add(Box<QueueAdd>),
    /// Work until nothing is left
    Run(QueueRun),
    /// Show what waits, runs or has failed
    #[command(visible_alias = "ls")]
    List(QueueList),
    /// Stop items for now; what was moved is kept
    Pause(Items),
    /// Let paused items go on
    Resume(Items),
    /// Give items up; what was half done is removed
    Cancel(Items),
    /// Try failed and cancelled items again
    Retry(Items),
    /// Show what was done, and what was checked of it
    Receipts(Receipts),
    /// Take off the list what is done, skipped, cancelled or has failed; the receipts stay
    Clear,
}

#[derive(Debug, Args)]
#[command(override_usage = "slip queue add [OPTIONS] <SOURCE>... <TARGET>")]
pub(crate) struct QueueAdd {
    /// URLs to download, or files to upload (with -r also folders), and as the last where to: a local file or folder for URLs, a URL
    /// for local files. A folder if it ends in /
    // One list, because two would allow no option between them.
    #[arg(required = true, value_name = "SOURCE... TARGET")]
    pub(crate) sources_and_target: Vec<OsString>,
    /// Folders with everything in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Don't start before: 22:00, 2026-05-31T22:00, +2h
    #[arg(long, value_name = "TIME", value_parser = values::future)]
    pub(crate) at: Option<Timestamp>,
    /// Which items go first
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    pub(crate) priority: Priority,
    #[command(flatten)]
    pub(crate) conflicts: Conflicts,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) links: AndLinks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// Before everything else
    High,
    /// In order
    Normal,
    /// After everything else
    Low,
}

impl From<Priority> for transfer::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Normal => Self::Normal,
            Priority::Low => Self::Low,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct QueueRun {
    /// How many connections to a server at most, 1 to 64 [default: 8]
    #[arg(short = 'j', long, alias = "jobs", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) connections: Option<u8>,
    /// By how many connections one big download may go on where that is faster, 1 to 64; 1: never several [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) segments: Option<u8>,
    /// Use no more than this many bytes a second in all: 512K, 1.5M; off lifts it. It is kept with the queue
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) limit: Option<Rate>,
    /// Limits by the clock: "08:00-18:00 512K, sat-sun off"; off lifts them. They are kept with the queue
    #[arg(long, value_name = "TIMES", value_parser = values::hours)]
    pub(crate) timetable: Option<Hours>,
}

#[derive(Debug, Args)]
pub(crate) struct QueueList {
    /// Also what is done, skipped or cancelled, and all that is in folders
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Items {
    /// The items, by the numbers of `slip queue list`
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<TransferId>,
    /// All items
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Receipts {
    /// So many at most, the newest first
    #[arg(short, value_name = "N", default_value_t = 50)]
    pub(crate) number: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Mirror {
    /// The folder to copy: an address, or a local folder
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,
    /// The folder that is to be like it: local for an address, else an address
    #[arg(value_name = "DST")]
    pub(crate) target: OsString,
    /// Remove what is not in the source
    #[arg(long)]
    pub(crate) delete: bool,
    /// Remove nothing at all if it would be more than so many files and folders
    #[arg(long, value_name = "N", requires = "delete")]
    pub(crate) max_delete: Option<u64>,
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// By what files are compared: size, time, hash, with commas between them
    #[arg(long, value_name = "WHAT", default_value = "size,time")]
    pub(crate) compare: Compare,
    #[command(flatten)]
    pub(crate) how: How,
}
