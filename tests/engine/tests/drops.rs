//! A future of the client that is dropped, at whatever place it waits, leaves a session that is in step or closed.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{future::Future, time::Duration};

use engine_tests::{
    Log, config_for, connect,
    drops::{DropAfter, drop_after, drop_after_rounds},
    files::{file_with, get},
    own::{OwnServer, Store},
    path, pattern,
};
use ftp_client::{Client, Config, Error, ErrorKind, Progress};
use futures_util::future::BoxFuture;
use support::{Kind, Options, RealServer, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// After this many polls an operation must be over by itself.
const MOST_POLLS: usize = 3_000_000;

/// When a future is polled, and so where it can be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polled {
    WhenWoken,
    EveryRound,
}

impl Polled {
    fn drop_after<F: Future>(self, polls: usize, future: F) -> DropAfter<F> {
        match self {
            Self::WhenWoken => drop_after(polls, future),
            Self::EveryRound => drop_after_rounds(polls, future),
        }
    }
}

type Operation = (
    &'static str,
    fn(Client) -> BoxFuture<'static, Result<(), Error>>,
);

/// A local failure (a read or write on the data connection) as an error of the operation.
fn broken(_: std::io::Error) -> Result<(), Error> {
    Ok(())
}

/// Every operation. Each can be repeated, whatever became of the time before.
fn operations() -> Vec<Operation> {
    vec![
        ("noop", |c| Box::pin(async move { c.noop().await })),
        ("pwd", |c| Box::pin(async move { c.pwd().await.map(drop) })),
        ("raw", |c| {
            Box::pin(async move { c.raw("SYST").await.map(drop) })
        }),
        ("raw cwd", |c| {
            Box::pin(async move { c.raw("CWD /home").await.map(drop) })
        }),
        ("abor", |c| Box::pin(async move { c.abor().await })),
        ("cwd", |c| {
            Box::pin(async move { c.cwd(&path("/home")).await })
        }),
        ("size", |c| {
            Box::pin(async move { c.size(&path("/home/known")).await.map(drop) })
        }),
        ("stat", |c| {
            Box::pin(async move { c.stat(&path("/home/known")).await.map(drop) })
        }),
        ("mkd_parents and remove_tree", |c| {
            Box::pin(async move {
                c.mkd_parents(&path("/home/a/b/c")).await?;
                c.remove_tree(&path("/home/a")).await
            })
        }),
        ("rename", |c| {
            Box::pin(async move {
                // Where one was dropped, the file can be at either place.
                let _ = c.rename(&path("/home/from"), &path("/home/to")).await;
                let _ = c.rename(&path("/home/to"), &path("/home/from")).await;
                Ok(())
            })
        }),
        ("list", |c| {
            Box::pin(async move {
                let mut listing = c.list(Some(&path("/many"))).await?;
                while listing.next().await?.is_some() {}
                Ok(())
            })
        }),
        ("retr, read, finish", |c| {
            Box::pin(async move {
                let mut download = c.retr(&path("/home/medium"), 0).await?;
                let mut content = Vec::new();
                if let Err(error) = download.read_to_end(&mut content).await {
                    return broken(error);
                }
                download.finish().await
            })
        }),
        ("retr from an offset, copy_to_file", |c| {
            Box::pin(async move {
                let download = c.retr(&path("/home/medium"), 1000).await?;
                let file = tempfile::tempfile().unwrap();
                download
                    .copy_to_file(file, Progress::default())
                    .await
                    .map(drop)
            })
        }),
        ("retr, abort", |c| {
            Box::pin(async move {
                let download = c.retr(&path("/home/medium"), 0).await?;
                download.abort().await
            })
        }),
        ("stor, write, finish", |c| {
            Box::pin(async move {
                let mut upload = c.stor(&path("/home/up"), 0).await?;
                for piece in pattern(100_000).chunks(10_000) {
                    if let Err(error) = upload.write_all(piece).await {
                        return broken(error);
                    }
                }
                upload.finish().await
            })
        }),
        ("stor, copy_from_file", |c| {
            Box::pin(async move {
                let upload = c.stor(&path("/home/up"), 0).await?;
                let file = file_with(&pattern(300_000));
                upload
                    .copy_from_file(file, Progress::default())
                    .await
                    .map(drop)
            })
        }),
        ("appe, abort", |c| {
            Box::pin(async move {
                let upload = c.appe(&path("/home/up2")).await?;
                upload.abort().await
            })
        }),
    ]
}

/// The questions that only the right answers pass.
async fn is_in_step(client: &Client) -> Result<(), Error> {
    let here = client.pwd().await?;
    assert!(here == path("/") || here == path("/home"), "in {here:?}");
    assert_eq!(client.size(&path("/home/known")).await?, 5);
    assert_eq!(get(client, "/home/known", 0).await?, b"known");
    assert_eq!(client.raw("SYST").await?.code.value(), 215);
    Ok(())
}

