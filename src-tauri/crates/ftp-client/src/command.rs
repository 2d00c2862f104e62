//! Commands that the library has no operation for, with a data connection and without.

use ftp_proto::{Code, Command, Reply};

use crate::{Client, Download, Error, ErrorKind, Upload};

/// Which replies are meant: masks such as `"2xx"`, `"25"` or `"331"`, see [`Code::matches`]. Made of one mask, of several, of
/// numbers, or of `()` for none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Masks(Vec<Box<str>>);

impl Masks {
    /// True where one of them is the code's.
    #[must_use]
    pub fn matches(&self, code: Code) -> bool {
        self.0.iter().any(|mask| code.matches(mask))
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|mask| &**mask)
    }
}

impl From<()> for Masks {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<&str> for Masks {
    fn from(mask: &str) -> Self {
        Self(vec![mask.into()])
    }
}

impl From<u16> for Masks {
    fn from(code: u16) -> Self {
        Self(vec![code.to_string().into()])
    }
}

impl From<Code> for Masks {
    fn from(code: Code) -> Self {
        Self::from(code.value())
    }
}

impl From<&[&str]> for Masks {
    fn from(masks: &[&str]) -> Self {
        masks.iter().copied().collect()
    }
}

impl<const N: usize> From<[&str; N]> for Masks {
    fn from(masks: [&str; N]) -> Self {
        masks.into_iter().collect()
    }
}

impl<const N: usize> From<[u16; N]> for Masks {
    fn from(codes: [u16; N]) -> Self {
        Self(codes.iter().map(|code| code.to_string().into()).collect())
    }
}

impl<'a> FromIterator<&'a str> for Masks {
    fn from_iter<I: IntoIterator<Item = &'a str>>(masks: I) -> Self {
        Self(masks.into_iter().map(Into::into).collect())
    }
}

impl std::fmt::Display for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

/// What to make of the replies to a command of one's own.
#[derive(Debug, Clone, Default)]
pub struct CommandOptions {
    /// The replies that mean success; another one is an error that carries both. Without any, every reply is right.
    pub expected: Masks,
    /// Replies that are passed over, as the preliminary ones (1xx) always are.
    pub wait: Masks,
    /// So many bytes of the line may be shown in the log and in errors; what follows is written as `*****`.
    pub censor_after: Option<usize>,
}

impl CommandOptions {
    /// These replies mean success.
    pub fn expecting(expected: impl Into<Masks>) -> Self {
        Self {
            expected: expected.into(),
            ..Self::default()
        }
    }

    /// The same with replies that are passed over.
    #[must_use]
    pub fn waiting(mut self, wait: impl Into<Masks>) -> Self {
        self.wait = wait.into();
        self
    }

    /// The same with a line of which only the beginning may be shown.
    #[must_use]
    pub const fn censored_after(mut self, bytes: usize) -> Self {
        self.censor_after = Some(bytes);
        self
    }
}

/// How a data connection for a command of one's own is used.
#[derive(Debug, Clone, Default)]
pub struct StreamOptions {
    /// Where in the file it begins: REST comes before the command where this is not 0.
    pub offset: u64,
    /// The representation type: A in place of I (RFC 959 section 3.1.1). Nothing is converted on this side.
    pub ascii: bool,
    /// The final replies that mean success, `2xx` where this is empty.
    pub expected: Masks,
}

impl StreamOptions {
    /// From this byte on.
    #[must_use]
    pub fn from_offset(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }
}

/// Commands that change the connection itself, and have operations of their own.
const OURS: &[&str] = &[
    "PASV", "EPSV", "PORT", "EPRT", "LPRT", "LPSV", "AUTH", "PROT", "PBSZ", "CCC", "QUIT", "ABOR",
    "REST", "MODE",
];

/// Commands that need a data connection.
const WITH_DATA: &[&str] = &["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"];

