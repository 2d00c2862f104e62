//! What a saved site says of its connections, as the configuration of a client: the one place where the two meet, for the window and
//! for `slip`.
//!
//! Who connects adds what no site says: the password, whom to trust, and what was learned of servers.
//!
//! ```
//! let mut site = vault::Site::new("ftp.example.com")?;
//! site.network.proxy = Some("socks5://gate.example.com".to_owned());
//! let config = site_config::config(&site)?;
//! assert_eq!(config.port, 21);
//! assert!(config.proxy.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

use std::path::Path;
use std::time::Duration;

use ftp_client::ftp_proto::Charset;
use ftp_client::{
    Compression, Config, DataMode, DataOptions, Identity, PassiveCommand, Proxy, Timeouts, TlsMode,
    TlsOptions, TlsVersion,
};
use vault::{DataSettings, NetworkSettings, Site};

/// A part of a site that can't be used. Connecting without it would not be what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saved {part}: {why}")]
pub struct SiteError {
    /// Which.
    pub part: Part,
    /// Why not.
    pub why: String,
}

/// The parts of a site that can be of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The proxy's address.
    Proxy,
    /// The certificate for the server, or its key.
    Certificate,
    /// The charset of the names.
    Charset,
}

/// A configuration for this site: address, TLS, proxy, data connections, charset and limits of time. The login is anonymous yet, and
/// nobody's certificate is trusted beyond the system's.
///
/// Reads the certificate's files, where the site has one to be shown: blocks for that moment.
///
/// # Errors
/// The first part that is of no use.
pub fn config(site: &Site) -> Result<Config, SiteError> {
    let tls = tls_mode(site.tls);
    let port = site.port.unwrap_or_else(|| tls.default_port());
    let mut config = Config::new(site.host.clone()).with_port(port).with_tls(tls);
    if !site.passive {
        config.data = DataMode::Active;
    }
    config.allow_plaintext = site.allow_plaintext;
    config.data_options = data_options(&site.data);
    config.trust_pasv_address = site.data.trust_address;
    config.proxy = proxy(&site.network)?;
    config.tls_options = tls_options(&site.network)?;
    if let Some(seconds) = site.timeout {
        config.timeouts = Timeouts::all(Duration::from_secs(seconds.into()));
    }
    if let Some(label) = &site.charset {
        config.charset = Charset::for_label(label).map_err(wrong(Part::Charset))?;
    }
    Ok(config)
}

/// How a site's connection is encrypted.
fn tls_mode(mode: vault::TlsMode) -> TlsMode {
    match mode {
        vault::TlsMode::Auto => TlsMode::Auto,
        vault::TlsMode::Explicit => TlsMode::Explicit,
        vault::TlsMode::Implicit => TlsMode::Implicit,
        vault::TlsMode::Off => TlsMode::Off,
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Certificate => "certificate",
            Self::Charset => "charset",
        })
    }
}

fn wrong<E: std::fmt::Display>(part: Part) -> impl FnOnce(E) -> SiteError {
    move |error| SiteError {
        part,
        why: error.to_string(),
    }
}

fn proxy(settings: &NetworkSettings) -> Result<Option<Proxy>, SiteError> {
    let proxy = settings.proxy.as_deref().map(str::parse::<Proxy>);
    proxy.transpose().map_err(wrong(Part::Proxy))
}

fn tls_options(settings: &NetworkSettings) -> Result<TlsOptions, SiteError> {
    let version = |version| match version {
        vault::TlsVersion::V12 => TlsVersion::V12,
        vault::TlsVersion::V13 => TlsVersion::V13,
    };
    let mut options = TlsOptions::default();
    options.min = settings.tls_min.map_or(options.min, version);
    options.max = settings.tls_max.map_or(options.max, version);
    if let Some(certificate) = &settings.certificate {
        let key = settings.key.as_ref().unwrap_or(certificate);
        let identity = Identity::from_pem_files(Path::new(certificate), Path::new(key));
        options.identity = Some(identity.map_err(wrong(Part::Certificate))?);
    }
    Ok(options)
}

