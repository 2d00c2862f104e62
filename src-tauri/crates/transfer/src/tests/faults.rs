//! What goes wrong: connections, servers, disks, and people who change their minds.

use std::time::Duration;

use super::*;

#[tokio::test(start_paused = true)]
async fn lost_connections_are_tried_again_and_nothing_half_is_left() {
    let b = bench(1);
    b.fake.file("/f", b"0123456789", 1);
    b.write("f", b"old");
    b.fake.lock().breaks = 2;
    let id = b.add(Download, File, "f", "/f");
    let before = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // It waits for its second try: the old file stands, and beside it what came.
    assert_eq!((b.get(id).state, b.get(id).attempts), (State::Waiting, 1));
    assert!(b.get(id).error.is_some());
    assert_eq!(
        (b.tree(), b.read("f")),
        (vec![".f.slippart".into(), "f".into()], b"old".to_vec())
    );
    let item = b.finished(id).await;
    assert_eq!(
        (item.state, item.attempts, item.bytes),
        (State::Done, 3, 10)
    );
    assert!(item.error.is_none());
    assert_eq!(
        (b.tree(), b.read("f")),
        (vec!["f".into()], b"0123456789".to_vec())
    );
    assert!(
        before.elapsed() >= Duration::from_secs(3),
        "pauses of 1 and 2 seconds"
    );
    b.write("up", b"0123456789");
    b.fake.lock().breaks = 1;
    let id = b.add(Upload, File, "up", "/up");
    assert_eq!(b.finished(id).await.attempts, 2);
    assert_eq!(b.fake.content("/up").unwrap(), b"0123456789");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_tried_again() {
    let b = bench(2);
    let down = b.add(Download, File, "f", "/missing");
    let folder = b.add(Download, Folder, "d", "/missing");
    let up = b.add(Upload, File, "missing", "/f");
    for id in [down, folder, up] {
        let item = b.finished(id).await;
        assert_eq!((item.state, item.attempts), (State::Failed, 1), "{item:?}");
    }
    assert!(b.tree().is_empty());
    b.fake.file("/missing", b"now it is there", 1);
    b.queue.retry(&[down]);
    assert_eq!(b.finished(down).await.state, State::Done);
    assert_eq!(b.read("f"), b"now it is there");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_says_so() {
    let b = bench(1);
    b.fake.file("/f", b"content", 1);
    b.fake.lock().disk_full = true;
    let id = b.add(Download, File, "f", "/f");
    let item = b.finished(id).await;
    assert_eq!((item.state, item.attempts), (State::Failed, 1));
    let text = item.error.unwrap().to_string();
    assert!(
        text.contains("disk is full") && text.contains("/f"),
        "{text}"
    );
    assert!(b.tree().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_short_file_never_gets_its_final_name() {
    let b = bench(1);
    b.fake.file("/f", b"0123456789", 1);
    b.fake.lock().truncates = true;
    let id = b.add(Download, File, "f", "/f");
    let item = b.finished(id).await;
    assert_eq!((item.state, item.attempts), (State::Failed, 5));
    assert!(matches!(
        item.error,
        Some(Error::SizeDiffers {
            expected: 10,
            received: 5
        })
    ));
    assert!(b.tree().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_listing_is_not_the_last_word() {
    let b = bench(1);
    b.fake.file("/f", b"0123456789", 1);
    let mut new = b.new_transfer(Download, File, "f", "/f");
    new.size = Some(3);
    let id = b.enqueue(vec![new.clone()])[0];
    let item = b.finished(id).await;
    assert_eq!((item.state, item.verified), (State::Done, Some(SIZE)));
    // It grew, and without SIZE it is the server's word alone.
    b.fake.lock().has_size = false;
    let id = b.enqueue(vec![new])[0];
    let item = b.finished(id).await;
    let word = crate::Checks {
        size: false,
        ..SIZE
    };
    assert_eq!(
        (item.state, item.verified, item.total),
        (State::Done, Some(word), Some(10))
    );
}

/// Fewer bytes than were listed: only a server that says so now makes a changed file of what looks like half of one.
#[tokio::test(start_paused = true)]
async fn fewer_bytes_than_listed_need_a_word_of_the_server() {
    // What SIZE says, what the listing says now, what was listed before, and how it ends.
    let differs = |expected| Err((expected, 5));
    let done = Ok(Some(SIZE));
    let word = Ok(Some(crate::Checks {
        size: false,
        ..SIZE
    }));
    for (size, listed_now, listed, end) in [
        (None, None, Some(1000), differs(1000)),
        (Some(0), None, Some(1000), differs(1000)),
        (Some(1000), None, Some(1000), differs(1000)),
        (Some(7), None, Some(1000), differs(7)),
        (Some(5), None, Some(1000), done),
        (None, Some(1000), Some(1000), differs(1000)),
        (None, Some(700), Some(1000), differs(700)),
        (None, Some(5), Some(1000), done),
        (Some(0), Some(5), Some(1000), done),
        // More than was listed: it grew. The end of the transfer is all the word there is.
        (None, None, Some(3), word),
        (Some(0), None, Some(0), word),
        (Some(0), None, None, word),
        (None, None, None, word),
    ] {
        let b = bench(1);
        b.fake.file("/f", b"0123456789", 1);
        {
            let mut state = b.fake.lock();
            (state.truncates, state.has_size) = (true, false);
            (state.size, state.listed_now) = (size, listed_now);
        }
        let mut new = b.new_transfer(Download, File, "f", "/f");
        new.size = listed;
        let id = b.enqueue(vec![new])[0];
        let item = b.finished(id).await;
        let case = format!("{size:?} {listed_now:?} {listed:?}: {item:?}");
        let found = match item.error {
            None => Ok(item.verified),
            Some(Error::SizeDiffers { expected, received }) => Err((expected, received)),
            Some(_) => panic!("{case}"),
        };
        assert_eq!(found, end, "{case}");
        assert_eq!(b.tree().len(), usize::from(end.is_ok()), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_unreadably_is_unknown() {
    let b = bench(1);
    b.fake.file("/f", b"0123456789", 1);
    b.write("up", b"0123456789");
    b.fake.lock().unreadable = true;
    let word = crate::Checks {
        reply: true,
        ..crate::Checks::default()
    };
    for (direction, local, remote) in [(Download, "f", "/f"), (Upload, "up", "/up")] {
        let id = b.add(direction, File, local, remote);
        let item = b.finished(id).await;
        assert_eq!(
            (item.state, item.attempts, item.verified),
            (State::Done, 1, Some(word)),
            "{item:?}"
        );
    }
    assert_eq!(b.fake.lock().connected, 1, "the session goes on");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_kept_is_closed_whoever_else_has_a_handle() {
    let b = bench(1);
    b.fake.file("/f", b"0123456789", 1);
    {
        let mut state = b.fake.lock();
        (state.keeps, state.limit) = (true, 1);
        // Once refused for the moment, then lost half-way.
        (state.odd, state.breaks) = (1, 1);
    }
    let id = b.add(Download, File, "f", "/f");
    let item = b.finished(id).await;
    assert_eq!((item.state, item.attempts), (State::Done, 3), "{item:?}");
    assert_eq!(b.fake.lock().connected, 3);
    assert_eq!(b.fake.lock().open, 1);
    // Lost while it was idle: the next one is opened after this one is closed.
    b.fake.lock().lost_before = 3;
    let id = b.add(Download, File, "f", "/f");
    let item = b.finished(id).await;
    assert_eq!((item.state, item.attempts), (State::Done, 1), "{item:?}");
    // So it is where a worker dies.
    b.fake.lock().panics = true;
    let id = b.add(Download, File, "f", "/f");
    assert_eq!(b.finished(id).await.state, State::Failed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.fake.lock().open, 0);
}

#[tokio::test(start_paused = true)]
async fn cancelled_downloads_leave_nothing() {
    let b = bench(2);
    b.write("out/a", b"old");
    // Too large for a group.
    let large = vec![1; 300_000];
    for name in ["/pub/a", "/pub/b", "/pub/c"] {
        b.fake.file(name, &large, 1);
    }
    b.fake.hold.send_replace(true);
    let id = b.add(Download, Folder, "out", "/pub");
    b.moving(2).await;
    assert_eq!(
        b.tree(),
        ["out/", "out/.a.slippart", "out/.b.slippart", "out/a"]
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let item = b.get(id);
    assert_eq!(
        (item.state, item.bytes, item.total),
        (State::Running, 300_000, Some(900_000))
    );
    b.queue.cancel(&[id]);
    assert!(b.queue.list().iter().all(|i| i.state == State::Cancelled));
    b.queue.wait_idle().await;
    assert_eq!(
        (b.tree(), b.read("out/a")),
        (vec!["out/".into(), "out/a".into()], b"old".to_vec())
    );
    // And again, to the end.
    b.fake.hold.send_replace(false);
    b.queue.retry(&[id]);
    assert_eq!(b.finished(id).await.state, State::Done);
    assert_eq!(b.read("out/a"), large);
    b.queue.clear_finished();
    assert!(b.queue.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_upload_leaves_what_was_there() {
    let b = bench(1);
    b.write("f", b"0123456789");
    b.fake.file("/begun", b"old", 1);
    b.fake.file("/waiting", b"old", 1);
    b.fake.hold.send_replace(true);
    let begun = b.add(Upload, File, "f", "/begun");
    let waiting = b.add(Upload, File, "f", "/waiting");
    b.moving(1).await;
    b.queue.cancel(&[begun, waiting]);
    b.queue.wait_idle().await;
    assert_eq!(b.fake.content("/begun").unwrap(), b"old");
    assert_eq!(b.fake.lock().files.len(), 2, "no temporary file is left");
    assert_eq!(b.fake.content("/waiting").unwrap(), b"old");
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_replaced_when_lost_and_closed_when_idle() {
    let b = bench(1);
    for name in ["/1", "/2", "/3"] {
        b.fake.file(name, b"x", 1);
    }
    for name in ["1", "2"] {
        let id = b.add(Download, File, name, &format!("/{name}"));
        assert_eq!(b.finished(id).await.state, State::Done);
    }
    assert_eq!(b.fake.lock().connected, 1, "one connection serves all");
    b.fake.lock().lost_before = 1;
    let id = b.add(Download, File, "3", "/3");
    let item = b.finished(id).await;
    assert_eq!(
        (item.state, item.attempts),
        (State::Done, 1),
        "a stale connection is no failure"
    );
    assert_eq!(b.fake.lock().connected, 2);
    assert_eq!(b.fake.lock().open, 1);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(b.fake.lock().open, 0, "closed after half a minute");
}

#[tokio::test(start_paused = true)]
async fn a_server_with_few_connections_is_served_with_few() {
    let b = bench(6);
    b.fake.lock().limit = 2;
    b.fake.hold.send_replace(true);
    let ids: Vec<_> = (0..20)
        .map(|i| {
            b.fake.file(&format!("/{i}"), b"0123456789", 1);
            b.add(Download, File, &i.to_string(), &format!("/{i}"))
        })
        .collect();
    b.moving(2).await;
    b.fake.hold.send_replace(false);
    b.queue.wait_idle().await;
    for id in ids {
        let item = b.get(id);
        assert_eq!((item.state, item.attempts), (State::Done, 1), "{item:?}");
    }
    assert_eq!(b.fake.lock().connected, 2);
}
