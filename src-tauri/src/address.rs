//! What a person types into the address field.

use percent_encoding::percent_decode_str;

use crate::dto::TlsMode;

/// A parsed address. What the text did not say is `None`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or IP address, an IPv6 address without its brackets.
    pub(crate) host: String,
    /// 1..=65535.
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// Absolute path, as bytes: a URL may escape any byte.
    pub(crate) path: Option<Vec<u8>>,
    /// What the scheme demands: `ftpes` explicit, `ftps` implicit; `ftp` demands nothing.
    pub(crate) tls: Option<TlsMode>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "*****"))
            .field("path", &self.path.as_deref().map(String::from_utf8_lossy))
            .field("tls", &self.tls)
            .finish()
    }
}

impl Address {
    /// Reads `host`, `host:port`, `[v6]:port`, a bare IPv6 address, or
    /// `scheme://user:password@host:port/path` with any part but the host left out
    /// (scheme `ftp`, `ftpes` or `ftps`; RFC 1738, section 3.2).
    ///
    /// # Errors
    /// Says which part can't be read. The text itself is never repeated: it may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (tls, rest) = match text.split_once("://") {
            None => (None, text),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "ftp" => (None, rest),
                "ftpes" => (Some(TlsMode::Explicit), rest),
                "ftps" => (Some(TlsMode::Implicit), rest),
                _ => return Err(AddressError::Scheme),
            },
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        // The last `@`: people paste passwords that hold one unescaped.
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            None => (None, None),
            Some((user, password)) => (
                Some(decoded(user, AddressError::Login)?).filter(|user| !user.is_empty()),
                Some(decoded(password, AddressError::Login)?)
                    .filter(|password| !password.is_empty()),
            ),
        };
        let (host, port) = split_port(place)?;
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if host
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "@/\\?#[]<>\"".contains(c))
        {
            return Err(AddressError::Host);
        }
        let path = path
            .map(|path| percent_decode_str(path).collect::<Vec<u8>>())
            .filter(|path| path.as_slice() != b"/");
        Ok(Self {
            host: host.to_owned(),
            port,
            user,
            password,
            path,
            tls,
        })
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Nothing that names a server.
    #[error("The address names no server.")]
    NoHost,
    /// The name of the server has characters that no name has.
    #[error("The name of the server has a character that no server's name can have.")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("The port must be a number from 1 to 65535.")]
    Port,
    /// Neither `ftp://` nor `ftpes://` nor `ftps://`.
    #[error("The address must begin with ftp://, ftpes:// or ftps://, or with the server's name.")]
    Scheme,
    /// User or password are escaped, but not to text.
    #[error("The user or the password in the address is not text.")]
    Login,
}

/// Splits `host:port`, knowing IPv6 addresses with and without brackets.
fn split_port(place: &str) -> Result<(&str, Option<u16>), AddressError> {
    let port_of = |text: &str| match text.parse::<u16>() {
        // `parse` would accept "+21".
        Ok(port) if port != 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(port)),
        _ => Err(AddressError::Port),
    };
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AddressError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, port_of(port)?)),
            None if after.is_empty() => Ok((host, None)),
            None => Err(AddressError::Host),
        };
    }
    if place.matches(':').count() > 1 {
        // Only an IPv6 address has more than one colon.
        return match place.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok((place, None)),
            Err(_) => Err(AddressError::Port),
        };
    }
    match place.split_once(':') {
        Some((host, port)) => Ok((host, port_of(port)?)),
        None => Ok((place, None)),
    }
}

fn decoded(text: &str, error: AddressError) -> Result<String, AddressError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| error)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parts(
        text: &str,
    ) -> (
        String,
        Option<u16>,
        Option<String>,
        Option<String>,
        Option<String>,
    ) {
        let a = Address::parse(text).unwrap();
        (
            a.host,
            a.port,
            a.user,
            a.password,
            a.path.map(|path| String::from_utf8(path).unwrap()),
        )
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_name_is_enough() {
        assert_eq!(
            parts(" ftp.example.com "),
            ("ftp.example.com".into(), None, None, None, None)
        );
        assert_eq!(
            parts("host:2121"),
            ("host".into(), Some(2121), None, None, None)
        );
        assert_eq!(
            parts("host/pub"),
            ("host".into(), None, None, None, some("/pub"))
        );
    }

    #[test]
    fn a_whole_url() {
        assert_eq!(
            parts("ftp://user:pw@host:21/path/to"),
            (
                "host".into(),
                Some(21),
                some("user"),
                some("pw"),
                some("/path/to")
            )
        );
        assert_eq!(
            parts("FTP://host/"),
            ("host".into(), None, None, None, None)
        );
        assert_eq!(
            parts("ftp://me%40work:p%2Fw%3A@host"),
            ("host".into(), None, some("me@work"), some("p/w:"), None)
        );
        assert_eq!(
            parts("ftp://user:p@ss@host"),
            ("host".into(), None, some("user"), some("p@ss"), None)
        );
        assert_eq!(
            Address::parse("ftp://h/%FF").unwrap().path,
            Some(b"/\xff".to_vec())
        );
    }

    #[test]
    fn the_scheme_says_how_to_secure() {
        assert_eq!(Address::parse("ftp://h").unwrap().tls, None);
        assert_eq!(
            Address::parse("ftpes://h").unwrap().tls,
            Some(TlsMode::Explicit)
        );
        assert_eq!(
            Address::parse("ftps://h").unwrap().tls,
            Some(TlsMode::Implicit)
        );
        assert_eq!(Address::parse("http://h"), Err(AddressError::Scheme));
    }

    #[test]
    fn ipv6_with_and_without_brackets() {
        assert_eq!(
            parts("[::1]:2121"),
            ("::1".into(), Some(2121), None, None, None)
        );
        assert_eq!(parts("[::1]"), ("::1".into(), None, None, None, None));
        assert_eq!(parts("fe80::1"), ("fe80::1".into(), None, None, None, None));
        assert_eq!(
            parts("ftp://u@[::1]:21/x"),
            ("::1".into(), Some(21), some("u"), None, some("/x"))
        );
        assert_eq!(Address::parse("[::1"), Err(AddressError::Host));
        assert_eq!(Address::parse("[::1]x"), Err(AddressError::Host));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(Address::parse(""), Err(AddressError::NoHost));
        assert_eq!(Address::parse("ftp:///path"), Err(AddressError::NoHost));
        assert_eq!(Address::parse("user@"), Err(AddressError::NoHost));
        for port in [
            "host:",
            "host:0",
            "host:65536",
            "host:+21",
            "host:x",
            "a:b:c",
        ] {
            assert_eq!(Address::parse(port), Err(AddressError::Port), "{port}");
        }
        assert_eq!(Address::parse("ho st"), Err(AddressError::Host));
        assert_eq!(Address::parse("ho\r\nst"), Err(AddressError::Host));
        assert_eq!(Address::parse("ftp://%FF@host"), Err(AddressError::Login));
    }

    #[test]
    fn debug_shows_no_password() {
        let address = Address::parse("ftp://user:hunter2@host").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
