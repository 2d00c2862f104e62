//! Everything about files: PWD, CWD, CDUP, MKD, RMD, DELE, RNFR, RNTO, LIST, MLSD, MLST, RETR, STOR, APPE.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use ftp_proto::Reply;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use vfs::{FileKind, Metadata, VPath, Vfs, VfsError, VfsErrorKind, VfsWrite, WriteMode};

use super::{
    begin, broken, data, directory, existing, file, logged_in, missing, refused, resolve, say,
    text, vacant, writable,
};
use crate::session::{Body, Session};
use crate::verbs::{Answer, Outcome, reply};

/// The most that is filled with zeros before a restart beyond the end of a file.
const GAP: u64 = 1 << 30;

/// Zeros that are written at a time.
const ZEROS: &[u8] = &[0; 64 * 1024];

/// Quotes in it aren't doubled.
pub(super) fn pwd(session: &Session) -> Answer {
    logged_in(session)?;
    let line = [b"\"", session.cwd().as_bytes(), b"\""].concat();
    Ok(Outcome::Reply(Reply::multi(257, [line])))
}

pub(super) async fn cwd(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    enter(session, path).await
}

pub(super) async fn cdup(session: &mut Session) -> Answer {
    logged_in(session)?;
    let path = session.cwd().parent().unwrap_or_else(VPath::root);
    enter(session, path).await
}

async fn enter(session: &mut Session, path: VPath) -> Answer {
    directory(session, &path).await?;
    session.state.cwd = Some(path);
    say(250, "")
}

/// Makes those that are missing above it, too.
pub(super) async fn mkd(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    vacant(session, &path).await?;
    writable(session, &path)?;
    let tree = session.tree()?;
    let mut at = VPath::root();
    for component in path.components() {
        at = at.join(component).map_err(|_| broken())?;
        match tree.mkdir(&at).await {
            Ok(()) => {}
            Err(error) if at != path && error.kind() == VfsErrorKind::Exists => {}
            // A part that may not be written is no hindrance where nothing has to be made in it.
            Err(_) if at != path && is_dir(&*tree, &at).await => {}
            Err(error) => return Err(refused(session, &path, &error)),
        }
    }
    say(257, "")
}

pub(super) async fn rmd(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    directory(session, &path).await?;
    writable(session, &path)?;
    let removed = session.tree()?.rmdir(&path).await;
    removed.map_err(|error| refused(session, &path, &error))?;
    say(250, "")
}

pub(super) async fn dele(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    file(session, &path).await?;
    writable(session, &path)?;
    let removed = session.tree()?.unlink(&path).await;
    removed.map_err(|error| refused(session, &path, &error))?;
    say(250, "")
}

pub(super) async fn rnfr(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    existing(session, &path).await?;
    writable(session, &path)?;
    session.state.rename_from = Some(path);
    say(350, "rename from accepted")
}

/// Other commands may stand between RNFR and this.
pub(super) async fn rnto(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let Some(from) = session.state.rename_from.clone() else {
        return Err(missing("no filename (use RNFR firstly)"));
    };
    let path = resolve(session, rest)?;
    vacant(session, &path).await?;
    writable(session, &path)?;
    session.state.rename_from = None;
    let renamed = session.tree()?.rename(&from, &path).await;
    renamed.map_err(|error| refused(session, &path, &error))?;
    say(250, "")
}

/// How an entry is written.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    List,
    Mlsd,
}

pub(super) async fn mlst(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    let path = resolve(session, rest)?;
    let facts = existing(session, &path).await?;
    let mut line = BytesMut::from(&b" "[..]);
    described(
        path.file_name().unwrap_or_default(),
        Some(&facts),
        &mut line,
    );
    let lines = [b"start".to_vec(), line.to_vec(), b"end".to_vec()];
    Ok(Outcome::Reply(Reply::multi(250, lines)))
}

