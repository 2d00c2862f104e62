//! Mirrors in both directions, with vsftpd, ProFTPD and Pure-FTPd and with our own server.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::fs;
use std::path::Path;

use engine_tests::{
    Log, config_for, connect, each_server,
    files::{get, put},
    own::{OwnServer, Store},
    path,
    queueing::{tree, write},
};
use ftp_client::{Client, Config, LogKind};
use jiff::Timestamp;
use support::Tls;
use transfer::Direction;
use transfer::mirror::{
    Applied, MirrorOptions, MirrorPlan, Refusal, Role, Side, Stage, Why, apply_deletions, ask,
    compare, gather_local, gather_remote, make_folders, questions,
};

struct Mirror {
    clients: Vec<Client>,
    log: Log,
    options: MirrorOptions,
    case: String,
}

impl Mirror {
    async fn new(config: Config, case: String) -> Self {
        let (first, log) = connect(config.clone()).await.unwrap();
        let mut clients = vec![first];
        for _ in 0..2 {
            clients.push(connect(config.clone()).await.unwrap().0);
        }
        let options = MirrorOptions {
            delete: true,
            ..MirrorOptions::default()
        };
        Self {
            clients,
            log,
            options,
            case,
        }
    }

    /// Between a local folder and `/m`.
    async fn plan(&self, direction: Direction, local: &Path) -> MirrorPlan {
        let (for_local, for_remote) = match direction {
            Direction::Upload => (Role::Source, Role::Target),
            Direction::Download => (Role::Target, Role::Source),
        };
        let root = path("/m");
        let mut here = gather_local(local, for_local, &self.options).unwrap();
        let mut there = gather_remote(&self.clients, &root, for_remote, &self.options)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.case, self.log.all()));
        let open = questions(&there, &here, &self.options);
        ask(open, &self.clients, &root, &mut there, local, &mut here)
            .await
            .unwrap();
        match direction {
            Direction::Upload => compare(&here, &there, direction, &self.options),
            Direction::Download => compare(&there, &here, direction, &self.options),
        }
    }

    async fn carry_out(&self, plan: &MirrorPlan, local: &Path) {
        let client = &self.clients[0];
        let root = path("/m");
        let side = match plan.direction {
            Direction::Upload => Side::Remote(client, &root),
            Direction::Download => Side::Local(local),
        };
        let all_done = |applied: Applied| {
            let (case, log) = (&self.case, self.log.all());
            assert!(applied.failed.is_empty(), "{case}: {applied:?}\n{log}");
        };
        all_done(
            apply_deletions(plan, Stage::BeforeCopying, side)
                .await
                .unwrap(),
        );
        all_done(make_folders(plan, side).await.unwrap());
        for step in &plan.copy {
            let (on_disk, on_server) = (local.join(&step.local), root.join_path(&step.remote));
            let time = match step.modified {
                Some(time) => time,
                None => client.mdtm(&on_server).await.unwrap(),
            };
            match plan.direction {
                Direction::Upload => {
                    let content = fs::read(on_disk).unwrap();
                    put(client, &on_server.to_string(), &content).await.unwrap();
                    client.mfmt(&on_server, time).await.unwrap();
                }
                Direction::Download => {
                    let content = get(client, &on_server.to_string(), 0).await.unwrap();
                    fs::write(&on_disk, content).unwrap();
                    let file = fs::File::options().append(true).open(on_disk).unwrap();
                    file.set_modified(time.into()).unwrap();
                }
            }
        }
        all_done(
            apply_deletions(plan, Stage::AfterCopying, side)
                .await
                .unwrap(),
        );
    }

    fn assert_equal(&self, plan: &MirrorPlan, same: u64) {
        assert!(plan.is_empty(), "{}: {plan}\n{}", self.case, self.log.all());
        assert_eq!(plan.same, same, "{}: {plan}", self.case);
    }
}

