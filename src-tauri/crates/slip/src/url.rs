//! The addresses that commands take: `ftp://`, `ftpes://`, `ftps://`, and `site:NAME`.

mod hide;

use std::fmt;
use std::net::Ipv6Addr;

use ftp_client::TlsMode;
use ftp_client::ftp_proto::{Argument, RemotePath, Secret, escape};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

pub(crate) use hide::{put_password, put_password_of, redact, take_password, take_password_of};

/// What a path doesn't show as it is. The slash stays.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b';');

/// What a user's name doesn't show as it is.
const USER: &AsciiSet = &PATH
    .add(b'/')
    .add(b':')
    .add(b'@')
    .add(b'=')
    .add(b'[')
    .add(b']');

/// How a URL asks for protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// `ftp://`: TLS where the server offers it.
    Ftp,
    /// `ftpes://`: AUTH TLS, or nothing.
    Ftpes,
    /// `ftps://`: TLS from the first byte.
    Ftps,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Ftp, Self::Ftpes, Self::Ftps];

    fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftpes => "ftpes",
            Self::Ftps => "ftps",
        }
    }

    pub(crate) fn tls(self) -> TlsMode {
        match self {
            Self::Ftp => TlsMode::Auto,
            Self::Ftpes => TlsMode::Explicit,
            Self::Ftps => TlsMode::Implicit,
        }
    }

    /// The scheme at the beginning of a text, and what comes after its `://`.
    fn strip(text: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = text.split_once("://")?;
        Self::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(scheme))
            .map(|known| (known, rest))
    }
}

/// A server as a URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) scheme: Scheme,
    /// `None`: anonymous.
    pub(crate) user: Option<Argument>,
    pub(crate) password: Option<Secret>,
    /// A name or an address; an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

/// Where a URL points, before its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Server(Server),
    /// A saved site, by its name.
    Site(String),
}

/// A parsed address. Neither `Display` nor `Debug` shows its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) place: Place,
    /// What follows the first slash, decoded: relative to the folder of the login, unless it begins with a slash.
    path: Vec<u8>,
}

/// A text that is no address. It never shows a password: what could be one is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UrlError(String);

fn error<T>(text: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError(text.into()))
}

impl Url {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(rest) = strip_site(text) {
            return Self::parse_site(rest);
        }
        let Some((scheme, rest)) = Scheme::strip(text) else {
            return error(format!(
                "{:?} is no address: one begins with ftp://, ftpes://, ftps:// or site:",
                redact(&shorten(text))
            ));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, server) = match authority.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, authority),
        };
        let (user, password) = match login {
            None => (None, None),
            Some(login) => {
                let (user, password) = match login.split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (login, None),
                };
                let user = Argument::try_from(decode(user))
                    .map_err(|_| UrlError("the user in the URL holds CR, LF or NUL".to_owned()))?;
                let password = password
                    .map(|password| Secret::try_from(decode(password)))
                    .transpose()
                    .map_err(|_| {
                        UrlError("the password in the URL holds CR, LF or NUL".to_owned())
                    })?;
                ((!user.as_bytes().is_empty()).then_some(user), password)
            }
        };
        let (host, port) = parse_server(server)?;
        Ok(Self {
            place: Place::Server(Server {
                scheme,
                user,
                password,
                host,
                port,
            }),
            path: parse_path(path)?,
        })
    }

    /// An address in pieces; the path is no text with escapes, but bytes.
    pub(crate) fn new(place: Place, path: Vec<u8>) -> Result<Self, UrlError> {
        RemotePath::try_from(path.as_slice())
            .map_err(|error| UrlError(format!("the path: {error}")))?;
        Ok(Self { place, path })
    }

    /// The path as it is written, decoded.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    fn parse_site(rest: &str) -> Result<Self, UrlError> {
        let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
        let name = String::from_utf8(decode(name))
            .map_err(|_| UrlError("the name of the site is no text".to_owned()))?;
        if name.is_empty() {
            return error("site: needs the name of a saved site; `slip sites` lists them");
        }
        Ok(Self {
            place: Place::Site(name),
            path: parse_path(path)?,
        })
    }

    /// True where the text can only be meant as an address, be it a wrong one.
    pub(crate) fn is_meant(text: &str) -> bool {
        strip_site(text).is_some() || Scheme::strip(text).is_some()
    }

    /// True where the address is that of a folder for certain: it ends in a slash, or names nothing but the server.
    pub(crate) fn is_folder(&self) -> bool {
        self.path.is_empty() || self.path.ends_with(b"/")
    }

    /// The path as it was written, percent-decoded.
    pub(crate) fn path_bytes(&self) -> &[u8] {
        &self.path
    }

    /// The part after the last slash, if it names something.
    pub(crate) fn file_name(&self) -> Option<&[u8]> {
        self.path
            .split(|byte| *byte == b'/')
            .rfind(|part| !part.is_empty())
    }

    /// The path on the server for a login that starts in `home` (and in `base` below it, the folder of a saved
    /// site). `None` where it is just the folder of the login and that has no known name.
    pub(crate) fn remote(
        &self,
        home: Option<&RemotePath>,
        base: Option<&RemotePath>,
    ) -> Option<RemotePath> {
        let path = without_end(&self.path);
        let mut full = home.filter(|home| home.is_absolute()).cloned();
        for part in [base, Some(&path)].into_iter().flatten() {
            if !part.as_bytes().is_empty() {
                full = Some(full.map_or_else(|| part.clone(), |full| full.join_path(part)));
            }
        }
        full
    }

    /// The same place with another path, as the server has it: for reports.
    pub(crate) fn at(&self, path: &RemotePath, home: Option<&RemotePath>) -> Self {
        let bytes = path.as_bytes();
        let relative =
            home.filter(|home| home.is_absolute())
                .and_then(|home| match home.as_bytes() {
                    b"/" => bytes.strip_prefix(b"/"),
                    home if bytes == home => Some(&b""[..]),
                    home => bytes.strip_prefix(home)?.strip_prefix(b"/"),
                });
        Self {
            place: self.place.clone(),
            path: relative.unwrap_or(bytes).to_vec(),
        }
    }

    /// The place without a path.
    pub(crate) fn root(&self) -> String {
        self.place.to_string()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, percent_encode(&self.path, PATH))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(name) => write!(f, "site:{}", percent_encode(name.as_bytes(), USER)),
            Self::Server(server) => {
                write!(f, "{}://", server.scheme.name())?;
                if let Some(user) = &server.user {
                    write!(f, "{}@", percent_encode(user.as_bytes(), USER))?;
                }
                if server.host.contains(':') {
                    write!(f, "[{}]", server.host)?;
                } else {
                    f.write_str(&server.host)?;
                }
                match server.port {
                    Some(port) => write!(f, ":{port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn strip_site(text: &str) -> Option<&str> {
    let prefix = text.get(..5)?;
    prefix.eq_ignore_ascii_case("site:").then(|| &text[5..])
}

/// A host by itself: a name, or an address, an IPv6 address with or without brackets.
pub(crate) fn parse_host(text: &str) -> Result<String, UrlError> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok(text.to_owned());
    }
    match parse_server(text)? {
        (host, None) => Ok(host),
        (_, Some(_)) => error("the host holds a port, which stands by itself"),
    }
}

