//! One file by several connections.

use std::time::Duration;

use super::*;
use crate::jobs::islands::WORTH_KEEPING;
use crate::jobs::segments::Rules;

const LENGTH: usize = 3_000_000;
/// A connection brings all of it in 3 s.
const SLOW: usize = 10_000;

fn rules() -> Rules {
    Rules {
        least: 500_000,
        smallest: 50_000,
        settle: Duration::from_millis(100),
        measure: Duration::from_millis(200),
        soon: Duration::from_millis(300),
        note: Duration::from_millis(150),
        tick: Duration::from_millis(50),
        ..Rules::default()
    }
}

fn slow_bench(spare: usize) -> Bench {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.fake.lock().slow = Some(SLOW);
    b.book.spare.store(spare, Ordering::Relaxed);
    b
}

fn live() -> Live {
    Live {
        segments: rules(),
        ..Live::default()
    }
}

async fn run_split(b: &Bench, task: Task, live: &Live) -> Outcome {
    let id = task.id;
    let assignment = Assignment::File(task);
    run(&b.pool, &b.site, &assignment, live, &b.book).await;
    b.outcome(id)
}

async fn done_split(b: &Bench) -> Done {
    let live = live();
    let outcome = run_split(b, b.down(1), &live).await;
    let Outcome::Done(done) = outcome else {
        panic!("{outcome:?}");
    };
    let moved = live.progress.bytes() + live.resumed.load(Ordering::Relaxed);
    assert_eq!((done.bytes, moved), (LENGTH as u64, LENGTH as u64));
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
    assert_eq!(b.names(), ["f"]);
    *done
}

