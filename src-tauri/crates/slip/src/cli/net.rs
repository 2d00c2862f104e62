//! The way to a server.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use ftp_client::{Config, Identity, Proxy, TlsVersion};

use crate::arguments::Moved;
use crate::exit::Failure;

/// The way to a server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Net {
    /// Connect through this proxy, data connections too: socks5://[USER@]HOST[:PORT], socks4://, socks4a:// or http://;
    /// "none" where a saved site has one that is not wanted
    #[arg(long, global = true, value_name = "URL")]
    proxy: Option<String>,
    /// Connect from this address of this computer
    // `mirror` has an argument of the same name.
    #[arg(
        id = "source_address",
        long = "source",
        global = true,
        value_name = "ADDRESS"
    )]
    source: Option<IpAddr>,
    /// Show the server the certificate in this PEM file
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The key of --cert, PEM [default: in the same file]
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The oldest version of TLS to accept: 1.2 or 1.3
    #[arg(long, global = true, value_name = "VERSION")]
    tls_min: Option<TlsVersion>,
    /// The newest version of TLS to offer: 1.2 or 1.3
    #[arg(long, global = true, value_name = "VERSION")]
    tls_max: Option<TlsVersion>,
}

impl Net {
    /// What the options say; what they don't is left as it is.
    pub(crate) fn apply(&self, config: &mut Config, moved: &Moved) -> Result<(), Failure> {
        config.source = self.source.or(config.source);
        match self.proxy.as_deref() {
            None => {}
            Some("none") => config.proxy = None,
            Some(text) => {
                let proxy = moved.whole_proxy(text).parse::<Proxy>();
                config.proxy =
                    Some(proxy.map_err(|error| Failure::usage(format!("--proxy: {error}")))?);
            }
        }
        let options = &mut config.tls_options;
        options.min = self.tls_min.unwrap_or(options.min);
        options.max = self.tls_max.unwrap_or(options.max);
        if options.min > options.max {
            return Err(Failure::usage("--tls-min is newer than --tls-max"));
        }
        match (&self.cert, &self.key) {
            (None, None) => {}
            (None, Some(_)) => return Err(Failure::usage("--key is the key of --cert")),
            (Some(certificate), key) => {
                let found = identity(certificate, key.as_deref());
                options.identity =
                    Some(found.map_err(|error| Failure::usage(format!("--cert: {error}")))?);
            }
        }
        Ok(())
    }

    /// Takes away what the options replace, so that it does no harm if it is of no use.
    pub(crate) fn replace(&self, site: &mut vault::Site) {
        if self.proxy.is_some() {
            site.network.proxy = None;
        }
        if self.cert.is_some() {
            site.network.certificate = None;
            site.network.key = None;
        }
    }
}

fn identity(certificate: &Path, key: Option<&Path>) -> Result<Identity, String> {
    Identity::from_pem_files(certificate, key.unwrap_or(certificate))
        .map_err(|error| error.to_string())
}
