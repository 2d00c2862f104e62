//! Measures how fast many small files move: `many HOST PORT USER PASSWORD get|put FOLDER FILES SIZE CONNECTIONS
//! [passive|active|auto] [off|explicit CA] [rename]`. `put` makes FOLDER and files `f00000` and so on in it; `get` fetches
//! these. Prints one line.
#![allow(unused_crate_dependencies, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use ftp_client::{
    BatchOptions, Client, Config, DataMode, FetchFile, HostMemory, Login, Roots, StoreFile,
    StoreThen, TlsMode, Trust, ftp_proto::RemotePath,
};
use tokio::sync::mpsc;

#[derive(Clone, Copy)]
struct Share {
    first: usize,
    count: usize,
    size: usize,
    put: bool,
    rename: bool,
}

async fn one(client: &Client, folder: &str, share: Share) -> usize {
    let path =
        |index: usize| RemotePath::try_from(format!("{folder}/f{index:05}").as_str()).unwrap();
    let hidden =
        |index: usize| RemotePath::try_from(format!("{folder}/.f{index:05}").as_str()).unwrap();
    let range = share.first..share.first + share.count;
    let options = BatchOptions::default();
    let mut bad = 0;
    if share.put {
        let files = range.map(|index| StoreFile {
            path: if share.rename {
                hidden(index)
            } else {
                path(index)
            },
            data: vec![b'x'; share.size],
            then: StoreThen {
                rename_to: share.rename.then(|| path(index)),
                want_size: share.rename,
                ..StoreThen::default()
            },
        });
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let files = files.collect();
        let (run, ()) = tokio::join!(client.store_many(files, options, sender), async {
            while let Some((_, outcome)) = outcomes.recv().await {
                match outcome {
                    Ok(stored) => bad += usize::from(matches!(stored.renamed, Some(Err(_)))),
                    Err(error) => {
                        eprintln!("{error}");
                        bad += 1;
                    }
                }
            }
        });
        run.unwrap();
    } else {
        let files = range.map(|index| FetchFile {
            path: path(index),
            size: Some(share.size as u64),
            want_time: false,
            most: 1 << 20,
        });
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let files = files.collect();
        let (run, ()) = tokio::join!(client.fetch_many(files, options, sender), async {
            while let Some((_, outcome)) = outcomes.recv().await {
                if let Err(error) = outcome {
                    eprintln!("{error}");
                    bad += 1;
                }
            }
        });
        run.unwrap();
    }
    bad
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words[at].parse::<usize>().unwrap();
    let (files, size, connections) = (number(6), number(7), number(8));
    let put = words[4] == "put";
    let hosts = HostMemory::default();
    let mut config = Config::new(&words[0])
        .with_port(words[1].parse().unwrap())
        .with_login(Login::new(&words[2], &words[3]).unwrap())
        .with_tls(TlsMode::Off);
    config.hosts = hosts;
    config.data = match words.get(9).map(String::as_str) {
        Some("passive") => DataMode::Passive,
        Some("active") => DataMode::Active,
        _ => DataMode::Auto,
    };
    config.allow_plaintext = true;
    if words.get(10).is_some_and(|word| word == "explicit") {
        config = config.with_tls(TlsMode::Explicit);
        config.trust = Trust {
            roots: Roots::from_pem_file(words[11].as_ref()).unwrap(),
            ..Trust::default()
        };
    }
    if std::env::var_os("LOG").is_some() {
        let begin = Instant::now();
        config.observer = Some(std::sync::Arc::new(move |event: ftp_client::LogEvent| {
            eprintln!("{:9.1?} {:?} {}", begin.elapsed(), event.kind, event.text);
        }));
    }
    let rename = words.iter().any(|word| word == "rename");
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(tokio::spawn(Client::connect(config.clone())));
    }
    let mut ready = Vec::new();
    for client in clients {
        ready.push(client.await.unwrap().unwrap());
    }
    let login = begin.elapsed();
    let folder = words[5].clone();
    if put {
        let _ = ready[0]
            .mkd(&RemotePath::try_from(folder.as_str()).unwrap())
            .await;
    }
    let begin = Instant::now();
    let each = files.div_ceil(connections);
    let tasks = ready.into_iter().enumerate().map(|(index, client)| {
        let folder = folder.clone();
        let share = Share {
            first: index * each,
            count: each.min(files.saturating_sub(index * each)),
            size,
            put,
            rename,
        };
        tokio::spawn(async move {
            let bad = one(&client, &folder, share).await;
            (bad, client)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut bad = 0;
    let mut keep = Vec::new();
    for task in tasks {
        let (failed, client) = task.await.unwrap();
        bad += failed;
        keep.push(client);
    }
    let time = begin.elapsed();
    println!(
        "login {login:.1?}, {files} files in {time:.2?}: {:.0} files/s, {:.1} ms/file/connection, {bad} failed",
        files as f64 / time.as_secs_f64(),
        time.as_secs_f64() * 1000.0 * connections as f64 / files as f64,
    );
    drop(keep);
    tokio::time::sleep(Duration::from_millis(50)).await;
}
