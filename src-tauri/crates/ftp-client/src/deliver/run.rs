//! The delivery, step by step.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ftp_net::{NetError, copy::Progress};
use ftp_proto::{Name, RemotePath};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Content, DeliverError, DeliverStep, Delivered, Delivery, Verify, WriteAs,
    content::{Held, local},
};
use crate::{Client, Error, ErrorKind, HashAlgorithm, Upload, control};

/// No pause between two tries is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What temporary names end in, which the queue and mirrors leave alone.
const SUFFIX: &str = ".slippart";
/// No file system in use allows longer names, in bytes.
const NAME_LIMIT: usize = 255;
/// How much of a document goes to the connection at once.
const PIECE: usize = 64 * 1024;

type Stop<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A step that failed, and what it has left behind.
struct Failed {
    step: DeliverStep,
    error: Error,
    left: Option<RemotePath>,
}

impl Failed {
    fn at(step: DeliverStep) -> impl FnOnce(Error) -> Self {
        move |error| Self {
            step,
            error,
            left: None,
        }
    }
}

pub(super) async fn run(
    delivery: &Delivery,
    content: Content,
    mut stop: Stop<'_>,
) -> Result<Delivered, DeliverError> {
    let begin = Instant::now();
    let mut tries = 0;
    let mut held = Held::Unread(content);
    loop {
        tries += 1;
        let failed = match attempt(delivery, &mut held, &mut stop).await {
            Ok(delivered) => {
                return Ok(Delivered {
                    tries,
                    took: begin.elapsed(),
                    ..delivered
                });
            }
            Err(failed) => failed,
        };
        let again = tries < delivery.tries.max(1) && failed.error.is_retryable() && held.is_there();
        let failed = match again {
            false => failed,
            true => {
                let pause = Duration::from_secs(1 << (tries - 1).min(5)).min(LONGEST_PAUSE);
                match unless(&mut stop, tokio::time::sleep(pause)).await {
                    Ok(()) => continue,
                    Err(error) => Failed { error, ..failed },
                }
            }
        };
        return Err(DeliverError {
            step: failed.step,
            error: failed.error,
            left: failed.left,
            tries,
        });
    }
}

/// Waits, unless the wish to stop comes first.
async fn unless<T>(stop: &mut Stop<'_>, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = stop => Err(Error::new(ErrorKind::Cancelled, "the delivery")),
        done = work => Ok(done),
    }
}

async fn attempt(
    delivery: &Delivery,
    held: &mut Held,
    stop: &mut Stop<'_>,
) -> Result<Delivered, Failed> {
    use DeliverStep::{Connect, Folder, Store};

    let client = unless(stop, Client::connect(delivery.config.clone()))
        .await
        .and_then(|connected| connected)
        .map_err(Failed::at(Connect))?;
    let mut errand = Errand {
        delivery,
        client: &client,
        notes: Vec::new(),
        stop,
    };
    let outcome = async {
        errand.go_to_folder().await.map_err(Failed::at(Folder))?;
        unless(errand.stop, held.read())
            .await
            .and_then(|read| read)
            .map_err(Failed::at(Store))?;
        errand.hand_over(held).await
    }
    .await;
    let mut notes = std::mem::take(&mut errand.notes);
    let facts = client.facts();
    // Whatever becomes of the goodbye, the document is there, or isn't.
    if let Err(error) = client.quit().await {
        let note = format!("the goodbye failed: {error}");
        let observer = delivery.config.observer.as_ref();
        control::log(observer, crate::LogKind::Warning, &*note);
        tracing::debug!("{note}");
        notes.push(note);
    }
    let handed = outcome?;
    let folder = match (&facts.home, &delivery.folder) {
        (Some(home), Some(folder)) if home.is_absolute() => Some(home.join_path(folder)),
        (_, Some(folder)) => Some(folder.clone()),
        (home, None) => home.clone(),
    };
    let path = match folder {
        Some(folder) => folder.join(&delivery.name),
        None => alone(&delivery.name).map_err(Failed::at(Store))?,
    };
    Ok(Delivered {
        path,
        bytes: handed.bytes,
        size_checked: handed.size_checked,
        hash: handed.hash,
        security: facts.security.clone(),
        tries: 0,
        took: Duration::ZERO,
        notes,
    })
}

/// What is known of a document that is there.
#[derive(Default)]
struct Handed {
    bytes: u64,
    size_checked: bool,
    hash: Option<(HashAlgorithm, String)>,
}

/// One session's work.
struct Errand<'a, 's> {
    delivery: &'a Delivery,
    client: &'a Client,
    notes: Vec<String>,
    stop: &'a mut Stop<'s>,
}