async fn both_ways(config: Config, case: String) {
    let mirror = Mirror::new(config, case.clone()).await;
    let dir = tempfile::tempdir().unwrap();
    let (source, back) = (dir.path().join("source"), dir.path().join("back"));
    for i in 0..120 {
        let name = format!("many/{}/{i}", i % 7);
        write(&source, &name, b"small", 1_000_000_000 + i * 1000);
    }
    write(&source, "d/e/f", b"first", 1_000_000_000);
    write(&source, "kind", b"a file", 1_000_000_000);
    write(&source, "ümlaut – 日本", b"x", 1_100_000_000);
    write(
        &source,
        "recent",
        b"x",
        Timestamp::now().as_second() as u64 - 100,
    );
    fs::create_dir(source.join("empty")).unwrap();

    let plan = mirror.plan(Direction::Upload, &source).await;
    assert!(plan.make_root && plan.copy.len() == 124, "{case}: {plan}");
    mirror.carry_out(&plan, &source).await;
    mirror.assert_equal(&mirror.plan(Direction::Upload, &source).await, 124);
    let plan = mirror.plan(Direction::Download, &back).await;
    mirror.carry_out(&plan, &back).await;
    mirror.assert_equal(&mirror.plan(Direction::Download, &back).await, 124);
    assert_eq!(tree(&back), tree(&source), "{case}");

    // Here one file changes in nothing but time and content, one becomes a folder, some go; up, and down again.
    write(&source, "d/e/f", b"other", 1_000_000_060);
    fs::remove_file(source.join("kind")).unwrap();
    write(&source, "kind/of", b"a folder", 1_000_000_000);
    fs::remove_dir_all(source.join("many")).unwrap();
    fs::remove_dir(source.join("empty")).unwrap();
    for (direction, folder) in [(Direction::Upload, &source), (Direction::Download, &back)] {
        let plan = mirror.plan(direction, folder).await;
        let changed = plan
            .copy
            .iter()
            .find(|step| step.local == Path::new("d/e/f"));
        let why = changed.unwrap().reason.why;
        assert!(matches!(why, Why::Newer { .. }), "{case}: {plan}");
        assert_eq!((plan.copy.len(), plan.make.len()), (2, 1), "{case}: {plan}");
        assert_eq!(plan.delete.len(), 120 + 8 + 1 + 1, "{case}: {plan}");
        mirror.carry_out(&plan, folder).await;
        mirror.assert_equal(&mirror.plan(direction, folder).await, 4);
    }
    assert_eq!(tree(&back), tree(&source), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_mirrors_go_up_and_come_back() {
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        both_ways(config_for(&server, tls), case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_mirrors_go_up_and_come_back() {
    for store in [Store::Memory, Store::Disk] {
        let server = OwnServer::start(store, Tls::Off).await;
        both_ways(server.config(), format!("ours, {store:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_links_stay_and_are_not_followed() {
    for (server, tls) in each_server(|options| options).filter(|(_, tls)| *tls == Tls::Off) {
        let case = server.kind().name().to_owned();
        let mirror = Mirror::new(config_for(&server, tls), case.clone()).await;
        let client = &mirror.clients[0];
        client.mkd_parents(&path("/m/holds")).await.unwrap();
        client.mkd(&path("/elsewhere")).await.unwrap();
        put(client, "/elsewhere/x", b"x").await.unwrap();
        put(client, "/m/holds/gone", b"x").await.unwrap();
        std::os::unix::fs::symlink("../../elsewhere", server.root().join("m/holds/link")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", b"x", 1_000_000_000);
        let plan = mirror.plan(Direction::Upload, dir.path()).await;
        mirror.carry_out(&plan, dir.path()).await;
        assert_eq!(server.read("elsewhere/x"), b"x", "{case}: {plan}");
        let link = server.root().join("m/holds/link");
        assert!(link.is_symlink(), "{case}: {plan}");
        assert!(!server.root().join("m/holds/gone").exists(), "{case}");
    }
}

/// A server that can't read a folder may say so, or list nothing: neither is a reason to delete.
#[tokio::test(flavor = "multi_thread")]
async fn real_folders_that_the_server_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    for (server, tls) in each_server(|options| options).filter(|(_, tls)| *tls == Tls::Off) {
        let case = server.kind().name().to_owned();
        let mirror = Mirror::new(config_for(&server, tls), case.clone()).await;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", b"x", 1_000_000_000);
        write(dir.path(), "shut/b", b"x", 1_000_000_000);
        let plan = mirror.plan(Direction::Upload, dir.path()).await;
        mirror.carry_out(&plan, dir.path()).await;
        let shut = server.root().join("m/shut");
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o311)).unwrap();
        let plan = mirror.plan(Direction::Download, dir.path()).await;
        let said = mirror.log.lines(LogKind::Received);
        assert_eq!(
            plan.refused,
            Some(Refusal::Incomplete { places: 1 }),
            "{case}: {plan}\n{said:#?}"
        );
        assert!(plan.delete.is_empty());
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn own_roots_that_are_not_there() {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    let mirror = Mirror::new(server.config(), "ours".into()).await;
    let root = path("/none");
    let target = gather_remote(&mirror.clients, &root, Role::Target, &mirror.options).await;
    assert!(!target.unwrap().exists());
    let source = gather_remote(&mirror.clients, &root, Role::Source, &mirror.options).await;
    assert!(source.unwrap_err().to_string().contains("/none"));
    put(&mirror.clients[0], "/file", b"x").await.unwrap();
    let file = gather_remote(
        &mirror.clients,
        &path("/file"),
        Role::Source,
        &mirror.options,
    )
    .await;
    assert!(file.is_err());
    server.stop().await;
    let lost = gather_remote(&mirror.clients, &path("/"), Role::Source, &mirror.options).await;
    assert!(lost.is_err());
}
