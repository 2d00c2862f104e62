//! Downloads over TLS that are decrypted in place, against rustls as the server.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    fs::File,
    io::{Read, Seek, Write},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ftp_net::{
    NetError, Stream, connect_addr,
    copy::{self, CopyOptions},
    listen, shutdown_orderly,
    tls::{ClientTls, DistrustReason, Purpose, ServerTls, TlsSession, Trust, Versions},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: Duration = Duration::from_secs(20);

fn client_of(servers: &[&ServerTls]) -> ClientTls {
    let trust = Trust {
        pins: servers.iter().map(|server| server.fingerprint()).collect(),
        ..Trust::default()
    };
    ClientTls::new("localhost", &trust).unwrap()
}

async fn download(session: &TlsSession, server: &ServerTls) -> Result<(Stream, Stream), NetError> {
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(connect_addr(address, LIMIT), listener.accept());
    let (near, far) = tokio::join!(
        session.download(near.unwrap(), LIMIT),
        server.accept(far.unwrap().0, Purpose::Download, b"tag", LIMIT)
    );
    Ok((near?, far.unwrap()))
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

fn refresh_keys(stream: &mut Stream) {
    let Stream::Server(tls) = stream else {
        panic!("not a server")
    };
    tls.get_mut().1.refresh_traffic_keys().unwrap();
}

#[tokio::test]
async fn files_arrive_whole_in_every_version_to_disk_and_to_memory() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let client = client_of(&[&server]);
    let sessions = [
        client.session(Versions::Any),
        client.session(Versions::Tls12),
        client.session(Versions::Any).unresumed(),
    ];
    for (which, session) in sessions.iter().enumerate() {
        let mut first = true;
        for size in [0, 1, 16_384, 262_144, 262_145, 3_000_001] {
            // So much is read to memory before the rest goes to the file.
            for begin in [0, size / 3, size] {
                let case = format!("session {which}, {size} bytes, {begin} of them to memory");
                let sent = bytes(size);
                let (mut near, far) = download(session, &server).await.unwrap();
                let facts = near.tls_facts().unwrap();
                let wanted = if which == 1 { "TLS 1.2" } else { "TLS 1.3" };
                assert_eq!(facts.version, wanted, "{case}");
                assert_eq!(facts.resumed, which < 2 && !first, "{case}");
                first = false;
                let file = tempfile::tempfile().unwrap();
                let (sending, mut received) = tokio::join!(
                    copy::send_from_file(far, file_with(&sent), CopyOptions::new(LIMIT)),
                    async {
                        let mut received = vec![0; begin];
                        near.read_exact(&mut received).await.unwrap();
                        let options = CopyOptions::new(LIMIT);
                        let copied =
                            copy::receive_to_file(near, file.try_clone().unwrap(), options)
                                .await
                                .unwrap();
                        assert_eq!(copied.bytes, (size - begin) as u64, "{case}");
                        assert!(copied.clean, "{case}");
                        received
                    }
                );
                assert!(sending.unwrap().clean, "{case}");
                received.extend(content(file));
                assert!(received == sent, "{case}");
            }
        }
    }
    // As many tickets came as were used up.
    assert!(sessions[0].tickets() > 0);
}

#[tokio::test]
async fn a_file_of_tiny_records_arrives_too() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = client_of(&[&server]).session(Versions::Any);
    let (near, mut far) = download(&session, &server).await.unwrap();
    let sent = bytes(20_000);
    let file = tempfile::tempfile().unwrap();
    let sending = async {
        for piece in sent.chunks(7) {
            far.write_all(piece).await.unwrap();
        }
        shutdown_orderly(&mut far, LIMIT).await.unwrap();
    };
    let receiving = copy::receive_to_file(near, file.try_clone().unwrap(), CopyOptions::new(LIMIT));
    let ((), copied) = tokio::join!(sending, receiving);
    assert!(copied.unwrap().clean);
    assert!(content(file) == sent);
}

