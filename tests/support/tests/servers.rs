//! Each real server starts, greets, lets the right password in and refuses a wrong one, plain and with TLS,
//! and ends with everything that it started.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls_pki_types::ServerName;
use support::{Authority, Certificate, Kind, Options, RealServer, Tls};

/// Pure-FTPd takes its time to refuse a password.
const PATIENCE: Duration = Duration::from_secs(30);

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// As much of a client as this test needs.
struct Control {
    stream: BufReader<Box<dyn Wire>>,
}

impl Control {
    fn open(server: &RealServer) -> TcpStream {
        let stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Connects in the server's own way, with TLS if it has any, and returns after the greeting.
    fn greeted(server: &RealServer, tls: Tls) -> Self {
        let raw = Self::open(server);
        let mut control = Self {
            stream: BufReader::new(Box::new(raw.try_clone().unwrap())),
        };
        if tls != Tls::Implicit {
            assert!(control.reply().starts_with("220"), "{}", server.log());
        }
        if tls == Tls::Explicit {
            assert!(control.ask("AUTH TLS").starts_with("234"));
        }
        if tls != Tls::Off {
            let name = ServerName::try_from("localhost").unwrap();
            let config = server.authority().unwrap().client_config();
            let session = rustls::ClientConnection::new(config, name).unwrap();
            control.stream = BufReader::new(Box::new(rustls::StreamOwned::new(session, raw)));
        }
        if tls == Tls::Implicit {
            assert!(control.reply().starts_with("220"));
        }
        control
    }

    /// A whole reply; its last line decides.
    fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let count = self.stream.read_line(&mut line).unwrap();
            assert!(count > 0, "the server closed the connection after {text:?}");
            if line.len() > 3
                && line.as_bytes()[3] == b' '
                && line[..3].bytes().all(|b| b.is_ascii_digit())
            {
                return line;
            }
            text.push_str(&line);
        }
    }

    fn ask(&mut self, command: &str) -> String {
        self.stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        self.stream.get_mut().flush().unwrap();
        self.reply()
    }

    fn log_in(&mut self, server: &RealServer, password: &str) -> String {
        assert!(
            self.ask(&format!("USER {}", server.user()))
                .starts_with("331")
        );
        self.ask(&format!("PASS {password}"))
    }
}

fn logs_in(kind: Kind, tls: Tls) {
    let Some(server) = RealServer::start(kind, Options::with_tls(tls).file("a dir/ä.txt", "hello"))
    else {
        return;
    };

    let mut wrong = Control::greeted(&server, tls);
    let refused = wrong.log_in(&server, "not the password");
    assert!(refused.starts_with("530"), "{refused}");

    let mut right = Control::greeted(&server, tls);
    let welcome = right.log_in(&server, server.password());
    assert!(welcome.starts_with("230"), "{welcome}\n{}", server.log());
    assert!(right.ask("TYPE I").starts_with("200"));
    if kind != Kind::Aioftp {
        assert_eq!(right.ask("SIZE a dir/ä.txt").trim(), "213 5");
    }
    assert!(
        right.ask("MKD new").starts_with("257"),
        "the root is not writable"
    );
    assert!(server.root().join("new").is_dir());
    assert!(right.ask("RNFR new").starts_with("350"));
    assert!(right.ask("RNTO other").starts_with("250"));
    assert!(right.ask("RMD other").starts_with("250"));
    let set_time = match kind {
        Kind::Vsftpd => Some("MDTM 20010203040506 a dir/ä.txt"),
        Kind::ProFtpd | Kind::PureFtpd | Kind::Pyftpdlib => Some("MFMT 20010203040506 a dir/ä.txt"),
        Kind::Aioftp => None,
    };
    if let Some(set_time) = set_time {
        assert!(right.ask(set_time).starts_with("213"));
        assert_eq!(right.ask("MDTM a dir/ä.txt").trim(), "213 20010203040506");
    }
    assert!(right.ask("DELE a dir/ä.txt").starts_with("250"));
}

/// One test a server and kind of TLS, so that they run side by side and each is named in the summary.
macro_rules! login_tests {
    ($($name:ident: $kind:ident, $tls:ident;)*) => {$(
        #[test]
        fn $name() {
            logs_in(Kind::$kind, Tls::$tls);
        }
    )*};
}

login_tests! {
    vsftpd_plain: Vsftpd, Off;
    vsftpd_explicit: Vsftpd, Explicit;
    vsftpd_implicit: Vsftpd, Implicit;
    proftpd_plain: ProFtpd, Off;
    proftpd_explicit: ProFtpd, Explicit;
    proftpd_implicit: ProFtpd, Implicit;
    pure_ftpd_plain: PureFtpd, Off;
    pure_ftpd_explicit: PureFtpd, Explicit;
    aioftp_plain: Aioftp, Off;
    aioftp_implicit: Aioftp, Implicit;
    pyftpdlib_plain: Pyftpdlib, Off;
    pyftpdlib_explicit: Pyftpdlib, Explicit;
}

