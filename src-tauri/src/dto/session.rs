//! Connecting: the request, its outcome, and what is known about an open session.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Number;

/// What the window asks for when it wants to connect.
///
/// With `site` set, only the answers count: `password`, `trust`, `allow_plaintext`, `remember_password`.
#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectRequest {
    /// Id of a saved site.
    pub(crate) site: Option<String>,
    /// `host`, `host:port`, `[v6]:port` or `ftp://user:password@host:port/path`.
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) tls: TlsMode,
    /// The answer to a certificate question.
    pub(crate) trust: Option<TrustAnswer>,
    /// The answer to the plaintext question.
    pub(crate) allow_plaintext: bool,
    /// Puts the password into the keyring once the login has succeeded.
    pub(crate) remember_password: bool,
}

impl std::fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may carry a password too.
        f.debug_struct("ConnectRequest")
            .field("site", &self.site)
            .field("user", &self.user)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TlsMode {
    /// The best that the server offers.
    Auto,
    /// AUTH TLS on the plain port (RFC 4217).
    Explicit,
    /// TLS from the first byte.
    Implicit,
    /// No encryption.
    Off,
}

impl From<vault::TlsMode> for TlsMode {
    fn from(mode: vault::TlsMode) -> Self {
        match mode {
            vault::TlsMode::Auto => Self::Auto,
            vault::TlsMode::Explicit => Self::Explicit,
            vault::TlsMode::Implicit => Self::Implicit,
            vault::TlsMode::Off => Self::Off,
        }
    }
}

impl From<TlsMode> for vault::TlsMode {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Auto => Self::Auto,
            TlsMode::Explicit => Self::Explicit,
            TlsMode::Implicit => Self::Implicit,
            TlsMode::Off => Self::Off,
        }
    }
}

/// A certificate that the person decided to trust.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustAnswer {
    /// `sha256:` and 64 hex digits, as the question had it.
    pub(crate) fingerprint: String,
    /// Whom the certificate names, as the question had it: kept for people who look at what they trust.
    pub(crate) subject: String,
    /// For every later connection to this host and port, or for this session only.
    pub(crate) always: bool,
}

/// A certificate that is trusted for every connection to a host and port.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustedCertificate {
    pub(crate) host: String,
    pub(crate) port: u32,
    /// `sha256:` and 64 hex digits.
    pub(crate) fingerprint: String,
    pub(crate) subject: String,
    /// Milliseconds since the epoch.
    pub(crate) trusted_at: Number,
}

impl From<vault::TrustedCertificate> for TrustedCertificate {
    fn from(certificate: vault::TrustedCertificate) -> Self {
        Self {
            host: certificate.host,
            port: certificate.port.into(),
            fingerprint: certificate.fingerprint.into(),
            subject: certificate.subject,
            trusted_at: Number::from_timestamp(certificate.trusted_at),
        }
    }
}

/// What came of a connect: a session, or a question that the person has to answer.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum ConnectOutcome {
    /// Connected, secured as asked, logged in.
    Connected { session: SessionInfo },
    /// The server's certificate is not trusted.
    Certificate { question: CertificateQuestion },
    /// The password would cross the network unencrypted.
    Plaintext { host: String },
    /// A password is needed.
    Password {
        user: String,
        host: String,
        reason: PasswordReason,
        message: Option<String>,
    },
}

/// Why a password is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PasswordReason {
    /// None was given and none is stored.
    Missing,
    /// The server refused the one that was used.
    Refused,
    /// One is stored, but the keyring can't be read.
    NoKeyring,
}

/// The question whether to trust a certificate.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateQuestion {
    pub(crate) host: String,
    pub(crate) port: u32,
    /// Why it is not trusted, in words.
    pub(crate) reason: String,
    pub(crate) certificate: CertificateInfo,
    /// Another certificate was trusted for this host and port before.
    pub(crate) pinned_before: bool,
}

/// A certificate, as a person compares it.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateInfo {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    /// Milliseconds since the epoch.
    pub(crate) not_before: Number,
    /// Milliseconds since the epoch.
    pub(crate) not_after: Number,
    /// `sha256:` and 64 hex digits.
    pub(crate) fingerprint: String,
    pub(crate) self_signed: bool,
}

/// An open session.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionInfo {
    pub(crate) id: u32,
    /// Name of the site, or the host.
    pub(crate) title: String,
    pub(crate) host: String,
    pub(crate) port: u32,
    pub(crate) user: String,
    pub(crate) site: Option<String>,
    pub(crate) security: Security,
    /// First line of the greeting.
    pub(crate) server: Option<String>,
}

/// How an open session is secured.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Security {
    /// Not at all.
    Plain,
    /// By TLS.
    Tls {
        trust: TlsTrust,
        version: String,
        cipher: String,
        /// Whether data connections resume the session of the control connection; unknown before the first one.
        resumes: Option<bool>,
        /// False where the server encrypts commands but not files.
        data_encrypted: bool,
        certificate: CertificateInfo,
    },
}

/// Who vouches for the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TlsTrust {
    /// The system's certificate authorities.
    System,
    /// The person, by its fingerprint.
    Pinned,
}

impl From<TlsMode> for ftp_client::TlsMode {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Auto => Self::Auto,
            TlsMode::Explicit => Self::Explicit,
            TlsMode::Implicit => Self::Implicit,
            TlsMode::Off => Self::Off,
        }
    }
}

impl From<ftp_client::CertificateInfo> for CertificateInfo {
    fn from(info: ftp_client::CertificateInfo) -> Self {
        Self {
            subject: info.subject,
            issuer: info.issuer,
            names: info.names,
            not_before: Number::from_unix_seconds(info.not_before),
            not_after: Number::from_unix_seconds(info.not_after),
            fingerprint: info.fingerprint.to_string(),
            self_signed: info.self_signed,
        }
    }
}

impl From<ftp_client::Security> for Security {
    fn from(security: ftp_client::Security) -> Self {
        match security {
            ftp_client::Security::Plain => Self::Plain,
            ftp_client::Security::Tls {
                version,
                cipher,
                certificate,
                pinned,
                resumes,
                data_encrypted,
                ..
            } => Self::Tls {
                trust: if pinned {
                    TlsTrust::Pinned
                } else {
                    TlsTrust::System
                },
                version: version.to_owned(),
                cipher,
                resumes,
                data_encrypted,
                certificate: (*certificate).into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let request = ConnectRequest {
            site: None,
            address: "ftp://me:hunter2@host/".into(),
            user: "me".into(),
            password: Some("hunter2".into()),
            tls: TlsMode::Auto,
            trust: None,
            allow_plaintext: false,
            remember_password: false,
        };
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
