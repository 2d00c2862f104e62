//! How large a queue may be. Measured, not asserted: `cargo nextest run --release -p transfer --run-ignored only
//! tests::million --no-capture`.

use std::sync::Arc;
use std::time::Instant;

use ftp_client::ftp_proto::RemotePath;

use super::fake::Fake;
use crate::{Direction, ItemKind, Journal, NewTransfer, Queue, QueueConfig, SiteKey};

const MILLION: usize = 1_000_000;

/// Bytes of memory that this process holds.
fn memory() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|n| n.parse::<f64>().ok());
    resident.unwrap_or(0.0) * 4096.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for release builds"]
async fn a_million_items_in_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.sqlite");
    let config = QueueConfig {
        workers: 0,
        ..QueueConfig::default()
    };
    let open = || {
        let journal = Journal::open(&path, "a test").unwrap().journal;
        Queue::open_with(config, None, Arc::new(Fake::new()), journal).unwrap()
    };
    let queue = open();
    let (site, options) = (SiteKey::new("site"), Arc::default());
    let mut spent = 0.0;
    let before = memory();
    for part in 0..10 {
        let new: Vec<NewTransfer> = (0..MILLION / 10)
            .map(|i| NewTransfer {
                site: site.clone(),
                direction: Direction::Download,
                kind: ItemKind::File,
                local: format!("/local/folder/file-{part}-{i}.bin").into(),
                remote: RemotePath::try_from(
                    format!("/remote/folder/file-{part}-{i}.bin").as_str(),
                )
                .unwrap(),
                size: Some(1024),
                modified: None,
                options: Arc::clone(&options),
            })
            .collect();
        let start = Instant::now();
        queue.enqueue(new).await.unwrap();
        spent += start.elapsed().as_secs_f64();
    }
    println!("{:.0} items a second", MILLION as f64 / spent);
    println!(
        "{:.0} bytes of memory for each",
        (memory() - before) / MILLION as f64
    );
    queue.shutdown().await;
    drop(queue);
    let start = Instant::now();
    let queue = open();
    println!("opened in {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(queue.summary().files.waiting as usize, MILLION);
    queue.shutdown().await;
}