fn parse_server(server: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return error("the IPv6 address in the URL lacks its closing bracket");
        };
        if address.parse::<Ipv6Addr>().is_err() {
            return error("the brackets in the URL hold no IPv6 address");
        }
        match port.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None if port.is_empty() => (address, None),
            None => {
                return error("something stands between the IPv6 address in the URL and its port");
            }
        }
    } else {
        match server.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        }
    };
    // Whatever is wrong from here on could be a piece of a password with an unescaped "/", "@" or "#": it isn't shown.
    let help = "(in a user or password, write : / @ as %3A %2F %40)";
    if host.is_empty() {
        return error(format!("the URL names no host {help}"));
    }
    let is_bad =
        |c: char| c.is_whitespace() || c.is_control() || "/\\?#@<>[]%\"'`{}|^,;=".contains(c);
    if server.starts_with('[') {
        // Checked above.
    } else if host.contains(':') {
        return error("an IPv6 address stands in brackets in a URL: ftp://[::1]/");
    } else if host.contains(is_bad) {
        return error(format!(
            "the host in the URL holds a character that no host name has {help}"
        ));
    }
    let port = match port {
        None | Some("") => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port @ 1..) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
            _ => {
                return error(format!(
                    "the port in the URL is no number from 1 to 65535 {help}"
                ));
            }
        },
    };
    Ok((host.to_owned(), port))
}

/// The path after the first slash: decoded, without a type (RFC 1738 section 3.2.2), checked.
fn parse_path(path: &str) -> Result<Vec<u8>, UrlError> {
    let lower = path.to_ascii_lowercase();
    let path = match lower.rfind(";type=") {
        Some(at) if lower.len() == at + 7 => {
            if !lower.ends_with('i') {
                return error(
                    "files are moved byte for byte: of the types of a URL, only ;type=i can be had",
                );
            }
            &path[..at]
        }
        _ => path,
    };
    let bytes = decode(path);
    RemotePath::try_from(bytes.as_slice())
        .map_err(|error| UrlError(format!("the path in the URL: {error}")))?;
    Ok(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

/// The path without slashes at its end, but for the top.
fn without_end(path: &[u8]) -> RemotePath {
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(usize::from(!path.is_empty()), |last| last + 1);
    // Checked when it was parsed; nothing is added here.
    RemotePath::try_from(&path[..end]).unwrap_or_else(|_| RemotePath::root())
}

fn shorten(text: &str) -> String {
    escape(text.as_bytes(), 500)
}

#[cfg(test)]
mod tests;
