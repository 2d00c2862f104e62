//! `slip deliver`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ftp_client::Verify;

use super::values;

#[derive(Debug, Args)]
#[command(
    override_usage = "slip deliver [OPTIONS] <FILE|-> <URL>\n       slip deliver [OPTIONS] --batch <FILE|->"
)]
pub(crate) struct Deliver {
    /// The document, - for standard input
    #[arg(value_name = "FILE", required_unless_present = "batch")]
    pub(crate) file: Option<OsString>,
    /// Where to: the new name, or a folder if it ends in /
    #[arg(value_name = "URL", required_unless_present = "batch")]
    pub(crate) url: Option<String>,
    /// Deliver what this file says, an object of JSON a line; - is standard input, delivered as it comes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "url"])]
    pub(crate) batch: Option<PathBuf>,
    /// How many deliveries at once at most, 1 to 256
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// How many of them to one server at most; it goes down by itself where a server takes fewer
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) per_server: u16,
    #[command(flatten)]
    pub(crate) how: DeliverHow,
}

/// How it is done; each line of a batch may say something else.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct DeliverHow {
    /// Don't make folders that are missing
    #[arg(long)]
    pub(crate) no_parents: bool,
    /// Write under the final name from the first byte, not under a temporary one
    #[arg(long)]
    pub(crate) plain_names: bool,
    /// What is compared beyond the server's word
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Check::Hash)]
    pub(crate) verify: Check,
    /// How often to try where the reason may pass, 1 to 20
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) tries: u8,
    /// Leave the document the time of its arrival, not that of the file
    #[arg(long)]
    pub(crate) no_times: bool,
    /// Give it these permissions: 640
    #[arg(long, value_name = "OCTAL", value_parser = values::permissions)]
    pub(crate) permissions: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// The size, and a hash where the server offers one
    Hash,
    /// The size
    Size,
    /// Nothing
    Reply,
}

impl From<Check> for Verify {
    fn from(check: Check) -> Self {
        match check {
            Check::Hash => Self::Hash,
            Check::Size => Self::Size,
            Check::Reply => Self::Reply,
        }
    }
}
