//! Our server as others see it: curl, lftp, ncftp and Python's ftplib.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use engine_tests::{
    own::{OwnServer, PASSWORD, Store, USER},
    pattern,
};
use ftp_server::DataSession;
use support::{Authority, Skipped, Tls, skip_loudly};

/// Whether a program is here; said loudly if it is not.
fn here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    if let Err(error) = &found {
        let reason = Skipped(format!("{program} can't be run: {error}"));
        skip_loudly(&format!("{program} against our server"), &reason);
    }
    found.is_ok()
}

/// Runs a program to its end, for at most a minute, in a home of its own.
async fn run(program: &str, home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["60", program])
        .args(arguments)
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(home);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// The same where it has to go well: what it printed.
async fn well(program: &str, home: &Path, arguments: &[&str]) -> String {
    let output = run(program, home, arguments).await;
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const EACH: [(Store, Tls); 4] = [
    (Store::Memory, Tls::Off),
    (Store::Disk, Tls::Explicit),
    (Store::Memory, Tls::Explicit),
    (Store::Disk, Tls::Implicit),
];

/// A server with some files. lftp and ftplib don't resume the session of TLS on every data connection.
async fn server(store: Store, tls: Tls, session: DataSession) -> OwnServer {
    let server = OwnServer::with(store, tls, |builder| builder.data_session(session)).await;
    server.put("/a folder/a file.txt", b"hello, world").await;
    server.put("/a folder/ümlaut – 日本", b"x").await;
    server.put("/a folder/sub/deep", b"deep").await;
    server.put("/big", &pattern(3_000_000)).await;
    // More than fits between server and client, for what is cut off.
    server.put("/huge", &vec![7; 60_000_000]).await;
    server
}

struct Curl<'a> {
    server: &'a OwnServer,
    home: &'a Path,
    url: String,
    options: Vec<String>,
}

impl<'a> Curl<'a> {
    fn new(server: &'a OwnServer, home: &'a Path) -> Self {
        let scheme = match server.tls() {
            Tls::Implicit => "ftps",
            _ => "ftp",
        };
        let mut options = vec!["-sS".to_owned(), "--max-time".to_owned(), "40".to_owned()];
        if server.tls() != Tls::Off {
            options.extend(["--ssl-reqd".to_owned(), "--cacert".to_owned()]);
            options.push(server.authority_file().display().to_string());
        }
        Self {
            server,
            home,
            url: format!("{scheme}://{}", server.addr()),
            options,
        }
    }

