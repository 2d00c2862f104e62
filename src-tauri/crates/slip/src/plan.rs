//! From what the command line names to what the queue is to do: the same for `get`, `put` and `queue add`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::{Name, RemotePath};
use transfer::names::{self, Naming};
use transfer::{Direction, ItemKind, NewTransfer, Options, SiteKey};

use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status, Tally};
use crate::report::{Report, ends};
use crate::servers::Servers;
use crate::url::{Place, Server, Url};

/// Where downloads go.
pub(crate) enum LocalTarget {
    /// The single source gets this name.
    Named(PathBuf),
    /// Each source lies in it under its own name.
    Folder(PathBuf),
}

impl LocalTarget {
    fn shown(&self) -> String {
        let (Self::Named(path) | Self::Folder(path)) = self;
        path.display().to_string()
    }
}

/// What a command is to move. What can't even begin has been reported.
pub(crate) struct Planned {
    pub(crate) transfers: Vec<NewTransfer>,
    pub(crate) servers: Servers,
    pub(crate) tally: Tally,
    pub(crate) recursive: bool,
}

/// Works it out: asks servers what is a folder, and makes the folders that uploads go into.
pub(crate) struct Planner<'a> {
    connections: &'a Arc<Connections>,
    options: Arc<Options>,
    recursive: bool,
    servers: Servers,
    transfers: Vec<NewTransfer>,
    targets: HashSet<(Direction, Vec<u8>)>,
    tally: Tally,
    absolute: bool,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        connections: &'a Arc<Connections>,
        options: Options,
        recursive: bool,
    ) -> Self {
        Self {
            connections,
            options: Arc::new(options),
            recursive,
            servers: Servers::new(connections.clone()),
            transfers: Vec::new(),
            targets: HashSet::new(),
            tally: Tally::default(),
            absolute: false,
        }
    }

    /// Local paths get absolute: the plan may be carried out by a program that works elsewhere.
    pub(crate) fn absolute(mut self) -> Self {
        self.absolute = true;
        self
    }

    pub(crate) fn finish(self) -> Planned {
        Planned {
            transfers: self.transfers,
            servers: self.servers,
            tally: self.tally,
            recursive: self.recursive,
        }
    }

    /// Plans downloads.
    pub(crate) async fn downloads(
        &mut self,
        urls: &[Url],
        target: &LocalTarget,
    ) -> Result<(), Failure> {
        let mut sessions = Opened::default();
        for url in urls {
            let planned = match sessions.of(self.connections, urls, url).await {
                Ok(session) => self
                    .download(url, session, target)
                    .await
                    .map(|planned| (session, planned)),
                Err(failure) => Err(failure),
            };
            match planned {
                Ok((session, (kind, local, remote))) => {
                    self.add(session, url, Direction::Download, kind, local, remote)?;
                }
                Err(failure) => self.fail(url.to_string(), target.shown(), &failure)?,
            }
        }
        Ok(())
    }

    /// Plans uploads: each into the folder of the URL, or the single one to its name.
    pub(crate) async fn uploads(&mut self, files: &[PathBuf], url: &Url) -> Result<(), Failure> {
        if files.len() > 1 && !url.is_folder() {
            return Err(Failure::usage(
                "several files need a folder: an address that ends in /",
            ));
        }
        // What isn't there needs no connection.
        let mut sources = Vec::new();
        for file in files {
            match look_at(file, self.recursive) {
                Ok(kind) => sources.push((file, kind)),
                Err(failure) => {
                    self.fail(file.display().to_string(), url.to_string(), &failure)?;
                }
            }
        }
        if sources.is_empty() {
            return Ok(());
        }
        let session = match self.connections.open(url).await {
            Ok(session) => session,
            Err(failure) => {
                for (file, _) in sources {
                    self.fail(file.display().to_string(), url.to_string(), &failure)?;
                }
                return Ok(());
            }
        };
        make_folder(&session, url, self.connections).await;
        for (file, kind) in sources {
            match remote_target(file, url, &session) {
                Ok(remote) => {
                    self.add(&session, url, Direction::Upload, kind, file.clone(), remote)?;
                }
                Err(failure) => {
                    let (source, target) = ends(Direction::Upload, url.clone(), file);
                    self.fail(source, target, &failure)?;
                }
            }
        }
        Ok(())
    }

    /// What is to be downloaded, and to where.
    async fn download(
        &self,
        url: &Url,
        session: &Session,
        target: &LocalTarget,
    ) -> Result<(ItemKind, PathBuf, RemotePath), Failure> {
        let path = session.path(url);
        let kind = match &path {
            _ if !self.recursive && url.is_folder() => {
                return Err(Failure::usage(
                    "this is a folder: -r downloads it with everything in it",
                ));
            }
            _ if !self.recursive => ItemKind::File,
            Some(path) if !url.is_folder() => {
                let is_folder = session.client.is_dir(path).await;
                match is_folder.map_err(|error| Failure::remote(url.to_string(), error))? {
                    true => ItemKind::Folder,
                    false => ItemKind::File,
                }
            }
            _ => ItemKind::Folder,
        };
        let naming = Naming::from(&*self.options_for(session));
        let local = local_target(target, url, session, naming)?;
        let remote = match path {
            Some(path) => path,
            None => here()?,
        };
        Ok((kind, local, remote))
    }

    /// The options, in the charset of a server.
    fn options_for(&self, session: &Session) -> Arc<Options> {
        let charset = session.charset();
        if charset == self.options.charset {
            return self.options.clone();
        }
        Arc::new(Options {
            charset,
            ..Options::clone(&self.options)
        })
    }

    /// Adds a transfer of a session that is open.
    fn add(
        &mut self,
        session: &Session,
        url: &Url,
        direction: Direction,
        kind: ItemKind,
        local: PathBuf,
        remote: RemotePath,
    ) -> Result<(), Failure> {
        let site: SiteKey = session.target.key();
        let place = match direction {
            Direction::Download => local.as_os_str().as_encoded_bytes().to_vec(),
            Direction::Upload => [site.as_str().as_bytes(), b"/", remote.as_bytes()].concat(),
        };
        if !self.targets.insert((direction, place)) {
            let (source, target) =
                ends(direction, url.at(&remote, session.home().as_ref()), &local);
            return self.fail(
                source,
                target,
                &Failure::usage("something else of this command has the same target"),
            );
        }
        let local = if self.absolute {
            std::path::absolute(&local)
                .map_err(|error| Failure::Other(format!("{}: {error}", local.display())))?
        } else {
            local
        };
        self.servers.add(session, url);
        self.transfers.push(NewTransfer {
            site,
            direction,
            kind,
            local,
            remote,
            size: None,
            modified: None,
            options: self.options_for(session),
        });
        Ok(())
    }

    /// Reports a transfer that can't even begin.
    fn fail(&mut self, source: String, target: String, failure: &Failure) -> Result<(), Failure> {
        let output = self.connections.output;
        self.tally.failed(match failure.status() {
            // The command line was fine; this one item is not.
            Status::Usage | Status::Done => Status::SomeFailed,
            status => status,
        });
        if output.json {
            return Report::failed(source, target, &failure.reason()).print(output, false);
        }
        match failure {
            // These name their place, and have more to say.
            Failure::Connect { .. } | Failure::NoPassword { .. } => output.message(failure),
            _ => output.message(format!("{source} -> {target}: {}", failure.reason())),
        }
        Ok(())
    }
}

