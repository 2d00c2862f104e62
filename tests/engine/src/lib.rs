//! What the engine's tests share. The tests themselves stand in `tests/`.
#![allow(clippy::unwrap_used)]

pub mod attack;
pub mod batches;
pub mod drops;
pub mod files;
pub mod own;
pub mod queueing;
pub mod scripted;
pub mod sick;
pub mod slip;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ftp_client::{
    Client, Config, Error, LogEvent, LogKind, Login, Roots, Timeouts, TlsMode, Trust,
    ftp_proto::{RemotePath, listing::Entry},
};
use support::{Kind, Options, RealServer, Tls};

/// A path that the test knows to be one.
pub fn path(text: &str) -> RemotePath {
    RemotePath::try_from(text).unwrap()
}

/// The protocol log of a client, for looking at what went over the wire.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<LogEvent>>>);

impl Log {
    /// All lines of one kind.
    pub fn lines(&self, kind: LogKind) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|event| event.kind == kind)
            .map(|event| event.text.clone())
            .collect()
    }

    /// The commands sent.
    pub fn sent(&self) -> Vec<String> {
        self.lines(LogKind::Sent)
    }

    /// Who said what, in order.
    pub fn events(&self) -> Vec<(LogKind, String)> {
        let events = self.0.lock().unwrap();
        let event = |event: &LogEvent| (event.kind, event.text.clone());
        events.iter().map(event).collect()
    }

    /// Everything, for a failing test to show.
    pub fn all(&self) -> String {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|event| format!("{:?} {}\n", event.kind, event.text))
            .collect()
    }

    /// Makes `config` log here.
    pub fn attach(&self, config: &mut Config) {
        let log = self.0.clone();
        config.observer = Some(Arc::new(move |event| log.lock().unwrap().push(event)));
    }
}

/// How to reach a real server as its user, trusting its authority and nothing else.
pub fn config_for(server: &RealServer, tls: Tls) -> Config {
    let mut config = Config::new("127.0.0.1")
        .with_port(server.port())
        .with_tls(match tls {
            Tls::Off => TlsMode::Off,
            Tls::Explicit => TlsMode::Explicit,
            Tls::Implicit => TlsMode::Implicit,
        })
        .with_login(Login::new(server.user(), server.password()).unwrap());
    config.allow_plaintext = tls == Tls::Off;
    config.timeouts = Timeouts::all(Duration::from_secs(20));
    if let Some(file) = server.authority_file() {
        config.trust = Trust {
            roots: Roots::from_pem_file(&file).unwrap(),
            ..Trust::default()
        };
    }
    config
}

/// Every real server in every kind of protection that it has, with `prepare` applied to its options.
pub fn each_server(
    prepare: impl Fn(Options) -> Options,
) -> impl Iterator<Item = (RealServer, Tls)> {
    let all = Kind::ALL.into_iter().flat_map(|kind| {
        [Tls::Off, Tls::Explicit, Tls::Implicit]
            .into_iter()
            .filter(move |tls| kind.supports(*tls))
            .map(move |tls| (kind, tls))
    });
    all.filter_map(move |(kind, tls)| {
        let server = RealServer::start(kind, prepare(Options::with_tls(tls)))?;
        Some((server, tls))
    })
}

/// Connects, and shows the log where that fails.
pub async fn connect(config: Config) -> Result<(Client, Log), Error> {
    let log = Log::default();
    let mut config = config;
    log.attach(&mut config);
    Client::connect(config).await.map(|client| (client, log))
}

/// The names of a folder, sorted.
pub async fn names(client: &Client, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = entries(client, folder)
        .await
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.name).into_owned())
        .collect();
    names.sort();
    names
}

/// The entries of a folder; every line must have been understood.
pub async fn entries(client: &Client, folder: &str) -> Vec<Entry> {
    let listing = client.list(Some(&path(folder))).await.unwrap();
    let (entries, unparsed) = listing.collect().await.unwrap();
    assert!(unparsed.is_empty(), "{unparsed:?}");
    entries
}

/// Bytes that differ at every place that matters to a block boundary: noise that repeats after a prime number of
/// bytes, since making 300 MiB of noise takes a debug build longer than moving them.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let noise: Vec<u8> = (0..len.min(1_000_003))
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let take = noise.len().min(len - bytes.len());
        bytes.extend_from_slice(&noise[..take]);
    }
    bytes
}
