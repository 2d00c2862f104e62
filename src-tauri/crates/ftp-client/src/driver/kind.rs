//! Which server it is, as far as that makes a difference.

use std::net::IpAddr;

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
        let text = greeting.text().to_lowercase();
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

/// True where a connection from `peer` to `local` may be possible: not through a translation of addresses.
pub(super) fn may_reach(local: IpAddr, peer: IpAddr) -> bool {
    let scope = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Scope::Loopback,
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            if v4.is_private() || v4.is_link_local() || shared {
                Scope::Private
            } else if v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() {
                Scope::Nowhere
            } else {
                Scope::Global
            }
        }
        IpAddr::V6(v6) if v6.is_loopback() => Scope::Loopback,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Scope::Private,
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => Scope::Nowhere,
        IpAddr::V6(_) => Scope::Global,
    };
    match (scope(local), scope(peer)) {
        (Scope::Nowhere, _) | (_, Scope::Nowhere) => false,
        (Scope::Global, _) => true,
        (local, peer) => local == peer,
    }
}

#[derive(PartialEq, Eq)]
enum Scope {
    Loopback,
    Private,
    Global,
    Nowhere,
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

    #[test]
    fn who_may_reach_whom() {
        let yes = [
            ("127.0.0.1", "127.0.0.1"),
            ("192.168.1.2", "10.0.0.1"),
            ("8.8.8.8", "10.0.0.1"),
            ("8.8.8.8", "9.9.9.9"),
            ("::1", "::1"),
            ("fd00::1", "fd00::2"),
            ("2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.1", "10.0.0.2"),
        ];
        let no = [
            ("192.168.1.2", "8.8.8.8"),
            ("100.64.1.1", "8.8.8.8"),
            ("127.0.0.1", "8.8.8.8"),
            ("fd00::1", "2001:db8::2"),
            ("0.0.0.0", "127.0.0.1"),
        ];
        for ((local, peer), wanted) in yes
            .map(|p| (p, true))
            .into_iter()
            .chain(no.map(|p| (p, false)))
        {
            let got = may_reach(local.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(got, wanted, "{local} {peer}");
        }
    }
}
