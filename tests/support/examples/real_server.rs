//! A real server for trying things by hand and for the benchmark: `real_server
//! vsftpd|proftpd|pure-ftpd|aioftp|pyftpdlib [off|explicit|implicit [ADDRESS]]`. It prints one line, `PORT USER PASSWORD ROOT CA`, and runs until its standard
//! input ends.
#![allow(clippy::unwrap_used)]

use std::io::Read as _;

use support::{Kind, Options, RealServer, Tls};

fn main() {
    let mut words = std::env::args().skip(1);
    let kind = match words.next().as_deref() {
        Some("vsftpd") => Kind::Vsftpd,
        Some("proftpd") => Kind::ProFtpd,
        Some("pure-ftpd") => Kind::PureFtpd,
        Some("aioftp") => Kind::Aioftp,
        Some("pyftpdlib") => Kind::Pyftpdlib,
        _ => panic!("which server: vsftpd, proftpd, pure-ftpd, aioftp or pyftpdlib"),
    };
    let tls = match words.next().as_deref() {
        None | Some("off") => Tls::Off,
        Some("explicit") => Tls::Explicit,
        Some("implicit") => Tls::Implicit,
        Some(other) => panic!("no such TLS: {other}"),
    };
    let mut options = Options::with_tls(tls);
    options.password = "secret".to_owned();
    if let Some(address) = words.next() {
        options.address = address.parse().expect("an IPv4 address");
    }
    if kind == Kind::Vsftpd {
        // Every command in the log is for tests; no real server does it, and with small files it takes time.
        options.extra = vec!["log_ftp_protocol=NO".to_owned()];
    }
    let Some(server) = RealServer::start(kind, options) else {
        std::process::exit(1)
    };
    println!(
        "{} {} {} {} {}",
        server.port(),
        server.user(),
        server.password(),
        server.root().display(),
        server
            .authority_file()
            .map_or_else(|| "-".to_owned(), |file| file.display().to_string()),
    );
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
