//! How fast it is. Only a release build says something: `cargo nextest run --release -p transfer --run-ignored only
//! journal::tests::speed --no-capture`.

use std::time::Instant;

use super::*;

const MANY: u32 = 1_000_000;

/// As [`item`]: in folders of 50.
fn tree(id: u32) -> Row {
    let parent = if id % 50 == 1 { 0 } else { id - (id - 1) % 50 };
    item(id, parent)
}

#[test]
#[ignore = "a measurement"]
fn a_million_items() {
    let (_folder, path) = place();
    let mut journal = open(&path);
    journal
        .write(&[
            site(),
            Op::Options {
                id: 1,
                json: "{}".to_owned(),
            },
        ])
        .unwrap();
    let mut batches: Vec<Vec<Op>> = Vec::new();
    for start in (1..=MANY).step_by(10_000) {
        batches.push(
            (start..start + 10_000)
                .map(|id| Op::Put(tree(id)))
                .collect(),
        );
    }
    let begun = Instant::now();
    for batch in &batches {
        journal.write(batch).unwrap();
    }
    let inserts = f64::from(MANY) / begun.elapsed().as_secs_f64();
    println!("insert: {inserts:.0} rows a second");

    let mut times = Vec::new();
    for turn in 0..2_000_u32 {
        let ops: Vec<Op> = (0..20)
            .map(|file| {
                Op::Put(Row {
                    state: 4,
                    bytes: 1,
                    ..item(1 + turn * 499 + file, 0)
                })
            })
            .collect();
        let begun = Instant::now();
        journal.write(&ops).unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!(
        "20 states in a transaction: median {:?}, 99 % {:?}, longest {:?}",
        times[1_000], times[1_980], times[1_999]
    );
    times.clear();
    for turn in 0..2_000_u32 {
        let mut ops = Vec::new();
        for file in 0..20 {
            let id = 1 + turn * 20 + file;
            ops.push(Op::Put(Row {
                state: 5,
                bytes: 1024,
                ..item(id, 0)
            }));
            ops.push(Op::Receipt(Box::new(receipt(id))));
        }
        let begun = Instant::now();
        journal.write(&ops).unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!(
        "20 states and receipts: median {:?}, 99 % {:?}, longest {:?}",
        times[1_000], times[1_980], times[1_999]
    );
    let begun = Instant::now();
    drop(journal);
    println!("close: {:?}", begun.elapsed());
    println!("size: {} MB", path.metadata().unwrap().len() / 1_000_000);

    let begun = Instant::now();
    let mut journal = open(&path);
    let opened = begun.elapsed();
    let loaded = journal.load().unwrap();
    println!("open: {opened:?}, and load: {:?}", begun.elapsed());
    assert_eq!((loaded.rows.len(), loaded.skipped), (MANY as usize, 0));
    let begun = Instant::now();
    drop(loaded);
    println!("(to free what was loaded: {:?})", begun.elapsed());
    let begun = Instant::now();
    let verdict: String = journal
        .connection
        .query_row("PRAGMA quick_check", [], |row| row.get(0))
        .unwrap();
    println!("quick_check: {verdict} {:?}", begun.elapsed());
    drop(journal);

    // A page in the middle.
    damage::spoil(&path, path.metadata().unwrap().len() / 2);
    let begun = Instant::now();
    let opened = Journal::open(&path, "a test").unwrap();
    let took = begun.elapsed();
    println!("recover: {took:?}: {}", opened.recovered.unwrap());
}
