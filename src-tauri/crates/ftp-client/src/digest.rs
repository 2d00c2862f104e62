//! Hashes of what is here.

use aws_lc_rs::digest;
use md5::Digest as _;

use crate::HashAlgorithm;

/// Computes the hash of bytes as they come, to be compared with what a server tells of its copy. It is work for the processor: where
/// there is much to hash, do it on a thread that may block.
pub struct Hasher(Inner);

enum Inner {
    Sha(Box<digest::Context>),
    Md5(md5::Md5),
    Crc32(crc32fast::Hasher),
}

impl Hasher {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        let sha = |algorithm| Inner::Sha(Box::new(digest::Context::new(algorithm)));
        Self(match algorithm {
            HashAlgorithm::Sha512 => sha(&digest::SHA512),
            HashAlgorithm::Sha256 => sha(&digest::SHA256),
            HashAlgorithm::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            HashAlgorithm::Md5 => Inner::Md5(md5::Md5::new()),
            HashAlgorithm::Crc32 => Inner::Crc32(crc32fast::Hasher::new()),
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Sha(sha) => sha.update(bytes),
            Inner::Md5(md5) => md5.update(bytes),
            Inner::Crc32(crc) => crc.update(bytes),
        }
    }

    /// The hash in lower-case hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        match self.0 {
            Inner::Sha(sha) => hex(sha.finish().as_ref()),
            Inner::Md5(md5) => hex(&md5.finalize()),
            Inner::Crc32(crc) => format!("{:08x}", crc.finalize()),
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
    use super::*;

    fn hash_of_bytes(bytes: &[u8], algorithm: HashAlgorithm) -> String {
        let mut hasher = Hasher::new(algorithm);
        // In pieces, as files come.
        bytes.chunks(2).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

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