fn data_options(settings: &DataSettings) -> DataOptions {
    let mut options = DataOptions {
        active_ports: settings.active_ports.map(|(first, last)| first..=last),
        active_address: settings.active_address,
        epsv_all: settings.epsv_all,
        fallback: settings.fallback,
        ..DataOptions::default()
    };
    if let Some(commands) = &settings.passive_commands {
        let commands = commands.iter().map(|command| match command {
            vault::PassiveCommand::Epsv => PassiveCommand::Epsv,
            vault::PassiveCommand::Pasv => PassiveCommand::Pasv,
        });
        options.passive_commands = commands.collect();
    }
    if let Some(what) = settings.compression {
        options.compression = match what {
            vault::Compression::Never => Compression::Never,
            vault::Compression::Text => Compression::Text,
            vault::Compression::Always => Compression::Always,
        };
    }
    options
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site::new("ftp.example.com").unwrap()
    }

    #[test]
    fn a_site_that_says_nothing_is_the_default() {
        let config = config(&site()).unwrap();
        let usual = Config::new("ftp.example.com");
        assert_eq!((config.port, config.tls), (21, TlsMode::Auto));
        assert_eq!(config.data, usual.data);
        assert_eq!(config.data_options, usual.data_options);
        assert_eq!(config.charset, usual.charset);
        assert!(config.proxy.is_none() && !config.allow_plaintext);
    }

    #[test]
    fn everything_that_it_says_is_there() {
        let mut site = site();
        site.tls = vault::TlsMode::Implicit;
        site.passive = false;
        site.allow_plaintext = true;
        site.timeout = Some(7);
        site.charset = Some("windows-1251".to_owned());
        site.network.proxy = Some("socks5://me@gate:1081".to_owned());
        site.network.tls_max = Some(vault::TlsVersion::V12);
        site.data.active_ports = Some((4000, 4010));
        site.data.epsv_all = true;
        site.data.fallback = false;
        site.data.trust_address = true;
        site.data.passive_commands = Some(vec![vault::PassiveCommand::Pasv]);
        site.data.compression = Some(vault::Compression::Always);
        let config = config(&site).unwrap();
        assert_eq!((config.port, config.tls), (990, TlsMode::Implicit));
        assert_eq!(config.data, DataMode::Active);
        assert!(config.allow_plaintext && config.trust_pasv_address);
        assert_eq!(config.timeouts, Timeouts::all(Duration::from_secs(7)));
        assert_eq!(config.charset, Charset::for_label("windows-1251").unwrap());
        assert_eq!(
            config.proxy.unwrap().to_string(),
            "socks5://me@gate:1081".to_owned()
        );
        assert_eq!(config.tls_options.max, TlsVersion::V12);
        let options = config.data_options;
        assert_eq!(options.active_ports, Some(4000..=4010));
        assert!(options.epsv_all && !options.fallback);
        assert_eq!(options.passive_commands, [PassiveCommand::Pasv]);
        assert_eq!(options.compression, Compression::Always);
        site.port = Some(2121);
        assert_eq!(super::config(&site).unwrap().port, 2121);
    }

    #[test]
    fn what_is_of_no_use_is_named() {
        let part = |change: &dyn Fn(&mut Site)| {
            let mut site = site();
            change(&mut site);
            config(&site).map(drop).unwrap_err().part
        };
        assert_eq!(
            part(&|site| site.network.proxy = Some("gopher://gate".to_owned())),
            Part::Proxy
        );
        assert_eq!(
            part(&|site| site.charset = Some("nonsense".to_owned())),
            Part::Charset
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none.pem");
        let file = file.to_str().unwrap();
        assert_eq!(
            part(&|site| site.network.certificate = Some(file.to_owned())),
            Part::Certificate
        );
        let mut broken = site();
        broken.network.certificate = Some(file.to_owned());
        let text = config(&broken).map(drop).unwrap_err().to_string();
        assert!(text.starts_with("the saved certificate: ") && text.contains("none.pem"));
    }
}
