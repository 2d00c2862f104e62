//! Open files of the local disk.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::blocking;
use super::place::{Options, Place};
use crate::{Result, VfsError, VfsErrorKind, VfsRead, VfsWrite, WriteMode};

/// A file being read. The blocking side and this side share the handle, so that a dropped future closes nothing early.
#[derive(Debug)]
pub(super) struct Reader {
    file: Arc<File>,
    remaining: u64,
    /// The buffer of the chunk before: used again if the chunk has been let go.
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn open(place: &Place, offset: u64) -> Result<Self> {
        let mut file = place.open(&Options::default())?;
        let len = regular(&file)?;
        if offset > len {
            return Err(VfsErrorKind::Range.into());
        }
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Self {
            file: Arc::new(file),
            remaining: len - offset,
            buffer: BytesMut::new(),
        })
    }
}

#[async_trait]
impl VfsRead for Reader {
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes> {
        if let Some(chunk) = at_hand(&self.file, max) {
            return Ok(chunk);
        }
        let file = Arc::clone(&self.file);
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut buffer, read) = blocking(move || {
            buffer.resize(max.max(1), 0);
            let mut filled = 0;
            // Fill the chunk: a short read in the middle of a file would only cost another hop.
            while filled < buffer.len() {
                match (&*file).read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(VfsError::from(error)),
                }
            }
            Ok((buffer, filled))
        })
        .await?;
        let chunk = buffer.split_to(read).freeze();
        buffer.clear();
        self.buffer = buffer;
        Ok(chunk)
    }

    fn remaining(&self) -> u64 {
        self.remaining
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

/// A little of a file that the system has in memory: to read it takes less time than to ask another thread to.
#[cfg(target_os = "linux")]
fn at_hand(file: &File, max: usize) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    /// More than this is worth a thread.
    const LITTLE: usize = 64 * 1024;
    /// The file's own position, which moves.
    const HERE: u64 = u64::MAX;
    if !(1..=LITTLE).contains(&max) {
        return None;
    }
    let mut buffer = vec![0; max];
    let mut slices = [std::io::IoSliceMut::new(&mut buffer)];
    // An error says that it would have to wait, or that this file system can't tell.
    let read = preadv2(file, &mut slices, HERE, ReadWriteFlags::NOWAIT).ok()?;
    buffer.truncate(read);
    Some(buffer.into())
}

#[cfg(not(target_os = "linux"))]
fn at_hand(_: &File, _: usize) -> Option<Bytes> {
    None
}

/// A file being written.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<File>,
    /// What the file held goes with the first byte.
    cut: AtomicBool,
}

impl Writer {
    pub(super) fn open(place: &Place, mode: WriteMode) -> Result<Self> {
        let options = Options {
            write: true,
            create: !matches!(mode, WriteMode::At(offset) if offset > 0),
            create_new: mode == WriteMode::CreateNew,
            // The system finds the end anew for each write: two who append at once don't overwrite each other.
            append: mode == WriteMode::Append,
        };
        let mut file = place.open(&options)?;
        // Looked at before it is cut: a pipe or a device must not be touched.
        let len = regular(&file)?;
        match mode {
            WriteMode::Truncate | WriteMode::CreateNew | WriteMode::Append => {}
            WriteMode::At(offset) => {
                if offset > len {
                    return Err(VfsErrorKind::Range.into());
                }
                file.seek(SeekFrom::Start(offset))?;
            }
        }
        Ok(Self {
            file: Arc::new(file),
            cut: AtomicBool::new(mode == WriteMode::Truncate && len > 0),
        })
    }
}

/// Cuts the file if that is still to be done.
fn cut_now(file: &File, cut: bool) -> Result<()> {
    if cut {
        file.set_len(0)?;
    }
    Ok(())
}

#[async_trait]
impl VfsWrite for Writer {
    async fn write_chunk(&mut self, chunk: Bytes) -> Result<()> {
        let file = Arc::clone(&self.file);
        let cut = std::mem::take(self.cut.get_mut());
        blocking(move || {
            cut_now(&file, cut)?;
            Ok((&*file).write_all(&chunk)?)
        })
        .await
    }

    async fn finish(&mut self) -> Result<()> {
        let file = Arc::clone(&self.file);
        let cut = std::mem::take(self.cut.get_mut());
        blocking(move || {
            cut_now(&file, cut)?;
            Ok((&*file).flush()?)
        })
        .await
    }

    fn as_file(&self) -> Option<&File> {
        // Whoever asks for it is about to write.
        cut_now(&self.file, self.cut.swap(false, Ordering::Relaxed)).ok()?;
        Some(&self.file)
    }
}

/// The length of a regular file; an error for everything else.
fn regular(file: &File) -> Result<u64> {
    let meta = file.metadata()?;
    if meta.is_dir() {
        Err(VfsErrorKind::IsDir.into())
    } else if !meta.is_file() {
        Err(VfsError::new(VfsErrorKind::Denied, "not a regular file"))
    } else {
        Ok(meta.len())
    }
}
