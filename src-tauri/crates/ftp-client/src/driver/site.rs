//! What a server's SITE command can do, and what is done with it: copies and links.

use ftp_proto::{Argument, Command, RemotePath, Reply, escape};

use super::Driver;
use crate::{Error, ErrorKind, names};

/// The longest text of SITE HELP that is looked through, in bytes.
const LONGEST_HELP: usize = 64 * 1024;

/// The ways to copy a file on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyWay {
    /// SITE CPFR and SITE CPTO, as ProFTPD's mod_copy has them.
    SiteCpfr,
    /// CPFR and CPTO without SITE.
    Cpfr,
    /// SITE COPY, for names without blanks.
    SiteCopy,
}

impl Driver {
    /// True where FEAT names this SITE command.
    pub(super) fn site_in_features(&self, command: &str) -> bool {
        self.features.iter().any(|(name, rest)| {
            name.eq_ignore_ascii_case("SITE") && names_word(rest.as_bytes(), command)
        })
    }

    /// True where FEAT or SITE HELP names this SITE command. SITE HELP is asked once in a session.
    pub(crate) async fn has_site(&mut self, command: &str) -> Result<bool, Error> {
        if self.site_in_features(command) {
            return Ok(true);
        }
        if self.site_help.is_none() {
            let help = Argument::try_from("HELP").map_err(Error::argument)?;
            let reply = self.ask(&Command::Site(help)).await?;
            let mut text = Vec::new();
            if reply.code.is_completion() {
                for line in &reply.lines {
                    if text.len() + line.len() < LONGEST_HELP {
                        text.extend_from_slice(line);
                        text.push(b'\n');
                    }
                }
            }
            self.site_help = Some(text);
        }
        Ok(self.knows_site(command))
    }

    /// The same as far as it is known by now.
    pub(crate) fn knows_site(&self, command: &str) -> bool {
        let help = self.site_help.as_ref();
        self.site_in_features(command) || help.is_some_and(|help| names_word(help, command))
    }

    /// A SITE command and its positive reply. 202 is none: "superfluous at this site" means that nothing was done.
    async fn site(&mut self, command: &Command) -> Result<Reply, Error> {
        let reply = self.ask(command).await?;
        match reply.code.value() {
            202 | 501 | 503 => Err(Error::with_reply(
                ErrorKind::Unsupported,
                command.redacted(),
                reply,
            )),
            _ if reply.code.is_completion() || reply.code.is_intermediate() => Ok(reply),
            _ => Err(Error::refused(command.redacted(), reply)),
        }
    }

    /// Copies on the server.
    pub(crate) async fn copy(&mut self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        let mut ways = Vec::new();
        let site_copy = self.has_site("COPY").await?;
        if site_copy || self.has_site("CPFR").await? {
            ways.push(CopyWay::SiteCpfr);
        }
        if self.features.has("CPFR") {
            ways.push(CopyWay::Cpfr);
        }
        if site_copy {
            ways.push(CopyWay::SiteCopy);
        }
        let mut refused = None;
        for way in ways {
            match self.copy_by(way, from, to).await {
                Err(error) if *error.kind() == ErrorKind::Unsupported && !error.is_fatal() => {
                    refused = Some(error);
                }
                outcome => return outcome,
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Unsupported, "a copy on the server")))
    }

    async fn copy_by(
        &mut self,
        way: CopyWay,
        from: &RemotePath,
        to: &RemotePath,
    ) -> Result<(), Error> {
        let pair = match way {
            CopyWay::SiteCpfr => [
                names::site(self.kind, "CPFR", from)?,
                names::site(self.kind, "CPTO", to)?,
            ],
            CopyWay::Cpfr => [("CPFR", from), ("CPTO", to)].map(|(verb, path)| Command::Other {
                verb: verb.to_owned(),
                argument: Some((&names::behind_a_word(path)).into()),
            }),
            CopyWay::SiteCopy => {
                let command = two_names("COPY", from.as_bytes(), to)?;
                return self.site(&command).await.map(drop);
            }
        };
        let reply = self.site(&pair[0]).await?;
        if reply.code.is_completion() {
            // It has not waited to be told where to.
            return Err(Error::with_reply(
                ErrorKind::Protocol,
                pair[0].redacted(),
                reply,
            ));
        }
        self.prepare(&pair[1]).await?;
        // A copy takes as long as it takes.
        let doing = pair[1].redacted();
        let limit = self.control.timeouts.reply.max(crate::hash::LIMIT);
        self.control.send(&pair[1]).await?;
        let reply = loop {
            let reply = self.control.reply_within(&doing, limit).await?;
            if !reply.code.is_preliminary() {
                break reply;
            }
        };
        match reply.code.is_completion() {
            true => Ok(()),
            false => Err(Error::refused(doing, reply)),
        }
    }

    /// Makes a symbolic link at `link` that leads to `target`, whatever that is.
    pub(crate) async fn symlink(&mut self, target: &[u8], link: &RemotePath) -> Result<(), Error> {
        if !self.has_site("SYMLINK").await? {
            return Err(Error::new(ErrorKind::Unsupported, "SITE SYMLINK"));
        }
        let command = two_names("SYMLINK", target, link)?;
        self.site(&command).await.map(drop)
    }
}

