//! The saved sites.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use site_import::Source;

/// `slip sites`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sites {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
}

/// What to do with them, other than listing them.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Action {
    /// Take over the saved sites of FileZilla, WinSCP, Cyberduck, lftp, rclone or a .netrc
    ///
    /// Whose file it is, is seen by its content. What is saved already (the same address, port and user under the same name) is not taken
    /// twice. The file stays as it is.
    Import(Import),
}

/// `slip sites import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Import {
    /// The file, or a folder of Cyberduck's bookmarks [default: where those programs keep theirs in your home folder]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Whose file it is: filezilla, winscp, cyberduck, netrc, lftp or rclone [default: what it looks like]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) from: Option<Source>,
    /// Put the passwords that can be read there into the keyring; without this they are left where they are
    #[arg(long)]
    pub(crate) passwords: bool,
    /// Show what would be taken over, and save nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}
