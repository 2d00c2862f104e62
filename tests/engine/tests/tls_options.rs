//! TLS as a person sets it: a certificate to show, the oldest and the newest version; and what was negotiated, as data.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::path::PathBuf;

use engine_tests::{config_for, connect, entries, path, pattern};
use ftp_client::{Client, Config, ErrorKind, Identity, Security, TlsOptions, TlsVersion};
use support::{Authority, Kind, Options, RealServer, Tls};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn round_trip(client: &Client, case: &str) {
    let content = pattern(100_000);
    let mut upload = client
        .stor(&path("/file"), 0)
        .await
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    upload.write_all(&content).await.unwrap();
    upload.finish().await.unwrap();
    let mut back = Vec::new();
    let mut download = client.retr(&path("/file"), 0).await.unwrap();
    download.read_to_end(&mut back).await.unwrap();
    download.finish().await.unwrap();
    assert!(back == content, "{case}");
    assert_eq!(entries(client, "/").await.len(), 1, "{case}");
}

/// A certificate for people, of an authority that the server asks for.
struct Card {
    dir: TempDir,
    identity: Identity,
}

impl Card {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let files = authority.issue_for_client("tester").write(dir.path());
        let identity = Identity::from_pem_files(&files.cert, &files.key).unwrap();
        std::fs::write(dir.path().join("people.pem"), authority.pem()).unwrap();
        // The servers are other users.
        for entry in [dir.path().to_owned(), dir.path().join("people.pem")] {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(entry, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir, identity }
    }

    fn authority(&self) -> PathBuf {
        self.dir.path().join("people.pem")
    }
}

/// Servers that let nobody in without a certificate.
fn demanding(kind: Kind, card: &Card) -> Option<RealServer> {
    let mut options = Options::explicit();
    let authority = card.authority().display().to_string();
    options.extra = match kind {
        Kind::Vsftpd => vec![
            "require_cert=YES".to_owned(),
            "validate_cert=YES".to_owned(),
            format!("ca_certs_file={authority}"),
        ],
        Kind::ProFtpd => vec![
            "TLSVerifyClient on".to_owned(),
            format!("TLSCACertificateFile {authority}"),
        ],
        _ => return None,
    };
    RealServer::start(kind, options)
}

#[tokio::test]
async fn real_servers_that_demand_a_certificate_are_shown_one() {
    let card = Card::new();
    for kind in [Kind::Vsftpd, Kind::ProFtpd] {
        let Some(server) = demanding(kind, &card) else {
            continue;
        };
        for max in [TlsVersion::V13, TlsVersion::V12] {
            let case = format!("{} {max}", kind.name());
            let mut config = config_for(&server, Tls::Explicit);
            config.tls_options.max = max;
            // Nobody comes in without.
            let refused = connect(config.clone()).await;
            let Err(error) = refused else {
                panic!("{case}: without a certificate");
            };
            assert!(
                matches!(error.kind(), ErrorKind::Tls | ErrorKind::Lost),
                "{case}: {error}"
            );
            // One of somebody else's authority is none.
            let mut stranger = config.clone();
            stranger.tls_options.identity = Some(Card::new().identity);
            assert!(connect(stranger).await.is_err(), "{case}: a stranger's");

            config.tls_options.identity = Some(card.identity.clone());
            let (client, log) = connect(config)
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            round_trip(&client, &case).await;
            let Security::Tls { resumes, .. } = client.facts().security.clone() else {
                panic!("{case}\n{}", log.all());
            };
            // With a certificate as without: the data connections resume the session.
            assert_eq!(resumes, Some(true), "{case}");
            client.quit().await.unwrap();
        }
    }
}

fn options(min: TlsVersion, max: TlsVersion) -> TlsOptions {
    TlsOptions {
        min,
        max,
        ..TlsOptions::default()
    }
}

