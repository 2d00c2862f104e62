//! Damaged journals.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use super::*;

const PAGE: u64 = schema::PAGE as u64;

/// Fills the page at this place with what makes no sense.
pub(super) fn spoil(path: &Path, place: u64) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(place / PAGE * PAGE)).unwrap();
    file.write_all(&[0xa5; schema::PAGE]).unwrap();
}

/// A closed journal with `count` items, all at the top, and receipts.
pub(super) fn filled(path: &Path, count: u32) {
    let mut journal = open(path);
    let mut ops = vec![
        site(),
        Op::Options {
            id: 1,
            json: "{}".to_owned(),
        },
        Op::Setting {
            key: "limit".to_owned(),
            value: "17".to_owned(),
        },
    ];
    ops.extend((1..=count).map(|id| Op::Put(item(id, 0))));
    ops.extend((1..=count / 4).map(|id| Op::Receipt(Box::new(receipt(id)))));
    journal.write(&ops).unwrap();
    Journal::request(
        path,
        &Request {
            kind: "pause".to_owned(),
            body: serde_json::json!([1]),
        },
    )
    .unwrap();
}

fn length(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

/// Opens a damaged journal, and again what came of it.
fn recover(path: &Path) -> (Damage, Loaded, Vec<Receipt>) {
    let before = std::fs::read(path).unwrap();
    let opened = Journal::open(path, "a test").unwrap();
    let damage = opened.recovered.expect("it was damaged");
    let mut journal = opened.journal;
    let loaded = journal.load().unwrap();
    assert_eq!(damage.items, loaded.rows.len() as u64);
    assert_eq!(std::fs::read(&damage.set_aside).unwrap(), before);
    let receipts = journal.receipts(u32::MAX, 0).unwrap();
    assert_eq!(journal.receipt_count().unwrap(), receipts.len() as u64);
    // It can be used.
    journal.write(&[site(), Op::Put(item(900_000, 0))]).unwrap();
    journal.write(&[Op::Remove(vec![900_000])]).unwrap();
    drop(journal);
    let mut again = open(path);
    assert_eq!(again.load().unwrap().rows, loaded.rows);
    for entry in path.parent().unwrap().read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.contains(".recover") && !name.contains(".salvage"),
            "{name} was left behind"
        );
    }
    (damage, loaded, receipts)
}

fn assert_genuine(loaded: &Loaded, receipts: &[Receipt]) {
    for row in &loaded.rows {
        assert_eq!(*row, item(row.id, 0));
    }
    for found in receipts {
        assert_eq!(*found, receipt(found.id));
    }
}

#[test]
fn what_is_no_database_is_set_aside() {
    for content in [
        b"It was a dark and stormy night.".repeat(1000),
        Vec::new(),
        vec![0; 100],
        vec![0; 65536],
        b"SQLite format 3\0".to_vec(),
    ] {
        let (_folder, path) = place();
        std::fs::write(&path, &content).unwrap();
        let (damage, loaded, _) = recover(&path);
        assert_eq!((damage.items, damage.lost), (0, None));
        assert_eq!(loaded, Loaded::default());
        assert!(damage.set_aside.ends_with("queue.sqlite.damaged-1"));
    }
}

#[test]
fn each_damaged_one_gets_a_name_of_its_own() {
    let (_folder, path) = place();
    for number in 1..4 {
        std::fs::write(&path, "no database").unwrap();
        let (damage, ..) = recover(&path);
        let name = format!("queue.sqlite.damaged-{number}");
        assert!(damage.set_aside.ends_with(name));
    }
}

#[test]
fn a_bad_page_costs_what_is_on_it() {
    let (_folder, path) = place();
    filled(&path, 5_000);
    let pages = length(&path) / PAGE;
    assert!(pages > 100, "{pages}");
    spoil(&path, pages / 3 * PAGE);
    let (damage, loaded, receipts) = recover(&path);
    assert!(damage.items >= 4_900 && damage.items < 5_000, "{damage}");
    assert_eq!(damage.lost, None);
    assert_genuine(&loaded, &receipts);
    assert_eq!(receipts.len(), 1_250);
    assert_eq!(loaded.settings["limit"], "17");
}

#[test]
fn whichever_page_is_bad_the_others_are_read() {
    let (folder, original) = place();
    filled(&original, 400);
    let pages = length(&original) / PAGE;
    let mut recovered = BTreeMap::new();
    for page in 0..pages {
        let path = folder.path().join(format!("{page}"));
        std::fs::copy(&original, &path).unwrap();
        spoil(&path, page * PAGE);
        let before = std::fs::read(&path).unwrap();
        let opened = Journal::open(&path, "a test").unwrap();
        let mut journal = opened.journal;
        let loaded = journal.load().unwrap();
        let receipts = journal.receipts(u32::MAX, 0);
        if receipts.is_err() {
            // Noticed late: it is recovered when it is opened the next time.
            assert_eq!(loaded.rows.len(), 400);
            drop(journal);
            assert_eq!(std::fs::read(&path).unwrap(), before);
            let (_, loaded, receipts) = recover(&path);
            assert_eq!(loaded.rows.len(), 400);
            assert!(receipts.len() < 100);
            assert_genuine(&loaded, &receipts);
            continue;
        }
        assert_genuine(&loaded, &receipts.unwrap());
        recovered.insert(page, loaded.rows.len());
    }
    // The first page, those in which a table begins, the one with the site, which everything belongs to, and the one
    // that leads to all items: none of them costs more than any other one.
    assert_eq!(recovered[&0], 400);
    let costly: Vec<_> = recovered.iter().filter(|(_, rows)| **rows < 300).collect();
    assert_eq!(costly, Vec::new());
}

