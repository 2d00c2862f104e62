//! What people and programs see: results on standard output, everything else on standard error.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use ftp_client::ftp_proto::{
    Charset, Precision, escape,
    listing::{Entry, Kind, permissions_text},
};
use serde::Serialize;

/// Passwords in use. Servers have been seen to repeat them ("500 'PASS secret' not understood"), so whatever they say
/// goes through [`mask`].
static SECRETS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Shorter ones would make holes in every other word, and are no secret anyway.
const SHORTEST_MASKED: usize = 4;

/// What is shown in place of a password.
const MASK: &[u8] = b"*****";

/// From now on this password is not shown, whoever says it.
pub(crate) fn keep_secret(password: &[u8]) {
    if password.len() >= SHORTEST_MASKED {
        let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
        // As it is, and as it would look in a message.
        for form in [
            escape(password, usize::MAX).into_bytes(),
            String::from_utf8_lossy(password).into_owned().into_bytes(),
            password.to_vec(),
        ] {
            if !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // One may be the beginning of another.
        secrets.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }
}

/// The text with all known passwords as `*****`.
pub(crate) fn mask(text: &str) -> String {
    String::from_utf8_lossy(&mask_bytes(text.as_bytes())).into_owned()
}

/// The same for what need not be text.
pub(crate) fn mask_bytes(text: &[u8]) -> Vec<u8> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut masked = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        match secrets.iter().find(|secret| rest.starts_with(secret)) {
            Some(secret) => {
                masked.extend_from_slice(MASK);
                rest = &rest[secret.len()..];
            }
            None => {
                masked.push(byte);
                rest = &rest[1..];
            }
        }
    }
    masked
}

/// How results are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON object a line.
    pub(crate) json: bool,
    /// Nothing but errors.
    pub(crate) quiet: bool,
    /// The protocol on standard error.
    pub(crate) verbose: bool,
}

impl Output {
    /// True where a progress bar is welcome.
    pub(crate) fn shows_progress(self) -> bool {
        !self.json && !self.quiet && !self.verbose && io::stderr().is_terminal()
    }

    /// True where a QR code on standard output is welcome: a camera sees it.
    pub(crate) fn shows_codes(self) -> bool {
        !self.json && !self.quiet && io::stdout().is_terminal()
    }

    /// A message on standard error.
    pub(crate) fn message(self, text: impl std::fmt::Display) {
        // Nobody is left to be told that this failed.
        let _ = writeln!(io::stderr(), "slip: {}", mask(&text.to_string()));
    }

    /// A remark on standard error, unless it is to be quiet.
    pub(crate) fn remark(self, text: impl std::fmt::Display) {
        if !self.quiet {
            self.message(text);
        }
    }

    /// One line of results, flushed.
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// One object, flushed.
    pub(crate) fn object(self, object: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(object)?)
    }
}

/// One entry of `slip ls --json`.
#[derive(Debug, Serialize)]
struct EntryObject<'a> {
    name: Option<std::borrow::Cow<'a, str>>,
    r#type: &'static str,
    size: Option<u64>,
    modified: Option<String>,
    precision: Option<&'static str>,
    zone_known: Option<bool>,
    permissions: Option<String>,
    owner: Option<&'a str>,
    group: Option<&'a str>,
    target: Option<std::borrow::Cow<'a, str>>,
    raw: std::borrow::Cow<'a, str>,
}

/// Writes a listing as it comes in: nothing is kept.
pub(crate) struct ListWriter {
    out: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    /// Names are escaped for a terminal, and left as they are for a program.
    terminal: bool,
    charset: Charset,
}

impl ListWriter {
    pub(crate) fn new(json: bool, charset: Charset) -> Self {
        let stdout = io::stdout();
        Self {
            terminal: stdout.is_terminal(),
            out: BufWriter::with_capacity(64 * 1024, stdout.lock()),
            json,
            charset,
        }
    }

    pub(crate) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let (name, letter) = match entry.kind {
            Kind::File => ("file", '-'),
            Kind::Dir | Kind::CurrentDir | Kind::ParentDir => ("dir", 'd'),
            Kind::Link => ("link", 'l'),
            Kind::Other => ("other", '?'),
        };
        let permissions = entry.permissions.map(permissions_text);
        if self.json {
            return self.object(&EntryObject {
                name: Some(self.charset.decode(&entry.name)),
                r#type: name,
                size: entry.size,
                modified: entry
                    .modified
                    .map(|modified| modified.timestamp.to_string()),
                precision: entry.modified.map(|modified| match modified.precision {
                    Precision::Day => "day",
                    Precision::Minute => "minute",
                    Precision::Second => "second",
                    Precision::Milli => "millisecond",
                }),
                zone_known: entry.modified.map(|modified| modified.zone_known),
                permissions,
                owner: entry.owner.as_deref(),
                group: entry.group.as_deref(),
                target: entry.target.as_deref().map(|to| self.charset.decode(to)),
                raw: self.charset.decode(&entry.raw),
            });
        }
        let size = entry
            .size
            .map_or_else(|| "-".to_owned(), |size| size.to_string());
        let modified = entry.modified.map_or_else(
            || "-".to_owned(),
            |modified| modified.timestamp.strftime("%Y-%m-%d %H:%M").to_string(),
        );
        write!(
            self.out,
            "{letter}{} {size:>13} {modified:<16} ",
            permissions.as_deref().unwrap_or("---------"),
        )?;
        self.name(&entry.name)?;
        if let Some(target) = &entry.target {
            self.out.write_all(b" -> ")?;
            self.name(target)?;
        }
        self.out.write_all(b"\n")
    }

    /// A line that no parser knew: shown as it is, so that nothing is hidden.
    pub(crate) fn unparsed(&mut self, line: &[u8]) -> io::Result<()> {
        if self.json {
            return self.object(&EntryObject {
                name: None,
                r#type: "unparsed",
                size: None,
                modified: None,
                precision: None,
                zone_known: None,
                permissions: None,
                owner: None,
                group: None,
                target: None,
                raw: self.charset.decode(line),
            });
        }
        self.out
            .write_all(b"??????????             ? ?                ")?;
        self.name(line)?;
        self.out.write_all(b"\n")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn object(&mut self, object: &EntryObject<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        self.out.write_all(b"\n")
    }

    fn name(&mut self, name: &[u8]) -> io::Result<()> {
        // Chosen by a person, the charset holds for a program's input too; else names go byte for byte.
        let text;
        let name = if self.charset.is_auto() {
            name
        } else {
            text = self.charset.decode(name);
            text.as_bytes()
        };
        if self.terminal {
            self.out.write_all(escape(name, usize::MAX).as_bytes())
        } else {
            self.out.write_all(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_whoever_says_it() {
        keep_secret(b"tr0ub4dor\\");
        keep_secret(b"abc");
        assert_eq!(mask("500 'PASS tr0ub4dor\\' abc"), "500 'PASS *****' abc");
        assert_eq!(mask("500 'PASS tr0ub4dor\\\\'"), "500 'PASS *****'");
        keep_secret(b"tr0u");
        keep_secret(b"\xfcmlaut");
        assert_eq!(mask("tr0ub4dor\\tr0u"), "**********");
        assert_eq!(
            mask_bytes(b"\xff \xfcmlaut, \xfcmlaut"),
            b"\xff *****, *****"
        );
        assert_eq!(mask(&String::from_utf8_lossy(b"\xfcmlaut")), "*****");
    }
}
