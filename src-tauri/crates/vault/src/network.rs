//! What a person chooses about the way to a site.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Field, Problem, Result, check_text};

/// The way to a site: through which proxy, and how TLS is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkSettings {
    /// The proxy, as `KIND://[USER@]HOST[:PORT]` with `socks4`, `socks4a`, `socks5` or `http`; `None`: straight. Its
    /// password is in the keyring, under this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The PEM file with the certificate that is shown to the server; `None`: none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The PEM file with its key; `None`: it is in the same file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The oldest version of TLS that is accepted; `None`: 1.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_min: Option<TlsVersion>,
    /// The newest version of TLS that is offered; `None`: 1.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_max: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

impl NetworkSettings {
    /// Nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// # Errors
    /// [`Error::Invalid`]: above all for a password in the proxy's address, since this is written to a file.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |field, problem| Err(Error::Invalid { field, problem });
        for (field, text) in [
            (Field::Proxy, &self.proxy),
            (Field::Certificate, &self.certificate),
            (Field::Key, &self.key),
        ] {
            match text {
                Some(text) if text.is_empty() => return wrong(field, Problem::Empty),
                Some(text) => check_text(field, text)?,
                None => {}
            }
        }
        if let Some(proxy) = &self.proxy {
            let rest = proxy.split_once("://").map_or(&**proxy, |(_, rest)| rest);
            if let Some((user, _)) = rest.rsplit_once('@')
                && user.contains(':')
            {
                return wrong(Field::Proxy, Problem::Secret);
            }
        }
        if self.key.is_some() && self.certificate.is_none() {
            return wrong(Field::Certificate, Problem::Empty);
        }
        if let (Some(min), Some(max)) = (self.tls_min, self.tls_max)
            && min > max
        {
            return wrong(Field::TlsVersions, Problem::NoneLeft);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: impl FnOnce(&mut NetworkSettings)) -> Result<()> {
        let mut settings = NetworkSettings::default();
        change(&mut settings);
        settings.check()
    }

    #[test]
    fn a_password_in_a_proxy_s_address_is_refused() {
        for good in [
            "socks5://gate",
            "socks5://me@gate:1080",
            "http://[::1]:8080",
        ] {
            assert!(of(|s| s.proxy = Some(good.to_owned())).is_ok(), "{good}");
        }
        for bad in ["", "socks5://me:pw@gate", "me:pw@gate", "http://g\nx"] {
            let error = of(|s| s.proxy = Some(bad.to_owned())).expect_err(bad);
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn what_can_t_be_is_refused() {
        assert!(of(|s| s.key = Some("k.pem".to_owned())).is_err());
        let versions = |min, max| of(|s| (s.tls_min, s.tls_max) = (Some(min), Some(max)));
        assert!(versions(TlsVersion::V13, TlsVersion::V12).is_err());
        assert!(versions(TlsVersion::V13, TlsVersion::V13).is_ok());
    }
}
