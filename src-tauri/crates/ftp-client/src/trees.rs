//! Files and whole folders, between this computer's disk and a server, in one call and one after the other. For many at once,
//! interrupted ones and much else there is the queue of the `transfer` crate.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ftp_net::copy::Progress;
use ftp_proto::{
    Name, RemotePath,
    listing::{Entry, Kind},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Client, Error, ErrorKind, Found, ListOptions};

/// How a file or a folder is moved as a whole.
#[derive(Debug, Clone, Default)]
pub struct TreeOptions {
    /// True: the destination is what it becomes, under that name. False: it goes into the destination under its own name.
    pub write_into: bool,
    /// Moves the bytes in blocks of this size, for the rare server or line that minds; `None`: by the fastest way there is.
    pub block_size: Option<usize>,
    /// Counts the bytes.
    pub progress: Progress,
}

impl TreeOptions {
    /// The destination is the name.
    #[must_use]
    pub fn write_into() -> Self {
        Self {
            write_into: true,
            ..Self::default()
        }
    }
}

/// What was moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many files.
    pub files: u64,
    /// How many folders were gone through, the first one too.
    pub folders: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What was left out: neither file nor folder, or a link to a folder.
    pub skipped: Vec<String>,
}

/// Of a folder on this computer: what it is made of, parents before what is in them.
enum Local {
    Folder(RemotePath),
    File(PathBuf, RemotePath),
    Skipped(PathBuf),
}

impl Client {
    /// Sends a file or a folder with everything in it. Folders are made where they are missing, parents too; files that are there are
    /// written over. Links to files are followed; links to folders are not, and named in the result.
    ///
    /// ```no_run
    /// # async fn example(client: ftp_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use ftp_client::{TreeOptions, ftp_proto::RemotePath};
    ///
    /// // To /www/site/…
    /// client.upload("site".as_ref(), &RemotePath::try_from("/www")?, &TreeOptions::default()).await?;
    /// // To /www/…
    /// client.upload("site".as_ref(), &RemotePath::try_from("/www")?, &TreeOptions::write_into()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Local`] of the disk, [`ErrorKind::Argument`] for names that can't be sent, and what the server refuses. What was
    /// moved by then stays.
    pub async fn upload(
        &self,
        source: &Path,
        destination: &RemotePath,
        options: &TreeOptions,
    ) -> Result<Moved, Error> {
        let target = if options.write_into {
            destination.clone()
        } else {
            let name = source.file_name().map(|name| name.as_encoded_bytes());
            let name = name.ok_or_else(|| local(source, io::ErrorKind::InvalidFilename.into()))?;
            destination.join(&sendable(source, name)?)
        };
        let (root, top) = (source.to_owned(), target.clone());
        let found = blocking(move || gather(&root, &top)).await?;
        if matches!(found.first(), Some(Local::File(..)))
            && let Some(parent) = target.parent()
        {
            self.mkd_parents(&parent).await?;
        }
        let mut moved = Moved::default();
        for local in found {
            match local {
                Local::Skipped(path) => moved.skipped.push(path.display().to_string()),
                // The working directory is there.
                Local::Folder(to) if to.as_bytes().is_empty() => moved.folders += 1,
                Local::Folder(_) if moved.folders == 0 => {
                    self.mkd_parents(&target).await?;
                    moved.folders += 1;
                }
                Local::Folder(to) => {
                    self.mkd_or_exists(&to).await?;
                    moved.folders += 1;
                }
                Local::File(from, to) => {
                    moved.bytes += self.send_file(&from, &to, options).await?;
                    moved.files += 1;
                }
            }
        }
        Ok(moved)
    }

