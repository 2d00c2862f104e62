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
    /// What the options say.
    pub(crate) fn apply(&self, config: &mut Config, moved: &Moved) -> Result<(), Failure> {
        config.source = self.source;
        config.proxy = match self.proxy.as_deref() {
            None | Some("none") => None,
            Some(text) => Some(
                moved
                    .whole_proxy(text)
                    .parse::<Proxy>()
                    .map_err(|error| Failure::usage(format!("--proxy: {error}")))?,
            ),
        };
        let options = &mut config.tls_options;
        options.min = self.tls_min.unwrap_or(options.min);
        options.max = self.tls_max.unwrap_or(options.max);
        if options.min > options.max {
            return Err(Failure::usage("--tls-min is newer than --tls-max"));
        }
        options.identity = match (&self.cert, &self.key) {
            (None, None) => None,
            (None, Some(_)) => return Err(Failure::usage("--key is the key of --cert")),
            (Some(certificate), key) => Some(
                identity(certificate, key.as_deref())
                    .map_err(|error| Failure::usage(format!("--cert: {error}")))?,
            ),
        };
        Ok(())
    }

    /// What a saved site says, as far as no option says something else. An error says what is wrong with which part of it.
    pub(crate) fn of_site(
        &self,
        config: &mut Config,
        site: &vault::Site,
    ) -> Result<(), (&'static str, String)> {
        let settings = &site.network;
        if let (None, Some(text)) = (&self.proxy, &settings.proxy) {
            let proxy = text.parse::<Proxy>();
            config.proxy = Some(proxy.map_err(|error| ("proxy", error.to_string()))?);
        }
        let version = |version| match version {
            vault::TlsVersion::V12 => TlsVersion::V12,
            vault::TlsVersion::V13 => TlsVersion::V13,
        };
        let options = &mut config.tls_options;
        if let (None, Some(min)) = (self.tls_min, settings.tls_min) {
            options.min = version(min);
        }
        if let (None, Some(max)) = (self.tls_max, settings.tls_max) {
            options.max = version(max);
        }
        if let (None, Some(certificate)) = (&self.cert, &settings.certificate) {
            let key = settings.key.as_deref().map(Path::new);
            let found = identity(Path::new(certificate), key);
            options.identity = Some(found.map_err(|error| ("certificate", error))?);
        }
        Ok(())
    }
}

fn identity(certificate: &Path, key: Option<&Path>) -> Result<Identity, String> {
    Identity::from_pem_files(certificate, key.unwrap_or(certificate))
        .map_err(|error| error.to_string())
}