impl Errand<'_, '_> {
    async fn go_to_folder(&mut self) -> Result<(), Error> {
        let Some(folder) = &self.delivery.folder else {
            return Ok(());
        };
        let refused = match unless(self.stop, self.client.cwd(folder)).await? {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if refused.is_fatal() || refused.reply().is_none() || !self.delivery.parents {
            return Err(refused);
        }
        unless(self.stop, async {
            self.client.mkd_parents(folder).await?;
            self.client.cwd(folder).await
        })
        .await?
    }

    /// Stores, verifies and names it.
    async fn hand_over(&mut self, held: &mut Held) -> Result<Handed, Failed> {
        use DeliverStep::{Name as Naming, Store, Verify};

        let name = alone(&self.delivery.name).map_err(Failed::at(Store))?;
        let temporary = match self.delivery.write {
            WriteAs::Temporary => {
                Some(temporary_name(&self.delivery.name).map_err(Failed::at(Store))?)
            }
            WriteAs::Final => None,
        };
        let Some(temporary) = temporary else {
            return self.store_and_verify(&name, held).await;
        };
        let handed = match self.store_and_verify(&temporary, held).await {
            Ok(handed) => handed,
            // Not under such a name, perhaps.
            Err(failed)
                if failed.step == Store
                    && is_no(&failed.error)
                    && held.is_there()
                    && failed.left.is_none() =>
            {
                self.notes
                    .push(format!("no temporary name was possible: {}", failed.error));
                return match self.store_and_verify(&name, held).await {
                    // It was not the name. The first reason is as good, and says what was tried.
                    Err(again) if is_no(&again.error) => Err(Failed {
                        error: failed.error,
                        ..again
                    }),
                    outcome => outcome,
                };
            }
            Err(failed) => return Err(failed),
        };
        let refused = match self.rename(&temporary, &name).await {
            Ok(()) => return Ok(handed),
            Err(error) => error,
        };
        if !is_no(&refused) || !held.stays() {
            return Err(Failed {
                left: Some(temporary),
                ..Failed::at(Naming)(refused)
            });
        }
        let left = self.remove(&temporary).await;
        self.notes.push(format!(
            "it could not be renamed, and was written under its own name: {refused}"
        ));
        match self.store_and_verify(&name, held).await {
            Ok(handed) => Ok(handed),
            Err(failed) if failed.step == Verify => Err(failed),
            Err(failed) => Err(Failed {
                left: failed.left.or(left),
                ..failed
            }),
        }
    }

    /// Gives it its name, in place of what has that name now: many servers rename onto it, others don't.
    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        let client = self.client;
        let refused = match client.rename(from, to).await {
            Ok(()) => return Ok(()),
            Err(error) if !is_no(&error) => return Err(error),
            Err(error) => error,
        };
        match client.dele(to).await {
            Ok(()) => client.rename(from, to).await,
            Err(error) if !is_no(&error) => Err(error),
            Err(_) => Err(refused),
        }
    }

    async fn store_and_verify(
        &mut self,
        path: &RemotePath,
        held: &mut Held,
    ) -> Result<Handed, Failed> {
        let upload = unless(self.stop, self.client.stor_sized(path, 0, held.size())).await;
        let upload = upload
            .and_then(|opened| opened)
            .map_err(Failed::at(DeliverStep::Store))?;
        // From here on there may be a part of it.
        let (step, error) = match self.send(upload, held).await {
            Ok(bytes) => match self.check(path, bytes, held).await {
                Ok(handed) => {
                    self.dress(path).await;
                    return Ok(handed);
                }
                Err(error) => (DeliverStep::Verify, error),
            },
            Err(error) => (DeliverStep::Store, error),
        };
        let left = self.remove(path).await;
        Err(Failed { step, error, left })
    }

    /// Sends it, and hears the server's word. The number of bytes.
    async fn send(&mut self, upload: Upload, held: &mut Held) -> Result<u64, Error> {
        if let Some(file) = held.file().await? {
            return unless(self.stop, upload.copy_from_file(file, Progress::default())).await?;
        }
        let (bytes, rest) = match held {
            Held::Bytes(bytes) => (bytes.clone(), None),
            other => match std::mem::replace(other, Held::Gone) {
                Held::Stream(ahead, rest) => (ahead, Some(rest.into_inner())),
                _ => return Err(Error::new(ErrorKind::Argument, "a document that is gone")),
            },
        };
        unless(self.stop, async {
            let mut upload = upload;
            let mut sent = 0;
            let mut outcome = write(&mut upload, &bytes, &mut sent).await;
            if let (Ok(()), Some(mut rest)) = (&outcome, rest) {
                let mut piece = vec![0; PIECE];
                while outcome.is_ok() {
                    // Dropped, the upload is reset: half a document must not look like a whole one.
                    let read = rest.read(&mut piece).await.map_err(local)?;
                    if read == 0 {
                        break;
                    }
                    let piece = Bytes::copy_from_slice(&piece[..read]);
                    outcome = write(&mut upload, &piece, &mut sent).await;
                }
            }
            let Err(broken) = outcome else {
                return upload.finish().await.map(|()| sent);
            };
            if broken.kind() == std::io::ErrorKind::TimedOut {
                let net = match broken.downcast::<NetError>() {
                    Ok(net) => net,
                    Err(io) => NetError::Io(io),
                };
                return Err(Error::net("STOR", net));
            }
            // The server has closed: it says why.
            match upload.finish().await {
                Ok(()) => Err(Error::net("STOR", NetError::Io(broken))),
                Err(error) => Err(error),
            }
        })
        .await?
    }

