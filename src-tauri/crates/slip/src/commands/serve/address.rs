//! Addresses as people need them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what RFC 3986 section 2.3 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The address by which others in the network reach this computer, as far as its routes say: the one that a packet to somewhere far would
/// leave by. Nothing is sent. `listening` is the address that stands for all; one of its family is preferred.
pub(super) fn in_the_network(listening: IpAddr) -> Option<IpAddr> {
    // Of the documentation ranges (RFC 5737, RFC 3849): nobody has them.
    let four = || leaving_by(Ipv4Addr::new(192, 0, 2, 1).into());
    let six = || leaving_by(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    match listening {
        IpAddr::V4(_) => four(),
        // A socket of all IPv6 addresses takes IPv4, too, nearly everywhere, and that is shorter to type.
        IpAddr::V6(_) => four().or_else(six),
    }
}

fn leaving_by(far: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match far {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified()).then_some(own)
}

/// A user or a password as a URL has it.
pub(super) fn in_url(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_urls() {
        assert_eq!(in_url("k7mq-3xvp"), "k7mq-3xvp");
        assert_eq!(in_url("a@b:c/d é"), "a%40b%3Ac%2Fd%20%C3%A9");
    }

    #[test]
    fn an_address_of_the_network_is_one_of_ours() {
        if let Some(own) = in_the_network(Ipv4Addr::UNSPECIFIED.into()) {
            assert!(own.is_ipv4() && !own.is_unspecified());
            // Only an own address can be bound.
            assert!(UdpSocket::bind((own, 0)).is_ok(), "{own}");
        }
    }
}
