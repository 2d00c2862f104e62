//! The commands as the window calls them, over the real engine and a real server on this computer.
//! Only the window itself is missing.

#![allow(clippy::unwrap_used)]

mod browsing;
mod connecting;
mod keeping;
mod sharing;
mod stopping;
mod transferring;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ftp_server::{RunningServer, Server, ServerTls, User};
use serde_json::Value;
use tauri::ipc::{Channel, InvokeResponseBody, IpcResponse};
use tokio::sync::mpsc;
use vault::{Folders, MemorySecrets, SecretStore};
use vfs::{MemoryTree, VPath};

use crate::{
    commands::browse,
    dto::{
        ConnectOutcome, ConnectRequest, FolderChanged, FolderTarget, Listing, PaneSource, Row,
        SessionInfo, TlsMode,
    },
    error::Result,
    state::{Shell, Vault, connect},
};

const USER: &str = "ann";
const PASSWORD: &str = "hunter2 \"with\" blanks";
/// Nothing here takes long; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A shell with a vault of its own, and what it tells the window.
struct Bench {
    shell: Arc<Shell>,
    secrets: Arc<MemorySecrets>,
    changes: mpsc::UnboundedReceiver<u32>,
    dir: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_in(tempfile::tempdir().unwrap())
}

/// A shell that finds what an earlier one has left.
fn bench_in(dir: tempfile::TempDir) -> Bench {
    bench_with(dir, Arc::new(MemorySecrets::new()))
}

/// The same, with what its keyring knew.
fn bench_with(dir: tempfile::TempDir, secrets: Arc<MemorySecrets>) -> Bench {
    let folders = Folders::new(dir.path().join("config"), dir.path().join("data"));
    let vault = Vault::new(&folders, Arc::clone(&secrets) as Arc<dyn SecretStore>);
    let (told, changes) = mpsc::unbounded_channel();
    // A test that has seen enough no longer listens.
    let teller = move |FolderChanged { listing }| told.send(listing).unwrap_or_default();
    let shell = Arc::new(Shell::new(Box::new(teller), vault, false));
    tokio::spawn(crate::state::queue::follow(Arc::clone(&shell)));
    tokio::spawn(crate::state::queue::hold_waiting(Arc::clone(&shell)));
    Bench {
        shell,
        secrets,
        changes,
        dir,
    }
}

/// A server on this computer with one user; with TLS if there is a certificate.
async fn serve(tls: Option<ServerTls>) -> (RunningServer, MemoryTree) {
    let tree = MemoryTree::new(1 << 30);
    let mut server = Server::builder()
        .vfs(Arc::new(tree.clone()))
        .user(User::new(USER).password(PASSWORD.try_into().unwrap()));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    (server.bind(("127.0.0.1", 0)).await.unwrap(), tree)
}

fn certificate() -> Option<ServerTls> {
    Some(ServerTls::self_signed(&["localhost"]).unwrap())
}

async fn put(tree: &MemoryTree, path: &str, content: &[u8]) {
    tree.write_file(&VPath::new(path).unwrap(), content)
        .await
        .unwrap();
}

/// What the window asks for at first.
fn request(server: &RunningServer) -> ConnectRequest {
    ConnectRequest {
        site: None,
        address: server.local_addr().to_string(),
        user: USER.into(),
        password: Some(PASSWORD.into()),
        tls: TlsMode::Auto,
        trust: None,
        allow_plaintext: false,
        remember_password: false,
    }
}

fn session(outcome: Result<ConnectOutcome>) -> SessionInfo {
    match outcome.unwrap() {
        ConnectOutcome::Connected { session } => session,
        other => panic!("not connected: {other:?}"),
    }
}

/// A session over an unencrypted connection, as most of the tests need no more.
async fn plain_session(bench: &Bench, server: &RunningServer) -> SessionInfo {
    let request = ConnectRequest {
        tls: TlsMode::Off,
        allow_plaintext: true,
        ..request(server)
    };
    session(connect::connect(&bench.shell, request).await)
}

/// A channel, and what came over it as the window would read it.
fn channel<T: IpcResponse>() -> (Channel<T>, Arc<Mutex<Vec<Value>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&received);
    let channel = Channel::new(move |body| {
        let InvokeResponseBody::Json(json) = body else {
            panic!("not JSON");
        };
        sink.lock()
            .unwrap()
            .push(serde_json::from_str(&json).unwrap());
        Ok(())
    });
    (channel, received)
}

/// A folder as the window has it once it was opened.
struct Opened {
    listing: Listing,
    events: Vec<Value>,
}

impl Opened {
    fn rows(&self) -> Vec<Value> {
        self.events
            .iter()
            .filter_map(|event| event["rows"].as_array())
            .flatten()
            .cloned()
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .rows()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// The id of a row.
    fn row(&self, name: &str) -> u32 {
        let row = self.rows().into_iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))["id"]
            .as_u64()
            .unwrap() as u32
    }
}

async fn open(bench: &Bench, source: PaneSource, target: FolderTarget) -> Result<Opened> {
    let (channel, events) = channel();
    let listing = browse::open(&bench.shell, source, target, 0, channel).await?;
    let events = std::mem::take(&mut *events.lock().unwrap());
    Ok(Opened { listing, events })
}

/// The same folder again.
fn again(opened: &Opened) -> FolderTarget {
    FolderTarget::Place {
        place: opened.listing.place.id,
    }
}

async fn open_path(bench: &Bench, source: PaneSource, path: &str) -> Opened {
    open(bench, source, FolderTarget::Path { text: path.into() })
        .await
        .unwrap()
}

fn remote(session: &SessionInfo) -> PaneSource {
    PaneSource::Remote {
        session: session.id,
    }
}

/// Waits until the window is told that a listing is out of date.
async fn told_of(bench: &mut Bench, listing: u32) {
    let wait = async { while bench.changes.recv().await.unwrap() != listing {} };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[test]
fn a_row_is_what_the_window_expects() {
    let row = serde_json::to_value(Row::new("a".into(), crate::dto::RowKind::Unparsed)).unwrap();
    assert_eq!(row["kind"], "unparsed");
    assert_eq!(row["size"], Value::Null);
}
