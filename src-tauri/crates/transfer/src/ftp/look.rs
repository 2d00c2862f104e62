//! What is there: facts of many files in one round trip.

use ftp_client::ErrorKind;
use ftp_client::ftp_proto::{
    Command, RemotePath, Reply,
    listing::{self, Kind},
};
use ftp_client::replies::{size_of, time_of};

use super::errors::remote_error;
use super::{FtpRemote, exact};
use crate::Facts;
use crate::error::RemoteError;
use crate::work::Existing;

impl FtpRemote {
    pub(super) async fn ask_sizes(
        &self,
        files: &[RemotePath],
    ) -> Result<Vec<Option<u64>>, RemoteError> {
        let commands = files.iter().cloned().map(Command::Size).collect();
        let replies = self.client.burst(commands).await.map_err(remote_error)?;
        let mut sizes: Vec<_> = replies.iter().map(size_of).collect();
        sizes.resize(files.len(), None);
        Ok(sizes)
    }

    /// By MLST where there is one, else by SIZE and MDTM, and by the listing of the folder where even these are missing.
    pub(super) async fn look_at(&self, files: &[RemotePath]) -> Result<Vec<Existing>, RemoteError> {
        let mut found = if self.client.facts().features.has("MLST") {
            let commands = files.iter().map(|file| Command::Mlst(Some(file.clone())));
            let replies = self.ask(commands.collect()).await?;
            let mut found: Vec<_> = replies.iter().map(of_mlst).collect();
            // Of a link it says that it is one; the others tell of what it leads to.
            let links: Vec<usize> = (0..replies.len().min(files.len()))
                .filter(|&at| is_link(&replies[at]))
                .collect();
            let behind: Vec<_> = links.iter().map(|&at| files[at].clone()).collect();
            for (at, behind) in links.into_iter().zip(self.sizes_and_times(&behind).await?) {
                found[at] = behind;
            }
            found
        } else {
            self.sizes_and_times(files).await?
        };
        found.resize(files.len(), None);
        let mut looked = Vec::with_capacity(files.len());
        for (file, found) in files.iter().zip(found) {
            looked.push(match found {
                Some(existing) => existing,
                None => self.look_in_listing(file).await?,
            });
        }
        Ok(looked)
    }

    async fn sizes_and_times(
        &self,
        files: &[RemotePath],
    ) -> Result<Vec<Option<Existing>>, RemoteError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let commands = files
            .iter()
            .flat_map(|file| [Command::Size(file.clone()), Command::Mdtm(file.clone())]);
        let replies = self.ask(commands.collect()).await?;
        Ok(replies.chunks(2).map(of_size_and_time).collect())
    }

    async fn ask(&self, commands: Vec<Command>) -> Result<Vec<Reply>, RemoteError> {
        self.client.burst(commands).await.map_err(remote_error)
    }

    async fn look_in_listing(&self, file: &RemotePath) -> Result<Existing, RemoteError> {
        match self.client.stat(file).await {
            Ok(entry) if entry.kind == Kind::File => Ok(Existing::File(Facts {
                size: entry.exact_size(),
                modified: entry.modified.and_then(exact),
            })),
            Ok(_) => Ok(Existing::Unknown),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(Existing::Missing),
            // Of the moment: nothing may be written over for that.
            Err(error) if error.is_fatal() || error.is_retryable() => Err(remote_error(error)),
            Err(_) => Ok(Existing::Unknown),
        }
    }
}

/// Whether MLST tells of a link, not of what it leads to.
fn is_link(reply: &Reply) -> bool {
    let line = reply.lines.iter().find(|line| line.starts_with(b" "));
    let entry = line.and_then(|line| listing::parse_mlsx(&line[1..]).ok());
    reply.code.is_completion() && entry.is_some_and(|entry| entry.kind == Kind::Link)
}

/// `None` where the reply tells nothing.
fn of_mlst(reply: &Reply) -> Option<Existing> {
    if !reply.code.is_completion() {
        return (reply.code.value() == 550).then_some(Existing::Missing);
    }
    let line = reply.lines.iter().find(|line| line.starts_with(b" "));
    let entry = listing::parse_mlsx(&line?[1..]).ok()?;
    Some(match entry.kind {
        Kind::File => Existing::File(Facts {
            size: entry.size,
            modified: entry.modified.and_then(exact),
        }),
        // A folder, or something else that the server will refuse to write over.
        _ => Existing::Unknown,
    })
}

fn of_size_and_time(replies: &[Reply]) -> Option<Existing> {
    let [size, time] = replies else { return None };
    let modified = time_of(time);
    match size_of(size) {
        Some(size) => Some(Existing::File(Facts {
            size: Some(size),
            modified,
        })),
        None if size.code.value() == 550 && modified.is_none() => Some(Existing::Missing),
        // A folder has a time and no size.
        None if size.code.value() == 550 => Some(Existing::Unknown),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(size: u64, second: i64) -> Existing {
        Existing::File(Facts {
            size: Some(size),
            modified: Some(jiff::Timestamp::from_second(second).unwrap()),
        })
    }

    #[test]
    fn what_is_there_is_read_from_replies() {
        let mlst =
            |line: &str| Reply::multi(250, [b"Listing".to_vec(), line.into(), b"End".to_vec()]);
        let found = of_mlst(&mlst(" type=file;size=5;modify=20010909014640; /a"));
        assert_eq!(found, Some(file(5, 1_000_000_000)));
        assert_eq!(of_mlst(&mlst(" type=dir; /a")), Some(Existing::Unknown));
        assert_eq!(of_mlst(&Reply::new(550, "no")), Some(Existing::Missing));
        for kind in ["OS.unix=slink", "OS.unix=symlink", "OS.unix=slink:b"] {
            assert!(
                is_link(&mlst(&format!(" type={kind};size=5; /a"))),
                "{kind}"
            );
        }
        assert!(!is_link(&mlst(" type=file;size=5; /a")));
        assert_eq!(of_mlst(&Reply::new(500, "what?")), None);
        let pair = |size: (u16, &str), time: (u16, &str)| {
            of_size_and_time(&[Reply::new(size.0, size.1), Reply::new(time.0, time.1)])
        };
        let time = (213, "20010909014640");
        assert_eq!(pair((213, "5"), time), Some(file(5, 1_000_000_000)));
        assert_eq!(pair((213, "size 5"), time), Some(file(5, 1_000_000_000)));
        assert_eq!(pair((550, "no"), (550, "no")), Some(Existing::Missing));
        assert_eq!(pair((550, "no"), time), Some(Existing::Unknown));
        assert_eq!(pair((500, "what?"), (500, "what?")), None);
    }
}