fn read(line: &str, refused: &[&[&str]]) -> Result<Command, Error> {
    let command = Command::raw(line)
        .map_err(|error| Error::with_source(ErrorKind::Argument, "a command", error))?;
    match refused.iter().any(|verbs| verbs.contains(&command.verb())) {
        true => Err(Error::new(
            ErrorKind::Argument,
            format!(
                "{} is not a command to send by hand: it changes the connection itself",
                command.verb()
            ),
        )),
        false => Ok(command),
    }
}

impl Client {
    /// Sends a command and judges its final reply: `client.send_command("SYST", CommandOptions::expecting(215))`.
    ///
    /// USER, PASS, ACCT and REIN may be sent this way, too: what is known of the session is asked for anew afterwards.
    /// Commands that need a data connection go by [`open_download`](Self::open_download) and
    /// [`open_upload`](Self::open_upload).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a line that is no command (a CR or LF in it), and for commands that change the connection itself;
    /// [`ErrorKind::PlaintextRefused`] for a PASS that would go unencrypted without leave; of an unexpected reply the error
    /// that it stands for, with [`Error::expected`] and [`Error::received`].
    pub async fn send_command(&self, line: &str, options: CommandOptions) -> Result<Reply, Error> {
        let command = read(line, &[OURS, WITH_DATA])?;
        let shown = options.censor_after.map(|bytes| {
            let line = command.redacted();
            let cut = (0..=bytes.min(line.len())).rfind(|at| line.is_char_boundary(*at));
            format!("{}*****", &line[..cut.unwrap_or(0)])
        });
        self.run(move |driver| {
            Box::pin(async move { driver.send_custom(command, shown, options).await })
        })
        .await
    }

    /// Sends a command and opens the data connection that its answer comes over. Read to its end, it is
    /// [finished](Download::finish) like any download.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] as [`send_command`](Self::send_command); what the server says instead of 1xx.
    pub async fn open_download(
        &self,
        line: &str,
        options: StreamOptions,
    ) -> Result<Download, Error> {
        let command = read(line, &[OURS, &["USER", "PASS", "ACCT", "REIN"]])?;
        Download::open_custom(self, command, options).await
    }

    /// Sends a command and opens the data connection that its content goes over.
    ///
    /// # Errors
    /// As [`open_download`](Self::open_download).
    pub async fn open_upload(&self, line: &str, options: StreamOptions) -> Result<Upload, Error> {
        let command = read(line, &[OURS, &["USER", "PASS", "ACCT", "REIN"]])?;
        Upload::open_custom(self, command, options).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_made_of_anything_that_names_codes() {
        let code = |value| Code::new(value).unwrap();
        for masks in [
            Masks::from("2xx"),
            Masks::from(226),
            Masks::from(code(226)),
            Masks::from(["1xx", "22"]),
            Masks::from([150, 226]),
            Masks::from(&["226"][..]),
        ] {
            assert!(masks.matches(code(226)), "{masks}");
            assert!(!masks.matches(code(426)), "{masks}");
            assert!(!masks.is_empty());
        }
        // Codes among masks are codes still.
        let both: Masks = ["226", "35x"].into_iter().collect();
        assert_eq!(both.iter().collect::<Vec<_>>(), ["226", "35x"]);
        assert_eq!(both.to_string(), "226 or 35x");
        assert!(Masks::from(()).is_empty() && !Masks::from(()).matches(code(200)));
    }

    #[test]
    fn lines_that_are_no_command_or_ours_are_refused() {
        for line in [
            "LIST\r\nfoo",
            "NOOP\n",
            "",
            "QUIT",
            "rest 5",
            "PORT 1,2,3,4,5,6",
            "RETR a",
        ] {
            let error = read(line, &[OURS, WITH_DATA]).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Argument, "{line}");
        }
        assert_eq!(read("coll 20", &[OURS, WITH_DATA]).unwrap().verb(), "COLL");
    }
}
