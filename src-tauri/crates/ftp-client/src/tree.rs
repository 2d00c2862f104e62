//! Operations of many steps: folders with their parents, whole trees, the facts of one entry.

use ftp_proto::{
    Command, Name, RemotePath,
    listing::{self, Entry, Kind, Line},
};

use crate::{Client, Error, ErrorKind};

/// Deeper than this a tree is a loop, or a trap.
const DEEPEST: usize = 128;
/// So many files are deleted before anybody looks whether the server refuses.
const AT_ONCE: usize = 100;

impl Client {
    /// Makes a directory and the parents that it lacks. One that exists is fine.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn mkd_parents(&self, path: &RemotePath) -> Result<(), Error> {
        // Up to the first folder that is there or can be made, then down again.
        let mut missing = vec![path.clone()];
        while let Some(folder) = missing.last() {
            if folder.is_root() {
                missing.pop();
                break;
            }
            let refused = match self.mkd_or_exists(folder).await {
                Ok(_) => {
                    missing.pop();
                    break;
                }
                Err(error) if error.reply().is_some() && !error.is_fatal() => error,
                Err(error) => return Err(error),
            };
            match folder.parent() {
                Some(parent) if !parent.is_root() && missing.len() < DEEPEST => {
                    missing.push(parent)
                }
                _ => return Err(refused),
            }
        }
        while let Some(folder) = missing.pop() {
            self.mkd_or_exists(&folder).await?;
        }
        Ok(())
    }

    /// Makes a directory; one that exists is fine. True where it was made.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn mkd_or_exists(&self, folder: &RemotePath) -> Result<bool, Error> {
        match self.mkd(folder).await {
            Ok(()) => Ok(true),
            // "Already exists" has many wordings; being able to go there has one meaning.
            Err(error) if error.reply().is_some() && !error.is_fatal() => {
                match self.is_dir(folder).await? {
                    true => Ok(false),
                    false => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// True where `path` is a directory that can be entered. The working directory stays.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn is_dir(&self, path: &RemotePath) -> Result<bool, Error> {
        let path = path.clone();
        self.run(move |driver| {
            Box::pin(async move {
                match driver.visit(path).await {
                    Ok(()) => Ok(true),
                    Err(error) if error.reply().is_some() && !error.is_fatal() => Ok(false),
                    Err(error) => Err(error),
                }
            })
        })
        .await
    }

    /// Where the server says it is (PWD) after going to `path`: of a link to a folder most servers name the folder.
    /// `None` where that can't be entered or the reply holds no path. The working directory stays.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn real_path(&self, path: &RemotePath) -> Result<Option<RemotePath>, Error> {
        let path = path.clone();
        self.run(move |driver| {
            Box::pin(async move {
                match driver.visit(path).await {
                    Ok(()) => {}
                    Err(error) if error.reply().is_some() && !error.is_fatal() => return Ok(None),
                    Err(error) => return Err(error),
                }
                // Not by `ask`, which would go home first.
                let reply = driver.control.exchange(&Command::Pwd).await?;
                Ok(driver
                    .path_in(&reply)
                    .ok()
                    .filter(|_| reply.code.is_completion()))
            })
        })
        .await
    }

    /// Removes a directory and everything in it. Links are removed, never followed.
    ///
    /// # Errors
    /// What the server refuses; [`ErrorKind::Protocol`] where it lists a name that is none. What was removed
    /// until then stays removed.
    pub async fn remove_tree(&self, path: &RemotePath) -> Result<(), Error> {
        // A folder comes twice: to be emptied, and then to be removed.
        let mut left = vec![(path.clone(), false, 0)];
        while let Some((folder, emptied, depth)) = left.pop() {
            if emptied {
                self.rmd(&folder).await?;
                continue;
            }
            if depth > DEEPEST {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!("{folder}: folders in folders without an end"),
                ));
            }
            left.push((folder.clone(), true, depth));
            let (entries, unparsed) = self.list(Some(&folder)).await?.collect().await?;
            if let Some(line) = unparsed.first() {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!(
                        "{folder}: a line of its listing can't be read: \"{}\"",
                        ftp_proto::escape(line, 200)
                    ),
                ));
            }
            let mut files = Vec::new();
            for entry in entries {
                let name = Name::try_from(entry.name.as_slice()).map_err(|error| {
                    Error::with_source(ErrorKind::Protocol, folder.to_string(), error)
                })?;
                let child = folder.join(&name);
                if entry.kind == Kind::Dir {
                    left.push((child, false, depth + 1));
                } else {
                    files.push(Command::Dele(child));
                }
            }
            self.delete_all(files).await?;
        }
        Ok(())
    }

    /// Many DELE, in as few round trips as the server puts up with.
    async fn delete_all(&self, mut commands: Vec<Command>) -> Result<(), Error> {
        while !commands.is_empty() {
            let later = commands.split_off(commands.len().min(AT_ONCE));
            let doing: Vec<String> = commands.iter().map(Command::redacted).collect();
            let replies = self.burst(commands).await?;
            for (doing, reply) in doing.into_iter().zip(replies) {
                if !reply.code.is_completion() {
                    return Err(Error::refused(doing, reply));
                }
            }
            commands = later;
        }
        Ok(())
    }

    /// What is known of one file or directory: MLST, else its line in the listing of its parent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and what else the server refuses.
    pub async fn stat(&self, path: &RemotePath) -> Result<Entry, Error> {
        if self.facts().features.has("MLST") {
            match self.mlst(path).await {
                Err(error) if *error.kind() == ErrorKind::Unsupported => {}
                outcome => return outcome,
            }
        }
        let (Some(name), Some(parent)) = (
            path.file_name(),
            path.parent().or_else(|| RemotePath::try_from("").ok()),
        ) else {
            // The top has no parent to be listed in.
            return Ok(Entry::new(b"/".to_vec(), Kind::Dir));
        };
        let parent = (!parent.as_bytes().is_empty()).then_some(parent);
        let mut listing = self.list(parent.as_ref()).await?;
        let mut found = None;
        // To its end even after the entry was found: giving up a transfer costs more than reading on.
        while let Some(line) = listing.next().await? {
            if let Line::Entry(entry) = line
                && entry.name == name
            {
                found = Some(entry);
            }
        }
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, path.to_string()))
    }

    async fn mlst(&self, path: &RemotePath) -> Result<Entry, Error> {
        let command = Command::Mlst(Some(path.clone()));
        let doing = command.redacted();
        let reply = self
            .run(move |driver| Box::pin(driver.command(command)))
            .await?;
        let line = reply
            .lines
            .iter()
            .find(|line| line.starts_with(b" "))
            .map(|line| &line[1..])
            .or_else(|| reply.lines.get(1).map(Vec::as_slice));
        let mut entry = match line.map(listing::parse_mlsx) {
            Some(Ok(entry)) => entry,
            Some(Err(error)) => return Err(Error::with_source(ErrorKind::Protocol, doing, error)),
            None => return Err(Error::with_reply(ErrorKind::Protocol, doing, reply)),
        };
        // The server names the whole path; callers know it, and want the name.
        if let Some(name) = path.file_name() {
            entry.name = name.to_vec();
        }
        if matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir) {
            entry.kind = Kind::Dir;
        }
        Ok(entry)
    }
}
