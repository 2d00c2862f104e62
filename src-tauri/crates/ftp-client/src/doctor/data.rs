//! Data connections: by which ways they come about, and how they are protected.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use ftp_proto::Command;

use super::{
    Check,
    patient::Patient,
    wire::{Errand, Moved, Trouble, Way},
};
use crate::{
    DataMode,
    memory::{Active, Reaches},
};

const PASSIVE_PORTS: &str = "Open the server's passive ports in its firewall, and forward them where it stands behind a router: \
    vsftpd pasv_min_port/pasv_max_port, ProFTPD PassivePorts, Pure-FTPd -p.";
const PASSIVE_ADDRESS: &str = "Let the server name the address by which it is reached: vsftpd pasv_address, ProFTPD MasqueradeAddress, \
    Pure-FTPd -P, or switch off the helper that rewrites it.";

/// Where an address can be reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nowhere,
    Here,
    Network,
    World,
}

impl Patient<'_> {
    pub(super) async fn look_at_data(&mut self) {
        let epsv = self.look_at_epsv().await;
        let pasv = self.look_at_pasv(epsv.is_ok()).await;
        self.look_at_active().await;
        let passive = epsv.is_ok() || pasv;
        if passive {
            self.learn(|learned| learned.no_epsv = epsv.is_err());
        }
        let wished = self.config.data;
        self.learn(|learned| {
            let active = learned.active == Active::Works;
            learned.reaches = match (wished, passive, active) {
                (DataMode::Active, true, false) => Reaches::Passive,
                (DataMode::Auto | DataMode::Passive, false, true) => Reaches::Active,
                _ => Reaches::Unknown,
            };
        });
        self.look_at_resumption(epsv.ok()).await;
    }

    async fn look_at_epsv(&mut self) -> Result<Moved, ()> {
        let begin = Instant::now();
        match self
            .transfer(Errand::fetch(Way::Epsv, Command::List(None)))
            .await
        {
            Ok(moved) => {
                self.way = Some(Way::Epsv);
                self.good(
                    Check::Epsv,
                    begin,
                    "passive data connections come about (EPSV)",
                );
                Ok(moved)
            }
            Err(trouble) => {
                let what = format!("EPSV: {}", trouble.words());
                let is_six = self.address.is_some_and(|address| address.is_ipv6());
                match trouble {
                    Trouble::NoWay(_) if !is_six => self.notice(
                        Check::Epsv,
                        begin,
                        what,
                        Some("Clients then need PASV, which names an address that may be wrong. EPSV (RFC 2428) names a port alone."),
                    ),
                    Trouble::NoWay(_) => self.problem(
                        Check::Epsv,
                        begin,
                        what,
                        Some("Over IPv6 there is no passive mode but EPSV (RFC 2428)."),
                    ),
                    Trouble::Unreadable(_) => self.problem(Check::Epsv, begin, what, Some("The answer to EPSV is 229 with (|||port|) (RFC 2428 section 3).")),
                    Trouble::NoConnection(..) => self.problem(Check::Epsv, begin, what, Some(PASSIVE_PORTS)),
                    Trouble::Tls(..) | Trouble::Broken(..) => self.problem(Check::Epsv, begin, what, Some(PASSIVE_PORTS)),
                    Trouble::Lost(error) => self.lost(Check::Epsv, begin, &error),
                    _ => self.problem(Check::Epsv, begin, what, None),
                }
                Err(())
            }
        }
    }

    async fn look_at_pasv(&mut self, epsv: bool) -> bool {
        if self.address.is_some_and(|address| address.is_ipv6()) {
            self.skip(Check::Pasv, "PASV knows no IPv6");
            return false;
        }
        let begin = Instant::now();
        let outcome = self
            .transfer(Errand::fetch(Way::Pasv, Command::List(None)))
            .await;
        let named = match &outcome {
            Ok(moved) => moved.named,
            Err(Trouble::NoConnection(place, _)) => Some(*place),
            Err(_) => None,
        };
        let odd = named.and_then(|named| self.odd_address(named));
        let works = outcome.is_ok();
        if works && self.way.is_none() {
            self.way = Some(Way::Pasv);
        }
        match (outcome, odd) {
            (Ok(_), None) => self.good(
                Check::Pasv,
                begin,
                "passive data connections come about (PASV)",
            ),
            (Ok(_), Some((odd, true))) => self.problem(
                Check::Pasv,
                begin,
                format!(
                    "{odd}. Slipway goes to the server's own address instead; other clients fail"
                ),
                Some(PASSIVE_ADDRESS),
            ),
            (Ok(_), Some((odd, false))) => {
                self.notice(Check::Pasv, begin, odd, Some(PASSIVE_ADDRESS))
            }
            (Err(trouble), odd) => {
                let odd = odd.map_or_else(String::new, |(odd, _)| format!(". {odd}"));
                let what = format!("PASV: {}{odd}", trouble.words());
                match trouble {
                    Trouble::NoWay(_) if epsv => self.notice(Check::Pasv, begin, what, Some("Older clients know no other passive mode than PASV.")),
                    Trouble::NoWay(_) => self.problem(Check::Pasv, begin, what, Some("Most clients stand behind a router, and need a passive mode.")),
                    Trouble::Unreadable(_) => self.problem(Check::Pasv, begin, what, Some("The answer to PASV is 227 with (h1,h2,h3,h4,p1,p2), each of them from 0 to 255 (RFC 959).")),
                    Trouble::Lost(error) => self.lost(Check::Pasv, begin, &error),
                    _ => self.problem(Check::Pasv, begin, what, Some(PASSIVE_PORTS)),
                }
            }
        }
        works
    }

    /// What is wrong with the address that PASV named, and whether clients that believe it fail.
    fn odd_address(&self, named: SocketAddr) -> Option<(String, bool)> {
        let peer = self.address?.ip().to_canonical();
        let ip = named.ip();
        if ip == peer {
            return None;
        }
        Some(match (reach(ip), reach(peer)) {
            (Reach::Nowhere, _) => (format!("PASV names {ip}, where nobody can be"), true),
            (Reach::Here, _) => (format!("PASV names {ip}, which is the client itself"), true),
            (Reach::World, Reach::World) | (Reach::Network, Reach::Network) => {
                (format!("PASV names {ip}, and the server is {peer}"), false)
            }
            (Reach::Network, _) => (
                format!(
                    "PASV names {ip}, an address of a private network that nobody outside reaches; the server is {peer}"
                ),
                true,
            ),
            (Reach::World, _) => (format!("PASV names {ip}, and the server is {peer}"), true),
        })
    }

    async fn look_at_active(&mut self) {
        if self.config.proxy.is_some() {
            return self.skip(Check::Active, "nobody can connect to us through a proxy");
        }
        let begin = Instant::now();
        let is_four = self.address.is_some_and(|address| address.is_ipv4());
        let mut outcome = self
            .transfer(Errand::fetch(Way::Eprt, Command::List(None)))
            .await;
        let mut verb = "EPRT";
        if is_four && matches!(outcome, Err(Trouble::NoWay(_))) {
            outcome = self
                .transfer(Errand::fetch(Way::Port, Command::List(None)))
                .await;
            verb = "PORT";
        }
        let no_eprt = verb == "PORT" && outcome.is_ok();
        self.learn(|learned| learned.no_eprt = no_eprt);
        let wanted = self.config.data == DataMode::Active;
        match outcome {
            Ok(moved) => {
                self.learn(|learned| learned.active = Active::Works);
                if self.way.is_none() || wanted {
                    self.way = Some(if verb == "EPRT" { Way::Eprt } else { Way::Port });
                }
                let peer = self.address.map(|address| address.ip().to_canonical());
                match moved.from.map(|from| from.to_canonical()) {
                    Some(from) if Some(from) != peer => self.notice(
                        Check::Active,
                        begin,
                        format!("the server connects to us from {from}, another address than its own: clients that look closely refuse that"),
                        Some("Let active data connections come from the address that the client is connected to."),
                    ),
                    _ => self.good(Check::Active, begin, format!("the server can connect to us ({verb})")),
                }
            }
            Err(trouble) => {
                self.learn(|learned| learned.active = Active::Fails);
                let what = format!("active mode ({verb}): {}", trouble.words());
                let tell = match &trouble {
                    Trouble::NoWay(_) => {
                        "Active mode is switched off, which is fine as long as passive mode works."
                    }
                    _ => {
                        "If active mode is wanted: let the server make connections from port 20, and let the client's firewall and router let them in."
                    }
                };
                if wanted || self.way.is_none() {
                    self.problem(Check::Active, begin, what, Some(tell));
                } else {
                    // As it is for most who stand behind a router.
                    self.notice(
                        Check::Active,
                        begin,
                        format!("{what}. Passive mode does the same"),
                        Some(tell),
                    );
                }
            }
        }
    }

    /// TLS on data connections: whether it resumes the session, and whether it must.
    async fn look_at_resumption(&mut self, first: Option<Moved>) {
        let protected = self
            .line
            .as_ref()
            .is_some_and(|line| line.tls.is_some() && line.protected)
            || first.as_ref().is_some_and(|moved| moved.tls.is_some());
        let Some(way) = self.way.filter(|_| protected) else {
            return;
        };
        let begin = Instant::now();
        let moved = match first {
            Some(moved) if moved.tls.is_some() => Ok(moved),
            _ => self.transfer(Errand::fetch(way, Command::List(None))).await,
        };
        let moved = match moved {
            Ok(moved) => moved,
            Err(trouble) => {
                let what = trouble.words();
                return self.problem(
                    Check::Resumption,
                    begin,
                    what,
                    Some("Data connections should take TLS as the control connection does."),
                );
            }
        };
        let Some(facts) = moved.tls else {
            return self.skip(
                Check::Resumption,
                "there was nothing to send, and no data connection",
            );
        };
        let abrupt = if moved.abrupt {
            ". It ends data connections without a goodbye in TLS, so that a file that was cut short looks whole"
        } else {
            ""
        };
        if !facts.resumed {
            self.learn(|learned| learned.no_tickets |= facts.version == "TLS 1.3");
            return self.notice(
                Check::Resumption,
                begin,
                format!("data connections ({}) resume nothing: each costs a whole handshake, and nobody knows for sure who is at its other end{abrupt}", facts.version),
                Some("Let TLS sessions be resumed (tickets, or a cache of sessions), and demand it: vsftpd require_ssl_reuse=YES, ProFTPD without NoSessionReuseRequired."),
            );
        }
        let mut errand = Errand::fetch(way, Command::List(None));
        errand.unresumed = true;
        let without = self.transfer(errand).await;
        let demanded = match without {
            Ok(_) => false,
            Err(
                Trouble::Tls(..) | Trouble::Refused(_) | Trouble::BadEnd(_) | Trouble::Broken(..),
            ) => true,
            Err(trouble) => {
                let what = format!(
                    "data connections ({}) resume the session; without that: {}",
                    facts.version,
                    trouble.words()
                );
                return self.good(Check::Resumption, begin, format!("{what}{abrupt}"));
            }
        };
        self.learn(|learned| learned.demands_resumption = demanded);
        let what = match demanded {
            true => "and the server demands it",
            false => "and the server does not demand it",
        };
        let what = format!(
            "data connections ({}) resume the session, {what}{abrupt}",
            facts.version
        );
        match (moved.abrupt, demanded) {
            (true, _) => self.notice(Check::Resumption, begin, what, Some("Let the server end TLS with close_notify (RFC 8446 section 6.1).")),
            (false, true) => self.good(Check::Resumption, begin, what),
            (false, false) => self.notice(
                Check::Resumption,
                begin,
                what,
                Some("Demand it, so that nobody else can take a data connection: vsftpd require_ssl_reuse=YES, ProFTPD without NoSessionReuseRequired."),
            ),
        }
    }
}

fn reach(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Reach::Here,
        IpAddr::V4(v4)
            if v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets()[0] == 0 =>
        {
            Reach::Nowhere
        }
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            match v4.is_private() || v4.is_link_local() || shared {
                true => Reach::Network,
                false => Reach::World,
            }
        }
        IpAddr::V6(v6) if v6.is_loopback() => Reach::Here,
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => Reach::Nowhere,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Reach::Network,
        IpAddr::V6(_) => Reach::World,
    }
}