/// One session for each server of a command, or why there is none: nobody is asked for a password twice.
#[derive(Default)]
struct Opened(HashMap<String, Result<Session, Failure>>);

impl Opened {
    async fn of(
        &mut self,
        connections: &Connections,
        all: &[Url],
        url: &Url,
    ) -> Result<&Session, Failure> {
        let key = url.root();
        if !self.0.contains_key(&key) {
            let has_password = |url: &&Url| {
                matches!(
                    &url.place,
                    Place::Server(Server {
                        password: Some(_),
                        ..
                    })
                ) && url.root() == key
            };
            let best = all.iter().find(has_password).unwrap_or(url);
            self.0.insert(key.clone(), connections.open(best).await);
        }
        match &self.0[&key] {
            Ok(session) => Ok(session),
            Err(failure) => Err(failure.clone()),
        }
    }
}

/// The folder of a login that the server has no name for.
pub(crate) fn here() -> Result<RemotePath, Failure> {
    parse_bytes(b".")
}

/// Whether it is a file or a folder.
fn look_at(file: &Path, recursive: bool) -> Result<ItemKind, Failure> {
    let metadata = std::fs::metadata(file)
        .map_err(|error| Failure::Other(format!("can't read it: {error}")))?;
    match (metadata.is_dir(), recursive) {
        (false, _) => Ok(ItemKind::File),
        (true, true) => Ok(ItemKind::Folder),
        (true, false) => Err(Failure::usage(
            "this is a folder: -r uploads it with everything in it",
        )),
    }
}

