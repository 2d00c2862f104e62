//! The words of `slip serve`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::values::{self, Rate};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The folder to serve; nothing outside of it can be reached
    #[arg(required_unless_present = "config", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Take everything from this JSON file, and print where it listens as one line of JSON; see docs/serve.md
    #[arg(long, value_name = "FILE", conflicts_with_all = ["directory", "sharing"])]
    pub(crate) config: Option<PathBuf>,
    /// Whose words the server speaks, with --config
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: Profile,
    #[command(flatten)]
    pub(crate) sharing: Sharing,
}

/// What is said on the command line where there is no file that says it.
#[derive(Debug, Args)]
#[group(id = "sharing", multiple = true)]
pub(crate) struct Sharing {
    /// The port to listen on; 0 is one that is free [default: 2121]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The address to listen on. The default is reached from this computer only; 0.0.0.0 or :: lets others in [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,
    /// Somebody who may log in; may be repeated. Without :PASSWORD it comes from $SLIP_PASSWORD or a prompt
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub(crate) user: Vec<String>,
    /// Let the users of this file in, which slip user makes; it is read again when it changes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "anonymous"])]
    pub(crate) users: Option<PathBuf>,
    /// Let everybody in without a password
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// Let nobody change anything
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Stop after the first session that has downloaded or uploaded something
    #[arg(long)]
    pub(crate) once: bool,
    /// Use the certificates in this PEM file [default: one of our own, kept; its fingerprint is printed]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Use a certificate made now and not kept
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "tls_cert")]
    pub(crate) tls_self_signed: bool,
    /// Refuse logins and transfers without TLS; so it is anyway where the password is made up
    #[arg(long)]
    pub(crate) require_tls: bool,
    /// TLS from the first byte on
    #[arg(long)]
    pub(crate) implicit: bool,
    /// Bytes a second for all downloads together: 512K, 1.5M
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) limit_download: Option<Rate>,
    /// Bytes a second for all uploads together
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) limit_upload: Option<Rate>,
    /// Sessions at a time
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<usize>,
    /// Ports for data connections, for a firewall that must know them: 50000-50100
    #[arg(long, value_name = "FROM-TO", value_parser = ports)]
    pub(crate) passive_ports: Option<RangeInclusive<u16>>,
    /// The address that PASV names, for a server behind a router
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) external_address: Option<Ipv4Addr>,
    /// The text of the greeting, one line
    #[arg(long, value_name = "TEXT")]
    pub(crate) welcome: Option<String>,
    /// Print the address as a QR code, also where the output is no terminal
    #[arg(long, overrides_with = "no_qr")]
    pub(crate) qr: bool,
    /// Print no QR code
    #[arg(long)]
    pub(crate) no_qr: bool,
}

/// Whose words the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Ours: what the RFCs say
    Default,
    /// The replies of aioftp 0.28 to the letter, and only its commands: for its tests, not for the open network
    Aioftp,
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("it takes a port or two with a dash: 50000-50100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn ranges_of_ports() {
        assert_eq!(ports("50000-50100"), Ok(50_000..=50_100));
        assert_eq!(ports("21"), Ok(21..=21));
        for bad in ["", "-", "5-4", "0-9", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
