//! A server with a folder, a place for what is downloaded, and the program.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ftp_server::{RunningServer, Secret, Server, ServerTls, User, vfs::LocalDisk};
use serde_json::Value;
use tempfile::TempDir;

/// No output may ever hold it.
pub(crate) const PASSWORD: &str = "hunter2-%C3%A9";
pub(crate) const DECODED: &str = "hunter2-é";

/// What a run of the program came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for secret in [PASSWORD, DECODED] {
            assert!(!run.out.contains(secret), "a password in: {}", run.out);
            assert!(!run.err.contains(secret), "a password in: {}", run.err);
        }
        assert!(!run.err.contains("panicked"), "{}", run.err);
        run
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// The lines of `--json`.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// An empty place of its own, and the program in it.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["work", "config", "runtime"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    /// Where the program runs.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// The program, apart from the keyring, the sites and the passwords of whoever runs the tests.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slip"));
        command
            .args(arguments)
            .current_dir(self.work())
            .env("HOME", self.dir.path())
            .env("SLIPWAY_CONFIG_DIR", self.dir.path().join("config"))
            .env("SLIPWAY_DATA_DIR", self.dir.path().join("data"))
            .env_remove("SLIPWAY_JOURNAL")
            .env("XDG_RUNTIME_DIR", self.dir.path().join("runtime"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("SLIP_PASSWORD")
            .env_remove("SLIP_PROXY_PASSWORD")
            .env_remove("SLIP_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end, while the test's own servers go on.
    pub(crate) async fn run(&self, mut command: Command) -> Run {
        tokio::task::spawn_blocking(move || Run::new(command.output().unwrap()))
            .await
            .unwrap()
    }

    pub(crate) async fn slip<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        self.run(self.command(arguments)).await
    }
}

/// Our own server, with one user and anonymous access, and TLS.
pub(crate) struct Site {
    pub(crate) bench: Bench,
    pub(crate) root: PathBuf,
    pub(crate) pin: String,
    pub(crate) server: RunningServer,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let bench = Bench::new();
        let root = bench.dir.path().join("served");
        std::fs::create_dir(&root).unwrap();
        let tls = ServerTls::self_signed(&["127.0.0.1"]).unwrap();
        let pin = tls.fingerprint().to_string();
        let server = Server::builder()
            .vfs(Arc::new(LocalDisk::new(&root).unwrap()))
            .user(User::new("me@home").password(Secret::try_from(DECODED).unwrap()))
            .anonymous(User::new("anonymous"))
            .tls(tls)
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        Self {
            bench,
            root,
            pin,
            server,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// An address for anonymous access.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ftp://{}/{path}", self.addr())
    }

    /// An address with user and password.
    pub(crate) fn private(&self, path: &str) -> String {
        format!("ftp://me%40home:{PASSWORD}@{}/{path}", self.addr())
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.root.join(path)).unwrap()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.bench.work()
    }

    /// Runs the program with the server's certificate pinned.
    pub(crate) async fn slip(&self, arguments: &[&str]) -> Run {
        let all = arguments.iter().copied().chain(["--pin", &self.pin]);
        self.bench.slip(all).await
    }
}

/// All files below a folder, by path, sorted.
pub(crate) fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy();
                found.push((name.into_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The keys of an object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}
