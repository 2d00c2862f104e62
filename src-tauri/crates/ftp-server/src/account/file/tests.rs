#![allow(clippy::unwrap_used)]
use super::*;
use vfs::{MemoryTree, Permission, VPath, WriteMode};

/// Of the password "password"; little memory, so that a debug build is quick.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$";

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::try_from(text).unwrap()
}

fn hash(password: &str) -> PasswordHash {
    hash::quick(password)
}

fn user(name: &str, password: &str) -> StoredUser {
    let mut user = StoredUser::new(Some(name));
    user.password = Some(hash(password));
    user
}

async fn tree() -> Arc<dyn Vfs> {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/homes/ann/mine"), b"ann's")
        .await
        .unwrap();
    tree.write_file(&p("/homes/ann/keep/k"), b"kept")
        .await
        .unwrap();
    tree.write_file(&p("/common"), b"all").await.unwrap();
    Arc::new(tree)
}

async fn account(file: &UsersFile, name: &str, password: &str) -> Option<Account> {
    match file
        .authenticate(name.as_bytes(), Some(&secret(password)))
        .await
    {
        Authentication::Accepted(account) => Some(account),
        Authentication::Refused => None,
        Authentication::Busy => panic!("busy"),
    }
}

#[tokio::test]
async fn a_login_gives_what_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    let mut ann = user("ann", "secret");
    ann.base = p("/homes/ann");
    ann.home = p("/keep");
    ann.permissions = vec![Permission::new(p("/keep"), true, false)];
    ann.limits.connections = Some(3);
    let mut list = UserList::default();
    list.add(ann).unwrap();
    let mut bob = user("bob", "other");
    bob.read_only = true;
    list.add(bob).unwrap();
    list.write(&path).unwrap();
    let file = UsersFile::open(&path, tree().await).unwrap();
    let ann = account(&file, "ann", "secret").await.unwrap();
    assert_eq!((&ann.name[..], &ann.home), (&b"ann"[..], &p("/keep")));
    assert_eq!(ann.limits.connections, Some(3));
    assert_eq!(ann.vfs.metadata(&p("/mine")).await.unwrap().len, 5);
    assert!(ann.vfs.metadata(&p("/common")).await.is_err());
    assert!(ann.vfs.unlink(&p("/keep/k")).await.is_err());
    assert!(
        ann.vfs
            .open_write(&p("/new"), WriteMode::Truncate)
            .await
            .is_ok()
    );
    let bob = account(&file, "bob", "other").await.unwrap();
    assert!(bob.vfs.is_read_only());
    assert_eq!(bob.vfs.metadata(&p("/common")).await.unwrap().len, 3);
    for (name, password) in [("ann", "other"), ("Ann", "secret"), ("", ""), ("ann", "")] {
        assert!(account(&file, name, password).await.is_none(), "{name}");
    }
    let asked = file.authenticate(b"ann", None).await;
    assert!(matches!(asked, Authentication::Refused));
}

#[tokio::test]
async fn changes_of_the_file_count_at_once_and_mistakes_never() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    UserList::edit(&path, |list| list.add(user("ann", "one"))).unwrap();
    let file = UsersFile::open(&path, tree().await).unwrap();
    assert!(account(&file, "ann", "one").await.is_some());
    let change = |list: &mut UserList| -> Result<(), UsersFileError> {
        list.get_mut(Some("ann")).unwrap().password = Some(hash("two"));
        list.add(user("bob", "three"))
    };
    UserList::edit(&path, change).unwrap();
    assert!(account(&file, "ann", "one").await.is_none());
    assert!(account(&file, "ann", "two").await.is_some());
    assert!(account(&file, "bob", "three").await.is_some());
    // Half an edit, in place.
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(account(&file, "ann", "two").await.is_some());
    std::fs::remove_file(&path).unwrap();
    assert!(account(&file, "ann", "two").await.is_some());
    let refused = UserList::edit(&path, |list| list.add(user("", "x")));
    assert!(
        refused.is_err() && !path.exists(),
        "nothing is written after an error"
    );
    std::fs::write(&path, &good).unwrap();
    UserList::edit(&path, |list| {
        assert!(list.remove(Some("ann")).is_some());
        Ok::<_, UsersFileError>(())
    })
    .unwrap();
    assert!(account(&file, "ann", "two").await.is_none());
    assert!(account(&file, "bob", "three").await.is_some());
}

#[tokio::test]
async fn everybody_comes_after_those_with_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    let mut all = StoredUser::new(None);
    all.read_only = true;
    UserList::edit(&path, |list| {
        list.add(all)?;
        list.add(user("ann", "one"))
    })
    .unwrap();
    let file = UsersFile::open(&path, tree().await).unwrap();
    match file.authenticate(b"anybody", None).await {
        Authentication::Accepted(account) => assert!(account.vfs.is_read_only()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        file.authenticate(b"ann", None).await,
        Authentication::Refused
    ));
    assert!(
        !account(&file, "ann", "one")
            .await
            .unwrap()
            .vfs
            .is_read_only()
    );
}

