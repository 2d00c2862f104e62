use std::collections::HashSet;

use ftp_client::{CertificateInfo, CertificateProblem, DistrustReason, Waited};

use super::*;

#[test]
fn every_kind_of_the_client_has_its_own_code() {
    let kinds = [
        ErrorKind::Resolve,
        ErrorKind::Connect,
        ErrorKind::Timeout(Waited::Reply),
        ErrorKind::Lost,
        ErrorKind::Busy,
        ErrorKind::TlsUnavailable,
        ErrorKind::Tls,
        ErrorKind::PlaintextRefused,
        ErrorKind::LoginRefused,
        ErrorKind::NotFound,
        ErrorKind::Refused,
        ErrorKind::Protocol,
        ErrorKind::Argument,
        ErrorKind::Truncated,
        ErrorKind::Local,
        ErrorKind::Unsupported,
        ErrorKind::Cancelled,
        ErrorKind::Certificate(Box::new(untrusted())),
    ];
    let codes: HashSet<ErrorCode> = kinds.iter().map(|kind| of_client(kind).0).collect();
    assert_eq!(codes.len(), kinds.len());
    assert!(!codes.contains(&ErrorCode::Internal));
    for kind in &kinds {
        let (code, message) = of_client(kind);
        // The code is the kind's name, so that a log and the window speak of the same thing.
        let name = format!("{kind:?}")
            .split('(')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(format!("{code:?}"), name);
        assert!(
            message.ends_with('.') && !message.contains("  "),
            "{message}"
        );
    }
}

fn untrusted() -> CertificateProblem {
    CertificateProblem {
        info: CertificateInfo {
            subject: "CN=host".into(),
            issuer: "CN=host".into(),
            names: Vec::new(),
            not_before: 0,
            not_after: 0,
            fingerprint: ftp_client::Fingerprint([0; 32]),
            self_signed: true,
        },
        reason: DistrustReason::UnknownIssuer,
        host: "host".into(),
    }
}

#[test]
fn codes_are_written_as_the_window_reads_them() {
    let json = |code| {
        serde_json::to_value(AppError::new(code, "x"))
            .map(|value| value["code"].clone())
            .ok()
    };
    assert_eq!(
        json(ErrorCode::TlsUnavailable),
        Some("tls-unavailable".into())
    );
    assert_eq!(json(ErrorCode::NotFound), Some("not-found".into()));
    assert_eq!(json(ErrorCode::StaleListing), Some("stale-listing".into()));
}

#[test]
fn the_local_disk() {
    let of = |kind: io::ErrorKind| AppError::from(io::Error::from(kind)).code;
    assert_eq!(of(io::ErrorKind::NotFound), ErrorCode::NotFound);
    assert_eq!(of(io::ErrorKind::PermissionDenied), ErrorCode::Refused);
    assert_eq!(of(io::ErrorKind::NotADirectory), ErrorCode::Local);
    assert_eq!(of(io::ErrorKind::Other), ErrorCode::Local);
}

#[test]
fn the_queue() {
    let of = |error: transfer::Error| AppError::from(error);
    let full = of(transfer::Error::DiskFull { path: "/x".into() });
    assert_eq!((full.code, full.retryable), (ErrorCode::DiskFull, false));
    let changed = of(transfer::Error::SourceChanged);
    assert_eq!(
        (changed.code, changed.retryable),
        (ErrorCode::Changed, true)
    );
    let earlier = of(transfer::Error::Earlier {
        message: "552 quota".into(),
        retry: transfer::Retry::Never,
    });
    assert_eq!(
        (earlier.code, earlier.message.as_str()),
        (ErrorCode::Refused, "552 quota.")
    );
    let differs = of(transfer::Error::SizeDiffers {
        expected: 2,
        received: 1,
    });
    assert_eq!(
        (differs.code, differs.retryable),
        (ErrorCode::Truncated, true)
    );
    let children = of(transfer::Error::Children { failed: 1, of: 2 });
    assert_eq!(
        (children.message.as_str(), children.retryable),
        ("1 of 2 failed.", true)
    );
}

#[test]
fn sentences_stand_alone() {
    assert_eq!(sentence("the port can't be 0"), "The port can't be 0.");
    assert_eq!(sentence("Locked!"), "Locked!");
    assert_eq!(sentence(""), "");
}

#[test]
fn a_detail_says_more_than_the_message() {
    let error = AppError::argument("No.").with_detail("No.");
    assert_eq!(error.detail, None);
    assert_eq!(
        error.with_detail("550 no").detail.as_deref(),
        Some("550 no")
    );
}
