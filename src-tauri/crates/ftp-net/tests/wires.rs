//! The wires against themselves: both sides of TLS, both directions of the copy loops.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU64,
    time::Duration,
};

use ftp_net::{
    NetError, Stream, Throttle, Waited, connect_addr,
    copy::{self, Bound, CopyOptions, Progress},
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

fn watched(progress: &Progress) -> CopyOptions {
    CopyOptions {
        progress: progress.clone(),
        ..CopyOptions::new(LIMIT)
    }
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
                    copy::send_from_file(from, file_with(&sent), watched(&up)),
                    copy::receive_to_file(to, target.try_clone().unwrap(), watched(&down))
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
async fn a_bounded_copy_writes_its_part_and_no_more() {
    let sent = bytes(3_000_001);
    for encrypted in [false, true] {
        for (bound, lowered) in [
            (1_000_003, None),
            (1, None),
            (2_999_999, Some(500_000)),
            (u64::MAX, Some(2_000_000)),
            (u64::MAX, None),
        ] {
            let case = format!("encrypted {encrypted}, {bound}, {lowered:?}");
            let (near, far) = connected(encrypted).await;
            let file = file_with(b"before it");
            let (progress, limit) = (Progress::default(), Bound::new(bound));
            let options = CopyOptions {
                at: Some(5_000),
                bound: limit.clone(),
                ..watched(&progress)
            };
            if let Some(lowered) = lowered {
                assert!(limit.lower(lowered), "{case}");
            }
            let expected = lowered.unwrap_or(bound).min(sent.len() as u64);
            let (sending, receiving) = tokio::join!(
                copy::send_from_file(far, file_with(&sent), CopyOptions::new(LIMIT)),
                copy::receive_to_file(near, file.try_clone().unwrap(), options)
            );
            let received = receiving.unwrap();
            let is_short = expected < sent.len() as u64;
            assert!(is_short || sending.is_ok(), "{case}: {sending:?}");
            assert_eq!(limit.is_reached(), is_short, "{case}");
            assert_eq!((received.bytes, limit.moved()), (expected, expected));
            assert_eq!(progress.bytes(), expected, "{case}");
            // Where the others write stays where it was.
            let there = content(file);
            assert_eq!(there.len() as u64, 5_000 + expected, "{case}");
            assert_eq!(&there[..9], b"before it", "{case}");
            assert!(there[5_000..] == sent[..expected as usize], "{case}");
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
        copy::receive_to_file(Stream::Plain(near), file, CopyOptions::new(LIMIT))
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
    let copied = copy::receive_to_file(near, file.try_clone().unwrap(), CopyOptions::new(LIMIT))
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
    let error = copy::receive_to_file(Stream::Plain(near), file, CopyOptions::new(idle))
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
    let copy = copy::receive_to_file(Stream::Plain(near), file, watched(&progress));
    far.write_all(b"x").await.unwrap();
    tokio::select! {
        outcome = copy => panic!("{outcome:?}"),
        () = async { while progress.bytes() == 0 { tokio::task::yield_now().await } } => {}
    }
    // The peer sees the end without waiting for any limit.
    assert!(matches!(far.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_dropped_copy_says_when_its_thread_is_gone() {
    use std::os::fd::AsFd;

    for encrypted in [false, true] {
        let (near, far) = pair().await;
        let socket = near.as_fd().try_clone_to_owned().unwrap();
        let socket = std::net::TcpStream::from(socket);
        let (near, mut far) = secured(near, far, encrypted).await;
        // A pipe that is full from the beginning, in place of a slow disk.
        let (inlet, out) = tokio::net::unix::pipe::pipe().unwrap();
        inlet.writable().await.unwrap();
        while inlet.try_write(&[0; 4096]).is_ok() {}
        let mut out = File::from(out.into_blocking_fd().unwrap());
        let file = File::from(inlet.into_blocking_fd().unwrap());
        let (progress, bound) = (Progress::default(), Bound::default());
        let options = CopyOptions {
            bound: bound.clone(),
            ..watched(&progress)
        };
        bound.at_rest().await;
        let other = bound.beside(7);
        let copy = copy::receive_to_file(near, file, options);
        far.write_all(b"x").await.unwrap();
        far.shutdown().await.unwrap();
        // Once it has taken all that the peer had, all that is left to do is to write.
        let taken = async {
            while !matches!(socket.peek(&mut [0]), Ok(0)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            outcome = copy => panic!("{outcome:?}"),
            outcome = tokio::time::timeout(LIMIT, taken) => outcome.unwrap(),
        }
        // It still stands in the middle of a write.
        let soon = Duration::from_millis(50);
        let early = tokio::time::timeout(soon, other.at_rest()).await;
        assert!(early.is_err(), "encrypted {encrypted}");
        let drain = tokio::task::spawn_blocking(move || out.read_to_end(&mut Vec::new()));
        tokio::time::timeout(LIMIT, bound.at_rest()).await.unwrap();
        // Nobody has the file open any more.
        let drained = tokio::time::timeout(LIMIT, drain).await.unwrap();
        assert!(drained.unwrap().is_ok());
    }
}

/// Both ends of a connection, encrypted or not.
async fn connected(encrypted: bool) -> (Stream, Stream) {
    let (near, far) = pair().await;
    secured(near, far, encrypted).await
}

/// What becomes of both ends of a connection.
async fn secured(near: TcpStream, far: TcpStream, encrypted: bool) -> (Stream, Stream) {
    if !encrypted {
        return (Stream::Plain(near), Stream::Plain(far));
    }
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = pinned(&server).session(Versions::Any);
    let (near, far) = tokio::join!(
        session.connect(near, LIMIT),
        server.accept(far, Purpose::Download, b"tag", LIMIT)
    );
    (near.unwrap(), far.unwrap())
}

/// As slow as a transfer gets: this many bytes in an hour are one piece and no more.
fn crawl() -> Throttle {
    Throttle::new(NonZeroU64::new(1))
}

#[tokio::test]
async fn a_limit_that_is_set_holds_a_running_copy_and_lifted_lets_it_go() {
    let sent = bytes(8_000_000);
    for encrypted in [false, true] {
        for upload in [false, true] {
            let case = format!("encrypted {encrypted}, upload {upload}");
            let (near, far) = connected(encrypted).await;
            let (from, to) = if upload { (near, far) } else { (far, near) };
            let throttle = crawl();
            let progress = Progress::default();
            let limited = CopyOptions {
                throttles: throttle.clone().into(),
                ..watched(&progress)
            };
            let free = CopyOptions::new(LIMIT);
            let (up, down) = if upload {
                (limited, free)
            } else {
                (free, limited)
            };
            let target = tempfile::tempfile().unwrap();
            let (sending, receiving, ()) = tokio::join!(
                copy::send_from_file(from, file_with(&sent), up),
                copy::receive_to_file(to, target.try_clone().unwrap(), down),
                async {
                    while progress.bytes() == 0 {
                        tokio::task::yield_now().await;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    // The first piece is free, the second has its time in some minutes.
                    assert_eq!(progress.bytes(), 512, "{case}");
                    throttle.set_limit(None);
                }
            );
            assert_eq!(sending.unwrap().bytes, sent.len() as u64, "{case}");
            assert_eq!(receiving.unwrap().bytes, sent.len() as u64, "{case}");
            assert!(content(target) == sent, "{case}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_waits_for_its_limit_hears_that_it_is_given_up() {
    for upload in [false, true] {
        let (near, far) = connected(false).await;
        let progress = Progress::default();
        let options = CopyOptions {
            throttles: crawl().into(),
            ..watched(&progress)
        };
        let sent = bytes(100_000);
        let mut far = match far {
            Stream::Plain(far) => far,
            _ => unreachable!(),
        };
        if !upload {
            far.write_all(&sent).await.unwrap();
        }
        let file = file_with(if upload { &sent } else { b"" });
        let copy = async {
            if upload {
                copy::send_from_file(near, file, options).await
            } else {
                copy::receive_to_file(near, file, options).await
            }
        };
        tokio::select! {
            outcome = copy => panic!("{outcome:?}"),
            () = async { while progress.bytes() == 0 { tokio::task::yield_now().await } } => {}
        }
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(LIMIT, far.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "upload {upload}");
    }
}

#[tokio::test]
async fn a_closed_port_names_its_address() {
    let listener = listen(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = connect_addr(address, LIMIT).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

/// CCC: TLS ends in both directions, and both sides go on in plain, even where one has begun with that already.
#[tokio::test]
async fn tls_ends_and_the_connection_goes_on_in_plain() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    for versions in [Versions::Any, Versions::Tls12] {
        let session = pinned(&server).session(versions);
        let (client, theirs) = tls_pair(&session, &server, Purpose::Control).await.unwrap();
        let (mut client, mut theirs) = (client, theirs);
        client.write_all(b"CCC\r\n").await.unwrap();
        client.flush().await.unwrap();
        let mut line = [0; 5];
        theirs.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"CCC\r\n");
        theirs.write_all(b"200 ok\r\n").await.unwrap();
        theirs.flush().await.unwrap();
        let mut reply = [0; 8];
        client.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"200 ok\r\n");
        let server_side = async {
            let (mut plain, ahead) = theirs.into_plain(LIMIT).await.unwrap();
            assert!(ahead.is_empty());
            plain.write_all(b"220 in plain\r\n").await.unwrap();
            plain
        };
        let (ours, mut plain) = tokio::join!(client.into_plain(LIMIT), server_side);
        let (mut ours, ahead) = ours.unwrap();
        assert!(!ours.is_encrypted() && !plain.is_encrypted());
        // Nothing of it is lost, whichever way it came.
        let mut text = ahead;
        while text.len() < 14 {
            assert!(ours.read_buf(&mut text).await.unwrap() > 0);
        }
        assert_eq!(text, b"220 in plain\r\n");
        ours.write_all(b"NOOP\r\n").await.unwrap();
        let mut line = [0; 6];
        plain.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"NOOP\r\n");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_end_tls_is_an_error() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = pinned(&server).session(Versions::Any);
    // It goes on as before.
    let (client, mut theirs) = tls_pair(&session, &server, Purpose::Control).await.unwrap();
    theirs.write_all(b"220 still in TLS\r\n").await.unwrap();
    theirs.flush().await.unwrap();
    let error = client.into_plain(LIMIT).await.unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");
    // It closes.
    let (client, theirs) = tls_pair(&session, &server, Purpose::Control).await.unwrap();
    drop(theirs);
    let error = client.into_plain(LIMIT).await.unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");
    // It does nothing.
    let (client, _theirs) = tls_pair(&session, &server, Purpose::Control).await.unwrap();
    let short = Duration::from_millis(50);
    let error = client.into_plain(short).await.unwrap_err();
    assert!(matches!(error, NetError::Timeout { .. }), "{error:?}");
    // A plain connection stays what it is.
    let (tcp, _theirs) = pair().await;
    assert!(
        Stream::Plain(tcp)
            .into_plain(LIMIT)
            .await
            .unwrap()
            .1
            .is_empty()
    );
}
