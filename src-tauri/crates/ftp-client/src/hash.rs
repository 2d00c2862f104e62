//! Hashes of files on the server.

use std::{fmt, time::Duration};

use ftp_proto::{Argument, Command, RemotePath, Reply};

use crate::{Client, Error, ErrorKind, driver::Driver};

/// How long a server may compute.
const LIMIT: Duration = Duration::from_secs(600);

/// A hash that servers can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-1 (FIPS 180-4): finds damage, not malice.
    Sha1,
    /// MD5 (RFC 1321): finds damage, not malice.
    Md5,
    /// CRC-32 of ISO 3309, as in ZIP: finds accidents.
    Crc32,
}

impl HashAlgorithm {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [
        Self::Sha512,
        Self::Sha256,
        Self::Sha1,
        Self::Md5,
        Self::Crc32,
    ];

    /// Its name in HASH and in FEAT (draft-bryan-ftpext-hash).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "SHA-512",
            Self::Sha256 => "SHA-256",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        }
    }

    /// The verbs of servers without HASH.
    const fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Sha512 => &["XSHA512"],
            Self::Sha256 => &["XSHA256"],
            Self::Sha1 => &["XSHA1", "XSHA"],
            Self::Md5 => &["XMD5", "MD5"],
            Self::Crc32 => &["XCRC"],
        }
    }

    /// How many hexadecimal digits it has.
    const fn digits(self) -> usize {
        match self {
            Self::Sha512 => 128,
            Self::Sha256 => 64,
            Self::Sha1 => 40,
            Self::Md5 => 32,
            Self::Crc32 => 8,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Client {
    /// The hash of a file on the server, by the first of `algorithms` that it has (HASH, else XSHA256 and its kin, as FEAT
    /// names them): in hexadecimal, lower case. `None` where it has none of them. A server may compute for ten minutes.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and what else the server refuses; [`ErrorKind::Protocol`] for a reply without a hash.
    pub async fn hash(
        &self,
        path: &RemotePath,
        algorithms: &[HashAlgorithm],
    ) -> Result<Option<(HashAlgorithm, String)>, Error> {
        let path = path.clone();
        let algorithms = algorithms.to_vec();
        self.run(move |driver| {
            Box::pin(async move {
                for algorithm in algorithms {
                    match driver.hash(algorithm, &path).await {
                        Ok(Some(hash)) => return Ok(Some((algorithm, hash))),
                        Ok(None) => {}
                        // Named by FEAT and not there after all.
                        Err(error) if *error.kind() == ErrorKind::Unsupported => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(None)
            })
        })
        .await
    }
}

impl Client {
    /// The hashes of many files, all by the same algorithm: as [`Client::hash`], but in one round trip where the server is
    /// known to put up with it. `None` in the place of a file whose hash the server does not tell.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn hash_many(
        &self,
        paths: &[RemotePath],
        algorithms: &[HashAlgorithm],
    ) -> Result<Option<(HashAlgorithm, Vec<Option<String>>)>, Error> {
        let mut hashes = Vec::with_capacity(paths.len());
        // One by one until one is told: that settles algorithm and verb.
        let mut rest = paths.iter();
        let mut chosen = None;
        for path in rest.by_ref() {
            match self.hash(path, algorithms).await {
                Ok(Some((algorithm, hash))) => {
                    hashes.push(Some(hash));
                    chosen = Some(algorithm);
                    break;
                }
                Ok(None) => return Ok(None),
                Err(error) if error.reply().is_some() && !error.is_fatal() => hashes.push(None),
                Err(error) => return Err(error),
            }
        }
        let Some(algorithm) = chosen else {
            return Ok(None);
        };
        let verb = self
            .run(move |driver| Box::pin(async move { Ok(driver.hash_verb(algorithm)) }))
            .await?;
        let Some(verb) = verb else {
            return Ok(None);
        };
        let commands = rest
            .map(|path| Command::Other {
                verb: verb.to_owned(),
                argument: Some(path.into()),
            })
            .collect();
        for reply in self.burst(commands).await? {
            let hash = match reply.code.is_completion() {
                true => found(algorithm, &reply),
                false => None,
            };
            hashes.push(hash);
        }
        Ok(Some((algorithm, hashes)))
    }
}

impl Driver {
    /// The verb that tells this hash, once it was told by [`Client::hash`].
    fn hash_verb(&self, algorithm: HashAlgorithm) -> Option<&'static str> {
        if self.offers_hash(algorithm) {
            return Some("HASH");
        }
        algorithm
            .verbs()
            .iter()
            .copied()
            .find(|verb| self.features.has(verb))
    }

    async fn hash(
        &mut self,
        algorithm: HashAlgorithm,
        path: &RemotePath,
    ) -> Result<Option<String>, Error> {
        if self.offers_hash(algorithm) {
            if self.hash_now != Some(algorithm) {
                let select = Argument::try_from(format!("HASH {}", algorithm.name()).as_str())
                    .map_err(Error::argument)?;
                self.command(Command::Opts(select)).await?;
                self.hash_now = Some(algorithm);
            }
            return self.ask_hash("HASH", algorithm, path).await.map(Some);
        }
        let features = &self.features;
        match algorithm.verbs().iter().find(|verb| features.has(verb)) {
            Some(verb) => self.ask_hash(verb, algorithm, path).await.map(Some),
            None => Ok(None),
        }
    }

    /// `HASH SHA-256;SHA-1*;CRC32` in FEAT; the star marks the one in use.
    fn offers_hash(&self, algorithm: HashAlgorithm) -> bool {
        self.features.get("HASH").is_some_and(|list| {
            list.split([';', ' ', ',']).any(|name| {
                name.trim_end_matches('*')
                    .eq_ignore_ascii_case(algorithm.name())
            })
        })
    }

    async fn ask_hash(
        &mut self,
        verb: &str,
        algorithm: HashAlgorithm,
        path: &RemotePath,
    ) -> Result<String, Error> {
        let command = Command::Other {
            verb: verb.to_owned(),
            argument: Some(path.into()),
        };
        let doing = command.redacted();
        let limit = self.control.timeouts.reply.max(LIMIT);
        self.prepare(&command).await?;
        self.control.send(&command).await?;
        let reply = loop {
            let reply = self.control.reply_within(&doing, limit).await?;
            if !reply.code.is_preliminary() {
                break reply;
            }
        };
        if !reply.code.is_completion() {
            return Err(Error::refused(doing, reply));
        }
        found(algorithm, &reply)
            .ok_or_else(|| Error::with_reply(ErrorKind::Protocol, doing, reply.clone()))
    }
}

/// The word of the reply that can be the hash: before the file's name, which may look like one.
fn found(algorithm: HashAlgorithm, reply: &Reply) -> Option<String> {
    reply.lines.iter().find_map(|line| {
        line.split(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'='))
            .find(|word| {
                word.len() == algorithm.digits() && word.iter().all(u8::is_ascii_hexdigit)
                    // Some leave the zeros out in front of a CRC.
                    || algorithm == HashAlgorithm::Crc32
                        && line.trim_ascii() == *word
                        && (1..8).contains(&word.len())
                        && word.iter().all(u8::is_ascii_hexdigit)
            })
            .map(|word| {
                let text = String::from_utf8_lossy(word).to_ascii_lowercase();
                format!("{text:0>width$}", width = algorithm.digits())
            })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_found_in_what_servers_say() {
        let md5 = "D41D8CD98F00B204E9800998ECF8427E";
        for (text, algorithm, wanted) in [
            (md5.to_owned(), HashAlgorithm::Md5, Some(md5)),
            (
                format!("MD5 0-49 {md5} a file"),
                HashAlgorithm::Md5,
                Some(md5),
            ),
            (format!("\"/a\" {md5}"), HashAlgorithm::Md5, Some(md5)),
            (
                "CRC32 0-9 1a2B3c4D f".to_owned(),
                HashAlgorithm::Crc32,
                Some("1a2b3c4d"),
            ),
            ("1A2B".to_owned(), HashAlgorithm::Crc32, Some("00001a2b")),
            ("no".to_owned(), HashAlgorithm::Crc32, None),
            (format!("{md5}0"), HashAlgorithm::Md5, None),
            (String::new(), HashAlgorithm::Sha256, None),
        ] {
            let got = found(algorithm, &Reply::new(213, &text));
            assert_eq!(got, wanted.map(str::to_ascii_lowercase), "{text}");
        }
    }
}
