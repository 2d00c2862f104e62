use std::{
    fmt,
    net::{SocketAddr, SocketAddrV4},
};

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;

use crate::{
    Argument, ArgumentError, RemotePath, Secret, escape, format_eprt, format_port, format_time,
    parse_eprt, parse_port, parse_time,
};

/// A command, as the client sends it and the server reads it. One that can't be sent can't be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // The variants are the verbs of the RFCs named beside them.
pub enum Command {
    // RFC 959
    User(Argument),
    Pass(Secret),
    Acct(Secret),
    Cwd(RemotePath),
    Cdup,
    Quit,
    Rein,
    Port(SocketAddrV4),
    Pasv,
    Type(Argument),
    Stru(Argument),
    Mode(Argument),
    Retr(RemotePath),
    Stor(RemotePath),
    Stou,
    Appe(RemotePath),
    Allo(Argument),
    Rest(u64),
    Rnfr(RemotePath),
    Rnto(RemotePath),
    Abor,
    Dele(RemotePath),
    Rmd(RemotePath),
    Mkd(RemotePath),
    Pwd,
    List(Option<Argument>),
    Nlst(Option<Argument>),
    Site(Argument),
    Syst,
    Stat(Option<Argument>),
    Help(Option<Argument>),
    Noop,
    // RFC 2389
    Feat,
    Opts(Argument),
    // RFC 2228 and 4217
    Auth(Argument),
    Pbsz(Argument),
    Prot(Argument),
    Ccc,
    // RFC 2428
    Eprt(SocketAddr),
    Epsv(Option<Epsv>),
    // RFC 3659
    Mlst(Option<RemotePath>),
    Mlsd(Option<RemotePath>),
    Size(RemotePath),
    Mdtm(RemotePath),
    // draft-somers-ftp-mfxx
    Mfmt(Timestamp, RemotePath),
    // RFC 7151
    Host(Argument),
    /// The client's name, for servers that treat clients differently.
    Clnt(Argument),
    /// Any other: an extension, or a command of a server's own.
    Other {
        /// In upper case.
        verb: String,
        argument: Option<Argument>,
    },
}

/// The argument of EPSV (RFC 2428 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epsv {
    /// A network protocol by its number: 1 is IPv4, 2 is IPv6.
    Protocol(u8),
    /// From now on only EPSV.
    All,
}

/// A line that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It begins with no verb: letters, at most 16.
    #[error("\"{line}\" begins with no command")]
    NoVerb {
        /// The line, escaped.
        line: String,
    },
    /// The verb is known, its argument isn't what it takes.
    #[error("{verb} takes {wants}, not \"{got}\"")]
    Syntax {
        /// The verb in upper case.
        verb: &'static str,
        /// What it takes.
        wants: &'static str,
        /// What stood there, escaped.
        got: String,
    },
    /// The argument holds a byte that none can.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
}