/// A directory's entries; a file has none.
pub(super) async fn list(session: &mut Session, rest: &[u8], shape: Shape) -> Answer {
    logged_in(session)?;
    data::listening(session)?;
    let path = resolve(session, rest)?;
    let facts = existing(session, &path).await?;
    let tree = session.tree()?;
    let entries = match facts.is_dir() {
        true => tree
            .list(&path)
            .await
            .map_err(|error| refused(session, &path, &error))?,
        false => stream::empty().boxed(),
    };
    let now = Timestamp::now();
    let shown = path.clone();
    let lines = entries.then(move |batch| {
        let (tree, shown) = (Arc::clone(&tree), shown.clone());
        async move {
            let mut out = BytesMut::new();
            for entry in batch? {
                if entry.name.iter().any(u8::is_ascii_control) {
                    continue;
                }
                let facts = match entry.metadata.kind {
                    FileKind::Symlink => tree.metadata(&shown.join(&entry.name)?).await.ok(),
                    _ => Some(entry.metadata),
                };
                match (shape, &facts) {
                    (Shape::Mlsd, _) => described(&entry.name, facts.as_ref(), &mut out),
                    (Shape::List, Some(facts)) => as_ls(&entry.name, facts, now, &mut out),
                    // A link that leads nowhere.
                    (Shape::List, None) => continue,
                }
                out.put_slice(b"\r\n");
            }
            Ok(out.freeze())
        }
    });
    let (opening, done) = match shape {
        Shape::List => ("list transfer started", (226, "list transfer done")),
        Shape::Mlsd => ("mlsd transfer started", (200, "mlsd transfer done")),
    };
    let transfer = data::transfer(session, path, Body::Listing(lines.boxed()))?;
    begin(session, opening, done, transfer)
}

/// From the byte on that REST named; beyond the end there is nothing.
pub(super) async fn retr(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    data::listening(session)?;
    let path = resolve(session, rest)?;
    file(session, &path).await?;
    let opened = session
        .tree()?
        .open_read(&path, session.state.restart)
        .await;
    let body = match opened {
        Ok(reader) => data::download(reader),
        Err(error) if error.kind() == VfsErrorKind::Denied => {
            return Err(refused(session, &path, &error));
        }
        Err(error) if error.kind() == VfsErrorKind::Range => Body::Listing(stream::empty().boxed()),
        // Said when the transfer should begin.
        Err(error) => Body::Listing(stream::iter([Err(error)]).boxed()),
    };
    let transfer = data::transfer(session, path, body)?;
    let done = (226, "data transfer done");
    begin(session, "data transfer started", done, transfer)
}

/// STOR and APPE. After REST both write into the file that is there, from that byte on; what is missing before it becomes zeros.
pub(super) async fn stor(session: &mut Session, rest: &[u8], append: bool) -> Answer {
    logged_in(session)?;
    data::listening(session)?;
    let path = resolve(session, rest)?;
    writable(session, &path)?;
    let tree = session.tree()?;
    let mode = match (session.state.restart, append) {
        (0, false) => WriteMode::Truncate,
        (0, true) => WriteMode::Append,
        (offset, _) => WriteMode::At(offset),
    };
    let writer = match (tree.open_write(&path, mode).await, mode) {
        (Ok(writer), _) => writer,
        (Err(error), _) if error.kind() == VfsErrorKind::Denied => {
            return Err(refused(session, &path, &error));
        }
        (Err(error), WriteMode::At(offset))
            if matches!(error.kind(), VfsErrorKind::Range | VfsErrorKind::NotFound)
                && in_a_directory(&*tree, &path).await =>
        {
            match padded(&*tree, &path, offset).await {
                Ok(writer) => writer,
                Err(error) => Box::new(Hopeless(Some(error))),
            }
        }
        (Err(error), _) => {
            if !in_a_directory(&*tree, &path).await {
                return Err(reply(550, "path unreachable"));
            }
            Box::new(Hopeless(Some(error)))
        }
    };
    let transfer = data::transfer(session, path, Body::Upload(writer))?;
    let done = (226, "data transfer done");
    begin(session, "data transfer started", done, transfer)
}

