//! Names that some servers take for something else, or store as something else.

use ftp_proto::{Argument, Command, RemotePath, escape};

use crate::{Client, Error, ErrorKind, driver::Kind};

/// The path so that no server puts somebody's home in the place of a `~` at its beginning. ProFTPD and vsftpd do, with every command: a
/// `SITE CHMOD` of the file `~` would change the folder of the login. To go home there is CWD, which is left as it is.
pub(crate) fn plain(path: &RemotePath) -> RemotePath {
    match path.as_bytes() {
        [b'~', ..] => in_this_folder(path),
        _ => path.clone(),
    }
}

/// The path as it stands behind another word (`SITE CHMOD 644 path`): servers skip the blanks in front of it, and would find another file.
pub(crate) fn behind_a_word(path: &RemotePath) -> RemotePath {
    match path.as_bytes() {
        [b'~' | b' ' | b'\t', ..] => in_this_folder(path),
        _ => path.clone(),
    }
}

fn in_this_folder(path: &RemotePath) -> RemotePath {
    let text = [b"./", path.as_bytes()].concat();
    // Nothing was added that a path can't have.
    RemotePath::try_from(text).unwrap_or_else(|_| path.clone())
}

/// The same command with its paths as [`plain`] has them.
pub(crate) fn plainly(command: Command) -> Command {
    match command {
        Command::Retr(path) => Command::Retr(plain(&path)),
        Command::Stor(path) => Command::Stor(plain(&path)),
        Command::Appe(path) => Command::Appe(plain(&path)),
        Command::Rnfr(path) => Command::Rnfr(plain(&path)),
        Command::Rnto(path) => Command::Rnto(plain(&path)),
        Command::Dele(path) => Command::Dele(plain(&path)),
        Command::Rmd(path) => Command::Rmd(plain(&path)),
        Command::Mkd(path) => Command::Mkd(plain(&path)),
        Command::Size(path) => Command::Size(plain(&path)),
        Command::Mdtm(path) => Command::Mdtm(plain(&path)),
        Command::Mfmt(time, path) => Command::Mfmt(time, plain(&path)),
        Command::Mlst(Some(path)) => Command::Mlst(Some(plain(&path))),
        other => other,
    }
}

/// `SITE` with some words and a path at the end.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a path that ends in a blank, or has a tab in it, where the server would leave the one out or take the
/// other for a blank, and find another file: ProFTPD does, and nobody knows of others.
pub(crate) fn site(kind: Kind, words: &str, path: &RemotePath) -> Result<Command, Error> {
    let trims = !matches!(kind, Kind::Vsftpd | Kind::PureFtpd | Kind::Slipway);
    let is_changed = |text: &[u8]| {
        let ends = text.last().is_some_and(u8::is_ascii_whitespace);
        ends || text
            .iter()
            .any(|byte| byte.is_ascii_whitespace() && *byte != b' ')
    };
    if trims && is_changed(path.as_bytes()) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "SITE {words} \"{}\", whose blanks it would change,",
                escape(path.as_bytes(), 200)
            ),
        ));
    }
    let argument = [words.as_bytes(), b" ", behind_a_word(path).as_bytes()].concat();
    Argument::try_from(argument)
        .map(Command::Site)
        .map_err(Error::argument)
}

/// The name that a server of this kind would give to what is stored under `path`, where that is another one. Pure-FTPd puts `_` in the
/// place of control characters, and of blanks at both ends of a path.
fn changed(kind: Kind, path: &RemotePath) -> Option<Vec<u8>> {
    if kind != Kind::PureFtpd {
        return None;
    }
    let mut text = path.as_bytes();
    while let Some(rest) = text.strip_prefix(b"./") {
        text = rest;
    }
    let first = text.iter().position(|byte| *byte != b' ')?;
    let last = text.iter().rposition(|byte| *byte != b' ')?;
    let stored: Vec<u8> = text
        .iter()
        .enumerate()
        .map(|(at, byte)| match byte {
            b' ' if at < first || at > last => b'_',
            byte if byte.is_ascii_control() => b'_',
            byte => *byte,
        })
        .collect();
    (stored != text).then_some(stored)
}

/// [`Client::check_name`] for a server of this kind.
pub(crate) fn check(kind: Kind, path: &RemotePath) -> Result<(), Error> {
    match changed(kind, path) {
        None => Ok(()),
        Some(stored) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "\"{}\", which Pure-FTPd would name \"{}\"",
                escape(path.as_bytes(), 200),
                escape(&stored, 200)
            ),
        )),
    }
}

impl Client {
    /// Whether the server would keep this name of a new file or folder, as far as is known of it. Everything that stores, makes or
    /// renames asks it first; whoever has work to do before that can ask it earlier.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it would give it another name: Pure-FTPd does with blanks at the ends and with control
    /// characters.
    pub fn check_name(&self, path: &RemotePath) -> Result<(), Error> {
        check(Kind::of_text(&self.facts().greeting.join("\n")), path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::try_from(text).unwrap()
    }

    #[test]
    fn a_tilde_is_no_home_and_a_blank_is_not_skipped() {
        for (text, plainly, behind) in [
            ("~", "./~", "./~"),
            ("~x/y", "./~x/y", "./~x/y"),
            ("/~x", "/~x", "/~x"),
            ("a~", "a~", "a~"),
            (" a", " a", "./ a"),
            ("\ta", "\ta", "./\ta"),
            ("/ a", "/ a", "/ a"),
        ] {
            assert_eq!(plain(&path(text)), path(plainly), "{text:?}");
            assert_eq!(behind_a_word(&path(text)), path(behind), "{text:?}");
        }
        assert_eq!(
            plainly(Command::Dele(path("~x"))),
            Command::Dele(path("./~x"))
        );
        assert_eq!(plainly(Command::Cwd(path("~x"))), Command::Cwd(path("~x")));
    }

    #[test]
    fn no_other_file_is_changed_in_its_place() {
        let line = |kind, text: &str| site(kind, "CHMOD 644", &path(text)).map(|c| c.redacted());
        assert_eq!(line(Kind::ProFtpd, " a").unwrap(), "SITE CHMOD 644 ./ a");
        assert_eq!(line(Kind::Vsftpd, "a ").unwrap(), "SITE CHMOD 644 a ");
        for kind in [Kind::ProFtpd, Kind::Other] {
            for name in ["a ", "a\tb"] {
                let error = line(kind, name).unwrap_err();
                assert_eq!(*error.kind(), ErrorKind::Unsupported);
            }
        }
    }

    #[test]
    fn pure_ftpd_changes_names() {
        for (text, stored) in [
            ("a", None),
            ("a b", None),
            ("/ a", None),
            ("d/ a", None),
            (" a", Some("_a")),
            ("./ a", Some("_a")),
            ("/d/a  ", Some("/d/a__")),
            ("a\tb", Some("a_b")),
            ("a\x7f", Some("a_")),
        ] {
            let stored = stored.map(|stored: &str| stored.as_bytes().to_vec());
            assert_eq!(changed(Kind::PureFtpd, &path(text)), stored, "{text:?}");
            assert_eq!(changed(Kind::ProFtpd, &path(text)), None);
        }
    }
}