    async fn send_file(
        &self,
        from: &Path,
        to: &RemotePath,
        options: &TreeOptions,
    ) -> Result<u64, Error> {
        let path = from.to_owned();
        let file = blocking(move || fs::File::open(&path).map_err(|error| local(&path, error)));
        let file = file.await?;
        let mut upload = self.stor(to, 0).await?;
        let Some(size) = options.block_size else {
            return upload.copy_from_file(file, options.progress.clone()).await;
        };
        let mut file = tokio::fs::File::from_std(file);
        let mut block = vec![0; size.max(1)];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut block).await;
            match read.map_err(|error| local(from, error))? {
                0 => break,
                read => {
                    if let Err(error) = upload.write_all(&block[..read]).await {
                        return Err(upload.failed(error).await);
                    }
                    bytes += read as u64;
                    options.progress.add(read as u64);
                }
            }
        }
        upload.finish().await.map(|()| bytes)
    }

    /// Fetches a file or a folder with everything in it. Folders are made where they are missing, parents too; files that are there are
    /// written over. Links and what is neither file nor folder are left out, and named in the result.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Local`] of the disk, [`ErrorKind::Protocol`] for names that are none here (a server can't
    /// make this write anywhere else), and what the server refuses. What was moved by then stays.
    pub async fn download(
        &self,
        source: &RemotePath,
        destination: &Path,
        options: &TreeOptions,
    ) -> Result<Moved, Error> {
        let target = if options.write_into {
            destination.to_owned()
        } else {
            let name = source.file_name().unwrap_or_default();
            destination.join(named_here(source, name)?)
        };
        let mut moved = Moved::default();
        let is_folder = match self.stat(source).await {
            Ok(entry) => {
                matches!(entry.kind, Kind::Dir) || self.leads_to_folder(&entry, source).await?
            }
            // A folder whose parent can't be listed can be entered all the same.
            Err(error) if error.is_fatal() || !self.is_dir(source).await? => return Err(error),
            Err(_) => true,
        };
        if !is_folder {
            if let Some(parent) = target.parent() {
                make_folder(parent).await?;
            }
            moved.bytes = self.fetch_file(source, &target, options).await?;
            moved.files = 1;
            return Ok(moved);
        }
        make_folder(&target).await?;
        moved.folders = 1;
        let everything = ListOptions {
            recursive: true,
            ..ListOptions::default()
        };
        // First the folders and the names of all files: one session can't list and fetch at once.
        let mut walk = self.walk(Some(source), everything);
        let mut files = Vec::new();
        while let Some(found) = walk.next().await? {
            match found {
                Found::Entry(path, entry) => {
                    let here = target.join(below(source, &path)?);
                    match entry.kind {
                        Kind::Dir => {
                            make_folder(&here).await?;
                            moved.folders += 1;
                        }
                        Kind::File => files.push((path, here)),
                        _ => moved.skipped.push(path.to_string()),
                    }
                }
                Found::Misnamed(folder, entry) => {
                    let error = Name::try_from(entry.name.as_slice()).err();
                    let error = error.map_or_else(String::new, |error| error.to_string());
                    return Err(Error::with_source(
                        ErrorKind::Protocol,
                        folder.to_string(),
                        error,
                    ));
                }
                Found::Unparsed(folder, line) => {
                    let line = ftp_proto::escape(&line, 200);
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("{folder}: a line of its listing can't be read: \"{line}\""),
                    ));
                }
            }
        }
        for (path, here) in files {
            moved.bytes += self.fetch_file(&path, &here, options).await?;
            moved.files += 1;
        }
        Ok(moved)
    }

    async fn leads_to_folder(&self, entry: &Entry, path: &RemotePath) -> Result<bool, Error> {
        match entry.kind {
            Kind::Link | Kind::Other => self.is_dir(path).await,
            _ => Ok(false),
        }
    }

    async fn fetch_file(
        &self,
        from: &RemotePath,
        to: &Path,
        options: &TreeOptions,
    ) -> Result<u64, Error> {
        // Asked first: a file that can't be fetched doesn't cost the one that is here.
        let mut download = self.retr(from, 0).await?;
        let path = to.to_owned();
        let file = blocking(move || fs::File::create(&path).map_err(|error| local(&path, error)));
        let file = file.await?;
        let Some(size) = options.block_size else {
            return download.copy_to_file(file, options.progress.clone()).await;
        };
        let mut file = tokio::fs::File::from_std(file);
        let mut blocks = download.blocks(size);
        let mut bytes = 0;
        loop {
            match blocks.next().await {
                Ok(Some(block)) => {
                    let written = file.write_all(&block).await;
                    written.map_err(|error| local(to, error))?;
                    bytes += block.len() as u64;
                    options.progress.add(block.len() as u64);
                }
                Ok(None) => break,
                Err(error) => return Err(download.failed(error).await),
            }
        }
        file.flush().await.map_err(|error| local(to, error))?;
        download.finish().await.map(|()| bytes)
    }
}

fn local(path: &Path, error: io::Error) -> Error {
    Error::with_source(ErrorKind::Local, path.display().to_string(), error)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::with_source(ErrorKind::Local, "the disk", error)),
    }
}

async fn make_folder(path: &Path) -> Result<(), Error> {
    let path = path.to_owned();
    blocking(move || fs::create_dir_all(&path).map_err(|error| local(&path, error))).await
}

fn sendable(path: &Path, name: &[u8]) -> Result<Name, Error> {
    Name::try_from(name)
        .map_err(|error| Error::with_source(ErrorKind::Argument, path.display().to_string(), error))
}

fn named_here(path: &RemotePath, name: &[u8]) -> Result<PathBuf, Error> {
    let named = Name::try_from(name).and_then(|name| name.to_local());
    named
        .map(PathBuf::from)
        .map_err(|error| Error::with_source(ErrorKind::Protocol, path.to_string(), error))
}

/// Where something below `folder` belongs below another folder here.
fn below(folder: &RemotePath, path: &RemotePath) -> Result<PathBuf, Error> {
    let above = folder.components().count();
    path.components()
        .skip(above)
        .map(|name| named_here(path, name))
        .collect()
}

fn gather(source: &Path, target: &RemotePath) -> Result<Vec<Local>, Error> {
    let facts = fs::metadata(source).map_err(|error| local(source, error))?;
    if facts.is_file() {
        return Ok(vec![Local::File(source.to_owned(), target.clone())]);
    }
    if !facts.is_dir() {
        return Ok(vec![Local::Skipped(source.to_owned())]);
    }
    let mut found = Vec::new();
    let mut left = vec![(source.to_owned(), target.clone())];
    while let Some((folder, to)) = left.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(|error| local(&folder, error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        found.push(Local::Folder(to.clone()));
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name();
            let to = to.join(&sendable(&path, name.as_encoded_bytes())?);
            let kind = entry.file_type().map_err(|error| local(&path, error))?;
            if kind.is_dir() {
                left.push((path, to));
            } else if fs::metadata(&path).is_ok_and(|facts| facts.is_file()) {
                found.push(Local::File(path, to));
            } else {
                found.push(Local::Skipped(path));
            }
        }
    }
    Ok(found)
}
