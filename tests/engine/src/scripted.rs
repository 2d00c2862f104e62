//! A client of scripted peers.

use std::time::Duration;

use ftp_client::{Client, Config, Error, Login, Roots, Timeouts, TlsMode, Trust};
use support::{Authority, Peer, Script};

use crate::{Log, connect};

/// How to reach a peer as `me`, unencrypted and with leave for it.
pub fn config(peer: &Peer) -> Config {
    let mut config = Config::new("127.0.0.1")
        .with_port(peer.addr().port())
        .with_tls(TlsMode::Off)
        .with_login(Login::new("me", "secret").unwrap());
    config.allow_plaintext = true;
    config.timeouts = Timeouts::all(Duration::from_secs(10));
    config
}

/// The same, trusting an authority, in another mode, and without leave to send the password in plain.
pub fn config_tls(peer: &Peer, mode: TlsMode, authority: &Authority) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let mut config = config(peer).with_tls(mode);
    config.allow_plaintext = false;
    config.trust = Trust {
        roots: Roots::from_pem_file(&file).unwrap(),
        ..Trust::default()
    };
    config
}

/// A client that has logged in to a peer that follows this script from then on.
pub async fn client_of(script: Script) -> (Peer, Client, Log) {
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    (peer, client, log)
}

/// The error of connecting to a peer that follows this script; it must come in a few seconds, whatever the peer does.
pub async fn refused_by(script: Script) -> Error {
    let peer = Peer::serve(script).await;
    let connecting = Client::connect(config(&peer));
    tokio::time::timeout(Duration::from_secs(15), connecting)
        .await
        .expect("it comes to an end")
        .expect_err("it can't go well")
}

/// A transfer to the client: what the peer expects, and the bytes that it sends.
pub fn sends(command: &str, data: impl Into<Vec<u8>>) -> Script {
    Script::new()
        .expect(command)
        .say("150 here it comes")
        .accept_data()
        .send_data(data)
        .close_data()
        .say("226 done")
}
