//! What is checked of a file that has arrived.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use aws_lc_rs::digest;
use ftp_client::ftp_proto::RemotePath;
use md5::Digest as _;

use super::{Job, OrUnknown, Stop, blocking};
use crate::error::Error;
use crate::work::Task;
use crate::{Checks, Facts, HashAlgorithm, HashCheck};

/// A transfer that took longer than this may have outlived what its source was when it began.
pub(super) const LONG: Duration = Duration::from_secs(5);

/// SIZE or the listing agreed.
pub(super) fn checked(size: bool) -> Checks {
    Checks {
        reply: true,
        size,
        ..Checks::default()
    }
}

/// The hash of a file, in lower-case hexadecimal, read from where it stands to its end.
pub(super) fn hash_of(mut file: File, algorithm: HashAlgorithm) -> std::io::Result<String> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The hash of what is in memory.
pub(super) fn hash_of_bytes(bytes: &[u8], algorithm: HashAlgorithm) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

enum Hasher {
    Sha(Box<digest::Context>),
    Md5(md5::Md5),
    Crc32(crc32fast::Hasher),
}

impl Hasher {
    fn new(algorithm: HashAlgorithm) -> Self {
        let sha = |algorithm| Self::Sha(Box::new(digest::Context::new(algorithm)));
        match algorithm {
            HashAlgorithm::Sha512 => sha(&digest::SHA512),
            HashAlgorithm::Sha256 => sha(&digest::SHA256),
            HashAlgorithm::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            HashAlgorithm::Md5 => Self::Md5(md5::Md5::new()),
            HashAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(sha) => sha.update(bytes),
            Self::Md5(md5) => md5.update(bytes),
            Self::Crc32(crc) => crc.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha(sha) => hex(sha.finish().as_ref()),
            Self::Md5(md5) => hex(&md5.finalize()),
            Self::Crc32(crc) => format!("{:08x}", crc.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Job<'_> {
    /// As many bytes arrived as nobody had announced: the file has changed since, or was cut short.
    ///
    /// What the server says now counts, by SIZE or else by a fresh look at the listing. SIZE 0 says nothing, since
    /// servers say that of what they can't measure. Where there is no word at all, more bytes than announced are a
    /// file that has grown, and the good end of the transfer is all that is known of it; fewer are a file that was cut
    /// short, which is the worse mistake to make. A server that lists too much and has no SIZE thereby fails.
    pub(super) async fn check_size(
        &self,
        path: &RemotePath,
        announced: Option<u64>,
        bytes: u64,
    ) -> Result<Checks, Error> {
        let Some(announced) = announced else {
            return Ok(checked(false));
        };
        if announced == bytes {
            return Ok(checked(true));
        }
        let size = self.remote.size(path).await.or_unknown()?;
        let now = match size.filter(|&size| size > 0) {
            None if bytes < announced => self.remote.listed_size(path).await.or_unknown()?,
            size => size,
        };
        match now {
            Some(size) if size == bytes => Ok(checked(true)),
            None if bytes > announced => Ok(checked(false)),
            now => Err(Error::SizeDiffers {
                expected: now.unwrap_or(announced),
                received: bytes,
            }),
        }
    }

    /// Whether the source of a download is still what it was before.
    pub(super) async fn check_unchanged(
        &self,
        path: &RemotePath,
        before: Facts,
    ) -> Result<(), Error> {
        let size = self.remote.size(path).await.or_unknown()?;
        let modified = self.remote.modified(path).await.or_unknown()?;
        let differs = |a: Option<i128>, b: Option<i128>| a.zip(b).is_some_and(|(a, b)| a != b);
        let seconds = |t: Option<jiff::Timestamp>| t.map(|t| i128::from(t.as_second()));
        // SIZE 0 says nothing, as above.
        let size = size.filter(|&size| size > 0).map(i128::from);
        if differs(size, before.size.map(i128::from))
            || differs(seconds(modified), seconds(before.modified))
        {
            return Err(Error::SourceChanged);
        }
        Ok(())
    }

    /// Compares the hash of a remote file with that of a local one, where the server tells one and the options want it.
    pub(super) async fn check_hash(
        &self,
        task: &Task,
        path: &RemotePath,
        open: impl FnOnce() -> Result<File, Error> + Send + 'static,
        checks: &mut Checks,
    ) -> Result<Option<String>, Stop> {
        if task.options.hash == HashCheck::Never {
            return Ok(None);
        }
        let paths = [path.clone()];
        let told = match self.live.or_stopped(self.remote.hashes(&paths)).await {
            Ok(told) => told.into_iter().next().flatten(),
            Err(Stop::Error(error)) if !error.connection_lost() => None,
            Err(stop) => return Err(stop),
        };
        let Some((algorithm, theirs)) = told else {
            return Ok(None);
        };
        let local = task.plan.local();
        let ours = blocking(move || {
            hash_of(open()?, algorithm).map_err(|error| Error::local("read", &local, error))
        });
        let ours = self.live.or_stopped(ours).await?;
        if ours != theirs {
            return Err(Error::HashDiffers { algorithm }.into());
        }
        checks.hash = Some(algorithm);
        Ok(Some(ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        for (algorithm, hash) in [
            (HashAlgorithm::Crc32, "352441c2"),
            (HashAlgorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (
                HashAlgorithm::Sha1,
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                HashAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            assert_eq!(hash_of_bytes(b"abc", algorithm), hash);
        }
        let sha512 = hash_of_bytes(b"abc", HashAlgorithm::Sha512);
        assert!(sha512.starts_with("ddaf35a193617aba") && sha512.len() == 128);
    }
}