/// From where on the file was fetched, after the looks at its last byte.
fn places(b: &Bench) -> Vec<u64> {
    let last = format!("RETR /f {}", LENGTH - 1);
    let log = b.log();
    let wanted = log.iter().filter(|line| **line != last);
    wanted
        .filter_map(|line| line.strip_prefix("RETR /f ")?.parse().ok())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn more_connections_bring_the_same_file_sooner() {
    let mut before = Duration::MAX;
    for spare in [0, 1, 3, 9] {
        let b = slow_bench(spare);
        let start = tokio::time::Instant::now();
        done_split(&b).await;
        let time = start.elapsed();
        assert!(time < before || spare == 9, "{spare}: {time:?}");
        before = time;
        assert_eq!(b.fake.lock().most_moving, 1 + spare.min(3));
        assert_eq!(b.book.spare.load(Ordering::Relaxed), spare, "given back");
        let notes = b.book.notes.lock().unwrap().len();
        assert_eq!(notes > 2, spare > 0, "{notes}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_raise_the_rate_is_not_added() {
    let b = slow_bench(9);
    b.fake.lock().narrow = Some(SLOW);
    done_split(&b).await;
    assert_eq!(b.fake.lock().most_moving, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_small_or_limited_is_not_divided() {
    let small = slow_bench(3);
    small.fake.file("/f", &content(400_000), 1_000_000_000);
    let outcome = run_split(&small, small.down(1), &live()).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let limited = slow_bench(3);
    let throttle = ftp_client::Throttle::new(std::num::NonZeroU64::new(1 << 40));
    let live = Live {
        throttles: throttle.into(),
        ..live()
    };
    run_split(&limited, limited.down(1), &live).await;
    for b in [small, limited] {
        assert_eq!(b.fake.lock().most_moving, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_leaves_no_hole() {
    // Of these, the second one dies; then the first; then both in turn; at many places.
    for (who, after) in [
        (vec![2], 1),
        (vec![2], 100_000),
        (vec![2], 700_000),
        (vec![2, 3], 300_000),
        (vec![1], 600_000),
        (vec![1], 450_000),
    ] {
        let b = slow_bench(3);
        let breaks = who.iter().map(|&number| (number, after)).collect();
        b.fake.lock().breaks_after = breaks;
        let live = live();
        let outcome = run_split(&b, b.down(1), &live).await;
        if who == [1] {
            // The others bring the rest, and the next try looks at it.
            assert!(
                matches!(&outcome, Outcome::Failed { error, .. } if error.connection_lost()),
                "{outcome:?}"
            );
            let begun = b.book.begun(1).unwrap();
            assert_eq!(begun.contiguous, Some(LENGTH as u64));
            b.log();
            let done = b.done(b.down(1)).await;
            assert_eq!(done.resumed_from, LENGTH as u64);
        } else {
            assert!(matches!(outcome, Outcome::Done(_)), "{who:?} {outcome:?}");
            assert_eq!(live.progress.bytes(), LENGTH as u64);
        }
        assert_eq!(b.read("f").unwrap(), content(LENGTH), "{who:?} {after}");
        assert_eq!(b.book.spare.load(Ordering::Relaxed), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn no_second_connection_is_no_failure() {
    type Fault = fn(&Bench);
    let faults: [(&str, Fault); 5] = [
        ("REST is refused", |b| {
            b.fake.lock().no_restart_from = Some(2)
        }),
        ("REST leads elsewhere", |b| {
            b.fake.lock().wraps_at = Some(1_000_000)
        }),
        ("too many", |b| b.fake.lock().limit = 1),
        ("no spare one", |b| b.book.spare.store(0, Ordering::Relaxed)),
        ("others wait", |b| {
            b.book.crowded.store(true, Ordering::Relaxed)
        }),
    ];
    for (what, fault) in faults {
        let b = slow_bench(3);
        fault(&b);
        done_split(&b).await;
        let places = places(&b);
        assert_eq!(places.first(), Some(&0), "{what}");
        let connected = b.fake.lock().connected;
        assert!(connected <= 2, "{what}: {connected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_given_back_when_others_wait() {
    let b = slow_bench(3);
    let live = live();
    let work = run_split(&b, b.down(1), &live);
    let crowd = async {
        while b.fake.lock().moving < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        b.book.crowded.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(b.book.spare.load(Ordering::Relaxed), 3);
        assert_eq!(b.fake.lock().moving, 1);
    };
    let (outcome, ()) = tokio::join!(work, crowd);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
}

/// What is noted to be there beyond gaps, in bytes, each of which is right.
fn kept(b: &Bench) -> usize {
    let there = b.read(".f.slippart").unwrap();
    let islands = b.book.begun(1).unwrap().islands;
    let lengths = islands.iter().map(|&(begin, end)| {
        let part = begin as usize..end as usize;
        assert!(there[part.clone()] == content(LENGTH)[part]);
        (end - begin) as usize
    });
    lengths.sum()
}

/// Kills it at this time; then the next try, with whatever was noted by then.
async fn killed_at(millis: u64, again_split: bool) {
    let b = slow_bench(3);
    {
        let live = live();
        let assignment = Assignment::File(b.down(1));
        tokio::select! {
            () = run(&b.pool, &b.site, &assignment, &live, &b.book) => panic!("too late"),
            () = tokio::time::sleep(Duration::from_millis(millis)) => {}
        }
    }
    let connected = b.fake.lock().connected;
    b.fake.lock().lost_before = connected;
    b.book.spare.store(3, Ordering::Relaxed);
    let there = b.read(".f.slippart").unwrap();
    let begun = b.book.begun(1).unwrap();
    let good = begun.contiguous.map_or(there.len(), |c| c as usize);
    assert_eq!(there[..good], content(LENGTH)[..good], "at {millis}");
    let good = good + kept(&b);
    let done = match again_split {
        true => done_split(&b).await,
        false => b.done(b.down(1)).await,
    };
    assert_eq!(done.resumed_from, good as u64, "at {millis}");
    assert_eq!(b.read("f").unwrap(), content(LENGTH), "at {millis}");
    assert_eq!(b.names(), ["f"]);
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_time_leaves_no_hole() {
    for step in 1..28 {
        killed_at(step * 43, step % 2 == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn killed_again_and_again_it_still_is_whole() {
    let b = slow_bench(3);
    let mut tries = 0;
    loop {
        let live = live();
        let assignment = Assignment::File(b.down(1));
        tries += 1;
        let ended = tokio::select! {
            () = run(&b.pool, &b.site, &assignment, &live, &b.book) => true,
            () = tokio::time::sleep(Duration::from_millis(550 + tries * 17)) => false,
        };
        if ended {
            break;
        }
        let connected = b.fake.lock().connected;
        b.fake.lock().lost_before = connected;
        b.book.spare.store(3, Ordering::Relaxed);
        assert!(tries < 50);
    }
    assert!(tries > 2, "{tries}");
    assert!(matches!(b.outcome(1), Outcome::Done(_)));
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn cancelled_it_leaves_nothing_and_paused_it_goes_on() {
    for how in [StopKind::Cancelled, StopKind::Paused] {
        let b = slow_bench(3);
        let live = live();
        let work = run_split(&b, b.down(1), &live);
        let stop = async {
            while b.fake.lock().moving < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            b.book.stopped.lock().unwrap().insert(1, how);
            live.cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(work, stop);
        assert!(matches!(outcome, Outcome::Aborted), "{outcome:?}");
        b.book.stopped.lock().unwrap().clear();
        assert_eq!(b.book.spare.load(Ordering::Relaxed), 3);
        if how == StopKind::Cancelled {
            assert!(b.names().is_empty());
            continue;
        }
        assert_eq!(b.names(), [".f.slippart"]);
        // All that had come is kept, but for what is no island yet.
        let come = live.progress.bytes();
        assert!(kept(&b) > 200_000, "{}", kept(&b));
        let done = done_split(&b).await;
        assert!(done.resumed_from >= come - 3 * WORTH_KEEPING && done.checks.tail);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_changes_meanwhile_is_noticed() {
    let b = slow_bench(3);
    let live = live();
    let work = run_split(&b, b.down(1), &live);
    let change = async {
        while b.fake.lock().moving < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        b.fake.file("/f", &content(LENGTH + 1)[1..], 1_000_000_001);
    };
    let (outcome, ()) = tokio::join!(work, change);
    assert!(
        matches!(
            outcome,
            Outcome::Failed {
                error: Error::SourceChanged,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(b.names().is_empty());
}

/// Stopped when each of four connections has brought something.
async fn paused_with_islands() -> (Bench, Identity) {
    let b = slow_bench(3);
    let live = live();
    let work = run_split(&b, b.down(1), &live);
    let stop = async {
        while b.fake.lock().moving < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        b.book.stopped.lock().unwrap().insert(1, StopKind::Paused);
        live.cancel.cancel();
    };
    tokio::join!(work, stop);
    b.book.stopped.lock().unwrap().clear();
    let begun = b.book.begun(1).unwrap();
    assert!(begun.islands.len() > 1, "{begun:?}");
    b.log();
    (b, begun)
}

/// What was asked for, from where on.
fn fetched(b: &Bench) -> Vec<u64> {
    let log = b.log();
    log.iter()
        .filter_map(|line| line.strip_prefix("RETR /f ")?.parse().ok())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn only_the_gaps_are_fetched() {
    // By several connections, and by one.
    for several in [true, false] {
        let (b, begun) = paused_with_islands().await;
        let kept = kept(&b) as u64;
        let contiguous = begun.contiguous.unwrap();
        let mut live = live();
        if !several {
            live.segments.most = 1;
        }
        let outcome = run_split(&b, b.down(1), &live).await;
        let Outcome::Done(done) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(done.resumed_from, contiguous + kept);
        assert_eq!(live.progress.bytes(), LENGTH as u64 - contiguous - kept);
        assert!(b.read("f").unwrap() == content(LENGTH));
        assert!(done.checks.tail);
        if !several {
            let tail = 64 * 1024;
            let ends = begun.islands.iter().map(|&(_, end)| end - tail);
            let mut wanted: Vec<u64> = ends.collect();
            wanted.push(contiguous - tail);
            wanted.extend(begun.islands.iter().map(|&(_, end)| end));
            assert_eq!(fetched(&b), wanted);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_island_that_is_not_the_sources_is_fetched_again() {
    type Fault = fn(&Bench, &Identity);
    let faults: [(&str, bool, Fault); 6] = [
        ("other bytes at its end", true, |b, begun| {
            let (_, end) = begun.islands[1];
            let mut there = b.read(".f.slippart").unwrap();
            there[end as usize - 5] ^= 1;
            b.write(".f.slippart", &there, 5);
        }),
        ("cut off", true, |b, begun| {
            let there = b.read(".f.slippart").unwrap();
            let end = begun.islands[0].1 as usize - 1;
            b.write(".f.slippart", &there[..end], 5);
        }),
        ("REST is refused", false, |b, _| {
            b.fake.lock().no_restart_from = Some(1);
        }),
        ("REST leads elsewhere", false, |b, begun| {
            b.fake.lock().wraps_at = Some(begun.contiguous.unwrap() / 2);
        }),
        ("another source", false, |b, _| {
            b.fake.file("/f", &content(LENGTH), 1_000_000_007);
        }),
        ("gone", false, |b, _| {
            fs::remove_file(b.path(".f.slippart")).unwrap();
        }),
    ];
    for (what, resumes, fault) in faults {
        let (b, begun) = paused_with_islands().await;
        fault(&b, &begun);
        let done = b.done(b.down(1)).await;
        let contiguous = if resumes {
            begun.contiguous.unwrap()
        } else {
            0
        };
        assert_eq!(done.resumed_from, contiguous, "{what}");
        assert!(b.read("f").unwrap() == content(LENGTH), "{what}");
        assert_eq!(b.names(), ["f"], "{what}");
        assert!(b.book.begun(1).unwrap().islands.is_empty(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_while_the_gaps_are_fetched() {
    for millis in (20..900).step_by(130) {
        let (b, _) = paused_with_islands().await;
        {
            let live = live();
            let assignment = Assignment::File(b.down(1));
            tokio::select! {
                () = run(&b.pool, &b.site, &assignment, &live, &b.book) => {}
                () = tokio::time::sleep(Duration::from_millis(millis)) => {}
            }
        }
        if b.book.ended.lock().unwrap().remove(&1).is_none() {
            let connected = b.fake.lock().connected;
            b.fake.lock().lost_before = connected;
            b.book.spare.store(3, Ordering::Relaxed);
            let kept = kept(&b) as u64;
            let done = done_split(&b).await;
            assert!(done.resumed_from >= kept);
        }
        assert!(b.read("f").unwrap() == content(LENGTH), "at {millis}");
        assert_eq!(b.names(), ["f"]);
    }
}
