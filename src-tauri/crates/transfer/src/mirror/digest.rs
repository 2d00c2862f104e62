//! Hashes of local files.

use std::io::{self, Read};

use aws_lc_rs::digest;
use md5::Digest;

use crate::HashAlgorithm;

/// The hash of everything that is left to read, in hexadecimal.
pub(super) fn hex(source: &mut impl Read, algorithm: HashAlgorithm) -> io::Result<String> {
    let bytes = match algorithm {
        HashAlgorithm::Sha512 => aws(source, &digest::SHA512)?,
        HashAlgorithm::Sha256 => aws(source, &digest::SHA256)?,
        HashAlgorithm::Sha1 => aws(source, &digest::SHA1_FOR_LEGACY_USE_ONLY)?,
        HashAlgorithm::Md5 => {
            let mut hash = md5::Md5::new();
            each(source, |piece| hash.update(piece))?;
            hash.finalize().to_vec()
        }
        HashAlgorithm::Crc32 => {
            let mut hash = crc32fast::Hasher::new();
            each(source, |piece| hash.update(piece))?;
            hash.finalize().to_be_bytes().to_vec()
        }
    };
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn aws(source: &mut impl Read, algorithm: &'static digest::Algorithm) -> io::Result<Vec<u8>> {
    let mut hash = digest::Context::new(algorithm);
    each(source, |piece| hash.update(piece))?;
    Ok(hash.finish().as_ref().to_vec())
}

fn each(source: &mut impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut piece = vec![0; 256 * 1024];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
