//! The connection doctor: looks at everything that a session with a server depends on, and says of each what it found, in plain words, and
//! what to tell the administrator.
//!
//! ```no_run
//! # async fn example() {
//! use ftp_client::{Config, doctor::{Examination, examine}};
//!
//! let report = examine(Examination::new(Config::new("ftp.example.com")), |finding| println!("{finding}")).await;
//! println!("{}", if report.is_healthy() { "nothing is wrong" } else { "see above" });
//! # }
//! ```
//!
//! What is found becomes part of what [`HostMemory`](crate::HostMemory) knows of the server, so that later sessions make use of it.

mod data;
mod files;
mod listings;
mod patient;
mod reach;
mod session;
mod tls;
mod trouble;
mod wire;
mod written;

use std::{fmt, time::Duration};

use ftp_proto::RemotePath;

use crate::{Config, Error};

/// What is examined, and what may be done for it.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The server, and who logs in. Its time limits hold for each step.
    pub config: Config,
    /// The folder to look into; a relative one begins at the folder of the login, which `None` is.
    pub folder: Option<RemotePath>,
    /// Make a folder with a few small files, which says more: whether names with é, times and restarts work, and what time it is there. Everything
    /// is removed in the end. False by default: then nothing is changed on the server.
    pub write: bool,
    /// The longest that the whole may take. Two minutes by default.
    pub limit: Duration,
}

impl Examination {
    /// Of this server, without writing.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            folder: None,
            write: false,
            limit: Duration::from_secs(120),
        }
    }
}

/// What can be wrong, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The addresses of the name.
    Resolve,
    /// A TCP connection, to each of the addresses.
    Tcp,
    /// The server's first words.
    Greeting,
    /// AUTH TLS (RFC 4217), or TLS from the first byte.
    Auth,
    /// Version and cipher of TLS.
    Tls,
    /// Whose the certificate is, and until when.
    Certificate,
    /// USER and PASS.
    Login,
    /// FEAT (RFC 2389).
    Features,
    /// PBSZ and PROT: whether files are encrypted too.
    Protection,
    /// CLNT: the name of the client.
    ClientName,
    /// HOST (RFC 7151): several sites on one address.
    VirtualHost,
    /// SITE: what the server has of its own.
    Site,
    /// OPTS UTF8 and how names are encoded.
    Utf8,
    /// The folder of the login, and the one to look into.
    Folder,
    /// Several commands in one write.
    Pipelining,
    /// Passive data connections by EPSV (RFC 2428).
    Epsv,
    /// Passive data connections by PASV (RFC 959), and the address that it names.
    Pasv,
    /// Data connections that the server opens (EPRT, PORT).
    Active,
    /// TLS on data connections, and whether they resume the session of the control connection.
    Resumption,
    /// MLSD (RFC 3659 section 7).
    Mlsd,
    /// LIST, and whether its lines are understood.
    List,
    /// MODE Z: compressed data.
    Compression,
    /// SIZE (RFC 3659 section 4).
    Size,
    /// REST (RFC 3659 section 5): a transfer from the middle.
    Rest,
    /// MDTM (RFC 3659 section 3).
    Mdtm,
    /// Storing and removing of files; only with leave to write.
    Write,
    /// A name that is not ASCII, there and back; only with leave to write.
    Names,
    /// MFMT and its kin: setting the time of a file; only with leave to write.
    SetTime,
    /// The server's clock against ours.
    Clock,
    /// HASH, XMD5 and their kin.
    Hashes,
    /// QUIT.
    Goodbye,
    /// Removing what was made.
    Cleanup,
    /// The whole took too long, or was given up.
    Limit,
}

impl Check {
    /// One word for it, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Tcp => "tcp",
            Self::Greeting => "greeting",
            Self::Auth => "auth",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Login => "login",
            Self::Features => "features",
            Self::Protection => "protection",
            Self::ClientName => "client-name",
            Self::VirtualHost => "virtual-host",
            Self::Site => "site",
            Self::Utf8 => "utf8",
            Self::Folder => "folder",
            Self::Pipelining => "pipelining",
            Self::Epsv => "epsv",
            Self::Pasv => "pasv",
            Self::Active => "active",
            Self::Resumption => "resumption",
            Self::Mlsd => "mlsd",
            Self::List => "list",
            Self::Compression => "compression",
            Self::Size => "size",
            Self::Rest => "rest",
            Self::Mdtm => "mdtm",
            Self::Write => "write",
            Self::Names => "names",
            Self::SetTime => "set-time",
            Self::Clock => "clock",
            Self::Hashes => "hashes",
            Self::Goodbye => "goodbye",
            Self::Cleanup => "cleanup",
            Self::Limit => "limit",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was not looked at, and the reason is said.
    Skipped,
    /// As it should be.
    Good,
    /// It works, and could be better.
    Notice,
    /// Something does not work, or not safely.
    Problem,
}

impl Verdict {
    /// One word for it, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Problem => "problem",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub check: Check,
    /// How bad it is.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// What was found, in plain words. What the server said is in it escaped, at most 200 bytes of each reply, and without the password.
    pub what: String,
    /// What to tell the server's administrator, where there is something to do.
    pub tell_admin: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:<12} {:>6.2} s  {}",
            self.verdict,
            self.check,
            self.took.as_secs_f64(),
            self.what
        )?;
        match &self.tell_admin {
            Some(tell) => write!(f, "\n{:32}Tell the administrator: {tell}", ""),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// Why there was no session, where there was none.
    pub failure: Option<Error>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// True where nothing is a problem.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.failure.is_none() && self.count(Verdict::Problem) == 0
    }

    /// How many findings have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    }
}

/// Examines a server. `tell` is called with each finding as it comes, and must not block.
///
/// Whatever the server does, it comes to an end: each step has its time limit, each answer its bound, and the whole
/// [`Examination::limit`].
pub async fn examine(examination: Examination, tell: impl FnMut(&Finding) + Send) -> Report {
    examine_unless(examination, tell, std::future::pending()).await
}

/// The same, given up as soon as `stop` is ready: what was made on the server is removed all the same.
pub async fn examine_unless(
    examination: Examination,
    mut tell: impl FnMut(&Finding) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Report {
    patient::Patient::new(&examination, &mut tell)
        .examine(stop)
        .await
}