/// Makes the folder that things are uploaded into, with its parents. If that fails, the uploads will, and say why; a folder
/// that can be written to but not entered would be no reason to give up.
pub(crate) async fn make_folder(session: &Session, url: &Url, connections: &Connections) {
    let Some(path) = session.path(url) else {
        return;
    };
    let folder = if url.is_folder() {
        Some(path)
    } else {
        path.parent()
    };
    let Some(folder) = folder.filter(|folder| !folder.is_root()) else {
        return;
    };
    // The folder of the login is there for certain.
    if session.home().is_some_and(|home| home == folder) {
        return;
    }
    if matches!(session.client.is_dir(&folder).await, Ok(true)) {
        return;
    }
    if let Err(error) = session.client.mkd_parents(&folder).await {
        connections.output.remark(format!(
            "{}: {error}",
            url.at(&folder, session.home().as_ref())
        ));
    }
}

/// The local name that a file or folder of the server gets.
pub(crate) fn local_target(
    target: &LocalTarget,
    url: &Url,
    session: &Session,
    naming: Naming,
) -> Result<PathBuf, Failure> {
    Ok(match (target, url.file_name()) {
        (LocalTarget::Named(name), _) => name.clone(),
        // All of the login's folder: into the target itself.
        (LocalTarget::Folder(folder), None) => folder.clone(),
        (LocalTarget::Folder(folder), Some(name)) => {
            let name = names::to_local(&session.encoded(name), naming);
            folder.join(name.map_err(|error| {
                Failure::usage(format!(
                    "{error}; give the target a name of its own (get -o)"
                ))
            })?)
        }
    })
}

/// The path on the server that a local file or folder goes to.
pub(crate) fn remote_target(
    file: &Path,
    url: &Url,
    session: &Session,
) -> Result<RemotePath, Failure> {
    let path = session.path(url);
    if !url.is_folder() {
        return path.ok_or_else(|| Failure::usage("the address names no file"));
    }
    let name = match file.file_name() {
        Some(name) => name_of(name, session)?,
        // `.` and the like: what is in it goes into the folder itself.
        None => return path.map_or_else(here, Ok),
    };
    match path {
        Some(folder) => Ok(folder.join(&name)),
        None => parse_bytes(name.as_bytes()),
    }
}

fn name_of(name: &std::ffi::OsStr, session: &Session) -> Result<Name, Failure> {
    let naming = Naming {
        charset: session.charset(),
        ..Naming::default()
    };
    names::to_remote(name, naming).map_err(|error| {
        Failure::usage(format!(
            "\"{}\" can't be a name on a server: {}",
            error.text, error.why
        ))
    })
}

fn parse_bytes(bytes: &[u8]) -> Result<RemotePath, Failure> {
    RemotePath::try_from(bytes).map_err(|error| Failure::usage(error.to_string()))
}
