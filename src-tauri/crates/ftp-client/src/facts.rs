use ftp_net::tls::CertificateInfo;
use ftp_proto::{Features, RemotePath};

use crate::DataFacts;

/// What is known of a session.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The greeting's text, line by line, escaped where it is no text.
    pub greeting: Vec<String>,
    /// What FEAT said; empty where the server has no FEAT.
    pub features: Features,
    /// The working directory right after the login, where the server tells it.
    pub home: Option<RemotePath>,
    /// How the connection is protected.
    pub security: Security,
    /// How data connections come about.
    pub data: DataFacts,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// By TLS.
    Tls {
        /// `TLS 1.2` or `TLS 1.3`.
        version: &'static str,
        /// The cipher suite.
        cipher: String,
        /// The server's certificate.
        certificate: Box<CertificateInfo>,
        /// All certificates that the server showed, its own first, at most 16.
        chain: Vec<CertificateInfo>,
        /// True where a pin alone made it trusted.
        pinned: bool,
        /// Whether data connections resume the session; `None` before the first one.
        resumes: Option<bool>,
        /// False where the server refused PROT P and files move in plain.
        data_encrypted: bool,
        /// False after CCC: then commands move in plain.
        commands_encrypted: bool,
    },
}

impl Security {
    /// True where commands and files are encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(
            self,
            Self::Tls {
                data_encrypted: true,
                commands_encrypted: true,
                ..
            }
        )
    }
}
