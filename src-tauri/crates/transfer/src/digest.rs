//! Hashes of local files.

use std::io::{self, Read};

use ftp_client::Hasher;

use crate::HashAlgorithm;

/// The hash of everything that is left to read, in lower-case hexadecimal.
pub(crate) fn hash_of(mut source: impl Read, algorithm: HashAlgorithm) -> io::Result<String> {
    let mut hasher = Hasher::new(algorithm.into());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The hash of what is in memory.
pub(crate) fn hash_of_bytes(bytes: &[u8], algorithm: HashAlgorithm) -> String {
    let mut hasher = Hasher::new(algorithm.into());
    hasher.update(bytes);
    hasher.finish()
}
