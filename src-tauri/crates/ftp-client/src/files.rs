//! Files: their size and time, their names, copies and links.

use ftp_proto::{Argument, Command, RemotePath, Reply};
use jiff::Timestamp;

use crate::{Client, Error, ErrorKind, driver::Driver, names};

impl Client {
    /// Removes a file (DELE).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and what else the server refuses.
    pub async fn dele(&self, path: &RemotePath) -> Result<(), Error> {
        self.command(Command::Dele(names::plain(path)))
            .await
            .map(drop)
    }

    /// Renames or moves (RNFR and RNTO, without another command between).
    ///
    /// # Errors
    /// What the server refuses; [`ErrorKind::Unsupported`] for a name that it would change, see [`Client::check_name`].
    pub async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        self.check_name(to)?;
        let (from, to) = (names::plain(from), names::plain(to));
        self.run(move |driver| Box::pin(driver.rename(from, to)))
            .await
    }

    /// The size of a file in bytes (SIZE, RFC 3659 section 4), as it is transferred with TYPE I. There are servers that say 0 of what
    /// they can't measure.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server has no SIZE; [`ErrorKind::NotFound`], of a folder too; [`ErrorKind::Protocol`] for a
    /// reply without a number.
    pub async fn size(&self, path: &RemotePath) -> Result<u64, Error> {
        let path = names::plain(path);
        self.run(move |driver| Box::pin(driver.size(path))).await
    }

    /// When a file was last changed (MDTM, RFC 3659 section 3).
    ///
    /// # Errors
    /// As [`Client::size`].
    pub async fn mdtm(&self, path: &RemotePath) -> Result<Timestamp, Error> {
        let reply = self.command(Command::Mdtm(names::plain(path))).await?;
        time_in(&reply).map_err(|error| Error::with_source(ErrorKind::Protocol, "MDTM", error))
    }

    /// Sets the time of a file, in whichever way the server has: MFMT and MFF (draft-somers-ftp-mfxx), SITE UTIME with five words or with
    /// two, or vsftpd's MDTM with a time; tried in this order where FEAT or SITE HELP names them, and remembered for the host. The time is
    /// UTC; all but MFMT set whole seconds.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server has none of them; what it refuses.
    pub async fn mfmt(&self, path: &RemotePath, time: Timestamp) -> Result<(), Error> {
        let path = names::plain(path);
        self.run(move |driver| Box::pin(async move { driver.set_time(&path, time).await }))
            .await
    }

    /// Sets the permissions (SITE CHMOD), the lowest twelve bits of `mode`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]; what the server refuses.
    pub async fn chmod(&self, path: &RemotePath, mode: u32) -> Result<(), Error> {
        let path = path.clone();
        self.run(move |driver| {
            Box::pin(async move {
                let command = driver.mode_command(mode, &path)?;
                driver.command(command).await.map(drop)
            })
        })
        .await
    }

    /// Whether the server has a SITE command of this name (one word): FEAT or SITE HELP says so.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn has_site(&self, command: &str) -> Result<bool, Error> {
        let command = command.to_owned();
        self.run(move |driver| Box::pin(async move { driver.has_site(&command).await }))
            .await
    }

    /// Copies on the server, without the bytes coming here: SITE CPFR and SITE CPTO, CPFR and CPTO, or SITE COPY, where FEAT or SITE HELP
    /// names them (ProFTPD's mod_copy). Some servers copy folders with everything in them, and most write over what is there.
    /// A copy may take ten minutes.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server can't, or would change the name; [`ErrorKind::NotFound`] and what else it refuses.
    pub async fn copy(&self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        self.check_name(to)?;
        let (from, to) = (from.clone(), to.clone());
        self.run(move |driver| Box::pin(async move { driver.copy(&from, &to).await }))
            .await
    }

    /// Makes a symbolic link at `link` that leads to `target` (SITE SYMLINK, where FEAT or SITE HELP names it). A relative target
    /// starts at the folder of the link, or at the working directory, as the server has it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server can't, or for names with blanks, which it would take for more than two;
    /// [`ErrorKind::Argument`] for a target with CR, LF or NUL; what the server refuses.
    pub async fn symlink(&self, target: &[u8], link: &RemotePath) -> Result<(), Error> {
        self.check_name(link)?;
        let (target, link) = (target.to_vec(), link.clone());
        self.run(move |driver| Box::pin(async move { driver.symlink(&target, &link).await }))
            .await
    }
}

impl Driver {
    pub(crate) async fn size(&mut self, path: RemotePath) -> Result<u64, Error> {
        let command = Command::Size(path);
        let mut reply = self.ask(&command).await?;
        // ProFTPD and others have no SIZE while they convert line ends.
        if reply.code.is_permanent() && reply.text().to_ascii_lowercase().contains("ascii") {
            self.forget_state();
            reply = self.ask(&command).await?;
        }
        if !reply.code.is_completion() {
            return Err(Error::refused(command.redacted(), reply));
        }
        size_of(&reply)
            .ok_or_else(|| Error::with_reply(ErrorKind::Protocol, command.redacted(), reply))
    }

