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
    /// What the options say; what they don't is left as it is.
    pub(crate) fn apply(&self, config: &mut Config) {
        if self.active {
            config.data = DataMode::Active;
        }
        if self.passive {
            config.data = DataMode::Passive;
        }
        config.trust_pasv_address |= self.trust_pasv;
        let options = &mut config.data_options;
        options.fallback &= !self.no_fallback;
        options.epsv_all |= self.epsv_all;
        if let Some(ports) = &self.active_ports {
            options.active_ports = Some(ports.clone());
        }
        options.active_address = self.active_address.or(options.active_address);
        options.compression = match self.compress {
            None => options.compression,
            Some(Compress::Never) => Compression::Never,
            Some(Compress::Text) => Compression::Text,
            Some(Compress::Always) => Compression::Always,
        };
        if !self.passive_commands.is_empty() {
            let commands = self.passive_commands.iter().map(|command| match command {
                Passive::Epsv => PassiveCommand::Epsv,
                Passive::Pasv => PassiveCommand::Pasv,
            });
            options.passive_commands = commands.collect();
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
