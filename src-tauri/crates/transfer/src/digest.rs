//! Hashes of what is here.

use std::io::{self, Read};

use aws_lc_rs::digest;
use md5::Digest as _;

use crate::HashAlgorithm;

/// The hash of everything that is left to read, in lower-case hexadecimal.
pub(crate) fn hash_of(mut source: impl Read, algorithm: HashAlgorithm) -> io::Result<String> {
    let mut hasher = Hasher::new(algorithm);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
            assert_eq!(hash_of(&b"abc"[..], algorithm).unwrap(), hash);
        }
        let sha512 = hash_of_bytes(b"abc", HashAlgorithm::Sha512);
        assert!(sha512.starts_with("ddaf35a193617aba") && sha512.len() == 128);
    }
}