    /// Compares what is there with what was sent.
    async fn check(&mut self, path: &RemotePath, bytes: u64, held: &Held) -> Result<Handed, Error> {
        let mut handed = Handed {
            bytes,
            ..Handed::default()
        };
        if self.delivery.verify == Verify::Reply {
            return Ok(handed);
        }
        match self.size_of(path, bytes).await? {
            None => self
                .notes
                .push("the server does not tell its size".to_owned()),
            Some(size) if size == bytes => handed.size_checked = true,
            Some(size) => {
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    format!("{path}: {bytes} bytes were sent, and the server has {size}"),
                ));
            }
        }
        if self.delivery.verify == Verify::Hash && held.stays() {
            match self.client.hash(path, &HashAlgorithm::ALL).await {
                Ok(None) => {}
                Ok(Some((algorithm, theirs))) => {
                    if held
                        .hash(algorithm)
                        .await?
                        .is_some_and(|ours| ours != theirs)
                    {
                        return Err(Error::new(
                            ErrorKind::Mismatch,
                            format!("{path}: the server has another {algorithm} of it"),
                        ));
                    }
                    handed.hash = Some((algorithm, theirs));
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => self.notes.push(format!("no hash was compared: {error}")),
            }
        }
        Ok(handed)
    }

    /// Its size as the server tells it. A SIZE of 0 is what servers say of what they can't measure: then the listing decides.
    async fn size_of(&mut self, path: &RemotePath, bytes: u64) -> Result<Option<u64>, Error> {
        match self.client.size(path).await {
            Ok(size) if size > 0 || bytes == 0 => return Ok(Some(size)),
            Err(error) if error.is_fatal() => return Err(error),
            _ => {}
        }
        match self.client.stat(path).await {
            Ok(entry) => Ok(entry.size),
            Err(error) if error.is_fatal() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Its time and permissions. A server that doesn't give them has it all the same.
    async fn dress(&mut self, path: &RemotePath) {
        if let Some(time) = self.delivery.modified
            && let Err(error) = self.client.mfmt(path, time).await
        {
            self.notes.push(format!("its time was not set: {error}"));
        }
        if let Some(mode) = self.delivery.mode
            && let Err(error) = self.client.chmod(path, mode).await
        {
            self.notes
                .push(format!("its permissions were not set: {error}"));
        }
    }

    /// Takes back what was stored. What could not be removed.
    async fn remove(&mut self, path: &RemotePath) -> Option<RemotePath> {
        match self.client.dele(path).await {
            Ok(()) => None,
            Err(error) if *error.kind() == ErrorKind::NotFound => None,
            Err(_) => Some(path.clone()),
        }
    }
}

/// True where the server has said no, and can be asked for something else.
fn is_no(error: &Error) -> bool {
    error.reply().is_some() && !error.is_fatal()
}

/// A path that is nothing but a name.
fn alone(name: &Name) -> Result<RemotePath, Error> {
    RemotePath::try_from(name.as_bytes()).map_err(Error::argument)
}

async fn write(upload: &mut Upload, bytes: &[u8], sent: &mut u64) -> std::io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        upload.write_all(piece).await?;
        *sent += piece.len() as u64;
    }
    Ok(())
}

/// A name beside the document's own that nobody else uses: two deliveries of the same name don't disturb each other.
fn temporary_name(name: &Name) -> Result<RemotePath, Error> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| Error::with_source(ErrorKind::Local, "a random name", error))?;
    let random = u32::from_ne_bytes(random);
    let own = name.as_bytes();
    let tail = format!("-{random:08x}{SUFFIX}");
    let bytes = if 1 + own.len() + tail.len() <= NAME_LIMIT {
        [b".", own, tail.as_bytes()].concat()
    } else {
        format!(".delivery{tail}").into_bytes()
    };
    RemotePath::try_from(bytes).map_err(Error::argument)
}
