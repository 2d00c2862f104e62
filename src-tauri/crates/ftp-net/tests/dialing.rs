//! Where connections come from and go to.
#![allow(clippy::unwrap_used)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use ftp_net::{Dialer, NetError, listen, listen_in};

const LIMIT: Duration = Duration::from_secs(5);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn a_port_out_of_a_range() {
    // Five ports in a row that are likely to be free: those around one that the system chose.
    let first = listen(LOOPBACK)
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .min(65_000);
    let range = first..=first + 4;
    let mut held = Vec::new();
    for _ in 0..5 {
        let Ok(listener) = listen_in(LOOPBACK, Some(range.clone())).await else {
            break;
        };
        let port = listener.local_addr().unwrap().port();
        assert!(range.contains(&port), "{port} is not in {range:?}");
        held.push(listener);
    }
    // Somebody else may have one or the other, but hardly all.
    assert!(held.len() > 1, "{range:?}");
}

#[tokio::test]
async fn no_port_is_free() {
    let held = listen(LOOPBACK).await.unwrap();
    let port = held.local_addr().unwrap().port();
    let error = listen_in(LOOPBACK, Some(port..=port)).await.unwrap_err();
    assert!(
        matches!(error, NetError::NoPort { first, last } if first == port && last == port),
        "{error:?}"
    );
    #[allow(clippy::reversed_empty_ranges)]
    let error = listen_in(LOOPBACK, Some(9..=8)).await.unwrap_err();
    assert!(matches!(error, NetError::NoPort { .. }), "{error:?}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn connections_come_from_the_address_that_was_asked_for() {
    let listener = listen(LOOPBACK).await.unwrap();
    let to = listener.local_addr().unwrap();
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let dialer = Dialer {
        source: Some(source),
        keep_alive: Some(Duration::from_secs(40)),
        ..Dialer::new(LIMIT)
    };
    for way in 0..3 {
        let ours = match way {
            0 => dialer.connect("127.0.0.1", to.port()).await.unwrap(),
            1 => dialer.connect_addr(to).await.unwrap(),
            _ => dialer.dial(to).await.unwrap(),
        };
        let (_theirs, from) = listener.accept().await.unwrap();
        assert_eq!(from.ip(), source);
        // Nagle's delay would hold back commands, and the records of a handshake.
        assert_eq!(ours.nodelay().unwrap(), way < 2);
        let socket = socket2::SockRef::from(&ours);
        assert!(socket.keepalive().unwrap());
        assert_eq!(
            socket.tcp_keepalive_time().unwrap(),
            Duration::from_secs(40)
        );
        assert_eq!(
            socket.tcp_keepalive_interval().unwrap(),
            Duration::from_secs(15)
        );
    }
    // An IPv6 source is nothing for an IPv4 peer.
    let dialer = Dialer {
        source: Some("::1".parse().unwrap()),
        ..Dialer::new(LIMIT)
    };
    dialer.connect_addr(to).await.unwrap();
}

#[tokio::test]
async fn a_source_that_is_not_ours_fails_after_few_tries() {
    let dialer = Dialer {
        source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        ..Dialer::new(LIMIT)
    };
    let to = SocketAddr::new(LOOPBACK, 9);
    let error = dialer.connect_addr(to).await.unwrap_err();
    let NetError::Connect { address, source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(address, to);
    assert_eq!(source.kind(), io::ErrorKind::AddrNotAvailable);
}
