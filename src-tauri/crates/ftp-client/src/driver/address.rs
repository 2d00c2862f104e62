//! Which addresses can be reached from where.

use std::net::{IpAddr, Ipv4Addr};

/// True where a connection from `peer` to `local` may be possible: not through a translation of addresses.
pub(super) fn may_reach(local: IpAddr, peer: IpAddr) -> bool {
    match (scope(local), scope(peer)) {
        (Scope::Nowhere, _) | (_, Scope::Nowhere) => false,
        (Scope::Global, _) => true,
        (local, peer) => local == peer,
    }
}

/// True where the address that a server names for itself can be reached from here, for all that its control connection's `peer` address
/// says: not one of a private network behind a public address, not the server's own loopback, not one that is nobody's.
pub(super) fn is_routable(named: Ipv4Addr, peer: IpAddr) -> bool {
    match (scope(IpAddr::V4(named)), scope(peer)) {
        (Scope::Nowhere, _) => false,
        (Scope::Loopback, peer) => peer == Scope::Loopback,
        (Scope::Private, peer) => peer != Scope::Global,
        (Scope::Global, _) => true,
    }
}

fn scope(address: IpAddr) -> Scope {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Scope::Loopback,
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            // RFC 5737, RFC 2544, RFC 1122 and RFC 1112: of books, of laboratories, of nobody.
            let reserved = matches!((a, b, c), (192, 0, 2) | (198, 51, 100) | (203, 0, 113))
                || a == 198 && b & 0xfe == 18
                || a == 0
                || a >= 224;
            if v4.is_private() || v4.is_link_local() || shared {
                Scope::Private
            } else if reserved {
                Scope::Nowhere
            } else {
                Scope::Global
            }
        }
        IpAddr::V6(v6) if v6.is_loopback() => Scope::Loopback,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Scope::Private,
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => Scope::Nowhere,
        IpAddr::V6(_) => Scope::Global,
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

    #[test]
    fn which_addresses_of_pasv_lead_anywhere() {
        for (named, peer, wanted) in [
            ("9.9.9.9", "8.8.8.8", true),
            ("9.9.9.9", "10.0.0.1", true),
            ("10.0.0.1", "8.8.8.8", false),
            ("172.16.3.4", "8.8.8.8", false),
            ("192.168.0.1", "2001:470::1", false),
            ("169.254.0.1", "8.8.8.8", false),
            ("100.64.0.1", "8.8.8.8", false),
            ("192.168.0.1", "10.0.0.1", true),
            // Perhaps through a tunnel.
            ("192.168.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", true),
            ("127.0.0.1", "10.0.0.1", false),
            ("127.0.0.1", "8.8.8.8", false),
            ("0.0.0.0", "127.0.0.1", false),
            ("0.1.2.3", "8.8.8.8", false),
            ("224.0.0.1", "8.8.8.8", false),
            ("240.0.0.1", "8.8.8.8", false),
            ("255.255.255.255", "8.8.8.8", false),
            ("192.0.2.1", "8.8.8.8", false),
            ("198.18.0.1", "8.8.8.8", false),
            ("198.20.0.1", "8.8.8.8", true),
            ("203.0.113.9", "127.0.0.1", false),
        ] {
            let got = is_routable(named.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(got, wanted, "{named} {peer}");
        }
    }
}