#[test]
fn tls_is_mandatory_unless_told_otherwise() {
    for kind in Kind::ALL {
        let Some(strict) = RealServer::start(kind, Options::explicit()) else {
            continue;
        };
        let mut control = Control::greeted(&strict, Tls::Off);
        let answer = control.ask(&format!("USER {}", strict.user()));
        let answer = if answer.starts_with("331") {
            control.ask(&format!("PASS {}", strict.password()))
        } else {
            answer
        };
        assert!(!answer.starts_with("230"), "{}: {answer}", kind.name());

        let options = Options {
            tls_mandatory: false,
            ..Options::explicit()
        };
        let Some(lax) = RealServer::start(kind, options) else {
            continue;
        };
        let mut control = Control::greeted(&lax, Tls::Off);
        let welcome = control.log_in(&lax, lax.password());
        assert!(welcome.starts_with("230"), "{}: {welcome}", kind.name());
    }
}

#[test]
fn a_certificate_of_the_callers_is_shown() {
    let certificate = Authority::new().issue_expired(&["localhost"]);
    for kind in Kind::ALL {
        let options = Options {
            certificate: Some(certificate.clone()),
            ..Options::explicit()
        };
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        assert!(server.authority().is_none());
        assert_eq!(
            shown(&server),
            certificate.der().as_ref(),
            "{}",
            kind.name()
        );
    }
}

/// The certificate that a server shows, seen by openssl, which trusts anything when asked to look.
fn shown(server: &RealServer) -> Vec<u8> {
    let script = format!(
        "openssl s_client -starttls ftp -connect {} </dev/null 2>/dev/null | openssl x509 -outform DER",
        server.addr()
    );
    std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap()
        .stdout
}

#[test]
fn ten_connections_at_once_and_no_more_than_allowed() {
    for kind in Kind::ALL {
        let Some(server) = RealServer::start(kind, Options::plain()) else {
            continue;
        };
        let mut open: Vec<Control> = (0..10)
            .map(|_| Control::greeted(&server, Tls::Off))
            .collect();
        for control in &mut open {
            assert!(
                control
                    .log_in(&server, server.password())
                    .starts_with("230"),
                "{}",
                kind.name()
            );
        }

        let options = Options {
            max_per_ip: Some(2),
            ..Options::plain()
        };
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let mut first = Control::greeted(&server, Tls::Off);
        let mut second = Control::greeted(&server, Tls::Off);
        for control in [&mut first, &mut second] {
            assert!(
                control
                    .log_in(&server, server.password())
                    .starts_with("230"),
                "{}",
                kind.name()
            );
        }
        let mut third = Control {
            stream: BufReader::new(Box::new(Control::open(&server))),
        };
        let greeting = third.reply();
        let answer = if greeting.starts_with("220") {
            third.log_in(&server, server.password())
        } else {
            greeting
        };
        assert!(
            answer.starts_with("421") || answer.starts_with("530"),
            "{}: {answer}",
            kind.name()
        );
    }
}

#[test]
fn kill_ends_sessions_too_and_restart_keeps_port_and_files() {
    for kind in Kind::ALL {
        let Some(mut server) = RealServer::start(kind, Options::plain().file("kept", "1")) else {
            continue;
        };
        let mut control = Control::greeted(&server, Tls::Off);
        assert!(
            control
                .log_in(&server, server.password())
                .starts_with("230")
        );
        let port = server.port();
        server.kill();
        let mut rest = Vec::new();
        // A reset or an end, but nothing that hangs.
        let _ = control.stream.read_to_end(&mut rest);
        assert!(
            TcpStream::connect(server.addr()).is_err(),
            "{} still listens",
            kind.name()
        );
        server.restart();
        assert_eq!(server.port(), port);
        let mut control = Control::greeted(&server, Tls::Off);
        assert!(
            control
                .log_in(&server, server.password())
                .starts_with("230")
        );
        assert!(control.ask("TYPE I").starts_with("200"));
        assert_eq!(control.ask("SIZE kept").trim(), "213 1");
    }
}

#[test]
fn bad_certificates_are_bad_in_the_way_they_say() {
    let authority = Authority::new();
    let try_it = |certificate: &Certificate| {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(authority.client_config(), name).unwrap();
        let mut server = rustls::ServerConnection::new(certificate.server_config()).unwrap();
        handshake(&mut client, &mut server)
    };
    use rustls::{CertificateError as Bad, Error};
    let bad = |result: Result<(), Error>| match result {
        Err(Error::InvalidCertificate(why)) => why,
        other => panic!("{other:?}"),
    };
    try_it(&authority.issue_local()).unwrap();
    assert!(matches!(
        bad(try_it(&authority.issue_expired(&["localhost"]))),
        Bad::Expired | Bad::ExpiredContext { .. }
    ));
    assert!(matches!(
        bad(try_it(&authority.issue_not_yet_valid(&["localhost"]))),
        Bad::NotValidYet | Bad::NotValidYetContext { .. }
    ));
    assert!(matches!(
        bad(try_it(&authority.issue_wrong_host())),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. }
    ));
    assert_eq!(
        bad(try_it(&Certificate::self_signed(&["localhost"]))),
        Bad::UnknownIssuer
    );
    assert_eq!(
        bad(try_it(&Authority::new().issue_local())),
        Bad::UnknownIssuer
    );
}

/// Moves bytes between the two sides in memory until both are content or the client is not.
fn handshake(
    client: &mut rustls::ClientConnection,
    server: &mut rustls::ServerConnection,
) -> Result<(), rustls::Error> {
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut input = bytes.as_slice();
        while !input.is_empty() {
            server.read_tls(&mut input).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut input = bytes.as_slice();
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}
