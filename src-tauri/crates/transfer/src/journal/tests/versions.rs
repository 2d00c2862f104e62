//! Older journals.

use super::*;

/// What version 1 was when it was given out.
const VERSION_1: &str = include_str!("version1.sql");

#[test]
fn a_journal_of_version_1_can_be_read_for_ever() {
    let (_folder, path) = place();
    Connection::open(&path)
        .unwrap()
        .execute_batch(VERSION_1)
        .unwrap();
    let mut journal = open(&path);
    let loaded = journal.load().unwrap();
    assert_eq!(loaded.sites[&1], "ftp://anna@example.org");
    assert_eq!(loaded.options[&1], "{}");
    assert_eq!(loaded.settings["limit"], "1024");
    assert_eq!(
        loaded.rows,
        [
            Row {
                id: 1,
                site: 1,
                options: 1,
                state: 3,
                flags: 5,
                priority: -1,
                order: 10,
                name: b"/pub".to_vec(),
                local: Some(b"/home/anna/pub".to_vec()),
                ..Row::default()
            },
            Row {
                id: 2,
                parent: 1,
                site: 1,
                options: 1,
                state: 1,
                order: 20,
                depth: 1,
                size: Some(300),
                modified: Some(1_700_000_000_000_000_000),
                bytes: 100,
                attempts: 2,
                start_at: Some(1_700_000_000_000),
                name: b"a\xff.txt".to_vec(),
                detail: Some(r#"{"a":1}"#.to_owned()),
                ..Row::default()
            },
        ]
    );
    let taken = journal.take_requests().unwrap();
    assert_eq!(taken[0].request.kind, "pause");
    assert_eq!(journal.receipts(10, 0).unwrap()[0].id, 7);
    journal.write(&[Op::Put(item(3, 0))]).unwrap();
    // Today's steps make the same of it as of nothing.
    let (_folder, fresh) = place();
    open(&fresh);
    let schema = |path: &Path| -> Vec<(String, String)> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection
            .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .map(|row| row.unwrap())
            .map(|(name, sql): (String, String)| {
                (name, sql.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect()
    };
    assert_eq!(schema(&path), schema(&fresh));
}

#[test]
fn an_older_journal_is_brought_up_to_date_step_by_step() {
    let (_folder, path) = place();
    let mut journal = open(&path);
    let items: Vec<Op> = (1..=100).map(|id| Op::Put(item(id, 0))).collect();
    journal.write(&[site()]).unwrap();
    journal.write(&items).unwrap();
    let before = journal.load().unwrap();
    drop(journal);

    let steps = [
        schema::STEPS[0],
        "ALTER TABLE items ADD COLUMN note TEXT; UPDATE items SET note = 'from ' || id;",
        "CREATE TABLE extra (id INTEGER PRIMARY KEY); INSERT INTO extra SELECT count(*) FROM items WHERE note = 'from 7';",
    ];
    // A step that doesn't work leaves everything as it was.
    let broken = [steps[0], steps[1], "INSERT INTO nothing VALUES (1);"];
    let opened = Journal::open_with(&path, "a test", &broken);
    assert!(
        matches!(&opened, Err(OpenError::Database { why, .. }) if why.contains("nothing")),
        "{opened:?}"
    );
    assert_eq!(open(&path).load().unwrap(), before);

    let opened = Journal::open_with(&path, "a test", &steps).unwrap();
    assert_eq!(opened.recovered, None);
    let mut journal = opened.journal;
    assert_eq!(journal.load().unwrap(), before);
    let number = |sql: &str| -> i64 {
        journal
            .connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("SELECT id FROM extra"), 1);
    assert_eq!(number("PRAGMA user_version"), 3);
    journal.write(&[Op::Put(item(101, 0))]).unwrap();
    drop(journal);
    // Not a second time.
    let mut journal = Journal::open_with(&path, "a test", &steps).unwrap().journal;
    assert_eq!(journal.load().unwrap().rows.len(), 101);
    drop(journal);

    let opened = Journal::open(&path, "a test");
    assert!(
        matches!(
            opened,
            Err(OpenError::Newer {
                version: 3,
                supported: 1,
                ..
            })
        ),
        "{opened:?}"
    );
}