async fn is_dir(tree: &dyn Vfs, path: &VPath) -> bool {
    tree.metadata(path).await.is_ok_and(|facts| facts.is_dir())
}

async fn in_a_directory(tree: &dyn Vfs, path: &VPath) -> bool {
    is_dir(tree, &path.parent().unwrap_or_else(VPath::root)).await
}

/// `Size=…;Create=…;Modify=…;Type=…; name`. Of a link that leads nowhere the type alone, which is none.
fn described(name: &[u8], facts: Option<&Metadata>, out: &mut BytesMut) {
    if let Some(facts) = facts {
        out.put_slice(format!("Size={};", facts.len).as_bytes());
        if let Some(modified) = facts.modified.map(text::fact_time) {
            out.put_slice(format!("Create={modified};Modify={modified};").as_bytes());
        }
    }
    let kind = match facts.map(|facts| facts.kind) {
        Some(FileKind::File) => "file",
        Some(FileKind::Dir) => "dir",
        _ => "unknown",
    };
    out.put_slice(format!("Type={kind}; ").as_bytes());
    out.put_slice(name);
}

/// `mode links none none size date name`.
fn as_ls(name: &[u8], facts: &Metadata, now: Timestamp, out: &mut BytesMut) {
    let kind = match facts.kind {
        FileKind::File => '-',
        FileKind::Dir => 'd',
        FileKind::Symlink => 'l',
        FileKind::Other => '?',
    };
    let time = facts.modified.unwrap_or(Timestamp::UNIX_EPOCH);
    let line = format!(
        "{} {} none none {} {} ",
        text::file_mode(kind, facts.mode),
        facts.links,
        facts.len,
        text::list_time(time, now),
    );
    out.put_slice(line.as_bytes());
    out.put_slice(name);
}

/// A writer at an offset beyond the end, also of a file that isn't there, as the original's tree in memory has it.
async fn padded(tree: &dyn Vfs, path: &VPath, offset: u64) -> Result<Box<dyn VfsWrite>, VfsError> {
    let end = match tree.metadata(path).await {
        Ok(facts) => facts.len,
        Err(error) if error.kind() == VfsErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let gap = offset.saturating_sub(end);
    if gap > GAP {
        return Err(VfsErrorKind::Full.into());
    }
    let inner = tree.open_write(path, WriteMode::Append).await?;
    Ok(Box::new(Padded { inner, gap }))
}

/// Writes zeros before the first byte. Without one the file stays as long as it was.
struct Padded {
    inner: Box<dyn VfsWrite>,
    gap: u64,
}

#[async_trait]
impl VfsWrite for Padded {
    async fn write_chunk(&mut self, chunk: Bytes) -> Result<(), VfsError> {
        while self.gap > 0 {
            let most = usize::try_from(self.gap).unwrap_or(usize::MAX);
            let zeros = &ZEROS[..most.min(ZEROS.len())];
            self.inner.write_chunk(Bytes::from_static(zeros)).await?;
            self.gap -= zeros.len() as u64;
        }
        self.inner.write_chunk(chunk).await
    }

    async fn finish(&mut self) -> Result<(), VfsError> {
        self.inner.finish().await
    }
}

/// A file that could not be opened, which is said when the transfer should begin.
struct Hopeless(Option<VfsError>);

impl Hopeless {
    fn error(&mut self) -> VfsError {
        self.0.take().unwrap_or_else(|| VfsErrorKind::Io.into())
    }
}

#[async_trait]
impl VfsWrite for Hopeless {
    async fn write_chunk(&mut self, _chunk: Bytes) -> Result<(), VfsError> {
        Err(self.error())
    }

    async fn finish(&mut self) -> Result<(), VfsError> {
        Err(self.error())
    }
}
