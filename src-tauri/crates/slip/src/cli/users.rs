//! The words of `slip user`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use vfs::{Permission, VPath};

use super::values::{self, Rate};

#[derive(Debug, Args)]
pub(crate) struct Users {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Add a user; the file is made if there is none
    Add(Box<UsersAdd>),
    /// Take a user out
    #[command(visible_alias = "rm")]
    Remove(UsersName),
    /// Show the users
    #[command(visible_alias = "ls")]
    List(UsersFile),
    /// Give a user another password
    Password(UsersPassword),
}

/// Which file.
#[derive(Debug, Args)]
pub(crate) struct UsersFile {
    /// The file of users, as slip serve --users takes it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Which user.
#[derive(Debug, Args)]
pub(crate) struct UsersName {
    #[command(flatten)]
    pub(crate) file: UsersFile,
    /// The name
    #[arg(required_unless_present = "everybody")]
    pub(crate) name: Option<String>,
    /// The user who takes every name that no other user has
    #[arg(long, conflicts_with = "name")]
    pub(crate) everybody: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UsersPassword {
    #[command(flatten)]
    pub(crate) user: UsersName,
    #[command(flatten)]
    pub(crate) from: PasswordFrom,
}

/// Where a password comes from; otherwise it is asked for twice.
#[derive(Debug, Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "no_password")]
    pub(crate) password_stdin: bool,
    /// Let the name alone be enough
    #[arg(long)]
    pub(crate) no_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UsersAdd {
    #[command(flatten)]
    pub(crate) user: UsersName,
    #[command(flatten)]
    pub(crate) from: PasswordFrom,
    /// The folder, below the one that is served, that is this user's root
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = path)]
    pub(crate) base: VPath,
    /// Where sessions start, seen from the base
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = path)]
    pub(crate) home: VPath,
    /// Let the user change nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// What the user may do there and below: r, w, rw or none; the nearest counts. May be repeated
    #[arg(long, value_name = "PATH=r|w|rw|none", value_parser = permission)]
    pub(crate) permission: Vec<Permission>,
    /// Sessions at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: Option<u32>,
    /// Bytes a second that this user's sessions may download together: 512K, 1.5M
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) download_limit: Option<Rate>,
    /// Bytes a second that they may upload
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) upload_limit: Option<Rate>,
}

fn path(text: &str) -> Result<VPath, String> {
    if !text.starts_with('/') {
        return Err("it takes a path that begins with a slash".to_owned());
    }
    VPath::new(text).map_err(|error| error.to_string())
}

fn permission(text: &str) -> Result<Permission, String> {
    let wrong = || "it takes a path and what may be done there, such as /in=w".to_owned();
    let (at, what) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (read, write) = match what {
        "r" => (true, false),
        "w" => (false, true),
        "rw" => (true, true),
        "none" => (false, false),
        _ => return Err(wrong()),
    };
    Ok(Permission::new(path(at)?, read, write))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn permissions_of_paths() {
        let root = VPath::root();
        assert_eq!(
            permission("/=r").unwrap(),
            Permission::new(root, true, false)
        );
        let odd = VPath::new("/a=b").unwrap();
        assert_eq!(
            permission("/a=b=none").unwrap(),
            Permission::new(odd, false, false)
        );
        for text in ["", "/", "/=x", "a=r", "=rw", "/a=R"] {
            assert!(permission(text).is_err(), "{text}");
        }
    }
}
