//! The wires against themselves: both sides of TLS, both directions of the copy loops.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ftp_net::{
    NetError, Stream, Waited, connect_addr,
    copy::{self, Progress},
    listen, shutdown_orderly,
    tls::{ClientTls, DistrustReason, Purpose, Roots, ServerTls, TlsSession, Trust, Versions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LIMIT: Duration = Duration::from_secs(20);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = listen(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(connect_addr(address, LIMIT), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

fn pinned(server: &ServerTls) -> ClientTls {
    let trust = Trust {
        pins: vec![server.fingerprint()],
        ..Trust::default()
    };
    ClientTls::new("localhost", &trust).unwrap()
}

async fn tls_pair(
    session: &TlsSession,
    server: &ServerTls,
    purpose: Purpose,
) -> Result<(Stream, Stream), NetError> {
    let (client, accepted) = pair().await;
    let (client, accepted) = tokio::join!(
        session.connect(client, LIMIT),
        server.accept(accepted, purpose, b"tag", LIMIT)
    );
    Ok((client?, accepted?))
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

fn file_with(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn content(mut file: File) -> Vec<u8> {
    let mut all = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut all).unwrap();
    all
}

#[tokio::test]
async fn a_stranger_is_an_error_that_carries_the_certificate() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let client = ClientTls::new("localhost", &Trust::default()).unwrap();
    let error = tls_pair(&client.session(Versions::Any), &server, Purpose::Control)
        .await
        .unwrap_err();
    let NetError::Certificate(problem) = error else {
        panic!("{error:?}")
    };
    assert_eq!(problem.info.fingerprint, server.fingerprint());
    assert_eq!(problem.reason, DistrustReason::UnknownIssuer);
    assert_eq!(problem.info.names, ["localhost"]);
}

#[tokio::test]
async fn only_pins_means_only_pins() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let other = ServerTls::self_signed(&["localhost"]).unwrap();
    let trust = Trust {
        roots: Roots::System,
        pins: vec![other.fingerprint()],
        only_pins: true,
    };
    let client = ClientTls::new("localhost", &trust).unwrap();
    let error = tls_pair(&client.session(Versions::Any), &server, Purpose::Control)
        .await
        .unwrap_err();
    let NetError::Certificate(problem) = error else {
        panic!("{error:?}")
    };
    assert_eq!(problem.reason, DistrustReason::NotPinned);
}

#[tokio::test]
async fn a_data_connection_with_another_certificate_is_refused() {
    let first = ServerTls::self_signed(&["localhost"]).unwrap();
    let second = ServerTls::self_signed(&["localhost"]).unwrap();
    let trust = Trust {
        pins: vec![first.fingerprint(), second.fingerprint()],
        ..Trust::default()
    };
    let session = ClientTls::new("localhost", &trust)
        .unwrap()
        .session(Versions::Any);
    tls_pair(&session, &first, Purpose::Control).await.unwrap();
    let error = tls_pair(&session, &second, Purpose::Download)
        .await
        .unwrap_err();
    let NetError::Certificate(problem) = error else {
        panic!("{error:?}")
    };
    assert_eq!(problem.reason, DistrustReason::Changed);
}

#[tokio::test]
async fn two_hundred_uploads_resume_in_either_version() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    for versions in [Versions::Any, Versions::Tls12] {
        let session = pinned(&server).session(versions);
        let (mut control, mut accepted) =
            tls_pair(&session, &server, Purpose::Control).await.unwrap();
        assert!(session.by_pin());
        // The tickets come with the first bytes that the server sends.
        accepted.write_all(b"x").await.unwrap();
        control.read_exact(&mut [0]).await.unwrap();
        for turn in 0..200 {
            // Downloads bring new tickets in TLS 1.3, uploads bring none.
            let purpose = match turn % 2 {
                0 => Purpose::Upload,
                _ => Purpose::Download,
            };
            let (mut data, mut far) = tls_pair(&session, &server, purpose).await.unwrap();
            let facts = data.tls_facts().unwrap();
            assert!(facts.resumed, "{versions:?} turn {turn}");
            let tag = far.tls_facts().unwrap().session_tag;
            if versions == Versions::Any {
                assert_eq!(tag.unwrap(), b"tag");
            }
            let (near, away) = tokio::join!(
                shutdown_orderly(&mut data, LIMIT),
                shutdown_orderly(&mut far, LIMIT)
            );
            near.unwrap();
            away.unwrap();
        }
    }
}

#[tokio::test]
async fn files_arrive_whole_in_both_directions_plain_and_encrypted() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = pinned(&server).session(Versions::Any);
    let _control = tls_pair(&session, &server, Purpose::Control).await.unwrap();
    for size in [0, 1, 16 * 1024, 262_144, 262_145, 3_000_001] {
        for encrypted in [false, true] {
            for upload in [false, true] {
                let (near, far) = if encrypted {
                    tls_pair(&session, &server, Purpose::Download)
                        .await
                        .unwrap()
                } else {
                    let (near, far) = pair().await;
                    (Stream::Plain(near), Stream::Plain(far))
                };
                let sent = bytes(size);
                let target = tempfile::tempfile().unwrap();
                let (from, to) = if upload { (near, far) } else { (far, near) };
                let (up, down) = (Progress::default(), Progress::default());
                let (sending, receiving) = tokio::join!(
                    copy::send_from_file(from, file_with(&sent), up.clone(), LIMIT),
                    copy::receive_to_file(to, target.try_clone().unwrap(), down.clone(), LIMIT)
                );
                let case = format!("{size} bytes, encrypted {encrypted}, upload {upload}");
                assert_eq!(sending.unwrap().bytes, size as u64, "{case}");
                let received = receiving.unwrap();
                assert_eq!(received.bytes, size as u64, "{case}");
                assert!(received.clean, "{case}");
                assert_eq!((up.bytes(), down.bytes()), (size as u64, size as u64));
                assert!(content(target) == sent, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_download_goes_to_the_files_position_even_when_appending() {
    for append in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"12345").unwrap();
        let mut file = File::options()
            .read(true)
            .append(append)
            .write(true)
            .open(&path)
            .unwrap();
        file.seek(SeekFrom::Start(5)).unwrap();
        let (near, mut far) = pair().await;
        far.write_all(b"678").await.unwrap();
        drop(far);
        copy::receive_to_file(Stream::Plain(near), file, Progress::default(), LIMIT)
            .await
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"12345678");
    }
}

#[tokio::test]
async fn a_cut_tls_connection_is_not_clean() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = pinned(&server).session(Versions::Any);
    let (near, mut far) = tls_pair(&session, &server, Purpose::Download)
        .await
        .unwrap();
    far.write_all(b"half").await.unwrap();
    far.flush().await.unwrap();
    drop(far);
    let file = tempfile::tempfile().unwrap();
    let copied = copy::receive_to_file(near, file.try_clone().unwrap(), Progress::default(), LIMIT)
        .await
        .unwrap();
    assert!(!copied.clean);
    assert_eq!(content(file), b"half");
}

#[tokio::test]
async fn a_silent_peer_is_a_timeout() {
    let (near, _far) = pair().await;
    let idle = Duration::from_millis(50);
    let file = tempfile::tempfile().unwrap();
    let error = copy::receive_to_file(Stream::Plain(near), file, Progress::default(), idle)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                what: Waited::Data,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn dropping_a_copy_closes_the_connection() {
    let (near, mut far) = pair().await;
    let file = tempfile::tempfile().unwrap();
    let progress = Progress::default();
    let copy = copy::receive_to_file(Stream::Plain(near), file, progress.clone(), LIMIT);
    far.write_all(b"x").await.unwrap();
    tokio::select! {
        outcome = copy => panic!("{outcome:?}"),
        () = async { while progress.bytes() == 0 { tokio::task::yield_now().await } } => {}
    }
    // The peer sees the end without waiting for any limit.
    assert!(matches!(far.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_closed_port_names_its_address() {
    let listener = listen(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = connect_addr(address, LIMIT).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