#[tokio::test]
async fn new_keys_in_mid_file_are_followed_and_answered() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = client_of(&[&server]).session(Versions::Any);
    for to_memory in [false, true] {
        let (mut near, mut far) = download(&session, &server).await.unwrap();
        let sent = bytes(300_000);
        let file = tempfile::tempfile().unwrap();
        let sending = async {
            for piece in sent.chunks(60_000) {
                far.write_all(piece).await.unwrap();
                refresh_keys(&mut far);
            }
            far.shutdown().await.unwrap();
            // Our answers and our goodbye are under the keys that the server expects, or this is an error.
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        };
        let receiving = async {
            if to_memory {
                let mut all = Vec::new();
                near.read_to_end(&mut all).await.unwrap();
                shutdown_orderly(&mut near, LIMIT).await.unwrap();
                return all;
            }
            let options = CopyOptions::new(LIMIT);
            let copied = copy::receive_to_file(near, file.try_clone().unwrap(), options);
            assert!(copied.await.unwrap().clean);
            content(file)
        };
        let ((), received) = tokio::join!(sending, receiving);
        assert!(received == sent, "to memory {to_memory}");
    }
}

#[tokio::test]
async fn a_cut_connection_is_not_clean_and_a_forged_record_is_an_error() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = client_of(&[&server]).session(Versions::Any);
    let forged = {
        let mut record = vec![23, 3, 3, 0, 40];
        record.extend([7; 40]);
        record
    };
    let endings: [(&str, &[u8]); 5] = [
        ("cut", b""),
        ("cut in mid-record", &[23, 3, 3, 0, 40, 1]),
        ("forged", &forged),
        ("too long", &[23, 3, 3, 0xff, 0xff, 0]),
        ("unencrypted", &[21, 3, 3, 0, 2, 1, 0]),
    ];
    for (what, ending) in endings {
        for to_memory in [false, true] {
            let (mut near, mut far) = download(&session, &server).await.unwrap();
            far.write_all(b"half").await.unwrap();
            far.flush().await.unwrap();
            assert_eq!(far.tcp().try_write(ending).unwrap_or(0), ending.len());
            drop(far);
            let cut = what.starts_with("cut");
            if to_memory {
                let mut all = Vec::new();
                let error = near.read_to_end(&mut all).await.unwrap_err();
                let eof = error.kind() == std::io::ErrorKind::UnexpectedEof;
                assert_eq!(eof, cut, "{what}: {error}");
                assert_eq!(all, b"half", "{what}");
                continue;
            }
            let file = tempfile::tempfile().unwrap();
            let options = CopyOptions::new(LIMIT);
            match copy::receive_to_file(near, file.try_clone().unwrap(), options).await {
                Ok(copied) => {
                    assert!(cut && !copied.clean, "{what}");
                    assert_eq!(content(file), b"half");
                }
                Err(error) => assert!(
                    !cut && matches!(error, NetError::Tls { eof: false, .. }),
                    "{what}: {error}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn a_stranger_and_another_certificate_are_refused() {
    let server = ServerTls::self_signed(&["localhost"]).unwrap();
    let other = ServerTls::self_signed(&["localhost"]).unwrap();
    let session = client_of(&[&server, &other]).session(Versions::Any);
    download(&session, &server).await.unwrap();
    let reason = |error| match error {
        NetError::Certificate(problem) => problem.reason,
        other => panic!("{other}"),
    };
    for session in [&session, &session.unresumed()] {
        let error = download(session, &other).await.unwrap_err();
        assert_eq!(reason(error), DistrustReason::Changed);
    }
    let session = client_of(&[]).session(Versions::Any);
    let listener = listen(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(connect_addr(address, LIMIT), listener.accept());
    let (near, far) = tokio::join!(
        session.download(near.unwrap(), LIMIT),
        server.accept(far.unwrap().0, Purpose::Download, b"tag", LIMIT)
    );
    assert_eq!(reason(near.unwrap_err()), DistrustReason::UnknownIssuer);
    // It was told why.
    let told = far.unwrap_err().to_string();
    assert!(told.to_ascii_lowercase().contains("alert"), "{told}");
}
