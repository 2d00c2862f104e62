//! Folders that the person does not want to wait for any longer, and servers that fail half-way.

use support::scripted::{Gate, Peer, Script};

use super::*;
use crate::error::ErrorCode;

const REQUEST: u32 = 7;

/// A server whose first connections go by the scripts; the rest list one file.
async fn peer(scripts: Vec<Script>) -> Peer {
    let whole = || {
        Script::logged_in()
            .expect("MLSD *")
            .say("150 here it comes")
            .accept_data()
            .send_data("type=file;size=1; whole\r\n")
            .close_data()
            .say("226 that was it")
            .serve_rest()
    };
    Peer::serve_each(scripts.into_iter().chain([whole()]).collect()).await
}

async fn connected(bench: &Bench, peer: &Peer) -> SessionInfo {
    let request = ConnectRequest {
        site: None,
        address: peer.addr().to_string(),
        user: USER.into(),
        password: Some(PASSWORD.into()),
        tls: TlsMode::Off,
        trust: None,
        allow_plaintext: true,
        remember_password: false,
    };
    session(connect::connect(&bench.shell, request).await)
}

/// A listing under way.
struct Opening {
    events: Arc<Mutex<Vec<Value>>>,
    task: tokio::task::JoinHandle<Result<Listing>>,
}

impl Opening {
    fn start(bench: &Bench, source: PaneSource, path: &str) -> Self {
        let (channel, events) = channel();
        let (shell, target) = (
            Arc::clone(&bench.shell),
            FolderTarget::Path { text: path.into() },
        );
        let task =
            tokio::spawn(
                async move { browse::open(&shell, source, target, REQUEST, channel).await },
            );
        Self { events, task }
    }

    /// Waits until the window has got this.
    async fn got(&self, kind: &str) {
        let wait = async {
            while !self
                .events
                .lock()
                .unwrap()
                .iter()
                .any(|event| event["kind"] == kind)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }

    async fn end(self) -> Result<Listing> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it ends soon")
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let bench = bench();
    let (asked, awake) = (Gate::new(), Gate::new());
    let silent = Script::logged_in()
        .expect("MLSD *")
        .signal(&asked)
        .wait_for(&awake)
        .say("450 not now")
        .expect("MLSD *")
        .say("150 here it comes")
        .accept_data()
        .send_data("type=file;size=1; whole\r\n")
        .close_data()
        .say("226 that was it")
        .serve_rest();
    let peer = peer(vec![silent]).await;
    let session = connected(&bench, &peer).await;
    let opening = Opening::start(&bench, remote(&session), "/");
    asked.passed().await;
    bench.shell.listings.stop(REQUEST);
    assert_eq!(opening.end().await.unwrap_err().code, ErrorCode::Cancelled);
    awake.open();
    assert_eq!(
        open_path(&bench, remote(&session), "/").await.names(),
        ["whole"],
        "the session goes on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_stays_when_the_rest_is_not_waited_for() {
    let bench = bench();
    let endless = Script::logged_in()
        .expect("MLSD *")
        .say("150 here it comes")
        .accept_data()
        .send_data("type=file;size=1; first\r\n")
        .expect_close();
    let peer = peer(vec![endless]).await;
    let session = connected(&bench, &peer).await;
    let opening = Opening::start(&bench, remote(&session), "/");
    opening.got("rows").await;
    bench.shell.listings.stop(REQUEST);
    let events = Arc::clone(&opening.events);
    let listing = opening.end().await.unwrap();
    let last = events.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["kind"], &last["stopped"], &last["total"]),
        (&"done".into(), &true.into(), &1.into())
    );
    let listing = bench.shell.listings.get(listing.id).unwrap();
    assert!(listing.entry(0).is_ok());
    assert_eq!(
        open_path(&bench, remote(&session), "/").await.names(),
        ["whole"],
        "the session goes on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_failed_half_way_can_be_read_again() {
    let bench = bench();
    // A reset takes what has not been read by then with it.
    let shown = Gate::new();
    let failing = Script::logged_in()
        .expect("MLSD *")
        .say("150 here it comes")
        .accept_data()
        .send_data("type=file;size=1; first\r\n")
        .wait_for(&shown)
        .reset_data()
        .close();
    let peer = peer(vec![failing]).await;
    let session = connected(&bench, &peer).await;
    let opening = Opening::start(&bench, remote(&session), "/");
    opening.got("rows").await;
    shown.open();
    let events = Arc::clone(&opening.events);
    opening.end().await.unwrap_err();
    let place = events.lock().unwrap()[0]["listing"]["place"]["id"].clone();
    let place = u32::try_from(place.as_u64().unwrap()).unwrap();
    let again = open(&bench, remote(&session), FolderTarget::Place { place }).await;
    assert_eq!(again.unwrap().names(), ["whole"]);
}
