//! The bytes of an upload: where they go on, and what is checked of them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

use super::download::{FAR, is_refusal};
use super::upload::{Place, Sent, Step, Upload, whole_seconds};
use super::verify::checked;
use super::{Job, OrUnknown, Stop, blocking};
use crate::KeepTime;
use crate::error::Error;
use crate::partial::TAIL;
use crate::remote::Start;

impl Job<'_> {
    /// How much of the file is at this place already, by its size and after its last bytes were compared; and the way to
    /// go on from there.
    pub(super) async fn place_to_go_on(
        &self,
        upload: &Upload<'_>,
        place: &Place,
    ) -> Result<(Start, u64), Stop> {
        let nothing = Ok((Start::At(0), 0));
        let size = self
            .live
            .or_stopped(async { self.remote.size(&place.path).await.or_unknown() });
        let there = match size.await? {
            Some(there) if there > 0 && there <= upload.source.size => there,
            _ => return nothing,
        };
        if !self.remote.learned().reaches(there) {
            return nothing;
        }
        let length = there.min(TAIL);
        let from = there - length;
        let wire = self.wire();
        let theirs = self
            .remote
            .piece(&place.path, from, length as usize + 1, &wire);
        let theirs = match self.live.or_stopped(theirs).await {
            Ok(theirs) => theirs,
            Err(stop) if is_refusal(&stop) => return nothing,
            Err(stop) => return Err(stop),
        };
        let (source, local) = (upload.source.clone(), upload.task.plan.local());
        let ours = blocking(move || {
            let mut ours = vec![0; length as usize];
            let mut file = &source.file;
            file.seek(SeekFrom::Start(from))
                .and_then(|_| file.read_exact(&mut ours))
                .map_err(|error| Error::local("read", &local, error))?;
            Ok(ours)
        })
        .await?;
        // More than that means that somebody is still writing to it, or that we were led elsewhere.
        if theirs != ours {
            if there >= FAR {
                self.remote.learned().does_not_reach(there);
            }
            return nothing;
        }
        match self.remote.can_restart() {
            true => Ok((Start::At(there), there)),
            false => Ok((Start::End, there)),
        }
    }

    pub(super) async fn send(
        &self,
        upload: &Upload<'_>,
        place: &Place,
        start: Start,
        mut offset: u64,
        begun: &AtomicBool,
    ) -> Result<Step<Sent>, Stop> {
        let (task, size) = (upload.task, upload.source.size);
        let wire = self.wire();
        self.live.resumed_from(offset);
        if offset < size || size == 0 {
            let mut starts = vec![start];
            if let Start::At(1..) = start {
                // Not every server that says so can begin in the middle.
                starts.push(Start::End);
            }
            if offset > 0 && !place.is_old {
                starts.push(Start::At(0));
            }
            let mut outcome: Option<Result<u64, Stop>> = None;
            for start in starts {
                self.say_how(start, offset, outcome.as_ref()).await;
                if start == Start::At(0) {
                    offset = 0;
                    self.live.resumed_from(0);
                }
                let file = self.source_at(upload, offset)?;
                let sending = self.remote.upload(file, &place.path, start, &wire, begun);
                match self.live.or_stopped(sending).await {
                    Err(stop) if is_refusal(&stop) && !begun.load(Ordering::Relaxed) => {
                        outcome = Some(Err(stop));
                    }
                    done => {
                        outcome = Some(done);
                        break;
                    }
                }
            }
            match outcome {
                Some(Ok(bytes)) if offset + bytes == size => {}
                // Someone is writing to it.
                Some(Ok(bytes)) => {
                    return Err(Error::SizeDiffers {
                        expected: size,
                        received: offset + bytes,
                    }
                    .into());
                }
                Some(Err(Stop::Error(error))) if !begun.load(Ordering::Relaxed) => {
                    return match is_refusal(&Stop::Error(error.clone())) && !is_quota(&error) {
                        true => Ok(Step::Refused(error)),
                        false => Err(error.into()),
                    };
                }
                Some(Err(stop)) => return Err(stop),
                None => {}
            }
        }
        if !upload.source.is_unchanged() {
            return Err(Error::SourceChanged.into());
        }
        let there = self
            .live
            .or_stopped(async { self.remote.size(&place.path).await.or_unknown() });
        let mut checks = match there.await? {
            Some(there) if there == size => checked(true),
            Some(there) => {
                return Err(Error::SizeDiffers {
                    expected: size,
                    received: there,
                }
                .into());
            }
            None => checked(false),
        };
        checks.tail = offset > 0;
        let file = self.source_at(upload, 0)?;
        let open = move || Ok(file);
        let digest = self
            .check_hash(task, &place.path, open, &mut checks)
            .await?;
        let mut modified = upload.facts.modified.and_then(whole_seconds);
        modified = modified.filter(|_| task.options.keep_time == KeepTime::Yes);
        if let Some(time) = modified {
            let set = self.remote.set_modified(&place.path, time);
            checks.time = match self.live.or_stopped(set).await {
                Ok(set) => set,
                Err(Stop::Error(error)) if !error.connection_lost() => false,
                Err(stop) => return Err(stop),
            };
        }
        if let Some(mode) = upload.source.mode.filter(|_| task.options.keep_permissions) {
            match self
                .live
                .or_stopped(self.remote.set_mode(&place.path, mode))
                .await
            {
                Err(Stop::Error(error)) if !error.connection_lost() => {}
                outcome => outcome?,
            }
        }
        Ok(Step::Done(Sent {
            offset,
            modified: modified.filter(|_| checks.time),
            checks,
            digest,
        }))
    }

    /// Tells whoever reads the protocol why an upload goes on as it does, where that isn't the first choice.
    async fn say_how(&self, start: Start, offset: u64, before: Option<&Result<u64, Stop>>) {
        if offset == 0 {
            return;
        }
        let why = match before {
            Some(Err(Stop::Error(error))) => format!("was refused ({error})"),
            _ => "is not offered by the server (FEAT has no REST STREAM)".to_owned(),
        };
        let text = match start {
            Start::At(0) => {
                format!("going on from byte {offset} {why}; sending it again from its beginning")
            }
            Start::At(_) => return,
            Start::End => format!("STOR after REST {offset} {why}; appending by APPE"),
        };
        self.remote.remark(text).await;
    }

    fn source_at(&self, upload: &Upload<'_>, offset: u64) -> Result<File, Error> {
        let mut file = &upload.source.file;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| upload.source.file.try_clone())
            .map_err(|error| Error::local("read", &upload.task.plan.local(), error))
    }
}

/// The server has no room, under whichever name.
fn is_quota(error: &Error) -> bool {
    let code = error
        .remote()
        .and_then(|e| e.reply())
        .map(|r| r.code.value());
    code == Some(552)
}
