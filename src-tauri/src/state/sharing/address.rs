//! Where this computer can be reached, and how that is written.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dto::{Network, Wide};

/// More than a person can tell apart.
const MOST_NETWORKS: usize = 5;

/// What stands in a URL as it is (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// This computer's addresses in its networks, the one that leads out first. Blocks for moments.
pub(crate) fn networks() -> Vec<Network> {
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the networks of this computer can't be read");
        Vec::new()
    });
    let all: Vec<(IpAddr, String)> = found
        .into_iter()
        .map(|interface| (interface.ip(), interface.name))
        .collect();
    chosen(all, way_out())
}

/// Those that others can reach, the best first; without IPv4, those of IPv6.
fn chosen(mut all: Vec<(IpAddr, String)>, way_out: Option<IpAddr>) -> Vec<Network> {
    all.retain(|(ip, _)| !ip.is_loopback() && !is_link_local(*ip));
    if all.iter().any(|(ip, _)| ip.is_ipv4()) {
        all.retain(|(ip, _)| ip.is_ipv4());
    }
    // Stable: the others stay in the system's order.
    all.sort_by_key(|(ip, _)| Some(*ip) != way_out);
    all.dedup_by_key(|(ip, _)| *ip);
    all.into_iter()
        .take(MOST_NETWORKS)
        .map(|(ip, interface)| Network {
            address: ip.to_string(),
            interface,
        })
        .collect()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The address that packets to elsewhere would come from. None is sent: a datagram's socket is only told where to.
fn way_out() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // An address of RFC 5737, which belongs to nobody.
    socket.connect(("192.0.2.1", 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// The addresses by which a server on `local` can be reached.
pub(super) fn reachable(local: SocketAddr) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let all: Vec<SocketAddr> = networks()
        .iter()
        .filter_map(|network| network.address.parse::<IpAddr>().ok())
        .filter(IpAddr::is_ipv4)
        .map(|ip| SocketAddr::new(ip, local.port()))
        .collect();
    if all.is_empty() {
        return vec![SocketAddr::from(([127, 0, 0, 1], local.port()))];
    }
    all
}

/// A URL that programs for FTP open.
pub(super) fn url(encrypted: bool, user: &str, password: Option<&str>, at: SocketAddr) -> String {
    let escaped = |text| utf8_percent_encode(text, ESCAPED);
    let scheme = if encrypted { "ftpes" } else { "ftp" };
    let password = password.map_or(String::new(), |text| format!(":{}", escaped(text)));
    format!("{scheme}://{}{password}@{at}/", escaped(user))
}

/// Whether so much is in a folder that it is worth a word. Both are real paths.
pub(crate) fn wide(folder: &Path, home: &Path) -> Option<Wide> {
    if folder.parent().is_none() {
        Some(Wide::Root)
    } else if home.starts_with(folder) {
        Some(Wide::Home)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::address::Address;

    fn interfaces(all: &[(&str, &str)]) -> Vec<(IpAddr, String)> {
        all.iter()
            .map(|(ip, name)| (ip.parse().unwrap(), (*name).to_owned()))
            .collect()
    }

    fn addresses(networks: &[Network]) -> Vec<&str> {
        networks
            .iter()
            .map(|network| network.address.as_str())
            .collect()
    }

    #[test]
    fn the_network_that_leads_out_comes_first() {
        let all = interfaces(&[
            ("127.0.0.1", "lo"),
            ("172.17.0.1", "docker0"),
            ("169.254.3.4", "usb0"),
            ("192.168.1.5", "wlan0"),
            ("fe80::1", "wlan0"),
            ("2001:db8::5", "wlan0"),
        ]);
        let found = chosen(all, Some(IpAddr::from([192, 168, 1, 5])));
        assert_eq!(addresses(&found), ["192.168.1.5", "172.17.0.1"]);
        assert_eq!(found[0].interface, "wlan0");
    }

    #[test]
    fn a_network_of_ipv6_alone_counts() {
        let all = interfaces(&[("::1", "lo"), ("fe80::1", "eth0"), ("2001:db8::5", "eth0")]);
        assert_eq!(addresses(&chosen(all, None)), ["2001:db8::5"]);
        assert!(chosen(interfaces(&[("127.0.0.1", "lo")]), None).is_empty());
    }

    #[test]
    fn the_url_is_read_back_as_it_was_meant() {
        let at = "[2001:db8::5]:2121".parse().unwrap();
        let text = url(true, "ann@home", Some("a:b/c d%"), at);
        let read = Address::parse(&text).unwrap();
        assert_eq!(read.host, "2001:db8::5");
        assert_eq!(read.port, Some(2121));
        assert_eq!(read.user.as_deref(), Some("ann@home"));
        assert_eq!(read.password.as_deref(), Some("a:b/c d%"));
        assert_eq!(read.tls, Some(crate::dto::TlsMode::Explicit));
        let plain = url(false, "guest", None, "192.168.1.5:2121".parse().unwrap());
        assert_eq!(plain, "ftp://guest@192.168.1.5:2121/");
    }

    #[test]
    fn says_when_the_home_or_everything_is_inside() {
        let home = Path::new("/home/ann");
        let found = |folder: &str| wide(Path::new(folder), home);
        assert_eq!(found("/"), Some(Wide::Root));
        assert_eq!(found("/home"), Some(Wide::Home));
        assert_eq!(found("/home/ann"), Some(Wide::Home));
        assert_eq!(found("/home/ann/site"), None);
        assert_eq!(found("/home/anna"), None);
    }
}