/// One operation, dropped after 0, 1, 2, … polls until it comes to its end. Where that takes very many, because a server on
/// another processor is waited for, the steps grow; `coarse` ones by a quarter each.
async fn drop_everywhere(
    config: &Config,
    case: &str,
    polled: Polled,
    coarse: bool,
    (name, operation): Operation,
) -> usize {
    let fresh = || async { connect(config.clone()).await.unwrap() };
    let (mut client, mut log): (Client, Log) = fresh().await;
    let (mut polls, mut drops) = (0, 0);
    loop {
        let case = || format!("{case} {name} after {polls} polls ({polled:?})");
        let done = polled.drop_after(polls, operation(client.clone())).await;
        let step = tokio::time::timeout(Duration::from_secs(20), is_in_step(&client));
        match step.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let lost = *error.kind() == ErrorKind::Lost && client.is_closed();
                assert!(lost, "{}: {error}\n{}", case(), log.all());
                (client, log) = fresh().await;
            }
            Err(_) => panic!("{}: no answer\n{}", case(), log.all()),
        }
        match done {
            Some(Ok(())) => {
                assert!(polls > 0, "{}", case());
                return drops;
            }
            Some(Err(error)) => panic!("{} by itself: {error}\n{}", case(), log.all()),
            None => drops += 1,
        }
        assert!(polls < MOST_POLLS, "{}: it has no end", case());
        polls += 1 + polls / 50 * 2;
        if coarse {
            polls += polls / 4;
        }
    }
}

async fn drop_all_everywhere(config: Config, case: &str, coarse: bool) {
    let mut drops = 0;
    for polled in [Polled::WhenWoken, Polled::EveryRound] {
        for operation in operations() {
            drops += drop_everywhere(&config, case, polled, coarse, operation).await;
        }
    }
    // Enough to have met every state of the session's task.
    println!("{case}: {drops} drops");
    assert!(drops > 100, "{case}: only {drops} drops");
}

/// On one thread, where every round of the scheduler looks at the network too: then a round is the smallest of steps.
fn step_by_step(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(1)
        .build()
        .unwrap();
    runtime.block_on(test);
}

const MEDIUM: usize = 400_000;

async fn own_server(tls: Tls, coarse: bool) {
    let server = OwnServer::start(Store::Memory, tls).await;
    for (name, content) in [
        ("/home/known", b"known".to_vec()),
        ("/home/from", b"from".to_vec()),
        ("/home/medium", pattern(MEDIUM)),
    ] {
        server.put(name, &content).await;
    }
    for i in 0..50 {
        server.put(&format!("/many/{i}"), b"x").await;
    }
    drop_all_everywhere(server.config(), &format!("own {tls:?}"), coarse).await;
}

#[test]
fn dropped_futures_against_our_server_in_plain() {
    step_by_step(own_server(Tls::Off, false));
}

#[test]
fn dropped_futures_against_our_server_over_tls() {
    step_by_step(own_server(Tls::Explicit, false));
}

/// The same with the client's task on another thread, so that it is anywhere when the future is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_futures_with_a_task_on_another_thread() {
    own_server(Tls::Explicit, true).await;
}

/// vsftpd lists by CWD and LIST, and takes its time to notice that a data connection is gone.
#[test]
fn real_dropped_futures_against_vsftpd() {
    step_by_step(vsftpd());
}

async fn vsftpd() {
    for tls in [Tls::Off, Tls::Explicit] {
        let mut options = Options::with_tls(tls)
            .file("home/known", "known")
            .file("home/from", "from")
            .file("home/medium", pattern(MEDIUM));
        for i in 0..50 {
            options = options.file(&format!("many/{i}"), "x");
        }
        let Some(server) = RealServer::start(Kind::Vsftpd, options) else {
            return;
        };
        drop_all_everywhere(config_for(&server, tls), &format!("vsftpd {tls:?}"), false).await;
    }
}

/// Dropping the connecting itself closes what there is of a connection.
#[test]
fn a_dropped_login_leaves_no_session_behind() {
    step_by_step(dropped_logins());
}

async fn dropped_logins() {
    let server = OwnServer::start(Store::Memory, Tls::Explicit).await;
    let mut events = server.events();
    let (mut opened, mut polls) = (0_usize, 0);
    loop {
        let connecting = Client::connect(server.config());
        if let Some(client) = drop_after_rounds(polls, connecting).await {
            client.unwrap().quit().await.unwrap();
            break;
        }
        polls += 1 + polls / 50;
        assert!(polls < MOST_POLLS, "it has no end");
    }
    // Every session that the server has seen comes to its end.
    let mut closed = 0;
    let all = tokio::time::timeout(Duration::from_secs(10), async {
        while opened == 0 || closed < opened {
            match events.recv().await.unwrap().kind {
                ftp_server::EventKind::SessionOpened => opened += 1,
                ftp_server::EventKind::SessionClosed { .. } => closed += 1,
                _ => {}
            }
        }
    });
    all.await
        .unwrap_or_else(|_| panic!("{closed} of {opened} closed"));
}
