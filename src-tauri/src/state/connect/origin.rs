//! What a session was made from, as a key that the queue's journal can keep: no password is in it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use transfer::SiteKey;

use crate::dto::{ConnectRequest, TlsMode};

/// What stands for itself in a user's name.
const USER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

const SITE: &str = "site:";
const PRACTICE: &str = "practice:";

/// Where a session comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A saved site, by its id.
    Site(String),
    /// The practice site of this run.
    Practice,
    /// An address that was typed.
    Address {
        host: String,
        port: u16,
        /// Empty for an anonymous login.
        user: String,
        tls: TlsMode,
    },
    /// What another version has written.
    Unknown(String),
}

impl Origin {
    /// The key of its transfers.
    pub(crate) fn key(&self) -> SiteKey {
        SiteKey::new(&match self {
            Self::Site(id) => format!("{SITE}{id}"),
            Self::Practice => PRACTICE.to_owned(),
            Self::Address { tls, .. } => format!("{}://{}", scheme(*tls), self.address()),
            Self::Unknown(key) => key.clone(),
        })
    }

    /// Reads a key.
    pub(crate) fn parse(key: &str) -> Self {
        if let Some(id) = key.strip_prefix(SITE) {
            return Self::Site(id.to_owned());
        }
        if key == PRACTICE {
            return Self::Practice;
        }
        Self::parse_address(key).unwrap_or_else(|| Self::Unknown(key.to_owned()))
    }

    fn parse_address(key: &str) -> Option<Self> {
        let (scheme, rest) = key.split_once("://")?;
        let tls = [
            TlsMode::Auto,
            TlsMode::Explicit,
            TlsMode::Implicit,
            TlsMode::Off,
        ]
        .into_iter()
        .find(|tls| self::scheme(*tls) == scheme)?;
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (host, port) = place.rsplit_once(':')?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Some(Self::Address {
            host: host.to_owned(),
            port: port.parse().ok()?,
            user: percent_decode_str(user).decode_utf8().ok()?.into_owned(),
            tls,
        })
    }

    /// What to call it, where nobody has given it a name.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Address { host, .. } => host.clone(),
            Self::Practice => crate::practice::TITLE.to_owned(),
            Self::Site(text) | Self::Unknown(text) => text.clone(),
        }
    }

    /// The saved site.
    pub(crate) fn site(&self) -> Option<String> {
        match self {
            Self::Site(id) => Some(id.clone()),
            _ => None,
        }
    }

    /// `user@host:port`; empty for what is not an address.
    pub(crate) fn address(&self) -> String {
        let Self::Address {
            host, port, user, ..
        } = self
        else {
            return String::new();
        };
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let user = utf8_percent_encode(user, USER).to_string();
        if user.is_empty() {
            format!("{host}:{port}")
        } else {
            format!("{user}@{host}:{port}")
        }
    }

    /// How the connection was to be secured.
    pub(crate) fn tls(&self) -> TlsMode {
        match self {
            Self::Address { tls, .. } => *tls,
            _ => TlsMode::Auto,
        }
    }

    /// How to connect there again, as far as the vault knows the rest.
    pub(crate) fn request(&self) -> Option<ConnectRequest> {
        let mut request = ConnectRequest {
            site: None,
            address: String::new(),
            user: String::new(),
            password: None,
            tls: TlsMode::Auto,
            trust: None,
            allow_plaintext: false,
            remember_password: false,
        };
        match self {
            Self::Site(id) => request.site = Some(id.clone()),
            Self::Address { tls, user, .. } => {
                // The user in its own field: an address would need it escaped.
                let address = self.address();
                request.address = match address.rsplit_once('@') {
                    Some((_, place)) => place.to_owned(),
                    None => address,
                };
                request.user.clone_from(user);
                request.tls = *tls;
            }
            Self::Practice | Self::Unknown(_) => return None,
        }
        Some(request)
    }
}

fn scheme(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::Auto => "ftp",
        TlsMode::Explicit => "ftpes",
        TlsMode::Implicit => "ftps",
        TlsMode::Off => "ftp-plain",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(host: &str, port: u16, user: &str, tls: TlsMode) -> Origin {
        Origin::Address {
            host: host.into(),
            port,
            user: user.into(),
            tls,
        }
    }

    #[test]
    fn a_key_comes_back() {
        for origin in [
            Origin::Site("0123abcd".into()),
            Origin::Practice,
            address("ftp.example.com", 21, "ann", TlsMode::Auto),
            address("::1", 990, "a@b c:d/\u{e4}%", TlsMode::Implicit),
            address("h", 2121, "", TlsMode::Off),
            address("h", 21, "x", TlsMode::Explicit),
            Origin::Unknown("sftp://somewhere".into()),
            Origin::Unknown(String::new()),
        ] {
            assert_eq!(Origin::parse(origin.key().as_str()), origin);
        }
    }

    #[test]
    fn a_key_leads_to_a_request() {
        let origin = address("::1", 21, "a@b", TlsMode::Explicit);
        assert_eq!(origin.key().as_str(), "ftpes://a%40b@[::1]:21");
        let request = origin.request().unwrap();
        assert_eq!(
            (request.address.as_str(), request.user.as_str()),
            ("[::1]:21", "a@b")
        );
        assert_eq!(request.tls, TlsMode::Explicit);
        assert!(Origin::Practice.request().is_none());
    }
}
