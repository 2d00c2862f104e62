//! Which server it is, as far as that makes a difference.

use ftp_proto::Reply;

use crate::memory::Pipelining;

/// Servers whose habits were looked into, told by their greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    Vsftpd,
    ProFtpd,
    PureFtpd,
    /// Our own.
    Slipway,
    /// One that is confused by the second command.
    OneByOne,
    #[default]
    Other,
}

impl Kind {
    pub(super) fn of(greeting: &Reply) -> Self {
        Self::of_text(&greeting.text())
    }

    pub(crate) fn of_text(greeting: &str) -> Self {
        let text = greeting.to_lowercase();
        let known = [
            ("vsftpd", Self::Vsftpd),
            ("proftpd", Self::ProFtpd),
            ("pure-ftpd", Self::PureFtpd),
            ("slipway", Self::Slipway),
            ("pyftpdlib", Self::OneByOne),
            ("aioftp", Self::OneByOne),
            ("microsoft ftp service", Self::OneByOne),
            ("madgoat", Self::OneByOne),
            ("mikrotik", Self::OneByOne),
        ];
        known
            .iter()
            .find(|(word, _)| text.contains(word))
            .map_or(Self::Other, |(_, kind)| *kind)
    }

    /// How it takes many commands at once.
    pub(super) const fn pipelining(self) -> Pipelining {
        match self {
            Self::Vsftpd | Self::ProFtpd | Self::PureFtpd | Self::Slipway => Pipelining::Batch,
            Self::OneByOne => Pipelining::Sequential,
            Self::Other => Pipelining::Unknown,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        for (text, kind) in [
            ("(vsFTPd 3.0.3)", Kind::Vsftpd),
            ("ProFTPD Server (Debian) [::ffff:127.0.0.1]", Kind::ProFtpd),
            (
                "---------- Welcome to Pure-FTPd [privsep] [TLS] ----------",
                Kind::PureFtpd,
            ),
            ("Slipway", Kind::Slipway),
            ("pyftpdlib 1.5.7 ready.", Kind::OneByOne),
            ("Microsoft FTP Service", Kind::OneByOne),
            ("welcome", Kind::Other),
        ] {
            assert_eq!(Kind::of(&Reply::new(220, text)), kind);
        }
    }
}
