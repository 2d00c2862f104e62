use super::*;
use crate::{Checks, Facts, HashAlgorithm};

const LENGTH: usize = 300_000;

#[tokio::test(start_paused = true)]
async fn a_download_survives_darkness_after_every_note() {
    for notes in 1.. {
        let b = bench();
        b.fake.file("/f", &content(LENGTH), 1_000_000_000);
        b.write("f", b"old", 1);
        if !b.dark_after(notes, Assignment::File(b.down(1))).await {
            assert_eq!(notes, 3, "begun and finishing are noted");
            return;
        }
        assert_eq!(b.read("f").unwrap(), b"old");
        let fetched = b.log().iter().any(|line| line.starts_with("RETR"));
        let done = b.done(b.down(1)).await;
        assert_eq!(b.read("f").unwrap(), content(LENGTH));
        assert_eq!(b.names(), ["f"]);
        // What was complete is not fetched again, and its receipt tells what was checked.
        let again = b.log().iter().any(|line| line.starts_with("RETR"));
        assert_eq!((fetched, again), (notes == 2, notes == 1));
        assert_eq!(done.found_complete, notes == 2);
        assert!(done.checks.size && done.checks.time, "{done:?}");
        let modified = fs::metadata(b.path("f")).unwrap().modified().unwrap();
        assert_eq!(
            Timestamp::try_from(modified).unwrap().as_second(),
            1_000_000_000
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_got_its_name_before_the_darkness_is_complete() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    assert!(b.dark_after(2, Assignment::File(b.down(1))).await);
    fs::rename(b.path(".f.slippart"), b.path("f")).unwrap();
    b.log();
    assert!(b.done(b.down(1)).await.found_complete);
    assert_eq!(b.log(), Vec::<String>::new());
    // Another file of that name, size and time is not it.
    fs::rename(b.path("f"), b.path("kept")).unwrap();
    b.write("f", &content(LENGTH), 1_000_000_000);
    assert!(!b.done(b.down(1)).await.found_complete);
}

#[tokio::test(start_paused = true)]
async fn a_download_goes_on_where_it_was() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.dark_half_way(Assignment::File(b.down(1))).await;
    assert_eq!(b.names(), [".f.slippart"]);
    b.log();
    let done = b.done(b.down(1)).await;
    assert_eq!((done.bytes, done.resumed_from), (LENGTH as u64, 150_000));
    assert!(done.checks.tail && done.checks.size);
    let from = 150_000 - 65_536;
    assert!(b.log().contains(&format!("RETR /f {from}")));
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
    assert_eq!(b.names(), ["f"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_the_same_is_continued() {
    type Change = fn(&Bench);
    let cases: [(&str, Change); 6] = [
        ("the tail is not the source's", |b| {
            let mut part = b.read(".f.slippart").unwrap();
            part[149_999] ^= 1;
            fs::write(b.path(".f.slippart"), part).unwrap();
        }),
        ("the source has another time", |b| {
            b.fake.file("/f", &content(LENGTH), 1_000_000_001);
        }),
        ("the source has another size", |b| {
            b.fake.file("/f", &content(LENGTH + 1), 1_000_000_000);
        }),
        ("there is no REST", |b| b.fake.lock().no_restart = true),
        ("REST leads elsewhere", |b| {
            b.fake.lock().wraps_at = Some(65_536)
        }),
        ("there is more than there can be", |b| {
            fs::write(b.path(".f.slippart"), content(LENGTH + 5)).unwrap();
        }),
    ];
    for (what, change) in cases {
        let b = bench();
        b.fake.file("/f", &content(LENGTH), 1_000_000_000);
        b.dark_half_way(Assignment::File(b.down(1))).await;
        change(&b);
        let done = b.done(b.down(1)).await;
        assert_eq!(done.resumed_from, 0, "{what}");
        assert_eq!(b.read("f"), b.fake.content("/f"), "{what}");
        assert!(b.log().contains(&"RETR /f 0".to_owned()), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_nobody_is_continued() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    // Nobody has noted that this was begun.
    fs::write(b.path(".f.slippart"), &content(LENGTH)[..1000]).unwrap();
    assert_eq!(b.done(b.down(1)).await.resumed_from, 0);
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_changes_meanwhile_is_noticed() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.dark_half_way(Assignment::File(b.down(1))).await;
    b.fake.lock().changes = Some((vec![7; LENGTH], 1_000_000_500));
    assert!(matches!(b.failed(b.down(1)).await, Error::SourceChanged));
    no_temporaries(&b.names());
    let done = b.done(b.down(1)).await;
    assert_eq!(
        (b.read("f").unwrap(), done.resumed_from),
        (vec![7; LENGTH], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_takes_its_time_is_looked_at_again_whatever_a_listing_said() {
    const TIME: i64 = 1_000_000_000;
    for (change, listed, noticed) in [
        (Some((vec![7; LENGTH], TIME + 3)), TIME, true),
        (Some((vec![7; LENGTH + 1], TIME)), TIME, true),
        (None, TIME, false),
        // The listing is in another zone.
        (None, TIME + 7200, false),
    ] {
        let b = bench();
        b.fake.file("/f", &content(LENGTH), TIME);
        b.fake.lock().changes = change;
        let mut task = b.down(1);
        task.size = Some(LENGTH as u64);
        task.plan.modified = jiff::Timestamp::from_second(listed).ok();
        b.fake.hold.send_replace(true);
        let wait = async {
            b.moving().await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            b.fake.hold.send_replace(false);
        };
        let (outcome, ()) = tokio::join!(b.one(task), wait);
        match outcome {
            Outcome::Failed {
                error: Error::SourceChanged,
                ..
            } => assert!(noticed, "{listed}"),
            Outcome::Done(_) => assert!(!noticed, "{listed}"),
            outcome => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_is_removed_and_paused_is_kept() {
    for (how, names) in [
        (StopKind::Cancelled, vec![]),
        (StopKind::Paused, vec![".f.slippart".to_owned()]),
    ] {
        let b = bench();
        b.fake.file("/f", &content(LENGTH), 1_000_000_000);
        let outcome = b.stopped_half_way(how, b.down(1)).await;
        assert!(matches!(outcome, Outcome::Aborted), "{outcome:?}");
        assert_eq!(b.names(), names);
        // Cancelled while it waits.
        discard(&b, &[b.down(1)]).await;
        assert_eq!(b.names(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_keeps_what_came_and_a_refusal_does_not() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.fake.lock().breaks = 1;
    b.failed(b.down(1)).await;
    assert_eq!(b.names(), [".f.slippart"]);
    b.fake.lock().files.clear();
    b.failed(b.down(1)).await;
    assert_eq!(b.names(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn hashes_are_compared() {
    let b = bench();
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.fake.lock().hashes = true;
    let done = b.done(b.down(1)).await;
    assert_eq!(done.checks.hash, Some(HashAlgorithm::Crc32));
    assert_eq!(done.digest.unwrap().len(), 8);
    b.fake.lock().hash_of = Some(b"something else".to_vec());
    fs::remove_file(b.path("f")).unwrap();
    let error = b.failed(b.down(2)).await;
    assert!(matches!(error, Error::HashDiffers { .. }), "{error:?}");
    assert_eq!(b.names(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn rules_decide_about_a_file_that_is_there() {
    use ConflictRule as R;
    // Rule, size and time of what is there, and whether it is replaced.
    for (rule, size, second, replaced) in [
        (R::Overwrite, 3, 9, true),
        (R::Skip, 3, 1, false),
        (R::IfNewer, 3, 1, true),
        (R::IfNewer, 3, 1_000_000_000, false),
        (R::IfSizeDiffers, 3, 1, true),
        (R::IfSizeDiffers, LENGTH, 1, false),
        (R::IfNewerOrSizeDiffers, LENGTH, 1_000_000_000, false),
        (R::IfNewerOrSizeDiffers, 3, 1_000_000_000, true),
    ] {
        let mut b = bench();
        b.options.conflict = rule;
        b.fake.file("/f", &content(LENGTH), 1_000_000_000);
        b.write("f", &vec![1; size], second);
        let mut task = b.down(1);
        task.size = Some(LENGTH as u64);
        let outcome = b.one(task).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), replaced, "{rule:?}");
        assert_eq!(matches!(outcome, Outcome::Skipped), !replaced, "{rule:?}");
        assert_eq!(
            b.read("f").unwrap() == content(LENGTH),
            replaced,
            "{rule:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn questions_and_their_answers() {
    let mut b = bench();
    b.options.conflict = ConflictRule::Ask;
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.write("f", b"old", 5);
    let Outcome::Ask(facts) = b.one(b.down(1)).await else {
        panic!();
    };
    let modified = Timestamp::from_second(5).ok();
    assert_eq!(
        facts,
        Facts {
            size: Some(3),
            modified
        }
    );
    let mut task = b.down(1);
    task.answer = Some(ConflictRule::Rename);
    b.write("f (2)", b"also there", 5);
    let done = b.done(task).await;
    assert_eq!(done.renamed.unwrap(), "f (3)");
    assert_eq!(b.read("f").unwrap(), b"old");
    assert_eq!(b.read("f (3)").unwrap(), content(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_download_goes_on_under_its_number() {
    let mut b = bench();
    b.options.conflict = ConflictRule::Rename;
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.write("f", b"old", 5);
    b.dark_half_way(Assignment::File(b.down(1))).await;
    assert_eq!(b.names(), [".f (2).slippart", "f"]);
    let done = b.done(b.down(1)).await;
    assert_eq!(
        (done.resumed_from, done.renamed.unwrap()),
        (150_000, "f (2)".into())
    );
    assert_eq!(b.names(), ["f", "f (2)"]);
}

#[tokio::test(start_paused = true)]
async fn a_beginning_is_completed_in_its_place() {
    let mut b = bench();
    b.options.conflict = ConflictRule::Resume;
    b.fake.file("/f", &content(LENGTH), 1_000_000_000);
    b.write("f", &content(LENGTH)[..100_000], 5);
    b.dark_half_way(Assignment::File(b.down(1))).await;
    // The old file is there, and longer.
    assert_eq!(b.names(), ["f"]);
    assert_eq!(b.read("f").unwrap(), content(LENGTH)[..200_000]);
    let done = b.done(b.down(1)).await;
    assert_eq!(done.resumed_from, 200_000);
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
    // Complete already: nothing but its tail is fetched.
    let done = b.done(b.down(2)).await;
    assert_eq!(
        (done.bytes, done.resumed_from),
        (LENGTH as u64, LENGTH as u64)
    );
    // What is no beginning is replaced.
    b.write("f", &[1; 1000], 5);
    let done = b.done(b.down(3)).await;
    assert_eq!((done.resumed_from, done.checks.tail), (0, false));
    assert_eq!(b.read("f").unwrap(), content(LENGTH));
    assert_eq!(b.names(), ["f"]);
}

#[tokio::test(start_paused = true)]
async fn who_writes_late_is_waited_for() {
    for how in [StopKind::Cancelled, StopKind::Paused] {
        for in_place in [false, true] {
            let mut b = bench();
            b.fake.lock().writes_late = true;
            b.fake.file("/f", &content(LENGTH), 1_000_000_000);
            if in_place {
                b.options.conflict = ConflictRule::Resume;
                b.write("f", &content(LENGTH)[..100_000], 5);
            }
            let outcome = b.stopped_half_way(how, b.down(1)).await;
            assert!(matches!(outcome, Outcome::Aborted), "{outcome:?}");
            let state = || (b.names(), b.read("f"), b.read(".f.slippart"));
            let before = state();
            if in_place && how == StopKind::Cancelled {
                assert!(before.1.as_deref() == Some(&content(LENGTH)[..100_000]));
            }
            std::thread::sleep(std::time::Duration::from_millis(120));
            assert!(state() == before, "{how:?} {in_place}");
            b.fake.lock().writes_late = false;
            if how == StopKind::Paused {
                b.done(b.down(1)).await;
                assert!(b.read("f").unwrap() == content(LENGTH));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn permissions_are_kept_where_that_is_wanted() {
    use std::os::unix::fs::PermissionsExt;
    let mut b = bench();
    b.options.keep_permissions = true;
    b.fake.file("/f", b"x", 1);
    b.fake.lock().modes.insert("/f".into(), 0o4751);
    b.done(b.down(1)).await;
    let mode = fs::metadata(b.path("f")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o751);
    let found = Checks {
        reply: true,
        size: true,
        time: true,
        ..Checks::default()
    };
    assert_eq!(b.done(b.down(2)).await.checks, found);
}