#[tokio::test]
async fn real_versions_are_kept_to_and_the_chain_is_told() {
    use TlsVersion::{V12, V13};
    for kind in Kind::ALL {
        let mut server_options = Options::explicit();
        // Else a session without tickets ends at the first upload, as it should.
        server_options.require_session_reuse = false;
        let Some(server) = RealServer::start(kind, server_options) else {
            continue;
        };
        for (min, max, spoken) in [(V12, V12, "TLS 1.2"), (V13, V13, "TLS 1.3")] {
            let case = format!("{} {min} to {max}", kind.name());
            let mut config = config_for(&server, Tls::Explicit);
            config.tls_options = options(min, max);
            let (client, log) = connect(config).await.unwrap();
            round_trip(&client, &case).await;
            round_trip(&client, &case).await;
            let Security::Tls {
                version,
                cipher,
                certificate,
                chain,
                ..
            } = client.facts().security.clone()
            else {
                panic!("{case}\n{}", log.all());
            };
            // Not another version half-way either, whatever the tickets say.
            assert_eq!(version, spoken, "{case}");
            assert!(!cipher.is_empty());
            assert_eq!(*certificate, chain[0], "{case}");
            assert!(certificate.names.iter().any(|name| name == "127.0.0.1"));
            client.quit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn real_a_version_that_the_server_lacks_is_an_error_and_not_another_version() {
    for (only, asked) in [("TLSv1.2", TlsVersion::V13), ("TLSv1.3", TlsVersion::V12)] {
        let mut server_options = Options::explicit();
        server_options.extra = vec![format!("TLSProtocol {only}")];
        let Some(server) = RealServer::start(Kind::ProFtpd, server_options) else {
            return;
        };
        let mut config = config_for(&server, Tls::Explicit);
        config.tls_options = options(asked, asked);
        let Err(error) = connect(config).await else {
            panic!("{only}: {asked} was spoken");
        };
        assert_eq!(*error.kind(), ErrorKind::Tls, "{error}");
    }
}

#[tokio::test]
async fn settings_that_leave_no_version_are_refused_here() {
    let mut config = Config::new("127.0.0.1").with_port(9);
    config.tls_options = options(TlsVersion::V13, TlsVersion::V12);
    let Err(error) = connect(config).await else {
        panic!("connected");
    };
    assert_eq!(*error.kind(), ErrorKind::Argument, "{error}");
    assert!(error.to_string().contains("TLS 1.3"), "{error}");
}

#[test]
fn files_that_hold_no_certificate_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let one = authority.issue(&["one"]).write(&dir.path().join("."));
    let there = dir.path().join("other");
    std::fs::create_dir(&there).unwrap();
    let other = authority.issue(&["other"]).write(&there);
    let identity = Identity::from_pem_files(&one.cert, &one.key).unwrap();
    assert!(identity.chain()[0].names.contains(&"one".to_owned()));
    let shown = format!("{identity:?}");
    assert!(
        shown.contains("*****") && !shown.contains("PRIVATE"),
        "{shown}"
    );

    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let locked = dir.path().join("locked.pem");
    let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(&locked, text).unwrap();
    let missing = dir.path().join("missing.pem");
    for (certificate, key, words) in [
        (&one.cert, &other.key, "does not belong"),
        (&one.cert, &empty, "no key"),
        (&empty, &one.key, "no certificate"),
        (&one.cert, &locked, "passphrase"),
        (&missing, &one.key, "missing.pem"),
        (&one.cert, &one.cert, "no key"),
    ] {
        let error = Identity::from_pem_files(certificate, key).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    // Both in one file, as some keep them.
    let both = dir.path().join("both.pem");
    let text =
        std::fs::read_to_string(&one.cert).unwrap() + &std::fs::read_to_string(&one.key).unwrap();
    std::fs::write(&both, text).unwrap();
    assert_eq!(Identity::from_pem_files(&both, &both).unwrap(), identity);
}

/// CCC with a server that has it: commands in plain, data still in TLS.
#[tokio::test]
async fn real_proftpd_goes_on_with_commands_in_plain() {
    let mut server_options = Options::explicit();
    // "TLSRequired on" would have every command encrypted.
    server_options.tls_mandatory = false;
    server_options.require_session_reuse = false;
    let Some(server) = RealServer::start(Kind::ProFtpd, server_options) else {
        return;
    };
    let (client, log) = connect(config_for(&server, Tls::Explicit)).await.unwrap();
    if let Err(error) = client.clear_control().await {
        panic!("{error}\n{}", log.all());
    }
    round_trip(&client, "after CCC").await;
    client.quit().await.unwrap();
}
