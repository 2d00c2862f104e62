//! Hashes of files on the server.

use std::{fmt, time::Duration};

use ftp_proto::{Argument, Command, RemotePath, Reply};

use crate::{Client, Error, ErrorKind, driver::Driver, names};

/// How long a server may compute.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

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
    /// The hash of a file on the server, by the first of `algorithms` that it has: HASH, else XSHA256 and its kin, as FEAT
    /// names them, else the same as SITE commands, where FEAT names those or [`Client::has_site`] has found out what there is: it is not
    /// asked here, for what is checked behind a transfer must not cost a round trip more than it has to. In hexadecimal, lower
    /// case. `None` where it has none of them. A server may compute for ten minutes.
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
        let left: Vec<RemotePath> = rest.cloned().collect();
        let asked = left.clone();
        let commands = self
            .run(move |driver| {
                Box::pin(async move {
                    let commands = asked.iter().map(|path| {
                        driver
                            .hash_forms(algorithm, path)
                            .into_iter()
                            .next()
                            .unwrap_or(Command::Noop)
                    });
                    Ok(commands.collect())
                })
            })
            .await?;
        let replies = self.burst(commands).await?;
        for (reply, path) in replies.into_iter().zip(&left) {
            let hash = match reply.code.is_completion() {
                true => hash_of(algorithm, &reply, path),
                false => None,
            };
            hashes.push(hash);
        }
        Ok(Some((algorithm, hashes)))
    }
}

impl Driver {
    /// The commands that tell this hash, as far as FEAT or SITE HELP name them, the best first.
    fn hash_forms(&self, algorithm: HashAlgorithm, path: &RemotePath) -> Vec<Command> {
        let mut forms = Vec::new();
        let other = |verb: &str, argument: Argument| Command::Other {
            verb: verb.to_owned(),
            argument: Some(argument),
        };
        let behind = names::behind_a_word(path);
        // A blank at the end would be lost, and the hash be that of another file.
        let is_whole = !path.as_bytes().last().is_some_and(u8::is_ascii_whitespace);
        if self.offers_hash(algorithm) && is_whole {
            forms.push(other("HASH", (&behind).into()));
        }
        let verbs = algorithm.verbs().iter();
        for verb in verbs.clone().filter(|verb| self.features.has(verb)) {
            // These take further words for the range, so a name with blanks stands in quotes (but not in MD5's).
            let quoted = quoted(path).filter(|_| verb.starts_with('X'));
            forms.extend(quoted.map(|argument| other(verb, argument)));
            if is_whole {
                forms.push(other(verb, (&behind).into()));
            }
        }
        if forms.is_empty() {
            for verb in verbs.filter(|verb| self.knows_site(verb)) {
                let with_quotes = quoted(path).and_then(|quoted| {
                    Argument::try_from([verb.as_bytes(), b" ", quoted.as_bytes()].concat()).ok()
                });
                forms.extend(with_quotes.map(Command::Site));
                forms.extend(names::site(self.kind, verb, path));
            }
        }
        forms
    }

    async fn hash(
        &mut self,
        algorithm: HashAlgorithm,
        path: &RemotePath,
    ) -> Result<Option<String>, Error> {
        if self.offers_hash(algorithm) && self.hash_now != Some(algorithm) {
            let select = Argument::try_from(format!("HASH {}", algorithm.name()).as_str())
                .map_err(Error::argument)?;
            self.command(Command::Opts(select)).await?;
            self.hash_now = Some(algorithm);
        }
        let mut refused = None;
        for form in self.hash_forms(algorithm, path) {
            match self.ask_hash(form, algorithm, path).await {
                // Unknown, or the quotes were taken for a part of the name.
                Err(error)
                    if !error.is_fatal()
                        && error.reply().is_some_and(|reply| {
                            matches!(reply.code.value(), 500..=504 | 550 | 553)
                        }) =>
                {
                    // What the first form was refused for says the most.
                    refused = refused.or(Some(error));
                }
                outcome => return outcome.map(Some),
            }
        }
        refused.map_or(Ok(None), Err)
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
        command: Command,
        algorithm: HashAlgorithm,
        path: &RemotePath,
    ) -> Result<String, Error> {
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
        hash_of(algorithm, &reply, path)
            .ok_or_else(|| Error::with_reply(ErrorKind::Protocol, doing, reply.clone()))
    }
}

/// The path in quotes, where it has blanks and no quotes of its own.
fn quoted(path: &RemotePath) -> Option<Argument> {
    let text = path.as_bytes();
    if !text.iter().any(u8::is_ascii_whitespace) || text.contains(&b'"') {
        return None;
    }
    Argument::try_from([b"\"", names::plain(path).as_bytes(), b"\""].concat()).ok()
}

/// The word of a reply that is the hash of this file, in small letters. There are names that look like one.
#[must_use]
pub fn hash_of(algorithm: HashAlgorithm, reply: &Reply, path: &RemotePath) -> Option<String> {
    let is_hash =
        |word: &[u8]| word.len() == algorithm.digits() && word.iter().all(u8::is_ascii_hexdigit);
    // Some leave the zeros out in front of a CRC.
    let is_short = |word: &[u8]| {
        algorithm == HashAlgorithm::Crc32
            && (1..8).contains(&word.len())
            && word.iter().all(u8::is_ascii_hexdigit)
    };
    let words = |line: &[u8]| {
        let split = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'=' | b':' | b',' | b';');
        line.split(split)
            .filter(|word| is_hash(word))
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let mut candidates: Vec<Vec<u8>> = reply.lines.iter().flat_map(|line| words(line)).collect();
    candidates.dedup();
    if candidates.len() > 1 {
        // One of them stands in the name, which the server repeats.
        for in_name in words(path.as_bytes().rsplit(|byte| *byte == b'/').next()?) {
            if candidates.len() > 1
                && let Some(at) = candidates.iter().position(|word| *word == in_name)
            {
                candidates.remove(at);
            }
        }
    }
    let word = match candidates.into_iter().next() {
        Some(word) => word,
        None => reply
            .lines
            .iter()
            .rev()
            .map(|line| line.trim_ascii())
            .find(|line| is_short(line))?
            .to_vec(),
    };
    let text = String::from_utf8_lossy(&word).to_ascii_lowercase();
    Some(format!("{text:0>width$}", width = algorithm.digits()))
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
            let path = RemotePath::try_from("a file").unwrap();
            let got = hash_of(algorithm, &Reply::new(213, &text), &path);
            assert_eq!(got, wanted.map(str::to_ascii_lowercase), "{text}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_hash_is_none() {
        let (name, hash) = (
            "0123456789abcdef0123456789abcdef",
            "d41d8cd98f00b204e9800998ecf8427e",
        );
        let path = RemotePath::try_from(format!("/files/{name}").as_str()).unwrap();
        for lines in [
            vec![
                format!("Computing MD5 digest of /files/{name}"),
                hash.to_owned(),
            ],
            vec![format!("{name} {hash}")],
            vec![format!("MD5 0-5 {hash} {name}")],
            vec![format!("\"/files/{name}\" {hash}")],
            vec![hash.to_owned()],
        ] {
            let reply = Reply::multi(250, lines.iter().map(|line| line.clone().into_bytes()));
            let got = hash_of(HashAlgorithm::Md5, &reply, &path);
            assert_eq!(got.as_deref(), Some(hash), "{lines:?}");
        }
        // A file that is named after its content.
        let reply = Reply::new(251, format!("{name} {name}"));
        assert_eq!(
            hash_of(HashAlgorithm::Md5, &reply, &path).as_deref(),
            Some(name)
        );
    }
}
