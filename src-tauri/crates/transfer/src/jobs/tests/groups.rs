use super::*;

fn group(b: &Bench, direction: Direction, count: u32) -> Vec<Task> {
    (1..=count)
        .map(|id| {
            let name = format!("g{id}");
            let mut task = b.task(id, direction, &name, &format!("/{name}"));
            let size = match direction {
                Download => b.fake.content(&format!("/{name}")).map(|c| c.len()),
                Upload => b.read(&name).map(|c| c.len()),
            };
            task.size = size.map(|size| size as u64);
            task
        })
        .collect()
}

fn small(id: u32) -> Vec<u8> {
    content(id as usize * 100)
}

fn down(count: u32) -> Bench {
    let b = bench();
    for id in 1..=count {
        let name = format!("/g{id}");
        b.fake.file(&name, &small(id), 1_000_000_000);
    }
    b
}

fn up(count: u32) -> Bench {
    let b = bench();
    for id in 1..=count {
        b.write(&format!("g{id}"), &small(id), 1_000_000_000);
    }
    b
}

fn count(log: &[String], verb: &str) -> usize {
    log.iter().filter(|line| line.starts_with(verb)).count()
}

#[tokio::test(start_paused = true)]
async fn a_group_comes_down() {
    let b = down(5);
    b.fake.lock().files.remove("/g2");
    let mut tasks = group(&b, Download, 5);
    // What a listing said is not what is there.
    tasks[2].size = Some(3);
    b.run(Assignment::Group(tasks)).await;
    for id in 1..=5 {
        match b.outcome(id) {
            Outcome::Failed { .. } if id == 2 => {}
            Outcome::Done(done) => {
                assert!(done.checks.size && done.checks.time, "{done:?}");
                assert_eq!(b.read(&format!("g{id}")).unwrap(), small(id));
            }
            outcome => panic!("{id}: {outcome:?}"),
        }
    }
    assert_eq!(b.names(), ["g1", "g3", "g4", "g5"]);
    let notes = b.book.notes.lock().unwrap();
    let finishing = |(_, note): &&(TransferId, Note)| matches!(note, Note::Finishing(_));
    assert_eq!(notes.iter().filter(finishing).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_group_survives_darkness_and_is_not_fetched_twice() {
    let b = down(5);
    let tasks = group(&b, Download, 5);
    assert!(b.dark_after(2, Assignment::Group(tasks)).await);
    // Two of them got their names before.
    for name in ["g1", "g2"] {
        fs::rename(b.path(&format!(".{name}.slippart")), b.path(name)).unwrap();
    }
    b.log();
    b.run(Assignment::Group(group(&b, Download, 5))).await;
    for id in 1..=5 {
        assert!(matches!(b.outcome(id), Outcome::Done(done) if done.found_complete));
        assert_eq!(b.read(&format!("g{id}")).unwrap(), small(id));
    }
    assert_eq!(b.names().len(), 5);
    assert_eq!(count(&b.log(), "RETR"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_group_left_is_known_to_be_ours() {
    for goes_on in [false, true] {
        let mut b = down(5);
        b.options.conflict = ConflictRule::Rename;
        b.write("g4", b"old", 5);
        let theirs = ".other.slippart";
        b.write(theirs, b"of somebody else", 5);
        let tasks = group(&b, Download, 5);
        assert!(b.dark_after(2, Assignment::Group(tasks)).await);
        let left = b.names();
        let half = left.iter().filter(|name| name.ends_with(".slippart"));
        assert_eq!(half.count(), 6, "{left:?}");
        // Killed right before it was noted that they are complete.
        let mut notes = std::mem::take(&mut *b.book.notes.lock().unwrap());
        notes.retain(|(_, note)| matches!(note, Note::Begun(_)));
        *b.book.notes.lock().unwrap() = notes;
        let tasks = group(&b, Download, 5);
        if goes_on {
            for task in tasks {
                b.done(task).await;
            }
            assert_eq!(b.names(), [theirs, "g1", "g2", "g3", "g4", "g4 (2)", "g5"]);
        } else {
            discard(&b, &tasks).await;
            assert_eq!(b.names(), [theirs, "g4"]);
        }
        assert_eq!(b.read("g4").unwrap(), b"old");
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_connection_broke_is_kept() {
    let b = down(6);
    b.fake.lock().breaks = 1;
    b.run(Assignment::Group(group(&b, Download, 6))).await;
    for id in 1..=6 {
        let outcome = b.outcome(id);
        assert_eq!(matches!(outcome, Outcome::Done(_)), id <= 3, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Failed { .. }), id > 3);
    }
    assert_eq!(b.names(), ["g1", "g2", "g3"]);
    let b = up(6);
    b.fake.lock().breaks = 1;
    b.run(Assignment::Group(group(&b, Upload, 6))).await;
    for id in 1..=6 {
        let outcome = b.outcome(id);
        assert_eq!(
            matches!(outcome, Outcome::Failed { .. }),
            id > 3,
            "{outcome:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_stale_is_nobodys_failure() {
    for direction in [Download, Upload] {
        let b = if direction == Download {
            down(3)
        } else {
            up(3)
        };
        b.pool.take(&b.site, false).await.unwrap().give_back();
        b.fake.lock().lost_before = 1;
        b.run(Assignment::Group(group(&b, direction, 3))).await;
        for id in 1..=3 {
            assert!(matches!(b.outcome(id), Outcome::Done(_)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_up_and_survives_darkness() {
    for notes in 1..=3 {
        let b = up(5);
        b.fake.file("/g1", b"old", 1);
        b.fake.lock().no_overwriting = true;
        let dark = b
            .dark_after(notes, Assignment::Group(group(&b, Upload, 5)))
            .await;
        assert_eq!(dark, notes < 3);
        if dark {
            assert_eq!(b.fake.content("/g1").unwrap(), b"old");
            b.log();
            b.run(Assignment::Group(group(&b, Upload, 5))).await;
            let sent = count(&b.log(), "STOR");
            assert_eq!(sent, if notes == 1 { 5 } else { 0 });
        }
        for id in 1..=5 {
            assert!(matches!(b.outcome(id), Outcome::Done(done) if done.checks.size));
            assert_eq!(b.fake.content(&format!("/g{id}")).unwrap(), small(id));
            let time = b.fake.lock().files[&format!("/g{id}")].1.unwrap();
            assert_eq!(time.as_second(), 1_000_000_000);
        }
        assert_eq!(b.remote_names().len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_where_temporary_names_are_refused() {
    let b = up(3);
    b.fake.lock().no_temporary = true;
    b.run(Assignment::Group(group(&b, Upload, 3))).await;
    for id in 1..=3 {
        assert!(matches!(b.outcome(id), Outcome::Done(_)));
        assert_eq!(b.fake.content(&format!("/g{id}")).unwrap(), small(id));
    }
    assert_eq!(b.remote_names().len(), 3);
    b.log();
    b.run(Assignment::Group(group(&b, Upload, 3))).await;
    assert!(!b.log().iter().any(|line| line.contains("slippart")));
}

#[tokio::test(start_paused = true)]
async fn rules_hold_in_groups() {
    for direction in [Download, Upload] {
        for rule in [ConflictRule::Skip, ConflictRule::Ask, ConflictRule::Rename] {
            let mut b = if direction == Download {
                down(3)
            } else {
                up(3)
            };
            b.options.conflict = rule;
            match direction {
                Download => b.write("g2", b"old", 5),
                Upload => b.fake.file("/g2", b"old", 5),
            }
            b.run(Assignment::Group(group(&b, direction, 3))).await;
            let there = |name: &str| match direction {
                Download => b.read(name),
                Upload => b.fake.content(&format!("/{name}")),
            };
            assert!(matches!(b.outcome(1), Outcome::Done(_)));
            assert!(matches!(b.outcome(3), Outcome::Done(_)));
            assert_eq!(there("g2").unwrap(), b"old");
            match (rule, b.outcome(2)) {
                (ConflictRule::Skip, Outcome::Skipped) => {}
                (ConflictRule::Ask, Outcome::Ask(facts)) => assert_eq!(facts.size, Some(3)),
                (ConflictRule::Rename, Outcome::Done(done)) => {
                    assert_eq!(done.renamed.unwrap(), "g2 (2)");
                    assert_eq!(there("g2 (2)").unwrap(), small(2));
                }
                (rule, outcome) => panic!("{rule:?} {outcome:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hash_that_differs_fails_in_a_group_too() {
    for direction in [Download, Upload] {
        let b = if direction == Download {
            down(3)
        } else {
            up(3)
        };
        b.fake.lock().hashes = true;
        b.fake.lock().hash_of = Some(small(2));
        b.run(Assignment::Group(group(&b, direction, 3))).await;
        for id in 1..=3 {
            match b.outcome(id) {
                Outcome::Done(done) if id == 2 => assert!(done.checks.hash.is_some()),
                Outcome::Failed {
                    error: Error::HashDiffers { .. },
                    ..
                } if id != 2 => {}
                outcome => panic!("{direction:?} {id}: {outcome:?}"),
            }
        }
        no_temporaries(&b.names());
        no_temporaries(&b.remote_names());
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_the_names_stays_while_the_server_is_busy() {
    let b = up(3);
    let old = |b: &Bench| (1..=3).all(|id| b.fake.content(&format!("/g{id}")).unwrap() == b"old");
    for id in 1..=3 {
        b.fake.file(&format!("/g{id}"), b"old", 1);
    }
    b.fake.lock().busy_rename = true;
    b.fake.lock().no_overwriting = true;
    b.run(Assignment::Group(group(&b, Upload, 3))).await;
    for id in 1..=3 {
        let outcome = b.outcome(id);
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    }
    assert!(old(&b));
    b.log();
    b.fake.lock().busy_rename = false;
    b.run(Assignment::Group(group(&b, Upload, 3))).await;
    for id in 1..=3 {
        assert!(matches!(b.outcome(id), Outcome::Done(_)));
        assert_eq!(b.fake.content(&format!("/g{id}")).unwrap(), small(id));
    }
    assert_eq!(count(&b.log(), "STOR"), 0);
}
