//! The few options of the window's own command.

use std::ffi::OsString;

/// What `slipway --help` prints.
pub const USAGE: &str = "\
Slipway, a desktop FTP client for people who care for their sites

Usage: slipway [OPTIONS]

Options:
      --practice  Connect to the practice site at start: a small server inside
                  this program, in memory, with a few folders and files
  -h, --help      Print this help
  -V, --version   Print the version
";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Open the window.
    Window { practice: bool },
    /// Print the usage and leave.
    Help,
    /// Print the version and leave.
    Version,
}

impl Invocation {
    /// Reads the arguments after the program's own name.
    ///
    /// # Errors
    /// Names the first argument that is not known.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UnknownArgument> {
        let mut practice = false;
        for argument in arguments {
            match argument.to_str() {
                Some("--practice") => practice = true,
                Some("-h" | "--help") => return Ok(Self::Help),
                Some("-V" | "--version") => return Ok(Self::Version),
                _ => return Err(UnknownArgument(argument.to_string_lossy().into_owned())),
            }
        }
        Ok(Self::Window { practice })
    }
}

/// An argument that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown argument '{0}'")]
pub struct UnknownArgument(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Invocation, UnknownArgument> {
        Invocation::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn knows_its_options() {
        assert_eq!(parse(&[]), Ok(Invocation::Window { practice: false }));
        assert_eq!(
            parse(&["--practice"]),
            Ok(Invocation::Window { practice: true })
        );
        assert_eq!(parse(&["--practice", "--help"]), Ok(Invocation::Help));
        assert_eq!(parse(&["-V"]), Ok(Invocation::Version));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(
            parse(&["--practise"]),
            Err(UnknownArgument("--practise".into()))
        );
        assert_eq!(
            parse(&["ftp://host"]),
            Err(UnknownArgument("ftp://host".into()))
        );
    }

    #[test]
    fn the_usage_names_every_option() {
        for option in ["--practice", "--help", "--version"] {
            assert!(USAGE.contains(option));
        }
    }
}
