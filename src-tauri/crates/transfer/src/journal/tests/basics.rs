//! What is written is there, for one program at a time.

use serde_json::json;

use super::*;

#[test]
fn everything_that_was_written_is_there_when_it_is_opened_again() {
    let (_folder, path) = place();
    let extreme = Row {
        id: u32::MAX,
        parent: 2,
        site: 1,
        options: 0,
        state: 0,
        flags: u32::MAX,
        priority: i8::MIN,
        order: i64::MIN,
        depth: u32::MAX,
        size: Some(u64::MAX),
        modified: Some(i64::MIN),
        bytes: u64::MAX,
        attempts: u32::MAX,
        start_at: Some(i64::MAX),
        name: vec![0, 0xff, b'\n'],
        local: Some(Vec::new()),
        detail: Some("null".to_owned()),
    };
    let mut journal = open(&path);
    assert_eq!(journal.load().unwrap(), Loaded::default());
    journal
        .write(&[
            site(),
            Op::Options {
                id: 1,
                json: "{}".to_owned(),
            },
            Op::Setting {
                key: "limit".to_owned(),
                value: "17".to_owned(),
            },
            Op::Put(item(1, 0)),
            Op::Put(item(2, 0)),
            Op::Put(item(3, 2)),
            Op::Put(extreme.clone()),
        ])
        .unwrap();
    journal
        .write(&[
            Op::Put(Row {
                state: 5,
                bytes: 99,
                ..item(3, 2)
            }),
            Op::Remove(vec![1, 78]),
            Op::Setting {
                key: "limit".to_owned(),
                value: "18".to_owned(),
            },
        ])
        .unwrap();
    let expected = Loaded {
        sites: [(1, "ftp://somebody@example.org".to_owned())].into(),
        options: [(1, "{}".to_owned())].into(),
        rows: vec![
            item(2, 0),
            Row {
                state: 5,
                bytes: 99,
                ..item(3, 2)
            },
            extreme,
        ],
        settings: [("limit".to_owned(), "18".to_owned())].into(),
        skipped: 0,
        highest_id: u32::MAX,
    };
    assert_eq!(journal.load().unwrap(), expected);
    drop(journal);
    assert_eq!(open(&path).load().unwrap(), expected);
    assert_eq!(Journal::peek(&path).unwrap().load().unwrap(), expected);
}

#[test]
fn what_could_not_be_read_again_is_refused_with_its_whole_transaction() {
    let (_folder, path) = place();
    let mut journal = open(&path);
    journal.write(&[site()]).unwrap();
    let long = vec![b'x'; record::NAME_LIMIT + 1];
    for bad in [
        Row {
            state: record::HIGHEST_STATE + 1,
            ..item(2, 0)
        },
        Row {
            name: long.clone(),
            ..item(2, 0)
        },
        Row {
            local: Some(long.clone()),
            ..item(2, 0)
        },
        Row {
            detail: Some("{".to_owned()),
            ..item(2, 0)
        },
        Row {
            detail: Some(format!("\"{}\"", "x".repeat(record::JSON_LIMIT))),
            ..item(2, 0)
        },
    ] {
        let error = journal
            .write(&[Op::Put(item(1, 0)), Op::Put(bad)])
            .unwrap_err();
        assert!(
            matches!(error, JournalError::Refused { id: 2, .. }),
            "{error}"
        );
    }
    assert_eq!(journal.load().unwrap().rows, []);
    let longest = Row {
        name: vec![b'x'; record::NAME_LIMIT],
        ..item(1, 0)
    };
    journal.write(&[Op::Put(longest.clone())]).unwrap();
    assert_eq!(journal.load().unwrap().rows, [longest]);
}

#[cfg(unix)]
#[test]
fn a_second_program_hears_who_has_it() {
    let (folder, path) = place();
    let journal = Journal::open(&path, "slip queue\nrun").unwrap().journal;
    let expected = format!("slip queue run (process {})", std::process::id());
    // Also by another way to the same file.
    let link = folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        match Journal::open(path, "another") {
            Err(OpenError::Held { by, .. }) => assert_eq!(by, expected),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            Journal::peek(path).unwrap().holder(),
            Some(expected.clone())
        );
    }
    drop(journal);
    assert_eq!(Journal::peek(&path).unwrap().holder(), None);
    open(&path);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_its_files() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, path) = place();
    let nested = folder.path().join("new").join("folder").join("q");
    let nested_journal = open(&nested);
    // One that was there with other permissions.
    drop(open(&path));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let mut journal = open(&path);
    journal.write(&[site()]).unwrap();
    let mut files = 0;
    for folder in [path.parent().unwrap(), nested.parent().unwrap()] {
        for entry in folder.read_dir().unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let expected = if entry.metadata().unwrap().is_dir() {
                0o700
            } else {
                files += 1;
                0o600
            };
            assert_eq!(mode, expected, "{}", entry.path().display());
        }
    }
    assert_eq!(files, 8);
    drop(nested_journal);
}