    /// ALLO before an upload whose size is known, where FEAT names it or the server has demanded it (RFC 959 section 4.1.3). Most don't need
    /// it and answer 202, which is fine; what counts is that there is no room.
    pub(crate) async fn allocate(
        &mut self,
        command: &Command,
        offset: u64,
        size: Option<u64>,
    ) -> Result<(), Error> {
        let Some(size) = size.filter(|_| self.wants_allo || self.features.has("ALLO")) else {
            return Ok(());
        };
        let bytes = size.saturating_sub(offset).to_string();
        let allo = Command::Allo(Argument::try_from(bytes.as_str()).map_err(Error::argument)?);
        let reply = self.ask(&allo).await?;
        match reply.code.value() {
            452 | 552 => Err(Error::refused(command.redacted(), reply)),
            _ => Ok(()),
        }
    }

    /// True where an upload was refused for lack of ALLO. From then on this session sends it.
    pub(crate) fn demands_allocation(&mut self, error: &Error, size: Option<u64>) -> bool {
        let words = |text: String| {
            text.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word.eq_ignore_ascii_case("ALLO"))
        };
        let demanded = size.is_some()
            && !self.wants_allo
            && !error.is_fatal()
            && error.reply().is_some_and(|reply| words(reply.text()));
        self.wants_allo |= demanded;
        demanded
    }

    /// SITE CHMOD, with the lowest twelve bits.
    pub(crate) fn mode_command(&self, mode: u32, path: &RemotePath) -> Result<Command, Error> {
        names::site(self.kind, &format!("CHMOD {:03o}", mode & 0o7777), path)
    }
}

/// The size that SIZE was answered with, in bytes; `None` for a refusal. Some servers put words before the number.
#[must_use]
pub fn size_of(reply: &Reply) -> Option<u64> {
    if !reply.code.is_completion() {
        return None;
    }
    let line = reply.first_line().trim_ascii();
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let (before, number) = line.split_at(line.len() - digits.count());
    // "no such file2" is no size, nor is "-1".
    if !matches!(before.last(), None | Some(b' ' | b'\t' | b'=' | b':')) {
        return None;
    }
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The time that MDTM was answered with; `None` for a refusal.
#[must_use]
pub fn time_of(reply: &Reply) -> Option<Timestamp> {
    time_in(reply).ok().filter(|_| reply.code.is_completion())
}

/// The first word of the reply that is a time.
fn time_in(reply: &Reply) -> Result<Timestamp, ftp_proto::TimeError> {
    let line = reply.first_line().trim_ascii();
    line.split(u8::is_ascii_whitespace)
        .find_map(|word| ftp_proto::parse_time(word).ok())
        .map_or_else(|| ftp_proto::parse_time(line), Ok)
        .map(|(time, _)| time)
}

/// The size that the reply before a transfer names: `150 Opening data connection for f (1234 bytes).`
#[must_use]
pub fn announced_size(reply: &Reply) -> Option<u64> {
    reply.lines.iter().rev().find_map(|line| {
        let end = line
            .windows(6)
            .rposition(|part| part.eq_ignore_ascii_case(b" bytes"))?;
        let start = line[..end].iter().rposition(|byte| *byte == b'(')? + 1;
        std::str::from_utf8(&line[start..end]).ok()?.parse().ok()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_in_what_servers_say() {
        for (text, size) in [
            ("5", Some(5)),
            ("  12345678901 ", Some(12_345_678_901)),
            ("the size is 7", Some(7)),
            ("size=7", Some(7)),
            ("-1", None),
            ("file2", None),
            ("", None),
            ("99999999999999999999", None),
            ("5 bytes", None),
        ] {
            assert_eq!(size_of(&Reply::new(213, text)), size, "{text:?}");
        }
        assert_eq!(size_of(&Reply::new(550, "5")), None);
        for (text, second) in [
            ("20010909014640", Some(1_000_000_000)),
            ("MDTM 20010909014640.25", Some(1_000_000_000)),
            ("191010909014640", Some(1_000_000_000)),
            ("20011309014640", None),
            ("", None),
        ] {
            let time = time_of(&Reply::new(213, text)).map(|time| time.as_second());
            assert_eq!(time, second, "{text:?}");
        }
    }

    #[test]
    fn announced_sizes() {
        for (text, size) in [
            (
                "Opening BINARY mode data connection for f (1234 bytes).",
                Some(1234),
            ),
            ("here (it is) (5 bytes)", Some(5)),
            ("a (99 bytes).txt (5 BYTES)", Some(5)),
            ("117.2 kbytes to download", None),
            ("(117.2 bytes)", None),
            ("(-5 bytes)", None),
            ("5 bytes", None),
            (" bytes", None),
            ("", None),
        ] {
            assert_eq!(announced_size(&Reply::new(150, text)), size, "{text:?}");
        }
    }
}
