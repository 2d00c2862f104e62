//! Real FTP servers on loopback: vsftpd, ProFTPD and Pure-FTPd, and aioftp and pyftpdlib in Python; one process tree a test.
//!
//! Each server gets a folder of its own with a root for its user's files, a configuration, a certificate from a
//! throw-away authority, and a port; nothing outside that folder is read or written, no system user is made,
//! and everything ends when the [`RealServer`] is dropped. The servers of Debian need root, to change into the folder
//! (chroot) and to become the user `daemon`, who owns the files. Those in Python run as whoever runs the tests.

mod config;
mod files;
mod process;
mod python;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::ca::{Authority, Certificate};
use crate::packages::{self, Unpacked};
use crate::skip::{Skipped, skip_loudly};
use files::{adopt, log_of, prepare, put};

/// How long a server may need until it listens.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Another process can take a port between the look and the bind.
const PORT_ATTEMPTS: usize = 5;
/// The user that the servers become: on every Debian, never root, with a home that exists (vsftpd goes there
/// before it goes to its root; `nobody` has none).
const SYSTEM_USER: &str = "daemon";
const SYSTEM_UID: u32 = 1;
const SYSTEM_GID: u32 = 1;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// vsftpd: no MLSD, no MFMT (times are set by MDTM), demands TLS session reuse.
    Vsftpd,
    /// ProFTPD: everything of RFC 3659 and MFMT, demands reuse of this control connection's session.
    ProFtpd,
    /// Pure-FTPd: MLSD and MFMT, no implicit TLS, no session reuse in TLS 1.3; slow to refuse a password.
    PureFtpd,
    /// aioftp: no FEAT, no SIZE, no MDTM, no times, no AUTH; runs commands that come together at the same time.
    Aioftp,
    /// pyftpdlib: MLSD, MFMT and AUTH; resumes TLS sessions, and does not demand it.
    Pyftpdlib,
}

impl Kind {
    /// The three of Debian.
    pub const ALL: [Kind; 3] = [Kind::Vsftpd, Kind::ProFtpd, Kind::PureFtpd];
    /// The two in Python.
    pub const PYTHON: [Kind; 2] = [Kind::Aioftp, Kind::Pyftpdlib];

    /// The server's name as its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Vsftpd => "vsftpd",
            Kind::ProFtpd => "ProFTPD",
            Kind::PureFtpd => "Pure-FTPd",
            Kind::Aioftp => "aioftp",
            Kind::Pyftpdlib => "pyftpdlib",
        }
    }

    /// Whether the server speaks this kind of TLS.
    pub fn supports(self, tls: Tls) -> bool {
        match tls {
            Tls::Off => true,
            Tls::Explicit => self != Kind::Aioftp,
            Tls::Implicit => !matches!(self, Kind::PureFtpd | Kind::Pyftpdlib),
        }
    }

    fn fetch(self) -> Result<Unpacked, Skipped> {
        match self {
            Kind::Vsftpd => packages::fetch(&packages::VSFTPD),
            Kind::ProFtpd => packages::fetch(&packages::PROFTPD),
            Kind::PureFtpd => packages::fetch(&packages::PURE_FTPD),
            Kind::Aioftp | Kind::Pyftpdlib => crate::python::fetch(),
        }
    }

    fn needs_root(self) -> bool {
        !Kind::PYTHON.contains(&self)
    }
}

/// How the server protects its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Not at all; AUTH is refused.
    Off,
    /// After AUTH TLS, on the control and the data connections.
    Explicit,
    /// From the first byte.
    Implicit,
}

