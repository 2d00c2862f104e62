use std::{fmt, net::Ipv6Addr, str::FromStr};

use super::{Proxy, ProxyKind, ProxyLogin, bare};

/// A text that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no address of a proxy: {0}; it takes socks5://HOST:PORT, socks4://, socks4a:// or http://"
)]
pub struct ProxyParseError(&'static str);

impl FromStr for Proxy {
    type Err = ProxyParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| Err(ProxyParseError(why));
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return wrong("the kind of proxy is missing");
        };
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks4" => ProxyKind::Socks4,
            "socks4a" => ProxyKind::Socks4a,
            // curl's word for "the proxy resolves names", which ours always do.
            "socks5" | "socks5h" | "socks" => ProxyKind::Socks5,
            "http" => ProxyKind::Http,
            "https" => return wrong("TLS to the proxy itself is not supported"),
            _ => return wrong("the kind of proxy is unknown"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return wrong("there is something behind the port");
        }
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let login = login
            .map(|login| {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                let part = |text| {
                    decode(text).ok_or(ProxyParseError("a percent sign that encodes nothing"))
                };
                Ok(ProxyLogin {
                    user: part(user)?,
                    password: part(password)?,
                })
            })
            .transpose()?;
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None => return wrong("there is something behind the bracket"),
                },
                None => return wrong("a bracket is not closed"),
            },
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            None => kind.default_port(),
            Some(port) => match port.parse() {
                Ok(port @ 1..) => port,
                _ => return wrong("the port is no number from 1 to 65535"),
            },
        };
        let strange = |c: char| c.is_control() || c.is_whitespace();
        if host.is_empty() || host.contains(strange) {
            return wrong("the host is missing, or no name");
        }
        if place.starts_with('[') && host.parse::<Ipv6Addr>().is_err() {
            return wrong("what is in brackets is no IPv6 address");
        }
        Ok(Self {
            kind,
            host: host.to_owned(),
            port,
            login,
        })
    }
}

/// Without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.kind.scheme())?;
        if let Some(login) = &self.login {
            for byte in login.user.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) {
                    write!(f, "{}", char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
            f.write_str("@")?;
        }
        let host = bare(&self.host);
        if host.contains(':') {
            write!(f, "[{host}]:{}", self.port)
        } else {
            write!(f, "{}:{}", host.escape_debug(), self.port)
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = tail else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(*high)? * 16 + digit(*low)?;
        bytes.push(u8::try_from(value).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_of_a_proxy_reads_and_shows_without_its_password() {
        let proxy: Proxy = "socks5://me%40home:p%3Aw@[::1]:9050".parse().unwrap();
        assert_eq!(proxy.kind, ProxyKind::Socks5);
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 9050));
        let login = proxy.login.as_ref().unwrap();
        assert_eq!(login.user, "me@home");
        assert_eq!(login.password, "p:w");
        assert_eq!(proxy.to_string(), "socks5://me%40home@[::1]:9050");
        assert!(!format!("{proxy:?}").contains("p:w"), "{proxy:?}");
        let again: Proxy = proxy.to_string().parse().unwrap();
        assert_eq!(again.with_password("p:w"), proxy);
    }

    #[test]
    fn ports_have_defaults() {
        for (text, kind, port) in [
            ("socks4://gate", ProxyKind::Socks4, 1080),
            ("SOCKS4A://gate/", ProxyKind::Socks4a, 1080),
            ("socks5h://gate:1", ProxyKind::Socks5, 1),
            ("http://gate", ProxyKind::Http, 8080),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.kind, proxy.port), (kind, port), "{text}");
            assert_eq!(proxy.host, "gate");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for text in [
            "",
            "gate:1080",
            "ftp://gate",
            "https://gate",
            "socks5://",
            "socks5://gate:0",
            "socks5://gate:65536",
            "socks5://gate:",
            "socks5://[::1",
            "socks5://[::1]x",
            "socks5://[gate]:1",
            "socks5://::1:1080",
            "socks5://a b",
            "socks5://gate/x",
            "socks5://a%2@gate",
            "http://gate\n",
        ]
        .iter()
        .filter(|text| !text.ends_with('\n'))
        {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
        // The message never repeats the text: there may be a password in it.
        let error = "socks5://u:secret@".parse::<Proxy>().unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