/// The number of hash computations is what takes the time; that there is one for unknown names, too, is what must hold.
#[tokio::test]
async fn unknown_names_take_as_long_as_wrong_passwords() {
    let list = {
        let mut list = UserList::default();
        list.add(user("ann", "one")).unwrap();
        list
    };
    let loaded = Loaded::new(&list, &tree().await).unwrap();
    let nobodys = loaded.nobodys.unwrap();
    let (own, other) = (hash("one"), nobodys.as_str());
    let settings = |text: &str| text.rsplitn(3, '$').last().unwrap().to_owned();
    assert_eq!(
        settings(own.as_str()),
        settings(other),
        "the same memory and passes"
    );
    assert!(!nobodys.is_of(&secret("one")));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone_and_a_link_to_it_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    UserList::default().write(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let link = dir.path().join("link.json");
    std::os::unix::fs::symlink("users.json", &link).unwrap();
    UserList::edit(&link, |list| list.add(user("ann", "one"))).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(UserList::read(&path).unwrap().users().len(), 1);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        2,
        "nothing is left behind"
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = UserList::read(&path).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

/// The turn of a check is given back when it is done, not when nobody waits for it any more.
#[tokio::test]
async fn clients_that_go_away_make_no_room_for_more_checks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    // Some tenths of a second each, in any build.
    let slow =
        "$argon2id$v=19$m=65536,t=6,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let mut ann = StoredUser::new(Some("ann"));
    ann.password = Some(PasswordHash::parse(slow).unwrap());
    UserList::edit(&path, |list| list.add(ann)).unwrap();
    let file = UsersFile::open(&path, tree().await).unwrap();
    let all = file.shared.checks.available_permits();
    for _ in 0..all {
        let own = file.clone();
        let login = tokio::spawn(async move {
            let _ = own.authenticate(b"ann", Some(&secret("wrong"))).await;
        });
        let before = file.shared.checks.available_permits();
        while file.shared.checks.available_permits() == before {
            tokio::task::yield_now().await;
        }
        login.abort();
        let _ = login.await;
    }
    assert!(file.shared.checks.available_permits() < all);
    let _all_done = file.shared.checks.acquire_many(all as u32).await.unwrap();
}

#[test]
fn edits_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    let path = &path;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for i in 0..5 {
                    let new = StoredUser::new(Some(&format!("u{thread}-{i}")));
                    UserList::edit(path, |list| list.add(new)).unwrap();
                }
            });
        }
    });
    assert_eq!(UserList::read(path).unwrap().users().len(), 20);
}

#[test]
fn what_is_written_is_read_and_what_is_wrong_is_named() {
    let mut all = user("ann \"é\"", "x");
    all.base = p("/a b");
    all.home = p("/c");
    all.read_only = true;
    all.permissions = vec![
        Permission::new(p("/"), true, false),
        Permission::new(p("/in"), false, true),
    ];
    all.limits.connections = Some(0);
    all.limits.speed.download = std::num::NonZeroU64::new(1000);
    all.limits.session_speed.upload = std::num::NonZeroU64::new(7);
    let mut list = UserList::default();
    list.add(all).unwrap();
    list.add(StoredUser::new(None)).unwrap();
    assert_eq!(
        UserList::from_json(list.to_json().as_bytes()).unwrap(),
        list
    );

    let wrong = |text: &str| {
        UserList::from_json(text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let with = |row: &str| wrong(&format!(r#"{{"version": 1, "users": [{row}]}}"#));
    assert!(wrong("").contains("malformed"));
    assert!(wrong(r#"{"version": 2, "new": 1, "users": []}"#).contains("version 2"));
    assert!(wrong(r#"{"version": 1, "users": [], "limts": 1}"#).contains("`limts`"));
    assert!(with(r#"{"name": "a", "password": null, "hme": "/"}"#).contains("`hme`"));
    assert!(with(r#"{"password": null}"#).contains("`name`"));
    assert!(with(r#"{"name": "a"}"#).contains("`password`"));
    assert!(
        with(r#"{"name": "a", "password": "plain"}"#).contains("user a: the password is no hash")
    );
    assert!(with(r#"{"name": "", "password": null}"#).contains("empty"));
    let odd = with(r#"{"name": "a\nb", "password": null}"#);
    assert!(
        odd.contains("the name has a control") && !odd.contains('\n'),
        "{odd}"
    );
    assert!(with(r#"{"name": "a", "password": null, "home": "up"}"#).contains("home must begin"));
    assert!(with(r#"{"name": "a", "password": null, "permissions": [{"path": "x", "read": true, "write": true}]}"#).contains("permission must begin"));
    assert!(
        with(r#"{"name": "a", "password": null}, {"name": "a", "password": null}"#)
            .contains("another one")
    );
    let odd = format!(
        r#"{{"version": 1, "users": [], "{}\u0007": 1}}"#,
        "k".repeat(5000)
    );
    assert!(wrong(&odd).len() < 400);
    // Hand-written files may leave out what is usual.
    let list = UserList::from_json(format!(r#"{{"version": 1, "users": [{{"name": "a", "password": "{HASH}x4W+bwo4T7Lr3hyKUIuBV9CUg5VhdMTELiT2OCxNvHY"}}]}}"#).as_bytes()).unwrap();
    assert_eq!(list.users()[0].home, VPath::root());
}