#[test]
fn receipts_come_in_pages_and_the_oldest_ones_go() {
    let (_folder, path) = place();
    let mut journal = open(&path);
    journal.keep_receipts = 100;
    for tens in 0..25 {
        let ops: Vec<Op> = (tens * 10..tens * 10 + 10)
            .map(|id| Op::Receipt(Box::new(receipt(id))))
            .collect();
        journal.write(&ops).unwrap();
    }
    let reader = Journal::peek(&path).unwrap();
    assert_eq!(journal.receipt_count(), Ok(100));
    assert_eq!(reader.receipt_count(), Ok(100));
    for (limit, offset, newest, count) in [(5, 0, 249, 5), (30, 95, 154, 5), (9, 40, 209, 9)] {
        let expected: Vec<Receipt> = (0..count).map(|back| receipt(newest - back)).collect();
        assert_eq!(journal.receipts(limit, offset).unwrap(), expected);
        assert_eq!(reader.receipts(limit, offset).unwrap(), expected);
    }
    assert_eq!(journal.receipts(5, 100).unwrap(), []);
    assert_eq!(journal.receipts(5, u64::MAX).unwrap(), []);
}

#[test]
fn requests_reach_the_holder_and_stay_until_they_are_done() {
    let (_folder, path) = place();
    let request = |number: u32| Request {
        kind: "pause".to_owned(),
        body: json!({ "ids": [number] }),
    };
    assert!(matches!(
        Journal::request(&path, &request(0)),
        Err(OpenError::Missing { .. })
    ));
    let mut journal = open(&path);
    assert_eq!(journal.take_requests().unwrap(), []);
    for number in 1..=100 {
        Journal::request(&path, &request(number)).unwrap();
    }
    let mut taken = Vec::new();
    loop {
        let more = journal.take_requests().unwrap();
        if more.is_empty() {
            break;
        }
        taken.extend(more);
    }
    let expected: Vec<Request> = (1..=100).map(request).collect();
    let got: Vec<Request> = taken.iter().map(|taken| taken.request.clone()).collect();
    assert_eq!(got, expected);
    let done: Vec<Op> = taken[..99]
        .iter()
        .map(|taken| Op::Handled {
            request: taken.number,
        })
        .collect();
    journal.write(&done).unwrap();
    drop(journal);

    // The one that was not done is handed out again, and what is new.
    let mut journal = open(&path);
    Journal::request(&path, &request(101)).unwrap();
    let again = journal.take_requests().unwrap();
    assert_eq!(
        again.iter().map(|taken| &taken.request).collect::<Vec<_>>(),
        [&request(100), &request(101)]
    );
    let done = again.iter().map(|taken| Op::Handled {
        request: taken.number,
    });
    journal.write(&done.collect::<Vec<_>>()).unwrap();
    // Numbers are not given out twice, so that none is overlooked when all are gone.
    Journal::request(&path, &request(102)).unwrap();
    assert_eq!(journal.take_requests().unwrap()[0].request, request(102));
}

#[test]
fn requests_that_are_too_much_are_refused_and_senseless_ones_dropped() {
    let (_folder, path) = place();
    let mut journal = open(&path);
    for (kind, body) in [
        ("k".repeat(KIND_LIMIT + 1), json!(null)),
        ("add".to_owned(), json!("x".repeat(record::REQUEST_LIMIT))),
    ] {
        assert!(matches!(
            Journal::request(&path, &Request { kind, body }),
            Err(OpenError::Request { .. })
        ));
    }
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(&format!(
        "INSERT INTO inbox (kind, body) VALUES ('add', '{{');
         INSERT INTO inbox (kind, body) VALUES (x'ff', '1');
         INSERT INTO inbox (kind, body) VALUES ('good', '1');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {INBOX_LIMIT} - 3)
         INSERT INTO inbox (kind, body) SELECT 'many', '2' FROM n;"
    ))
    .unwrap();
    let one_more = Request {
        kind: "add".to_owned(),
        body: json!(1),
    };
    assert!(matches!(
        Journal::request(&path, &one_more),
        Err(OpenError::Request { .. })
    ));
    assert_eq!(journal.take_requests().unwrap()[0].request.kind, "good");
    Journal::request(&path, &one_more).unwrap();
}
