//! What a saved site says of its connections, beyond where they go.

use std::path::Path;
use std::time::Duration;

use ftp_client::{
    Compression, Config, DataOptions, Identity, PassiveCommand, Proxy, ProxyKind, Timeouts,
    TlsOptions, TlsVersion,
};

use crate::error::{AppError, Result};
use crate::state::Vault;

/// The proxy, TLS, data connections and limits of time of a site.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteSettings {
    proxy: Option<Proxy>,
    tls: TlsOptions,
    data: DataOptions,
    trust_address: bool,
    timeout: Option<Duration>,
}

impl SiteSettings {
    /// Reads the certificate's files, where there is one to be shown. Blocks.
    ///
    /// # Errors
    /// If the proxy's address or the certificate is of no use: connecting without them would not be what was asked for.
    pub(crate) fn of(site: &vault::Site) -> Result<Self> {
        let network = &site.network;
        let wrong = |what: &str, why: String| {
            AppError::argument(format!("The {what} of this site can't be used.")).with_detail(why)
        };
        let proxy = network.proxy.as_deref().map(str::parse::<Proxy>);
        let proxy = proxy
            .transpose()
            .map_err(|error| wrong("proxy", error.to_string()))?;
        let version = |version| match version {
            vault::TlsVersion::V12 => TlsVersion::V12,
            vault::TlsVersion::V13 => TlsVersion::V13,
        };
        let mut tls = TlsOptions::default();
        tls.min = network.tls_min.map_or(tls.min, version);
        tls.max = network.tls_max.map_or(tls.max, version);
        if let Some(certificate) = &network.certificate {
            let key = network.key.as_ref().unwrap_or(certificate);
            let identity = Identity::from_pem_files(Path::new(certificate), Path::new(key));
            tls.identity = Some(identity.map_err(|error| wrong("certificate", error.to_string()))?);
        }
        Ok(Self {
            proxy,
            tls,
            data: data_options(&site.data),
            trust_address: site.data.trust_address,
            timeout: site
                .timeout
                .map(|seconds| Duration::from_secs(seconds.into())),
        })
    }

    /// Asks the keyring for the password of a proxy that knows users. Without one the proxy will say so. Blocks.
    pub(crate) fn find_proxy_password(&mut self, vault: &Vault) {
        let Some(proxy) = &mut self.proxy else {
            return;
        };
        let account = proxy.to_string();
        let knows_passwords = matches!(proxy.kind, ProxyKind::Socks5 | ProxyKind::Http);
        if let Some(login) = proxy.login.as_mut().filter(|_| knows_passwords)
            && let Ok(password) = vault.secrets.get(&account)
        {
            password.expose().clone_into(&mut login.password);
        }
    }

    pub(crate) fn apply(&self, config: &mut Config) {
        config.proxy.clone_from(&self.proxy);
        config.tls_options = self.tls.clone();
        config.data_options = self.data.clone();
        config.trust_pasv_address |= self.trust_address;
        if let Some(limit) = self.timeout {
            config.timeouts = Timeouts::all(limit);
        }
    }
}

fn data_options(settings: &vault::DataSettings) -> DataOptions {
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
