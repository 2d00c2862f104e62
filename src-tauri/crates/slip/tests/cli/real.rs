//! The program against real servers, plain and with TLS.

use support::{Kind, Options, RealServer, Tls};

use crate::harness::{Bench, tree};

const PASSWORD_IN_URL: &str = "s3cret%20pass";

async fn round(kind: Kind, tls: Tls) {
    let Some(server) = RealServer::start(kind, Options::with_tls(tls)) else {
        return;
    };
    let bench = Bench::new();
    let work = bench.work();
    std::fs::create_dir_all(work.join("tree/sub dir")).unwrap();
    std::fs::create_dir(work.join("tree/empty")).unwrap();
    for n in 0..60 {
        std::fs::write(
            work.join(format!("tree/sub dir/{n} ä'%#")),
            vec![b'x'; n * 700],
        )
        .unwrap();
    }
    std::fs::write(work.join("tree/big"), vec![7; 5_000_000]).unwrap();
    let scheme = match tls {
        Tls::Off => "ftp",
        Tls::Explicit => "ftpes",
        Tls::Implicit => "ftps",
    };
    let (user, addr) = (server.user(), server.addr());
    let url = |path: &str| format!("{scheme}://{user}:{PASSWORD_IN_URL}@{addr}/{path}");
    let authority = server.authority_file();
    let trust: Vec<String> = match &authority {
        Some(file) => vec!["--ca".into(), file.display().to_string()],
        None => vec!["--plaintext".into()],
    };
    let slip = async |arguments: &[&str], code: i32| {
        let arguments = arguments
            .iter()
            .map(|a| (*a).to_owned())
            .chain(trust.clone());
        let run = bench.slip(arguments).await;
        for output in [&run.out, &run.err] {
            assert!(!output.contains("s3cret"), "a password in: {output}");
        }
        run.expect(code)
    };
    slip(&["put", "-r", "tree", &url("new/"), "-j", "3"], 0).await;
    assert_eq!(
        tree(&server.root().join("new/tree")),
        tree(&work.join("tree"))
    );
    let listed = slip(&["ls", "--json", &url("new/tree/sub%20dir")], 0)
        .await
        .objects();
    assert_eq!(listed.len(), 60, "{listed:?}");
    assert!(
        listed
            .iter()
            .any(|o| o["name"] == "7 ä'%#" && o["size"] == 4900)
    );
    let file = slip(&["ls", &url("new/tree/big")], 0).await;
    assert!(
        file.out.ends_with(" big\n") && file.out.lines().count() == 1,
        "{}",
        file.out
    );
    slip(&["get", "-r", &url("new/tree"), "-d", "back"], 0).await;
    assert_eq!(tree(&work.join("back/tree")), tree(&work.join("tree")));
    assert!(work.join("back/tree/empty").is_dir());
    slip(&["mkdir", "-p", &url("a/b/c")], 0).await;
    slip(&["mv", &url("new/tree/big"), &url("a/b/")], 0).await;
    let got = slip(&["get", &url("a/b/big"), "-o", "copy", "--json"], 0)
        .await
        .objects();
    assert_eq!(
        (&got[0]["bytes"], &got[0]["verified"]),
        (&5_000_000.into(), &"size, time".into())
    );
    slip(&["rm", "-r", &url("new")], 0).await;
    assert!(!server.root().join("new").exists());
    slip(&["get", &url("none")], 1).await;
    slip(&["ls", &url("none")], 1).await;
    let wrong = url("").replace(PASSWORD_IN_URL, "another-one");
    slip(&["ls", &wrong], 4).await;
    // Without trust, or without leave, nothing is sent.
    bench
        .slip(["ls", &url("")])
        .await
        .expect(if authority.is_some() { 5 } else { 4 });
}

macro_rules! rounds {
    ($($name:ident: $kind:ident, $tls:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            round(Kind::$kind, Tls::$tls).await;
        }
    )*};
}

rounds! {
    vsftpd_plain: Vsftpd, Off;
    vsftpd_explicit: Vsftpd, Explicit;
    vsftpd_implicit: Vsftpd, Implicit;
    proftpd_plain: ProFtpd, Off;
    proftpd_explicit: ProFtpd, Explicit;
    proftpd_implicit: ProFtpd, Implicit;
    pure_ftpd_plain: PureFtpd, Off;
    pure_ftpd_explicit: PureFtpd, Explicit;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_allows_three_connections_and_that_is_remembered() {
    let mut options = Options::plain();
    options.max_per_ip = Some(3);
    let Some(server) = RealServer::start(Kind::Vsftpd, options) else {
        return;
    };
    for n in 0..200 {
        server.put(&format!("tree/d{}/f{n}", n % 7), &vec![b'x'; n * 300]);
    }
    let bench = Bench::new();
    let url = format!(
        "ftp://{}:{PASSWORD_IN_URL}@{}/tree",
        server.user(),
        server.addr()
    );
    for folder in ["one", "two"] {
        let run = bench
            .slip(["get", "-r", "--plaintext", &url, "-d", folder])
            .await
            .expect(0);
        assert_eq!(run.err, "");
        assert_eq!(
            tree(&bench.work().join(folder).join("tree")),
            tree(&server.root().join("tree"))
        );
        let kept = std::fs::read(bench.dir.path().join("data/servers.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
        // The session of the run before may still be about to end.
        let learned = kept["hosts"][0]["connections"][0].as_u64().unwrap();
        assert!((2..=3).contains(&learned), "{kept}");
    }
}
