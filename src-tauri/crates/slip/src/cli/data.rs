//! How data connections are made.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};
use ftp_client::{Compression, Config, DataMode, PassiveCommand};

/// How data connections are made.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data connections")]
pub(crate) struct Data {
    /// Let the server open the data connections (PORT, EPRT)
    #[arg(long, global = true, conflicts_with = "passive")]
    active: bool,
    /// Open the data connections from here (EPSV, PASV); the default
    #[arg(long, global = true)]
    passive: bool,
    /// Don't try the other of the two where the chosen one fails
    #[arg(long, global = true)]
    no_fallback: bool,
    /// With --active: wait at these ports only
    #[arg(long, global = true, value_name = "FIRST-LAST", value_parser = ports)]
    active_ports: Option<RangeInclusive<u16>>,
    /// With --active: tell the server this address, that of the router for one
    #[arg(long, global = true, value_name = "ADDRESS")]
    active_address: Option<IpAddr>,
    /// The passive commands to try, in this order [default: epsv,pasv]
    #[arg(long, global = true, value_name = "LIST", value_delimiter = ',')]
    passive_commands: Vec<Passive>,
    /// Say EPSV ALL first, and use nothing but EPSV
    #[arg(long, global = true)]
    epsv_all: bool,
    /// What is compressed on its way where the server has MODE Z [default: text]
    #[arg(long, global = true, value_name = "WHAT")]
    compress: Option<Compress>,
    /// Connect to the address that PASV names, unless it can't be reached from here
    #[arg(long, global = true)]
    trust_pasv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Passive {
    Epsv,
    Pasv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compress {
    /// Nothing
    Never,
    /// Listings, and files whose names say that they are text
    Text,
    /// Everything
    Always,
}

impl Data {
    /// What a saved site says, as far as no option says something else.
    pub(crate) fn of_site(&self, config: &mut Config, site: &vault::Site) {
        if !self.passive && !site.passive {
            config.data = DataMode::Active;
        }
        let settings = &site.data;
        let options = &mut config.data_options;
        if let (None, Some((first, last))) = (&options.active_ports, settings.active_ports) {
            options.active_ports = Some(first..=last);
        }
        options.active_address = options.active_address.or(settings.active_address);
        if let (true, Some(commands)) =
            (self.passive_commands.is_empty(), &settings.passive_commands)
        {
            options.passive_commands = commands
                .iter()
                .map(|command| match command {
                    vault::PassiveCommand::Epsv => PassiveCommand::Epsv,
                    vault::PassiveCommand::Pasv => PassiveCommand::Pasv,
                })
                .collect();
        }
        if let (None, Some(what)) = (self.compress, settings.compression) {
            options.compression = match what {
                vault::Compression::Never => Compression::Never,
                vault::Compression::Text => Compression::Text,
                vault::Compression::Always => Compression::Always,
            };
        }
        options.epsv_all |= settings.epsv_all;
        options.fallback &= settings.fallback;
        config.trust_pasv_address |= settings.trust_address;
    }

    /// What the options say.
    pub(crate) fn apply(&self, config: &mut Config) {
        if self.active {
            config.data = DataMode::Active;
        }
        config.trust_pasv_address |= self.trust_pasv;
        let options = &mut config.data_options;
        options.fallback = !self.no_fallback;
        options.epsv_all = self.epsv_all;
        options.active_ports.clone_from(&self.active_ports);
        options.active_address = self.active_address;
        options.compression = match self.compress {
            None => Compression::default(),
            Some(Compress::Never) => Compression::Never,
            Some(Compress::Text) => Compression::Text,
            Some(Compress::Always) => Compression::Always,
        };
        if !self.passive_commands.is_empty() {
            options.passive_commands = self
                .passive_commands
                .iter()
                .map(|command| match command {
                    Passive::Epsv => PassiveCommand::Epsv,
                    Passive::Pasv => PassiveCommand::Pasv,
                })
                .collect();
        }
    }
}

/// `50000-50100`, or one port.
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("it takes ports from 1 to 65535, such as 50000-50100".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_a_range_or_one() {
        assert_eq!(ports("50000-50100").unwrap(), 50000..=50100);
        assert_eq!(ports("21 - 21").unwrap(), 21..=21);
        assert_eq!(ports("4000").unwrap(), 4000..=4000);
        for bad in ["", "-", "0", "0-9", "9-8", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