/// What the server should be like. Start from [`Options::plain`], [`Options::explicit`] or
/// [`Options::implicit`], and set what differs.
#[derive(Debug, Clone)]
pub struct Options {
    /// TLS; with TLS, a login without it is refused unless [`Self::tls_mandatory`] is false.
    pub tls: Tls,
    /// Whether logins and transfers without TLS are refused; only with [`Tls::Explicit`].
    pub tls_mandatory: bool,
    /// Whether a data connection must resume a TLS session of the control connection (vsftpd, ProFTPD;
    /// Pure-FTPd never asks for it).
    pub require_session_reuse: bool,
    /// Where to listen: loopback, unless the server is to stand on a host of its own (see `tests/wan`).
    pub address: Ipv4Addr,
    /// The certificate to show; by default a good one for `localhost`, `127.0.0.1`, `::1` and [`Self::address`].
    pub certificate: Option<Certificate>,
    /// The one user who may log in.
    pub user: String,
    /// That user's password.
    pub password: String,
    /// Files to begin with: a path relative to the root (parents are made), and the content.
    pub files: Vec<(String, Vec<u8>)>,
    /// At most this many connections from one address; further ones are refused with 421 or 530.
    pub max_per_ip: Option<u32>,
    /// More of the server's own configuration: lines for vsftpd and ProFTPD, arguments for Pure-FTPd, `NAME=VALUE` for those
    /// in Python (see `python/serve.py`).
    pub extra: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: Tls::Off,
            tls_mandatory: true,
            require_session_reuse: true,
            address: Ipv4Addr::LOCALHOST,
            certificate: None,
            user: "tester".into(),
            password: "s3cret pass".into(),
            files: Vec::new(),
            max_per_ip: None,
            extra: Vec::new(),
        }
    }
}

impl Options {
    /// Without TLS.
    pub fn plain() -> Self {
        Self::default()
    }

    /// With mandatory explicit TLS, and session reuse demanded.
    pub fn explicit() -> Self {
        Self::with_tls(Tls::Explicit)
    }

    /// With implicit TLS, and session reuse demanded.
    pub fn implicit() -> Self {
        Self::with_tls(Tls::Implicit)
    }

    /// With this kind of TLS.
    pub fn with_tls(tls: Tls) -> Self {
        Self {
            tls,
            ..Self::default()
        }
    }

    /// Adds a file, by its path relative to the root.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), content.into()));
        self
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It can't be had on this machine; the test may be skipped, loudly.
    #[error("{0}")]
    Skipped(#[from] Skipped),
    /// This server has no such feature; the test should not ask for it (see [`Kind::supports`]).
    #[error("{0}")]
    Unsupported(String),
    /// It is here and did not start: a fault of the test or of this crate.
    #[error("{0}")]
    Failed(String),
}

/// A running server. Dropping it ends it, with every process that it started, and removes its files.
#[derive(Debug)]
pub struct RealServer {
    kind: Kind,
    port: u16,
    options: Options,
    authority: Option<Authority>,
    process: Option<process::Tree>,
    launch: config::Launch,
    dir: TempDir,
}

impl RealServer {
    /// Starts a server, or says loudly that the test is skipped and returns `None`.
    ///
    /// # Panics
    ///
    /// If the server is there and does not start, or can't do what the options ask for; and instead of
    /// skipping, if `$SLIPWAY_REQUIRE_SERVERS` is `1`.
    pub fn start(kind: Kind, options: Options) -> Option<Self> {
        match Self::try_start(kind, options) {
            Ok(server) => Some(server),
            Err(StartError::Skipped(reason)) => {
                skip_loudly(&format!("a test against {}", kind.name()), &reason);
                None
            }
            Err(error) => panic!("{}: {error}", kind.name()),
        }
    }

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn try_start(kind: Kind, options: Options) -> Result<Self, StartError> {
        if !kind.supports(options.tls) {
            return Err(StartError::Unsupported(format!(
                "{} has no {:?} TLS",
                kind.name(),
                options.tls
            )));
        }
        if kind.needs_root() && !rustix::process::geteuid().is_root() {
            return Err(Skipped(
                "real servers need root (for chroot), and these tests run without".into(),
            )
            .into());
        }
        let unpacked = kind.fetch()?;
        let failed = |error: std::io::Error| StartError::Failed(error.to_string());

        let dir = tempfile::Builder::new()
            .prefix("slipway-server-")
            .tempdir()
            .map_err(failed)?;
        prepare(dir.path()).map_err(failed)?;
        for (path, content) in &options.files {
            put(&dir.path().join("root"), path, content).map_err(failed)?;
        }

        let mut authority = None;
        let mut options = options;
        if options.tls != Tls::Off {
            let certificate = options.certificate.take().unwrap_or_else(|| {
                let own = Authority::new();
                let address = options.address.to_string();
                let certificate = own.issue(&["localhost", "127.0.0.1", "::1", &address]);
                authority = Some(own);
                certificate
            });
            certificate.write(&dir.path().join("conf"));
            options.certificate = Some(certificate);
        }

        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = process::free_port().map_err(failed)?;
            let launch = config::write(kind, &options, dir.path(), port, &unpacked)?;
            match launch.spawn(
                &unpacked,
                dir.path(),
                SocketAddrV4::new(options.address, port),
            ) {
                Ok(process) => {
                    let process = Some(process);
                    return Ok(Self {
                        kind,
                        port,
                        options,
                        authority,
                        process,
                        launch,
                        dir,
                    });
                }
                Err(why) => last = why,
            }
        }
        Err(StartError::Failed(format!(
            "did not start: {last}\n{}",
            log_of(dir.path())
        )))
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((self.options.address, self.port))
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the user who may log in.
    pub fn user(&self) -> &str {
        &self.options.user
    }

