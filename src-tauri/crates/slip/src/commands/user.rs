use std::num::NonZeroU64;
use std::path::Path;

use ftp_server::{PasswordHash, Secret, StoredUser, UserList, UsersFileError};
use serde::Serialize;
use vfs::{Permission, VPath};

use super::blocking;
use crate::cli::{PasswordFrom, Rate, Users, UsersAdd, UsersCommand, UsersName};
use crate::exit::{Failure, Status};
use crate::output::Output;
use crate::password;

/// One line of `slip user list --json`.
#[derive(Debug, Serialize)]
struct UserObject<'a> {
    name: Option<&'a str>,
    password: bool,
    base: String,
    home: String,
    read_only: bool,
    permissions: Vec<PermissionObject>,
    max_connections: Option<usize>,
    download_limit: Option<NonZeroU64>,
    upload_limit: Option<NonZeroU64>,
}

#[derive(Debug, Serialize)]
struct PermissionObject {
    path: String,
    read: bool,
    write: bool,
}

/// Looks after a file of users.
pub(crate) async fn run(users: &Users, output: Output) -> Result<Status, Failure> {
    match &users.command {
        UsersCommand::Add(add) => self::add(add, output).await?,
        UsersCommand::Remove(user) => {
            edit(user, output, |list| {
                list.remove(user.name.as_deref())
                    .map(drop)
                    .ok_or_else(|| nobody(user))
            })
            .await?;
        }
        UsersCommand::Password(change) => {
            let user = &change.user;
            // Before a password is asked for.
            let known = read(&user.file.file).await?;
            if !known.users().iter().any(|known| known.name == user.name) {
                return Err(nobody(user));
            }
            let hash = hash(&change.from, user).await?;
            edit(user, output, |list| {
                match list.get_mut(user.name.as_deref()) {
                    Some(stored) => {
                        stored.password = hash;
                        Ok(())
                    }
                    None => Err(nobody(user)),
                }
            })
            .await?;
        }
        UsersCommand::List(file) => {
            for user in read(&file.file).await?.users() {
                show(user, output)?;
            }
        }
    }
    Ok(Status::Done)
}

async fn add(add: &UsersAdd, output: Output) -> Result<(), Failure> {
    let user = &add.user;
    let mut stored = StoredUser::new(user.name.as_deref());
    // What is wrong with the name is said before a password is asked for.
    let mut list = match UserList::read(&user.file.file) {
        Err(UsersFileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            UserList::default()
        }
        other => other.map_err(failed)?,
    };
    list.add(stored.clone()).map_err(failed)?;
    stored.password = hash(&add.from, user).await?;
    stored.base = add.base.clone();
    stored.home = add.home.clone();
    stored.read_only = add.read_only;
    stored.permissions = add.permission.clone();
    stored.limits.connections = add.max_connections.map(|most| most as usize);
    stored.limits.speed.download = limit(add.download_limit);
    stored.limits.speed.upload = limit(add.upload_limit);
    edit(user, output, |list| list.add(stored).map_err(failed)).await
}

fn limit(rate: Option<Rate>) -> Option<NonZeroU64> {
    rate.and_then(|rate| rate.0).and_then(NonZeroU64::new)
}

async fn hash(from: &PasswordFrom, user: &UsersName) -> Result<Option<PasswordHash>, Failure> {
    if from.no_password {
        return Ok(None);
    }
    let place = format!("user {}", label(user.name.as_deref()));
    let password: Secret = if from.password_stdin {
        password::from_first_line().await?
    } else {
        password::twice(&place).await?
    };
    let hash = blocking(move || PasswordHash::new(&password).map_err(failed)).await?;
    Ok(Some(hash))
}

async fn read(path: &Path) -> Result<UserList, Failure> {
    let path = path.to_owned();
    blocking(move || UserList::read(&path).map_err(failed)).await
}

/// Reads, changes and writes the file. Nothing else runs in this program, so it may block.
async fn edit(
    user: &UsersName,
    output: Output,
    change: impl FnOnce(&mut UserList) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = &user.file.file;
    let done = tokio::task::block_in_place(|| {
        UserList::edit(path, |list| change(list).map_err(Stop::Ours))
    });
    match done {
        Ok(()) => {
            output.remark(format!("{} written", path.display()));
            Ok(())
        }
        Err(Stop::Ours(failure)) => Err(failure),
        Err(Stop::File(error)) => Err(failed(error)),
    }
}

/// Why nothing was written.
enum Stop {
    Ours(Failure),
    File(UsersFileError),
}

impl From<UsersFileError> for Stop {
    fn from(error: UsersFileError) -> Self {
        Self::File(error)
    }
}

fn failed(error: UsersFileError) -> Failure {
    Failure::Other(error.to_string())
}

fn nobody(user: &UsersName) -> Failure {
    Failure::Other(format!("there is no user {}", label(user.name.as_deref())))
}

fn label(name: Option<&str>) -> String {
    name.map_or_else(
        || "(everybody)".to_owned(),
        |name| name.escape_debug().to_string(),
    )
}

fn show(user: &StoredUser, output: Output) -> Result<(), Failure> {
    if output.json {
        output.object(&UserObject {
            name: user.name.as_deref(),
            password: user.password.is_some(),
            base: text(&user.base),
            home: text(&user.home),
            read_only: user.read_only,
            permissions: user
                .permissions
                .iter()
                .map(|rule| PermissionObject {
                    path: text(&rule.path),
                    read: rule.read,
                    write: rule.write,
                })
                .collect(),
            max_connections: user.limits.connections,
            download_limit: user.limits.speed.download,
            upload_limit: user.limits.speed.upload,
        })?;
        return Ok(());
    }
    let mut line = format!(
        "{:<16} base {} home {}",
        label(user.name.as_deref()),
        user.base,
        user.home
    );
    let mut also = |text: String| {
        line.push_str(", ");
        line.push_str(&text);
    };
    if user.password.is_none() {
        also("no password".to_owned());
    }
    if user.read_only {
        also("read-only".to_owned());
    }
    for Permission { path, read, write } in &user.permissions {
        let what = match (read, write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "none",
        };
        also(format!("{path}={what}"));
    }
    if let Some(most) = user.limits.connections {
        also(format!("{most} sessions"));
    }
    if let Some(rate) = user.limits.speed.download {
        also(format!("download {rate} B/s"));
    }
    if let Some(rate) = user.limits.speed.upload {
        also(format!("upload {rate} B/s"));
    }
    output.line(&line)?;
    Ok(())
}

fn text(path: &VPath) -> String {
    String::from_utf8_lossy(path.as_bytes()).into_owned()
}
