//! What is delivered.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::{Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::{Error, ErrorKind, HashAlgorithm, Hasher};

/// So much of a reader is read ahead: a document that ends within it is held in memory, and can be sent again and hashed.
const AHEAD: usize = 4 * 1024 * 1024;

/// A document to be delivered.
pub struct Content(pub(super) Kind);

/// What is read once. The lock is never waited for: it lets a reader that must not be shared lie in what is.
pub(super) struct Reader(Mutex<Box<dyn AsyncRead + Send + Unpin>>);

impl Reader {
    fn new(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self(Mutex::new(Box::new(reader)))
    }

    pub(super) fn into_inner(self) -> Box<dyn AsyncRead + Send + Unpin> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) enum Kind {
    /// Held in memory.
    Bytes(Bytes),
    /// From its present position on.
    File(File),
    /// Read once.
    Reader(Reader),
}

impl Content {
    /// What a reader gives until it ends. Up to 4 MiB of it are held in memory; a longer document can be sent only once, and is compared by its
    /// size alone.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self(Kind::Reader(Reader::new(reader)))
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Bytes::copy_from_slice(text.as_bytes()).into()
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Bytes::copy_from_slice(bytes).into()
    }
}

impl From<File> for Content {
    /// From its present position to its end.
    fn from(file: File) -> Self {
        Self(Kind::File(file))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bytes(bytes) => write!(f, "Content({} bytes)", bytes.len()),
            Kind::File(file) => write!(f, "Content({file:?})"),
            Kind::Reader(_) => f.write_str("Content(a reader)"),
        }
    }
}

/// A document between tries.
pub(super) enum Held {
    /// Nobody has looked at it yet.
    Unread(Content),
    Bytes(Bytes),
    /// A file that can be read again from this place on.
    File(File, u64),
    /// What was read ahead, and the rest. Sent once.
    Stream(Bytes, Reader),
    /// A stream that was sent, or a part of it.
    Gone,
}

impl Held {
    /// Finds out what it is, and reads a part of what can be read only once.
    pub(super) async fn read(&mut self) -> Result<(), Error> {
        *self = match std::mem::replace(self, Self::Gone) {
            Self::Unread(content) => Self::of(content).await?,
            known => known,
        };
        Ok(())
    }

    async fn of(content: Content) -> Result<Self, Error> {
        match content.0 {
            Kind::Bytes(bytes) => Ok(Self::Bytes(bytes)),
            Kind::File(file) => {
                blocking(move || {
                    let mut file = file;
                    match file.stream_position() {
                        Ok(at) => Ok(Held::File(file, at)),
                        // A pipe, by another name.
                        Err(_) => {
                            let file = tokio::fs::File::from_std(file);
                            Ok(Held::Stream(Bytes::new(), Reader::new(file)))
                        }
                    }
                })
                .await?
                .read_ahead()
                .await
            }
            Kind::Reader(reader) => Self::Stream(Bytes::new(), reader).read_ahead().await,
        }
    }

    async fn read_ahead(self) -> Result<Self, Error> {
        let Self::Stream(_, reader) = self else {
            return Ok(self);
        };
        let mut reader = reader.into_inner();
        let mut ahead = BytesMut::new();
        while ahead.len() < AHEAD {
            ahead.reserve(64 * 1024);
            if reader.read_buf(&mut ahead).await.map_err(local)? == 0 {
                return Ok(Self::Bytes(ahead.freeze()));
            }
        }
        Ok(Self::Stream(ahead.freeze(), Reader::new(reader)))
    }

    /// True where it can be sent (again).
    pub(super) const fn is_there(&self) -> bool {
        !matches!(self, Self::Gone)
    }

    /// True where it could be sent after it was sent.
    pub(super) const fn stays(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::File(..))
    }

    /// How many bytes it has, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(file, at) => file
                .metadata()
                .ok()
                .map(|meta| meta.len().saturating_sub(*at)),
            Self::Unread(_) | Self::Stream(..) | Self::Gone => None,
        }
    }

    /// A handle on the file at the document's beginning.
    pub(super) async fn file(&self) -> Result<Option<File>, Error> {
        let Self::File(file, at) = self else {
            return Ok(None);
        };
        let (file, at) = (file.try_clone().map_err(local)?, *at);
        blocking(move || {
            let mut file = file;
            file.seek(SeekFrom::Start(at))?;
            Ok(Some(file))
        })
        .await
    }

    /// Its hash, computed on a thread that may block; `None` of what was not kept.
    pub(super) async fn hash(&self, algorithm: HashAlgorithm) -> Result<Option<String>, Error> {
        match self {
            Self::Bytes(bytes) => {
                let bytes = bytes.clone();
                blocking(move || {
                    let mut hasher = Hasher::new(algorithm);
                    hasher.update(&bytes);
                    Ok(Some(hasher.finish()))
                })
                .await
            }
            Self::File(..) => {
                let Some(mut file) = self.file().await? else {
                    return Ok(None);
                };
                blocking(move || {
                    let mut hasher = Hasher::new(algorithm);
                    let mut buffer = vec![0; 256 * 1024];
                    loop {
                        match file.read(&mut buffer) {
                            Ok(0) => return Ok(Some(hasher.finish())),
                            Ok(read) => hasher.update(&buffer[..read]),
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                    }
                })
                .await
            }
            Self::Unread(_) | Self::Stream(..) | Self::Gone => Ok(None),
        }
    }
}

pub(super) fn local(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Local, "reading the document", error)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(local),
        Err(error) => Err(local(io::Error::other(error))),
    }
}
