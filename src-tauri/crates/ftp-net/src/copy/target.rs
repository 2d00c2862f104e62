use std::{
    fs::File,
    io::{self, IoSlice, Write},
};

/// Where a copy writes to: where the file stands, or at a place of its own, beside others who write to the same file.
pub(super) struct Target {
    pub(super) file: File,
    pub(super) at: Option<u64>,
}

impl Target {
    pub(super) fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.write_vectored(&[IoSlice::new(data)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => data = &data[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(at) = &mut self.at else {
            return (&self.file).write_vectored(slices);
        };
        let written = write_at(&self.file, slices, *at)?;
        *at += written as u64;
        Ok(written)
    }
}

#[cfg(unix)]
fn write_at(file: &File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
    // Not every Unix has pwritev.
    #[cfg(target_os = "linux")]
    return Ok(rustix::io::pwritev(file, slices, at)?);
    #[cfg(not(target_os = "linux"))]
    {
        let first = slices.iter().find(|slice| !slice.is_empty());
        first.map_or(Ok(0), |slice| {
            std::os::unix::fs::FileExt::write_at(file, slice, at)
        })
    }
}

#[cfg(windows)]
fn write_at(file: &File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
    let first = slices.iter().find(|slice| !slice.is_empty());
    first.map_or(Ok(0), |slice| {
        std::os::windows::fs::FileExt::seek_write(file, slice, at)
    })
}
