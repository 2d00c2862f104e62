use ftp_server::ServerTls;
use tokio::net::TcpListener;
use vault::{KeyringStatus, Secret, SecretError, SecretStore as _, login_account};

use super::*;
use crate::{
    dto::{CertificateQuestion, PasswordReason, Security, TlsTrust, TrustAnswer},
    error::ErrorCode,
};

async fn asked_for_trust(bench: &Bench, request: ConnectRequest) -> CertificateQuestion {
    match connect::connect(&bench.shell, request).await.unwrap() {
        ConnectOutcome::Certificate { question } => question,
        other => panic!("no question: {other:?}"),
    }
}

fn answered(
    request: ConnectRequest,
    question: &CertificateQuestion,
    always: bool,
) -> ConnectRequest {
    ConnectRequest {
        trust: Some(TrustAnswer {
            fingerprint: question.certificate.fingerprint.clone(),
            subject: question.certificate.subject.clone(),
            always,
        }),
        ..request
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_trusted_for_this_session_or_for_ever() {
    let bench = bench();
    let (server, _tree) = serve(certificate()).await;
    let question = asked_for_trust(&bench, request(&server)).await;
    assert!(!question.pinned_before && question.certificate.self_signed);
    assert_eq!(question.port, u32::from(server.local_addr().port()));

    let once =
        session(connect::connect(&bench.shell, answered(request(&server), &question, false)).await);
    let Security::Tls {
        trust, certificate, ..
    } = &once.security
    else {
        panic!("not encrypted");
    };
    assert_eq!(
        (*trust, certificate),
        (TlsTrust::Pinned, &question.certificate)
    );

    let again = asked_for_trust(&bench, request(&server)).await;
    session(connect::connect(&bench.shell, answered(request(&server), &again, true)).await);
    let kept = bench.shell.vault.trusted.list().unwrap();
    assert!(!kept[0].subject.is_empty() && kept[0].subject == again.certificate.subject);
    session(connect::connect(&bench.shell, request(&server)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_asked_about_loudly() {
    let bench = bench();
    let (server, _tree) = serve(certificate()).await;
    let question = asked_for_trust(&bench, request(&server)).await;
    let other = CertificateQuestion {
        certificate: crate::dto::CertificateInfo {
            fingerprint: ServerTls::self_signed(&["localhost"])
                .unwrap()
                .fingerprint()
                .to_string(),
            ..question.certificate.clone()
        },
        ..question
    };
    // The person trusted another certificate for this host and port for ever.
    let question = asked_for_trust(&bench, answered(request(&server), &other, true)).await;
    assert!(question.pinned_before);
    assert_ne!(
        question.certificate.fingerprint,
        other.certificate.fingerprint
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_asked_for_again_and_not_remembered() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let wrong = ConnectRequest {
        password: Some("wrong".into()),
        allow_plaintext: true,
        remember_password: true,
        ..request(&server)
    };
    let ConnectOutcome::Password {
        user,
        reason,
        message,
        ..
    } = connect::connect(&bench.shell, wrong).await.unwrap()
    else {
        panic!("no question");
    };
    assert_eq!((user.as_str(), reason), (USER, PasswordReason::Refused));
    assert!(message.unwrap().starts_with("530"));

    let account = login_account(USER, "127.0.0.1", server.local_addr().port());
    assert!(bench.secrets.get(&account).is_err());
    let right = ConnectRequest {
        allow_plaintext: true,
        remember_password: true,
        ..request(&server)
    };
    session(connect::connect(&bench.shell, right).await);
    assert_eq!(bench.secrets.get(&account).unwrap().expose(), PASSWORD);
    let remembered = ConnectRequest {
        password: None,
        allow_plaintext: true,
        ..request(&server)
    };
    session(connect::connect(&bench.shell, remembered).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_goes_over_a_plain_connection_only_with_leave() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let outcome = connect::connect(&bench.shell, request(&server))
        .await
        .unwrap();
    assert!(
        matches!(outcome, ConnectOutcome::Plaintext { .. }),
        "{outcome:?}"
    );
    let allowed = ConnectRequest {
        allow_plaintext: true,
        ..request(&server)
    };
    let session = session(connect::connect(&bench.shell, allowed).await);
    assert_eq!(session.security, Security::Plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_never_shows_the_password() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let lines = bench.shell.log.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.text.contains(USER) && line.session == Some(session.id))
    );
    assert!(lines.iter().all(|line| !line.text.contains("hunter2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_port_is_an_error_and_no_question() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let request = request(&server);
    server.stop().await;
    let error = connect::connect(&bench.shell, request).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (ErrorCode::Connect, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_under_way_can_be_given_up() {
    let bench = bench();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = ConnectRequest {
        site: None,
        address: silent.local_addr().unwrap().to_string(),
        user: String::new(),
        password: None,
        tls: TlsMode::Off,
        trust: None,
        allow_plaintext: false,
        remember_password: false,
    };
    let shell = Arc::clone(&bench.shell);
    let connecting = tokio::spawn(async move { connect::connect(&shell, request).await });
    // Connected, and now it waits for a greeting that never comes.
    let (_held, _) = silent.accept().await.unwrap();
    bench.shell.sessions.cancel_connects();
    let error = tokio::time::timeout(PATIENCE, connecting)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_practice_site_trusts_itself_and_nobody_else() {
    let bench = bench();
    let practice = crate::practice::Practice::start().await.unwrap();
    let giving_up = bench.shell.sessions.connecting();
    let session = session(connect::establish(&bench.shell, practice.plan(), &giving_up).await);
    assert_eq!(session.title, "practice.slipway");
    assert!(matches!(
        session.security,
        Security::Tls {
            trust: TlsTrust::Pinned,
            data_encrypted: true,
            ..
        }
    ));
    assert!(bench.shell.vault.trusted.list().unwrap().is_empty());
    let root = open(&bench, remote(&session), FolderTarget::Home)
        .await
        .unwrap();
    assert_eq!(
        root.names(),
        ["README.txt", "docs", "logbook", "upload here", "www"]
    );
}

/// A keyring that waits to be unlocked, and says when it does.
struct Locked {
    asked: mpsc::UnboundedSender<()>,
    unlocked: Mutex<std::sync::mpsc::Receiver<()>>,
    secrets: MemorySecrets,
}

impl SecretStore for Locked {
    fn get(&self, account: &str) -> std::result::Result<Secret, SecretError> {
        self.asked.send(()).unwrap();
        self.unlocked
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .unwrap();
        self.secrets.get(account)
    }

    fn set(&self, account: &str, secret: &Secret) -> std::result::Result<(), SecretError> {
        self.secrets.set(account, secret)
    }

    fn delete(&self, account: &str) -> std::result::Result<(), SecretError> {
        self.secrets.delete(account)
    }

    fn status(&self) -> KeyringStatus {
        self.secrets.status()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_given_up_while_the_keyring_is_locked_never_logs_in() {
    let (asked, mut is_asked) = mpsc::unbounded_channel();
    let (unlock, unlocked) = std::sync::mpsc::channel();
    let secrets = MemorySecrets::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    secrets
        .set(
            &login_account(USER, "127.0.0.1", port),
            &Secret::new(PASSWORD),
        )
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folders = Folders::new(dir.path().join("config"), dir.path().join("data"));
    let locked = Arc::new(Locked {
        asked,
        unlocked: Mutex::new(unlocked),
        secrets,
    });
    let shell = Arc::new(Shell::new(
        Box::new(|_| ()),
        Vault::new(&folders, locked),
        false,
    ));
    let request = ConnectRequest {
        site: None,
        address: format!("127.0.0.1:{port}"),
        user: USER.into(),
        password: None,
        tls: TlsMode::Off,
        trust: None,
        allow_plaintext: true,
        remember_password: false,
    };
    let connecting = {
        let shell = Arc::clone(&shell);
        tokio::spawn(async move { connect::connect(&shell, request).await })
    };
    tokio::time::timeout(PATIENCE, is_asked.recv())
        .await
        .unwrap()
        .unwrap();
    shell.sessions.cancel_connects();
    unlock.send(()).unwrap();
    let outcome = tokio::select! {
        outcome = connecting => outcome.unwrap(),
        _ = listener.accept() => panic!("it connects although it was given up"),
    };
    assert_eq!(outcome.unwrap_err().code, ErrorCode::Cancelled);
}
