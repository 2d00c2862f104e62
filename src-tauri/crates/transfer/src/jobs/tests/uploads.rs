use super::*;
use crate::UploadName;

const LENGTH: usize = 300_000;
const TEMPORARY: &str = "/.f.slippart";

fn ready() -> Bench {
    let b = bench();
    b.write("f", &content(LENGTH), 1_000_000_000);
    b
}

fn stores(log: &[String]) -> Vec<&str> {
    log.iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("STOR") || line.starts_with("APPE"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_upload_survives_darkness_after_every_note() {
    for notes in 1.. {
        let b = ready();
        b.fake.file("/f", b"old", 1);
        if !b.dark_after(notes, Assignment::File(b.up(1))).await {
            assert_eq!(notes, 3, "begun and finishing are noted");
            return;
        }
        assert_eq!(b.fake.content("/f").unwrap(), b"old");
        b.log();
        let done = b.done(b.up(1)).await;
        assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
        assert_eq!(b.remote_names(), ["/f"]);
        assert_eq!(stores(&b.log()).is_empty(), notes == 2);
        assert_eq!(done.found_complete, notes == 2);
        let time = b.fake.lock().files["/f"].1.unwrap();
        assert_eq!(time.as_second(), 1_000_000_000);
    }
}

#[tokio::test(start_paused = true)]
async fn what_got_its_name_before_the_darkness_is_not_sent_again() {
    let b = ready();
    assert!(b.dark_after(2, Assignment::File(b.up(1))).await);
    {
        let mut state = b.fake.lock();
        let file = state.files.remove(TEMPORARY).unwrap();
        state.files.insert("/f".into(), file);
    }
    b.log();
    let done = b.done(b.up(1)).await;
    assert!(done.found_complete && done.checks.size);
    assert!(stores(&b.log()).is_empty());
    // If the local file is another one by now, it is.
    b.write("f", &[5; LENGTH], 1_000_000_001);
    assert!(!b.done(b.up(1)).await.found_complete);
    assert_eq!(b.fake.content("/f").unwrap(), [5; LENGTH]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_where_it_was() {
    for (name, append) in [
        (UploadName::Temporary, false),
        (UploadName::Temporary, true),
        (UploadName::Final, false),
        (UploadName::Final, true),
    ] {
        let mut b = ready();
        b.options.upload = name;
        // What was begun is nobody's conflict.
        b.options.conflict = ConflictRule::Skip;
        b.fake.lock().append_only = append;
        b.dark_half_way(Assignment::File(b.up(1))).await;
        b.log();
        let done = b.done(b.up(1)).await;
        assert_eq!((done.resumed_from, done.checks.tail), (150_000, true));
        let path = if name == UploadName::Final {
            "/f"
        } else {
            TEMPORARY
        };
        let expected = match append {
            true => format!("APPE {path} at 150000"),
            false => format!("STOR {path} 150000"),
        };
        assert_eq!(stores(&b.log()), [expected.as_str()]);
        assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
        assert_eq!(b.remote_names(), ["/f"]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_the_same_is_continued() {
    type Change = fn(&Bench);
    let cases: [(&str, Change); 6] = [
        ("the tail is not the source's", |b| {
            b.fake.lock().files.get_mut(TEMPORARY).unwrap().0[149_999] ^= 1;
        }),
        ("the source is another one", |b| {
            b.write("f", &[3; LENGTH], 1_000_000_001);
        }),
        ("there is more than there can be", |b| {
            let long = content(LENGTH + 1);
            b.fake.lock().files.get_mut(TEMPORARY).unwrap().0 = long;
        }),
        ("there is nothing", |b| {
            b.fake.lock().files.clear();
        }),
        ("there is no REST", |b| b.fake.lock().no_restart = true),
        ("REST leads elsewhere", |b| {
            b.fake.lock().wraps_at = Some(65_536)
        }),
    ];
    for (what, change) in cases {
        let b = ready();
        b.dark_half_way(Assignment::File(b.up(1))).await;
        change(&b);
        b.log();
        let done = b.done(b.up(1)).await;
        assert_eq!(done.resumed_from, 0, "{what}");
        assert_eq!(b.fake.content("/f"), b.read("f"), "{what}");
        assert_eq!(stores(&b.log()), [format!("STOR {TEMPORARY} 0")], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_refuse_get_it_another_way() {
    // A temporary name is refused, and not tried again on this connection.
    let b = ready();
    b.fake.file("/f", b"old", 1);
    b.fake.lock().no_temporary = true;
    b.done(b.up(1)).await;
    assert_eq!(stores(&b.log()), ["STOR /.f.slippart 0", "STOR /f 0"]);
    b.done(b.up(2)).await;
    assert_eq!(stores(&b.log()), ["STOR /f 0"]);
    assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
    assert!(b.book.begun(2).unwrap().in_place);
    // A file is not renamed over: it is deleted when all of the new one is there.
    let b = ready();
    b.fake.file("/f", b"old", 1);
    b.fake.lock().no_overwriting = true;
    b.done(b.up(1)).await;
    let log = b.log();
    let place = |line: &str| log.iter().position(|l| l == line).unwrap();
    assert!(place("STOR /.f.slippart 0") < place("DELE /f"));
    assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
    // Nothing can be renamed.
    let b = ready();
    b.fake.lock().no_rename = true;
    b.done(b.up(1)).await;
    assert_eq!(b.remote_names(), ["/f"]);
    assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn what_has_the_name_stays_while_the_server_is_busy() {
    let b = ready();
    b.fake.file("/f", b"old", 1);
    b.fake.lock().busy_rename = true;
    b.fake.lock().no_overwriting = true;
    let error = b.failed(b.up(1)).await;
    assert_eq!(error.retry(), crate::Retry::Backoff);
    assert_eq!(b.fake.content("/f").unwrap(), b"old");
    assert_eq!(b.remote_names(), ["/.f.slippart", "/f"]);
    b.log();
    b.fake.lock().busy_rename = false;
    b.fake.lock().no_overwriting = false;
    b.done(b.up(1)).await;
    assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
    assert_eq!(stores(&b.log()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_came_there_while_nobody_worked_is_no_less_a_conflict() {
    use ConflictRule as R;
    for rule in [R::Skip, R::Ask, R::IfNewer, R::Rename, R::Overwrite] {
        let mut b = ready();
        b.options.conflict = rule;
        // All of it was sent; the program ends before it has its name.
        assert!(b.dark_after(2, Assignment::File(b.up(1))).await);
        assert_eq!(b.remote_names(), [TEMPORARY]);
        b.fake.file("/f", b"precious", 1_500_000_000);
        let outcome = b.one(b.up(1)).await;
        let replaced = rule == R::Overwrite;
        assert_eq!(
            b.fake.content("/f").unwrap() == content(LENGTH),
            replaced,
            "{rule:?}"
        );
        match (rule, outcome) {
            (R::Skip | R::IfNewer, Outcome::Skipped) => assert_eq!(b.remote_names(), ["/f"]),
            (R::Ask, Outcome::Ask(facts)) => assert_eq!(facts.size, Some(8)),
            (R::Rename, Outcome::Done(done)) => {
                assert_eq!(done.renamed.unwrap(), "f (2)");
                assert_eq!(b.remote_names(), ["/f", "/f (2)"]);
            }
            (R::Overwrite, Outcome::Done(_)) => assert_eq!(b.remote_names(), ["/f"]),
            (rule, outcome) => panic!("{rule:?} {outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_cant_be_made_costs_nothing() {
    let b = ready();
    b.fake.file("/l", b"old", 1);
    let link = |id| {
        let mut task = b.task(id, Upload, "l", "/l");
        task.plan.kind = ItemKind::Link;
        task.plan.link_to = Some(b"f".to_vec());
        task.answer = Some(ConflictRule::Overwrite);
        task
    };
    b.fake.lock().refuses_links = true;
    b.failed(link(1)).await;
    assert_eq!(b.fake.content("/l").unwrap(), b"old");
    b.fake.lock().refuses_links = false;
    b.done(link(2)).await;
    assert_eq!(b.fake.lock().links["/l"], "f");
    assert_eq!(b.remote_names(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn cancelled_is_removed_and_paused_is_kept() {
    for name in [UploadName::Temporary, UploadName::Final] {
        let mut b = ready();
        b.options.upload = name;
        let outcome = b.stopped_half_way(StopKind::Paused, b.up(1)).await;
        assert!(matches!(outcome, Outcome::Aborted));
        assert_eq!(b.remote_names().len(), 1);
        let outcome = b.stopped_half_way(StopKind::Cancelled, b.up(1)).await;
        assert!(matches!(outcome, Outcome::Aborted));
        assert_eq!(b.remote_names(), Vec::<String>::new());
    }
    let b = ready();
    b.stopped_half_way(StopKind::Paused, b.up(1)).await;
    discard(&b, &[b.up(1)]).await;
    assert_eq!(b.remote_names(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn rules_decide_about_a_file_that_is_there() {
    use ConflictRule as R;
    for (rule, size, second, replaced) in [
        (R::Overwrite, 3, 9, true),
        (R::Skip, 3, 1, false),
        (R::IfNewer, 3, 1, true),
        (R::IfNewer, 3, 1_000_000_000, false),
        (R::IfSizeDiffers, LENGTH, 1, false),
    ] {
        let mut b = ready();
        b.options.conflict = rule;
        b.fake.file("/f", &vec![1; size], second);
        let outcome = b.one(b.up(1)).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), replaced, "{rule:?}");
        assert_eq!(b.fake.content("/f").unwrap() == content(LENGTH), replaced);
    }
    let mut b = ready();
    b.options.conflict = R::Ask;
    b.fake.file("/f", b"old", 5);
    assert!(matches!(b.one(b.up(1)).await, Outcome::Ask(facts) if facts.size == Some(3)));
    b.options.conflict = R::Rename;
    b.fake.file("/f (2)", b"old", 5);
    assert_eq!(b.done(b.up(1)).await.renamed.unwrap(), "f (3)");
    assert_eq!(b.fake.content("/f (3)").unwrap(), content(LENGTH));
    b.options.conflict = R::Resume;
    b.fake.file("/f", &content(LENGTH)[..100_000], 5);
    b.log();
    assert_eq!(b.done(b.up(3)).await.resumed_from, 100_000);
    assert_eq!(stores(&b.log()), ["STOR /f 100000"]);
    b.fake.file("/f", &[9; 1000], 5);
    b.log();
    assert_eq!(b.done(b.up(4)).await.resumed_from, 0);
    assert_eq!(stores(&b.log()), ["STOR /.f.slippart 0"]);
    assert_eq!(b.fake.content("/f").unwrap(), content(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn what_is_checked_of_an_upload() {
    let mut b = ready();
    b.options.keep_permissions = true;
    b.fake.lock().hashes = true;
    let checks = b.done(b.up(1)).await.checks;
    assert!(checks.reply && checks.size && checks.time && checks.hash.is_some());
    assert!(b.fake.lock().modes.contains_key("/f"));
    b.fake.file("/f", b"old", 1);
    b.fake.lock().hash_of = Some(Vec::new());
    assert!(matches!(b.failed(b.up(2)).await, Error::HashDiffers { .. }));
    assert_eq!(b.remote_names(), ["/f"]);
    assert_eq!(b.fake.content("/f").unwrap(), b"old");
}
