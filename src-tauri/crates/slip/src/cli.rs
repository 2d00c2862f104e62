//! The command line's words.

mod data;
mod deliver;
mod files;
mod how;
mod net;
mod queue;
mod serve;
mod sites;
mod users;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ftp_client::ftp_proto::Argument;
use ftp_client::{Charset, Fingerprint, TlsMode};

use data::Data;
pub(crate) use deliver::{Check, Deliver, DeliverHow};
pub(crate) use files::{Chmod, Cp, Df, Hash, Ln, Touch};
pub(crate) use how::{AndLinks, Conflicts, How, Rule};
use net::Net;
pub(crate) use queue::{
    Items, Mirror, Queue, QueueAdd, QueueCommand, QueueList, QueueRun, Receipts,
};
pub(crate) use serve::{Profile, Serve, Sharing};
pub(crate) use sites::{Action as SitesAction, Import, Sites};
pub(crate) use users::{PasswordFrom, Users, UsersAdd, UsersCommand, UsersName};
pub(crate) use values::{Rate, permissions};

const AFTER: &str = "\
Addresses:
  ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH   TLS if the server offers it
  ftpes://…                                  TLS by AUTH TLS, or no connection
  ftps://…                                   TLS from the first byte, port 990
  site:NAME/PATH                             a saved site
  PATH starts at the folder of the login; one with a second slash (ftp://host//etc)
  at the server's top. A PATH that ends in / is a folder. Spaces and odd bytes
  are written %20.

Passwords come from the URL, $SLIP_PASSWORD, the keyring, or a prompt, in this order.
Without a user the login is anonymous.

Exit codes:
  0  all done
  1  some failed
  2  usage
  3  could not connect
  4  refused login (by the server, or by us: no password, or no TLS and no --plaintext)
  5  the server's certificate is not trusted
  6  the queue's journal can't be used: another slip or Slipway has it, a newer one wrote it
  7  a time limit passed (deliver alone; elsewhere that is 3 or 1)";

/// An FTP client and server.
#[derive(Debug, Parser)]
#[command(name = "slip", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What goes with every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Options {
    /// Print one JSON object a line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print nothing but errors and what was asked for
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Print the protocol on standard error, passwords masked
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
    /// How the connection is protected [default: what the URL's scheme or the site says]
    #[arg(long, global = true, value_name = "MODE")]
    pub(crate) tls: Option<Tls>,
    /// Accept the certificate with this SHA-256 fingerprint, and no other; may be repeated
    #[arg(long, global = true, value_name = "sha256:HEX")]
    pub(crate) pin: Vec<Fingerprint>,
    /// Trust the authorities in this PEM file in place of the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Wait no longer than this for a connection, a reply, or the next byte [default: 30, or what the site says]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Send a password even if the connection is not encrypted
    #[arg(long, global = true)]
    pub(crate) plaintext: bool,
    /// The charset of the server's names, such as windows-1251, latin1 or sjis [default: UTF-8, or what the site says]
    #[arg(long, global = true, value_name = "CHARSET")]
    pub(crate) charset: Option<Charset>,
    /// Try so many times more to connect, after 1, 2, 4… seconds, when the server can't be reached or is full
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Which of a server's sites is meant, where it has several behind one address (HOST)
    #[arg(long, global = true, value_name = "NAME", value_parser = values::argument)]
    pub(crate) virtual_host: Option<Argument>,
    /// The language of the server's messages, such as de, where it offers some
    #[arg(long, global = true, value_name = "TAG", value_parser = values::argument)]
    pub(crate) lang: Option<Argument>,
    /// Over TLS, refuse data connections that don't resume the session of the control connection
    #[arg(long, global = true)]
    pub(crate) require_resumption: bool,
    /// Over TLS, send commands in plain after the login (CCC), for firewalls that must read them; files stay encrypted
    #[arg(long, global = true)]
    pub(crate) clear_control: bool,
    /// Keep the password in the keyring once the server has accepted it
    #[arg(long, global = true)]
    pub(crate) remember: bool,
    #[command(flatten)]
    pub(crate) net: Net,
    #[command(flatten)]
    pub(crate) data: Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tls {
    /// TLS if the server offers it
    Auto,
    /// AUTH TLS, or no connection
    Explicit,
    /// From the first byte
    Implicit,
    /// None
    Off,
}

impl From<Tls> for TlsMode {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Auto => Self::Auto,
            Tls::Explicit => Self::Explicit,
            Tls::Implicit => Self::Implicit,
            Tls::Off => Self::Off,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a folder, or one file
    Ls(Ls),
    /// Download files and folders
    Get(Box<Get>),
    /// Upload files and folders
    Put(Box<Put>),
    /// Deliver a document, or many: stored under a temporary name, verified, named
    ///
    /// With --batch each line of the file is an object: "url", "site" or "host" says where to, "source" (a file), "text" or "base64" what,
    /// "folder", "name" or "target" under which name. The other keys are the options. See docs/slip.md
    Deliver(Box<Deliver>),
    /// Examine a server: what works, what doesn't, and what to tell its administrator
    Doctor(Doctor),
    /// Make a folder like another, here or on a server
    ///
    /// Both sides are looked at first, and the plan is printed. Links and special files are left alone, on both sides.
    Mirror(Box<Mirror>),
    /// Keep transfers in a queue that survives everything
    Queue(Queue),
    /// Make folders
    Mkdir(Mkdir),
    /// Remove files and folders
    Rm(Rm),
    /// Rename or move a file or folder
    Mv(Mv),
    /// Copy on the server, where it can
    ///
    /// ProFTPD with mod_copy can, and a few others. The bytes don't come here. What is there is replaced, if the server lets that happen.
    Cp(Cp),
    /// Make a symbolic link on the server, where it can
    Ln(Ln),
    /// Set the permissions of files and folders
    Chmod(Chmod),
    /// Set the times of files; missing ones are made, empty
    Touch(Touch),
    /// Let the server compute hashes of files
    Hash(Hash),
    /// Ask a server how much room there is
    Df(Df),
    /// Send a command as it is, and print the reply
    Raw(Raw),
    /// Share a folder of this computer by FTP
    ///
    /// Without --user, --users and --anonymous a password is made up and shown, and TLS is demanded. Only this computer can reach it, unless
    /// --bind says otherwise. Ctrl+C lets running transfers finish; the second one ends everything. With --config a file says it all.
    Serve(Box<Serve>),
    /// Look after a file of users, for slip serve --users
    User(Users),
    /// List the saved sites, or take over those of other programs
    Sites(Sites),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The folder or file
    pub(crate) url: String,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// What to download; with -r also folders
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Write to this name; - is standard output (for a single file)
    #[arg(short, value_name = "FILE", conflicts_with = "directory")]
    pub(crate) output: Option<PathBuf>,
    /// Write into this folder; it is made if it is missing [default: .]
    #[arg(short, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Folders with everything in them
    #[arg(short, long, conflicts_with = "ascii")]
    pub(crate) recursive: bool,
    /// As texts (TYPE A): the line ends become those of the other side. One after the other, without comparing sizes
    #[arg(long, conflicts_with = "conflict")]
    pub(crate) ascii: bool,
    #[command(flatten)]
    pub(crate) conflicts: Conflicts,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) links: AndLinks,
}