impl Command {
    /// Reads a command line without its line end. The verb may have any case; after one blank everything
    /// belongs to the argument, further and trailing blanks too (RFC 3659 section 2.2).
    ///
    /// # Errors
    /// [`CommandError`], with what stood there escaped.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let end = line
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(line.len());
        let verb = &line[..end];
        let printable = verb
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if verb.is_empty() || verb.len() > 16 || !printable {
            return Err(CommandError::NoVerb {
                line: escape(line, 200),
            });
        }
        let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
        let rest = line.get(end + 1..).filter(|rest| !rest.is_empty());
        build(&verb, rest)
    }

    /// A command that a person typed, such as `SITE CHMOD 644 index.html`.
    ///
    /// # Errors
    /// As [`Command::parse`].
    pub fn raw(line: &str) -> Result<Self, CommandError> {
        crate::argument::check(line.as_bytes()).map_err(|error| {
            if is_secret(line.as_bytes()) {
                ArgumentError {
                    text: "*****".to_owned(),
                    ..error
                }
            } else {
                error
            }
        })?;
        Self::parse(line.trim_start().as_bytes())
    }

    /// The verb in upper case.
    #[must_use]
    pub fn verb(&self) -> &str {
        self.parts().0
    }

    /// The argument as it is sent, secrets included.
    fn argument(&self) -> Option<Vec<u8>> {
        self.parts().1
    }

    /// Appends the command as it is sent, with CRLF.
    pub fn encode(&self, out: &mut BytesMut) {
        let (verb, argument) = self.parts();
        out.put_slice(verb.as_bytes());
        if let Some(argument) = argument {
            out.put_u8(b' ');
            out.put_slice(&argument);
        }
        out.put_slice(b"\r\n");
    }

    /// The command as a log may show it: passwords and accounts as `*****`, odd bytes escaped.
    #[must_use]
    pub fn redacted(&self) -> String {
        match self {
            Self::Pass(_) | Self::Acct(_) => format!("{} *****", self.verb()),
            _ => match self.argument() {
                None => self.verb().to_owned(),
                Some(argument) => {
                    let line = [self.verb().as_bytes(), b" ", &argument].concat();
                    if is_secret(&line) {
                        format!("{} *****", self.verb())
                    } else {
                        escape(&line, 4096)
                    }
                }
            },
        }
    }

    fn parts(&self) -> (&str, Option<Vec<u8>>) {
        let text = |argument: &Argument| Some(argument.as_bytes().to_vec());
        let maybe = |argument: &Option<Argument>| argument.as_ref().map(|a| a.as_bytes().to_vec());
        let path = |path: &RemotePath| Some(path.as_bytes().to_vec());
        let maybe_path = |path: &Option<RemotePath>| path.as_ref().map(|p| p.as_bytes().to_vec());
        match self {
            Self::User(a) => ("USER", text(a)),
            Self::Pass(s) => ("PASS", Some(s.expose().to_vec())),
            Self::Acct(s) => ("ACCT", Some(s.expose().to_vec())),
            Self::Cwd(p) => ("CWD", path(p)),
            Self::Cdup => ("CDUP", None),
            Self::Quit => ("QUIT", None),
            Self::Rein => ("REIN", None),
            Self::Port(a) => ("PORT", Some(format_port(*a).into_bytes())),
            Self::Pasv => ("PASV", None),
            Self::Type(a) => ("TYPE", text(a)),
            Self::Stru(a) => ("STRU", text(a)),
            Self::Mode(a) => ("MODE", text(a)),
            Self::Retr(p) => ("RETR", path(p)),
            Self::Stor(p) => ("STOR", path(p)),
            Self::Stou => ("STOU", None),
            Self::Appe(p) => ("APPE", path(p)),
            Self::Allo(a) => ("ALLO", text(a)),
            Self::Rest(n) => ("REST", Some(n.to_string().into_bytes())),
            Self::Rnfr(p) => ("RNFR", path(p)),
            Self::Rnto(p) => ("RNTO", path(p)),
            Self::Abor => ("ABOR", None),
            Self::Dele(p) => ("DELE", path(p)),
            Self::Rmd(p) => ("RMD", path(p)),
            Self::Mkd(p) => ("MKD", path(p)),
            Self::Pwd => ("PWD", None),
            Self::List(a) => ("LIST", maybe(a)),
            Self::Nlst(a) => ("NLST", maybe(a)),
            Self::Site(a) => ("SITE", text(a)),
            Self::Syst => ("SYST", None),
            Self::Stat(a) => ("STAT", maybe(a)),
            Self::Help(a) => ("HELP", maybe(a)),
            Self::Noop => ("NOOP", None),
            Self::Feat => ("FEAT", None),
            Self::Opts(a) => ("OPTS", text(a)),
            Self::Auth(a) => ("AUTH", text(a)),
            Self::Pbsz(a) => ("PBSZ", text(a)),
            Self::Prot(a) => ("PROT", text(a)),
            Self::Ccc => ("CCC", None),
            Self::Eprt(a) => ("EPRT", Some(format_eprt(*a).into_bytes())),
            Self::Epsv(None) => ("EPSV", None),
            Self::Epsv(Some(Epsv::All)) => ("EPSV", Some(b"ALL".to_vec())),
            Self::Epsv(Some(Epsv::Protocol(n))) => ("EPSV", Some(n.to_string().into_bytes())),
            Self::Mlst(p) => ("MLST", maybe_path(p)),
            Self::Mlsd(p) => ("MLSD", maybe_path(p)),
            Self::Size(p) => ("SIZE", path(p)),
            Self::Mdtm(p) => ("MDTM", path(p)),
            Self::Mfmt(time, p) => {
                let stamp = format_time(*time).into_bytes();
                ("MFMT", Some([&stamp, &b" "[..], p.as_bytes()].concat()))
            }
            Self::Host(a) => ("HOST", text(a)),
            Self::Clnt(a) => ("CLNT", text(a)),
            Self::Other { verb, argument } => (verb, maybe(argument)),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// `SITE PSWD old new` and its kin carry passwords in an argument that is otherwise harmless.
fn is_secret(line: &[u8]) -> bool {
    let upper = line.trim_ascii_start().to_ascii_uppercase();
    [
        &b"PASS "[..],
        b"ACCT ",
        b"SITE PSWD",
        b"SITE PASSWD",
        b"SITE MINFO",
    ]
    .iter()
    .any(|start| upper.starts_with(start))
}

fn build(verb: &str, rest: Option<&[u8]>) -> Result<Command, CommandError> {
    use Command as C;
    let wrong = |verb: &'static str, wants: &'static str| CommandError::Syntax {
        verb,
        wants,
        got: escape(rest.unwrap_or_default(), 200),
    };
    let text = |verb, wants| {
        let bytes = rest.ok_or_else(|| wrong(verb, wants))?;
        Ok::<_, CommandError>(Argument::try_from(bytes)?)
    };
    let maybe = || rest.map(Argument::try_from).transpose();
    let path = |verb| {
        let bytes = rest.ok_or_else(|| wrong(verb, "a path"))?;
        Ok::<_, CommandError>(RemotePath::try_from(bytes)?)
    };
    let maybe_path = || rest.map(RemotePath::try_from).transpose();
    let secret = || Secret::try_from(rest.unwrap_or_default());
    // Blanks behind a verb that takes nothing are harmless, and some clients send them.
    let bare = |verb, command| match rest.map(<[u8]>::trim_ascii) {
        None | Some(b"") => Ok(command),
        Some(_) => Err(wrong(verb, "no argument")),
    };
    Ok(match verb {
        "USER" => C::User(text("USER", "a name")?),
        "PASS" => C::Pass(secret()?),
        "ACCT" => C::Acct(secret()?),
        "CWD" | "XCWD" => C::Cwd(path("CWD")?),
        "CDUP" | "XCUP" => bare("CDUP", C::Cdup)?,
        "QUIT" => bare("QUIT", C::Quit)?,
        "REIN" => bare("REIN", C::Rein)?,
        "PORT" => {
            let argument = rest.unwrap_or_default();
            C::Port(parse_port(argument).map_err(|_| wrong("PORT", "six numbers from 0 to 255"))?)
        }
        "PASV" => bare("PASV", C::Pasv)?,
        "TYPE" => C::Type(text("TYPE", "a type")?),
        "STRU" => C::Stru(text("STRU", "a structure")?),
        "MODE" => C::Mode(text("MODE", "a mode")?),
        "RETR" => C::Retr(path("RETR")?),
        "STOR" => C::Stor(path("STOR")?),
        "STOU" => C::Stou,
        "APPE" => C::Appe(path("APPE")?),
        "ALLO" => C::Allo(text("ALLO", "a size")?),
        "REST" => {
            let digits = rest.and_then(|rest| std::str::from_utf8(rest.trim_ascii()).ok());
            let plain = digits.filter(|d| d.bytes().all(|byte| byte.is_ascii_digit()));
            let offset = plain.and_then(|digits| digits.parse().ok());
            C::Rest(offset.ok_or_else(|| wrong("REST", "a number of bytes"))?)
        }
        "RNFR" => C::Rnfr(path("RNFR")?),
        "RNTO" => C::Rnto(path("RNTO")?),
        "ABOR" => bare("ABOR", C::Abor)?,
        "DELE" => C::Dele(path("DELE")?),
        "RMD" | "XRMD" => C::Rmd(path("RMD")?),
        "MKD" | "XMKD" => C::Mkd(path("MKD")?),
        "PWD" | "XPWD" => bare("PWD", C::Pwd)?,
        "LIST" => C::List(maybe()?),
        "NLST" => C::Nlst(maybe()?),
        "SITE" => C::Site(text("SITE", "a command of the site")?),
        "SYST" => bare("SYST", C::Syst)?,
        "STAT" => C::Stat(maybe()?),
        "HELP" => C::Help(maybe()?),
        "NOOP" => C::Noop,
        "FEAT" => bare("FEAT", C::Feat)?,
        "OPTS" => C::Opts(text("OPTS", "a command and its options")?),
        "AUTH" => C::Auth(text("AUTH", "a mechanism")?),
        "PBSZ" => C::Pbsz(text("PBSZ", "a size")?),
        "PROT" => C::Prot(text("PROT", "a level")?),
        "CCC" => bare("CCC", C::Ccc)?,
        "EPRT" => {
            let argument = rest.unwrap_or_default();
            C::Eprt(parse_eprt(argument).map_err(|_| wrong("EPRT", "|protocol|address|port|"))?)
        }
        "EPSV" => C::Epsv(match rest.map(<[u8]>::trim_ascii) {
            None | Some(b"") => None,
            Some(all) if all.eq_ignore_ascii_case(b"ALL") => Some(Epsv::All),
            Some([digit @ b'0'..=b'9']) => Some(Epsv::Protocol(digit - b'0')),
            Some(_) => return Err(wrong("EPSV", "1, 2 or ALL")),
        }),
        "MLST" => C::Mlst(maybe_path()?),
        "MLSD" => C::Mlsd(maybe_path()?),
        "SIZE" => C::Size(path("SIZE")?),
        "MDTM" => C::Mdtm(path("MDTM")?),
        "MFMT" => {
            let wants = "YYYYMMDDHHMMSS and a path";
            let argument = rest.ok_or_else(|| wrong("MFMT", wants))?;
            let blank = argument.iter().position(|byte| *byte == b' ');
            let (stamp, path) = blank
                .map(|at| (&argument[..at], &argument[at + 1..]))
                .filter(|(_, path)| !path.is_empty())
                .ok_or_else(|| wrong("MFMT", wants))?;
            let (time, _) = parse_time(stamp).map_err(|_| wrong("MFMT", wants))?;
            C::Mfmt(time, RemotePath::try_from(path)?)
        }
        "HOST" => C::Host(text("HOST", "a name")?),
        "CLNT" => C::Clnt(text("CLNT", "a name")?),
        other => C::Other {
            verb: other.to_owned(),
            argument: maybe()?,
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(command: &Command) -> Vec<u8> {
        let mut out = BytesMut::new();
        command.encode(&mut out);
        out.to_vec()
    }

    /// Each line is what goes over the wire, in both directions.
    #[test]
    fn every_verb_both_ways() {
        for line in [
            "USER me",
            "PASS  p w ",
            "ACCT x",
            "CWD /a b ",
            "CDUP",
            "QUIT",
            "REIN",
            "PORT 127,0,0,1,4,1",
            "PASV",
            "TYPE I",
            "TYPE A N",
            "STRU F",
            "MODE S",
            "RETR  a",
            "STOR a",
            "STOU",
            "APPE a",
            "ALLO 5",
            "REST 12",
            "RNFR a",
            "RNTO b",
            "ABOR",
            "DELE a",
            "RMD a",
            "MKD a",
            "PWD",
            "LIST",
            "LIST -a",
            "NLST",
            "NLST x",
            "SITE CHMOD 644 a",
            "SYST",
            "STAT",
            "STAT a",
            "HELP",
            "HELP X",
            "NOOP",
            "FEAT",
            "OPTS UTF8 ON",
            "AUTH TLS",
            "PBSZ 0",
            "PROT P",
            "CCC",
            "EPRT |1|127.0.0.1|1025|",
            "EPRT |2|::1|1025|",
            "EPSV",
            "EPSV 1",
            "EPSV 2",
            "EPSV ALL",
            "MLST",
            "MLST a",
            "MLSD",
            "MLSD /ä",
            "SIZE a",
            "MDTM a",
            "MFMT 20240102030405 a b",
            "HOST x",
            "CLNT slipway",
            "COLL 20",
            "XFOO",
        ] {
            let command = Command::parse(line.as_bytes()).unwrap();
            assert_eq!(
                sent(&command),
                format!("{line}\r\n").into_bytes(),
                "{command:?}"
            );
            assert_eq!(command.verb(), line.split(' ').next().unwrap());
        }
    }

    #[test]
    fn any_case_and_the_old_verbs() {
        assert_eq!(
            Command::parse(b"epsv all").unwrap(),
            Command::Epsv(Some(Epsv::All))
        );
        assert_eq!(Command::parse(b"xpwd").unwrap(), Command::Pwd);
        assert_eq!(Command::parse(b"Noop ").unwrap(), Command::Noop);
    }

    #[test]
    fn what_is_no_command_says_so() {
        for line in [
            &b""[..],
            b" USER x",
            b"\xff\xf4\xf2ABOR",
            b"RETR",
            b"RETR ",
            b"REST x",
            b"REST -1",
            b"REST +1",
            b"PORT 1,2,3",
            b"PORT 1,2,3,4,5,256",
            b"EPSV 12",
            b"PWD x",
            b"MFMT 2024 a",
            b"MFMT 20240102030405",
            b"RETR a\rb",
            b"GET/HTTP",
            b"ABCDEFGHIJKLMNOPQ x",
        ] {
            let error = Command::parse(line).unwrap_err();
            assert!(!error.to_string().contains(['\r', '\0']), "{error}");
        }
    }

    #[test]
    fn passwords_are_masked_everywhere() {
        for line in [
            "PASS hunter2",
            "pass hunter2",
            "ACCT hunter2",
            "SITE PSWD hunter2 x",
            "site pswd hunter2",
        ] {
            let command = Command::raw(line).unwrap();
            for shown in [command.redacted(), command.to_string()] {
                assert!(
                    !shown.contains("hunter2") && shown.contains("*****"),
                    "{shown}"
                );
            }
        }
        let error = Command::raw("PASS hunter2\r\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(!format!("{:?}", Command::raw("PASS hunter2")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_line_parses_or_errs_and_round_trips(line: Vec<u8>) {
            if let Ok(command) = Command::parse(&line) {
                let bytes = sent(&command);
                prop_assert_eq!(Command::parse(&bytes[..bytes.len() - 2]).unwrap(), command);
            }
        }

        #[test]
        fn a_path_survives_the_wire(bytes: Vec<u8>) {
            if let Ok(path) = RemotePath::try_from(bytes)
                && !path.as_bytes().is_empty()
            {
                let command = Command::Retr(path);
                let bytes = sent(&command);
                prop_assert_eq!(Command::parse(&bytes[..bytes.len() - 2]).unwrap(), command);
            }
        }
    }
}