#[test]
fn a_file_that_was_cut_is_read_as_far_as_it_goes() {
    let (_folder, path) = place();
    filled(&path, 5_000);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(length(&path) / 2 + 100).unwrap();
    let (damage, loaded, receipts) = recover(&path);
    assert!(damage.items > 1_500 && damage.items < 5_000, "{damage}");
    assert_genuine(&loaded, &receipts);
}

#[test]
fn a_missing_end_is_noticed_before_anything_is_written() {
    for count in [400, 40_000] {
        let (_folder, path) = place();
        filled(&path, count);
        let file = File::options().write(true).open(&path).unwrap();
        // The last page, in which few have anything to look for.
        file.set_len(length(&path) - 700).unwrap();
        let (damage, loaded, receipts) = recover(&path);
        assert!(damage.items > u64::from(count) * 3 / 4, "{damage}");
        assert_genuine(&loaded, &receipts);
    }
}

#[test]
fn what_was_removed_does_not_come_back() {
    let (_folder, path) = place();
    filled(&path, 2_000);
    let mut journal = open(&path);
    journal
        .write(&[Op::Remove((500..=1_500).collect())])
        .unwrap();
    drop(journal);
    spoil(&path, 3 * PAGE);
    let (damage, loaded, _) = recover(&path);
    assert!(damage.items > 900, "{damage}");
    assert!(
        loaded
            .rows
            .iter()
            .all(|row| !(520..=1_480).contains(&row.id))
    );
}

#[test]
fn sites_and_options_survive_their_page() {
    for page in [1, 2] {
        let (_folder, path) = place();
        filled(&path, 400);
        spoil(&path, page * PAGE);
        let (damage, loaded, receipts) = recover(&path);
        assert_eq!(damage.items, 400, "{damage}");
        assert_eq!((loaded.sites.len(), loaded.options.len()), (1, 1));
        // There is nothing among the settings that nobody has set.
        assert_eq!(loaded.settings.len(), 1);
        assert_genuine(&loaded, &receipts);
    }
}

#[test]
fn what_is_in_the_log_is_recovered_as_well() {
    let (folder, path) = place();
    filled(&path, 1_000);
    let mut journal = open(&path);
    let more: Vec<Op> = (1_001..=2_000).map(|id| Op::Put(item(id, 0))).collect();
    journal.write(&more).unwrap();
    // As a program leaves it that is killed.
    let killed = folder.path().join("killed");
    std::fs::copy(&path, &killed).unwrap();
    let log = files::beside(&killed, "-wal");
    std::fs::copy(files::beside(&path, "-wal"), &log).unwrap();
    assert!(length(&log) > 20 * PAGE);
    // A page in which there are items, and that is not in the log.
    spoil(&killed, 9 * PAGE);
    let opened = Journal::open(&killed, "a test").unwrap();
    let mut journal = opened.journal;
    let loaded = journal.load().unwrap();
    let damage = opened.recovered.expect("it was damaged");
    assert!(damage.items >= 1_900 && damage.items < 2_000, "{damage}");
    assert_eq!(loaded.highest_id, 2_000);
    assert_genuine(&loaded, &[]);
}