    /// That user's password.
    pub fn password(&self) -> &str {
        &self.options.password
    }

    /// The certificate that it shows; `None` without TLS.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.options.certificate.as_ref()
    }

    /// The authority that signed the default certificate; `None` without TLS or with a certificate of the
    /// caller's.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The authority's certificate in a file, as `--ca FILE` wants it.
    pub fn authority_file(&self) -> Option<PathBuf> {
        let path = self.dir.path().join("authority.pem");
        fs::write(&path, self.authority.as_ref()?.pem()).unwrap();
        Some(path)
    }

    /// The folder on disk that the user sees as `/`.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Puts a file below the root, owned by the server's user; parents are made.
    pub fn put(&self, path: &str, content: &[u8]) {
        put(&self.root(), path, content).unwrap();
    }

    /// What is in a file below the root.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.root().join(path)).unwrap()
    }

    /// Gives everything below the root to the server's user, after a test wrote there by itself.
    pub fn adopt(&self) {
        adopt(&self.root()).unwrap();
    }

    /// What the server wrote into its logs so far.
    pub fn log(&self) -> String {
        log_of(self.dir.path())
    }

    /// Ends the server and all its sessions at once, as a crash of the machine would: no reply, no goodbye.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the server again after [`Self::kill`], on the same port, with the same files.
    pub fn restart(&mut self) {
        self.kill();
        let unpacked = self.kind.fetch().unwrap();
        let place = SocketAddrV4::new(self.options.address, self.port);
        match self.launch.spawn(&unpacked, self.dir.path(), place) {
            Ok(process) => self.process = Some(process),
            Err(why) => panic!(
                "{} did not start again: {why}\n{}",
                self.kind.name(),
                self.log()
            ),
        }
    }
}

/// crypt(3) with SHA-512, by perl: it is on every Debian, and this crate has no unsafe code.
fn crypt(password: &str) -> Result<String, Skipped> {
    let perl = Command::new("perl")
        .args(["-e", r#"print crypt($ENV{PLAIN}, q($6$slipwaytests$))"#])
        .env("PLAIN", password)
        .output();
    match perl {
        Ok(output) if output.stdout.starts_with(b"$6$") => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(_) => Err(Skipped("perl's crypt() knows no SHA-512 here".into())),
        Err(error) => Err(Skipped(format!("perl: {error}"))),
    }
}