    fn arguments<'b>(&'b self, login: &'b str, more: &[&'b str]) -> Vec<&'b str> {
        let mut all: Vec<&str> = self.options.iter().map(String::as_str).collect();
        all.extend(["-u", login]);
        all.extend(more);
        all
    }

    async fn well(&self, path: &str, more: &[&str]) -> String {
        let (url, login) = (format!("{}{path}", self.url), format!("{USER}:{PASSWORD}"));
        let mut arguments = self.arguments(&login, more);
        arguments.push(&url);
        well("curl", self.home, &arguments).await
    }

    async fn code(&self, path: &str, login: &str, more: &[&str]) -> Option<i32> {
        let url = format!("{}{path}", self.url);
        let mut arguments = self.arguments(login, more);
        arguments.push(&url);
        run("curl", self.home, &arguments).await.status.code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_lists_gets_puts_and_resumes() {
    if !here("curl") {
        return;
    }
    for (store, tls) in EACH {
        let server = server(store, tls, DataSession::Same).await;
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let curl = Curl::new(&server, home);
        let case = format!("{store:?} {tls:?}");

        let listing = curl.well("/a%20folder/", &[]).await;
        assert!(listing.contains(" a file.txt"), "{case}: {listing}");
        assert!(listing.contains("ümlaut – 日本"), "{case}: {listing}");
        let mut names: Vec<String> = curl
            .well("/a%20folder/", &["-l"])
            .await
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        assert_eq!(names, ["a file.txt", "sub", "ümlaut – 日本"], "{case}");
        let facts = curl.well("/a%20folder/", &["-X", "MLSD"]).await;
        assert!(facts.contains("; a file.txt"), "{case}: {facts}");

        let content = curl.well("/a%20folder/a%20file.txt", &[]).await;
        assert_eq!(content, "hello, world", "{case}");
        let content = curl.well("/a%20folder/a%20file.txt", &["-r", "7-9"]).await;
        assert_eq!(content, "wor", "{case}");
        let head = curl.well("/a%20folder/a%20file.txt", &["-I"]).await;
        assert!(head.contains("Content-Length: 12"), "{case}: {head}");

        // A download that was cut off goes on where it ended.
        fs::write(home.join("big"), &pattern(3_000_000)[..1_234_567]).unwrap();
        curl.well("/big", &["-C", "-", "-o", "big"]).await;
        assert!(
            fs::read(home.join("big")).unwrap() == pattern(3_000_000),
            "{case}"
        );

        // And an upload.
        fs::write(home.join("up"), pattern(2_000_000)).unwrap();
        curl.well("/new%20folder/up", &["-T", "up", "--ftp-create-dirs"])
            .await;
        assert!(
            server.read("/new folder/up").await == pattern(2_000_000),
            "{case}"
        );
        server.put("/half", &pattern(2_000_000)[..777_777]).await;
        curl.well("/half", &["-C", "-", "-T", "up"]).await;
        assert!(server.read("/half").await == pattern(2_000_000), "{case}");
        fs::write(home.join("empty"), b"").unwrap();
        curl.well("/empty", &["-T", "empty"]).await;
        assert_eq!(server.read("/empty").await, b"", "{case}");
        fs::write(home.join("tail"), b"++").unwrap();
        curl.well("/empty", &["-a", "-T", "tail"]).await;
        assert_eq!(server.read("/empty").await, b"++", "{case}");

        // The server connects to the client. This curl can't do that over TLS ("inet_ntop() failed").
        if tls == Tls::Off {
            let content = curl
                .well("/a%20folder/a%20file.txt", &["-P", "127.0.0.1"])
                .await;
            assert_eq!(content, "hello, world", "{case} active");
        }
        let content = curl
            .well("/a%20folder/a%20file.txt", &["--disable-epsv"])
            .await;
        assert_eq!(content, "hello, world", "{case} PASV");

        let quotes = [
            "-Q",
            "RNFR half",
            "-Q",
            "RNTO moved here",
            "-Q",
            "-DELE empty",
        ];
        curl.well("/", &quotes).await;
        assert!(
            server.has("/moved here").await && !server.has("/half").await,
            "{case}"
        );
        assert!(!server.has("/empty").await, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_is_refused_for_good_reasons() {
    if !here("curl") {
        return;
    }
    for (store, tls) in EACH {
        let server = server(store, tls, DataSession::Same).await;
        let home = tempfile::tempdir().unwrap();
        let mut curl = Curl::new(&server, home.path());
        let case = format!("{store:?} {tls:?}");
        let login = format!("{USER}:{PASSWORD}");
        assert_eq!(
            curl.code("/big", "tester:wrong", &[]).await,
            Some(67),
            "{case}"
        );
        assert_eq!(curl.code("/none", &login, &[]).await, Some(78), "{case}");
        assert_eq!(curl.code("/none/x/", &login, &[]).await, Some(9), "{case}");
        if tls != Tls::Off {
            curl.options
                .retain(|option| option != "--cacert" && !option.ends_with(".pem"));
            assert_eq!(curl.code("/big", &login, &[]).await, Some(60), "{case}");
            curl.options.retain(|option| option != "--ssl-reqd");
            if curl.server.tls() == Tls::Explicit {
                // Without TLS there is no login here.
                assert_eq!(curl.code("/big", &login, &[]).await, Some(67), "{case}");
            }
        }
    }
}

/// The beginning of every script for lftp.
fn lftp_begin(server: &OwnServer) -> String {
    let tls = match server.tls() {
        Tls::Off => "set ftp:ssl-allow no",
        Tls::Explicit | Tls::Implicit => {
            "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes"
        }
    };
    let scheme = match server.tls() {
        Tls::Implicit => "ftps",
        _ => "ftp",
    };
    format!(
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 15; set ssl:ca-file {}; {tls}; \
         open -u {USER},'{PASSWORD}' {scheme}://{}; ",
        server.authority_file().display(),
        server.addr()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn lftp_lists_gets_puts_resumes_and_mirrors() {
    if !here("lftp") {
        return;
    }
    for (store, tls) in EACH {
        let server = server(store, tls, DataSession::Any).await;
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let begin = lftp_begin(&server);
        let lftp = async |script: &str| {
            let script = format!("{begin}{script}");
            well("lftp", home, &["-c", &script]).await
        };
        let case = format!("{store:?} {tls:?}");

        let names = lftp("cls -1 'a folder'").await;
        assert!(names.contains("a folder/a file.txt"), "{case}: {names}");
        assert!(names.contains("a folder/ümlaut – 日本"), "{case}: {names}");
        let long = lftp("cd 'a folder'; ls; pwd").await;
        assert!(
            long.contains(" a file.txt") && long.contains("/a%20folder"),
            "{case}: {long}"
        );
        assert_eq!(
            lftp("cat 'a folder/a file.txt'").await,
            "hello, world",
            "{case}"
        );

        fs::write(home.join("big"), &pattern(3_000_000)[..1_234_567]).unwrap();
        lftp("get -c big").await;
        assert!(
            fs::read(home.join("big")).unwrap() == pattern(3_000_000),
            "{case}"
        );
        fs::write(home.join("up"), pattern(2_000_000)).unwrap();
        server.put("/up", &pattern(2_000_000)[..777_777]).await;
        lftp("put -c up; put up -o 'named otherwise'").await;
        assert!(server.read("/up").await == pattern(2_000_000), "{case}");
        assert!(
            server.read("/named otherwise").await == pattern(2_000_000),
            "{case}"
        );
        // In pieces, on several connections at once.
        lftp("pget -n 4 big -o pieces").await;
        assert!(
            fs::read(home.join("pieces")).unwrap() == pattern(3_000_000),
            "{case}"
        );

        lftp("mirror 'a folder' mirrored; mirror -R mirrored 'sent back'").await;
        assert_eq!(
            fs::read(home.join("mirrored/sub/deep")).unwrap(),
            b"deep",
            "{case}"
        );
        assert_eq!(server.read("/sent back/sub/deep").await, b"deep", "{case}");
        assert_eq!(
            server.read("/sent back/ümlaut – 日本").await,
            b"x",
            "{case}"
        );
        // Times went along, so there is nothing to do a second time.
        let again = lftp("mirror -R --verbose mirrored 'sent back'").await;
        assert!(!again.contains("Transferring"), "{case}: {again}");

        lftp("mkdir -p x/y/z; mv up x/moved; chmod 600 x/moved; rm 'named otherwise'; rm -r 'sent back'").await;
        assert!(
            server.has("/x/y/z").await && server.has("/x/moved").await,
            "{case}"
        );
        assert!(!server.has("/sent back").await && !server.has("/named otherwise").await);
        let active = lftp("set ftp:passive-mode no; cat 'a folder/a file.txt'").await;
        assert_eq!(active, "hello, world", "{case}");

        let refused = format!("{}get none", lftp_begin(&server));
        assert!(
            !run("lftp", home, &["-c", &refused]).await.status.success(),
            "{case}"
        );
        if tls != Tls::Off {
            let other = home.join("other.pem");
            fs::write(&other, Authority::new().pem()).unwrap();
            let ours = server.authority_file().display().to_string();
            let script = format!("{}cls", begin.replace(&ours, other.to_str().unwrap()));
            let output = run("lftp", home, &["-c", &script]).await;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("ertificate"), "{case}: {said}");
            assert!(!output.status.success(), "{case}: {said}");
        }
    }
}

const FTPLIB: &str = include_str!("ftplib_session.py");

#[tokio::test(flavor = "multi_thread")]
async fn ftplib_does_what_it_can() {
    if !here("python3") {
        return;
    }
    for (store, tls) in EACH {
        let server = server(store, tls, DataSession::Any).await;
        let home = tempfile::tempdir().unwrap();
        let port = server.addr().port().to_string();
        let mode = format!("{tls:?}");
        let ca = server.authority_file().display().to_string();
        let arguments = ["-c", FTPLIB, "127.0.0.1", &port, USER, PASSWORD, &mode, &ca];
        let said = well("python3", home.path(), &arguments).await;
        assert!(said.contains("all well"), "{store:?} {tls:?}: {said}");
        assert_eq!(
            server.read("/lines").await,
            b"one\ntwo\n",
            "{store:?} {tls:?}"
        );
    }
}

/// It has no TLS.
#[tokio::test(flavor = "multi_thread")]
async fn ncftp_lists_gets_puts_and_resumes() {
    if !["ncftp", "ncftpls", "ncftpget", "ncftpput"]
        .into_iter()
        .all(here)
    {
        return;
    }
    for store in [Store::Memory, Store::Disk] {
        let server = server(store, Tls::Off, DataSession::Any).await;
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let port = server.addr().port().to_string();
        let login = ["-u", USER, "-p", PASSWORD, "-P", &port];
        let ncftp = async |program: &str, more: &[&str]| {
            let all: Vec<&str> = login.iter().chain(more).copied().collect();
            well(program, home, &all).await
        };
        let case = format!("{store:?}");
        for how in ["-F", "-E"] {
            // Passive and active.
            let names = ncftp("ncftpls", &[how, "ftp://127.0.0.1/a%20folder/"]).await;
            assert!(names.contains("a file.txt"), "{case} {how}: {names}");
            let _ = fs::remove_file(home.join("a file.txt"));
            ncftp(
                "ncftpget",
                &["-V", how, "127.0.0.1", ".", "/a folder/a file.txt"],
            )
            .await;
            let got = fs::read(home.join("a file.txt")).unwrap();
            assert_eq!(got, b"hello, world", "{case} {how}");
        }
        fs::write(home.join("big"), &pattern(3_000_000)[..1_234_567]).unwrap();
        ncftp("ncftpget", &["-V", "-z", "127.0.0.1", ".", "/big"]).await;
        assert!(
            fs::read(home.join("big")).unwrap() == pattern(3_000_000),
            "{case}"
        );
        // A tree there and back.
        ncftp("ncftpget", &["-V", "-R", "127.0.0.1", ".", "/a folder"]).await;
        assert_eq!(
            fs::read(home.join("a folder/sub/deep")).unwrap(),
            b"deep",
            "{case}"
        );
        assert!(home.join("a folder/ümlaut – 日本").exists(), "{case}");
        let put = ["-V", "-R", "-m", "127.0.0.1", "/sent/back", "a folder"];
        ncftp("ncftpput", &put).await;
        assert_eq!(
            server.read("/sent/back/a folder/sub/deep").await,
            b"deep",
            "{case}"
        );
        ncftp("ncftpput", &["-V", "-DD", "127.0.0.1", "/", "big"]).await;
        assert!(server.read("/big").await == pattern(3_000_000), "{case}");
        assert!(!home.join("big").exists(), "{case}");
    }
}