#[derive(Debug, Args)]
#[command(override_usage = "slip put [OPTIONS] <FILE>... <URL>")]
pub(crate) struct Put {
    /// What to upload (with -r also folders; - is standard input), and as the last where to: a folder if it ends in /, else the new
    /// name of the single file or folder. Missing folders are made
    // One list, because two would allow no option between them.
    #[arg(required = true, value_name = "FILE... URL")]
    pub(crate) files_and_url: Vec<OsString>,
    /// Folders with everything in them
    #[arg(short, long, conflicts_with = "ascii")]
    pub(crate) recursive: bool,
    /// As texts (TYPE A): the line ends become those of the other side. One after the other, without comparing sizes
    #[arg(long, conflicts_with = "conflict")]
    pub(crate) ascii: bool,
    #[command(flatten)]
    pub(crate) conflicts: Conflicts,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) links: AndLinks,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The server, and the folder to look into
    pub(crate) url: String,
    /// Make a folder with two small files there, which says more; it is removed in the end
    #[arg(long)]
    pub(crate) write: bool,
    /// Let the whole take no longer than this
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = values::seconds)]
    pub(crate) limit: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    /// Make missing parents too; a folder that exists is fine
    #[arg(short, long)]
    pub(crate) parents: bool,
    /// The folders to make
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Folders with everything in them; links are removed, not followed
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// What to remove
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// What to move
    pub(crate) from: String,
    /// Its new place on the same server; one that ends in / is the folder to move it into
    pub(crate) to: String,
}

#[derive(Debug, Args)]
pub(crate) struct Raw {
    /// The server; a path is changed to first
    pub(crate) url: String,
    /// The command, such as "SITE HELP"; several words are joined by blanks
    #[arg(required = true)]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn no_command_has_an_argument_of_the_name_of_one_that_all_have() {
        let all = super::Cli::command();
        let global: Vec<_> = all.get_arguments().map(clap::Arg::get_id).collect();
        let mut left: Vec<_> = all.get_subcommands().collect();
        while let Some(command) = left.pop() {
            for argument in command.get_arguments() {
                let id = argument.get_id();
                assert!(!global.contains(&id), "{id} of {}", command.get_name());
            }
            left.extend(command.get_subcommands());
        }
    }
}