#[test]
fn rows_that_make_no_sense_are_skipped_and_counted() {
    let (_folder, path) = place();
    filled(&path, 100);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(&format!(
        "UPDATE items SET state = 200 WHERE id = 1;
         UPDATE items SET state = -1 WHERE id = 2;
         UPDATE items SET name = zeroblob({}) WHERE id = 3;
         UPDATE items SET name = 'text' WHERE id = 4;
         UPDATE items SET detail = '{{\"a\":' WHERE id = 5;
         UPDATE items SET detail = CAST(x'22ff22' AS TEXT) WHERE id = 6;
         UPDATE items SET priority = 1000 WHERE id = 7;
         UPDATE items SET attempts = 'many' WHERE id = 8;
         UPDATE items SET bytes = 1.5 WHERE id = 9;
         UPDATE items SET site = 7 WHERE id = 10;
         UPDATE items SET parent = 1000 WHERE id = 11;
         UPDATE items SET parent = 13 WHERE id = 12;
         UPDATE items SET parent = 14 WHERE id = 13;
         UPDATE items SET parent = 12 WHERE id = 14;
         UPDATE items SET parent = 14 WHERE id = 15;
         UPDATE items SET parent = 16 WHERE id = 16;
         UPDATE items SET parent = 100 WHERE id = 17;
         UPDATE items SET id = 5000000000 WHERE id = 18;
         UPDATE items SET id = -5 WHERE id = 19;
         INSERT INTO options VALUES (2, 'no JSON');
         INSERT INTO sites VALUES (-1, 'x');
         INSERT INTO settings VALUES ('x', '[');
         UPDATE receipts SET body = '{{}}' WHERE number = 3;",
        record::NAME_LIMIT + 1
    ))
    .unwrap();
    drop(raw);
    let mut journal = open(&path);
    let loaded = journal.load().unwrap();
    assert_eq!(loaded.skipped, 18 + 3);
    assert_eq!(loaded.rows.len(), 82);
    assert_eq!(
        loaded.rows[0],
        Row {
            parent: 100,
            ..item(17, 0)
        }
    );
    for row in &loaded.rows[1..] {
        assert_eq!(*row, item(row.id, 0));
    }
    assert_eq!(journal.receipts(100, 0).unwrap().len(), 24);
    // What was skipped is not lost, and is told again.
    drop(journal);
    assert_eq!(open(&path).load().unwrap().skipped, 21);
}

#[test]
fn what_is_lost_is_counted_where_that_can_be_known() {
    let (_folder, path) = place();
    filled(&path, 100);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "UPDATE items SET parent = 50 WHERE id = 51;
         UPDATE items SET state = 200 WHERE id = 50;
         PRAGMA user_version = 123456789;",
    )
    .unwrap();
    drop(raw);
    let (damage, loaded, _) = recover(&path);
    // With the page that says where everything is, nobody knows what else is gone.
    assert_eq!((damage.items, damage.lost), (98, None));
    assert_eq!(loaded.skipped, 0);

    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "UPDATE items SET parent = 60 WHERE id = 61;
         UPDATE items SET state = 200 WHERE id = 60;
         ALTER TABLE inbox RENAME COLUMN kind TO sort;",
    )
    .unwrap();
    drop(raw);
    let (damage, ..) = recover(&path);
    assert_eq!(damage.items, 96);
    assert!(
        damage.to_string().contains("96 items were recovered"),
        "{damage}"
    );
}

#[test]
fn a_recovery_that_was_cut_short_is_finished() {
    // Everything is out of the way, and the new one not yet in its place.
    let (_folder, path) = place();
    filled(&path, 100);
    std::fs::rename(&path, files::beside(&path, ".recovered")).unwrap();
    std::fs::write(files::beside(&path, ".damaged-1"), "what there was").unwrap();
    std::fs::write(files::beside(&path, "-wal"), "its log").unwrap();
    let opened = Journal::open(&path, "a test").unwrap();
    let damage = opened.recovered.unwrap();
    assert_eq!(damage.items, 100);
    assert_eq!(damage.set_aside, files::beside(&path, ".damaged-1"));
    let log = std::fs::read_to_string(files::beside(&path, ".damaged-1-wal"));
    assert_eq!(log.unwrap(), "its log");
    drop(opened.journal);
    assert_eq!(open(&path).load().unwrap().rows.len(), 100);

    // The new one is complete, and the damaged one where it was: it is read again.
    std::fs::copy(&path, files::beside(&path, ".recovered")).unwrap();
    std::fs::copy(&path, files::beside(&path, ".recovering")).unwrap();
    spoil(&path, 0);
    let (damage, ..) = recover(&path);
    assert_eq!(damage.items, 100);

    // Only a log is left.
    let before = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(files::beside(&path, "-wal"), &before).unwrap();
    let opened = Journal::open(&path, "a test").unwrap();
    let aside = opened.recovered.unwrap().set_aside;
    assert_eq!(
        std::fs::read(files::beside(&aside, "-wal")).unwrap(),
        before
    );
}

#[test]
fn other_programs_databases_and_newer_journals_are_left_as_they_are() {
    let (_folder, path) = place();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE items (id INTEGER PRIMARY KEY); INSERT INTO items VALUES (1);")
        .unwrap();
    drop(raw);
    let before = std::fs::read(&path).unwrap();
    let opened = Journal::open(&path, "a test");
    assert!(
        matches!(opened, Err(OpenError::Foreign { .. })),
        "{opened:?}"
    );
    let peeked = Journal::peek(&path);
    assert!(
        matches!(peeked, Err(OpenError::Foreign { .. })),
        "{peeked:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::remove_file(&path).unwrap();
    filled(&path, 10);
    let raw = Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    let before = std::fs::read(&path).unwrap();
    for error in [
        Journal::open(&path, "a test").map(|_| ()).unwrap_err(),
        Journal::peek(&path).map(|_| ()).unwrap_err(),
    ] {
        assert!(
            error.to_string().ends_with(
                "was written by a newer Slipway: it has version 2, and this one knows versions up to 1"
            ),
            "{error}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