/// `SITE word one two`, for names that no server can take apart in another way.
fn two_names(word: &str, one: &[u8], two: &RemotePath) -> Result<Command, Error> {
    let two = names::plain(two);
    let odd = |name: &[u8]| name.is_empty() || name.iter().any(u8::is_ascii_whitespace);
    if odd(one) || odd(two.as_bytes()) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "SITE {word} of names with blanks (\"{}\", \"{}\")",
                escape(one, 200),
                escape(two.as_bytes(), 200)
            ),
        ));
    }
    let argument = [word.as_bytes(), b" ", one, b" ", two.as_bytes()].concat();
    Argument::try_from(argument)
        .map(Command::Site)
        .map_err(Error::argument)
}

/// True where the word stands in the text, and no star behind it: that marks what is not implemented.
fn names_word(text: &[u8], word: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
    let mut at = 0;
    while at < text.len() {
        let start = at
            + text[at..]
                .iter()
                .position(is_part)
                .unwrap_or(text.len() - at);
        let length = text[start..]
            .iter()
            .take_while(|byte| is_part(byte))
            .count();
        let end = start + length;
        if text[start..end].eq_ignore_ascii_case(word.as_bytes()) && text.get(end) != Some(&b'*') {
            return true;
        }
        at = end + 1;
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_help() {
        let help = b"214-The following (* =>'s unimplemented)\n UTIME <sp> path\n CPFR* CPTO\n COPY;MKDIR\n";
        for (word, named) in [
            ("UTIME", true),
            ("utime", true),
            ("CPFR", false),
            ("CPTO", true),
            ("COPY", true),
            ("MKDIR", true),
            ("DIR", false),
            ("UTIM", false),
        ] {
            assert_eq!(names_word(help, word), named, "{word}");
        }
        assert!(!names_word(b"", "X") && !names_word(b"  ", "X"));
    }

    #[test]
    fn names_with_blanks_are_not_sent_as_two() {
        let path = |text: &str| RemotePath::try_from(text).unwrap();
        let sent =
            |one: &[u8], two: &str| two_names("SYMLINK", one, &path(two)).map(|c| c.redacted());
        assert_eq!(sent(b"../a", "~b").unwrap(), "SITE SYMLINK ../a ./~b");
        for (one, two) in [(&b"a b"[..], "c"), (b"a", "b c"), (b"", "c"), (b"a", "\tb")] {
            let error = sent(one, two).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Unsupported);
        }
        assert_eq!(
            *sent(b"a\r\nDELE b", "c").unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        assert_eq!(*sent(b"a\0", "c").unwrap_err().kind(), ErrorKind::Argument);
    }
}
