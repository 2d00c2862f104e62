//! `kill -9` at any moment: what was acknowledged is there, and nothing is there in part.
//!
//! The test starts its own program again, to write to the journal and say what it has written, and kills it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use proptest::prelude::Rng as _;

use super::*;

const PLACE: &str = "SLIPWAY_TEST_JOURNAL";
const ROUNDS: u32 = 40;
/// Items in one transaction.
const ITEMS: u32 = 8;

/// Transaction `turn`: some new items, a state for those of the one before, and the end of older ones.
fn transaction(turn: u32) -> Vec<Op> {
    let ids = |turn: u32| turn * ITEMS + 1..=turn * ITEMS + ITEMS;
    let mut ops = vec![
        Op::Setting {
            key: "turn".to_owned(),
            value: turn.to_string(),
        },
        site(),
    ];
    ops.extend(ids(turn).map(|id| {
        Op::Put(Row {
            state: 0,
            ..item(id, 0)
        })
    }));
    if let Some(before) = turn.checked_sub(1) {
        ops.extend(ids(before).map(|id| {
            Op::Put(Row {
                state: 5,
                bytes: 99,
                ..item(id, 0)
            })
        }));
    }
    if let Some(old) = turn.checked_sub(50) {
        ops.push(Op::Remove(ids(old).collect()));
        ops.extend(ids(old).map(|id| Op::Receipt(Box::new(receipt(id)))));
    }
    ops
}

/// What is there after transaction `turn`.
fn expected(turn: u32) -> Vec<Row> {
    let first = turn.saturating_sub(49) * ITEMS + 1;
    let last = turn * ITEMS + ITEMS;
    let row = |id: u32| match id > turn * ITEMS {
        true => Row {
            state: 0,
            ..item(id, 0)
        },
        false => Row {
            state: 5,
            bytes: 99,
            ..item(id, 0)
        },
    };
    (first..=last).map(row).collect()
}

fn turn_of(loaded: &Loaded) -> Option<u32> {
    Some(loaded.settings.get("turn")?.parse().unwrap())
}

/// Run by the test below.
#[test]
#[ignore = "a part of another test"]
fn the_one_that_is_killed() {
    let Some(path) = std::env::var_os(PLACE) else {
        return;
    };
    let mut journal = open(Path::new(&path));
    let mut turn = turn_of(&journal.load().unwrap()).map_or(0, |turn| turn + 1);
    let mut out = std::io::stdout();
    loop {
        journal.write(&transaction(turn)).unwrap();
        writeln!(out, "\nwritten {turn}").unwrap();
        turn += 1;
    }
}

#[test]
fn a_killed_program_has_lost_nothing() {
    let (_folder, path) = place();
    let mut random = proptest::test_runner::TestRng::deterministic_rng(
        proptest::test_runner::RngAlgorithm::ChaCha,
    );
    let mut furthest = 0;
    for _ in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg(format!("{}::the_one_that_is_killed", short(module_path!())))
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = None;
        let mut left = random.next_u32() % 120;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while left > 0
            && let Some(line) = lines.next()
        {
            if let Some(turn) = line.unwrap().strip_prefix("written ") {
                acknowledged = Some(turn.parse::<u32>().unwrap());
                left -= 1;
            }
        }
        for _ in 0..random.next_u32() % 50_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            // What it said before it died; the last line may be cut.
            let line = line.unwrap();
            let turn = line.strip_prefix("written ").and_then(|t| t.parse().ok());
            acknowledged = acknowledged.max(turn.filter(|turn| Some(*turn) > acknowledged));
        }
        // Nobody holds it any more, and it was not damaged.
        let mut journal = open(&path);
        let loaded = journal.load().unwrap();
        let turn = turn_of(&loaded);
        assert!(turn >= acknowledged, "{turn:?} < {acknowledged:?}");
        assert_eq!(loaded.skipped, 0);
        if let Some(turn) = turn {
            assert_eq!(loaded.rows, expected(turn));
            let receipts = journal.receipts(u32::MAX, 0).unwrap();
            assert_eq!(
                receipts.len() as u32,
                turn.saturating_sub(49) * ITEMS,
                "receipts of {turn}"
            );
            furthest = turn;
        }
    }
    assert!(furthest > 1_000, "{furthest}");
}

/// A module's path as the names of tests have it.
fn short(module: &str) -> &str {
    module.split_once("::").unwrap().1
}
