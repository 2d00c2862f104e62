//! The words of the commands that change or ask something of single files.

use clap::{Args, ValueEnum};
use ftp_client::HashAlgorithm;
use jiff::Timestamp;

use super::values;

#[derive(Debug, Args)]
pub(crate) struct Cp {
    /// What to copy
    pub(crate) from: String,
    /// Where to on the same server; one that ends in / is the folder to copy it into
    pub(crate) to: String,
}

#[derive(Debug, Args)]
pub(crate) struct Ln {
    /// What the link leads to; sent to the server as it is
    pub(crate) target: String,
    /// The link
    pub(crate) url: String,
}

#[derive(Debug, Args)]
pub(crate) struct Df {
    /// The servers, or folders there
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Touch {
    /// The time: 2026-05-31, 2026-05-31T18:00, or an age such as 2d [default: now]
    #[arg(short, long, value_name = "TIME", value_parser = values::past)]
    pub(crate) time: Option<Timestamp>,
    /// Make no file that is missing
    #[arg(short = 'c', long)]
    pub(crate) no_create: bool,
    /// The files
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Hash {
    /// The algorithm [default: the best that the server has]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) algorithm: Option<Algorithm>,
    /// The files
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Chmod {
    /// The permissions in octal, such as 640
    #[arg(value_name = "MODE", value_parser = values::permissions)]
    pub(crate) mode: u32,
    /// The files and folders
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    Sha512,
    Sha256,
    Sha1,
    Md5,
    Crc32,
}

impl From<Algorithm> for HashAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha512 => Self::Sha512,
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha1 => Self::Sha1,
            Algorithm::Md5 => Self::Md5,
            Algorithm::Crc32 => Self::Crc32,
        }
    }
}
