//! The program itself, in a place of its own: for tests that end it in the middle, and of what outlives it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::SystemTime,
};

use tempfile::TempDir;

/// `slip` with a home of its own, and a queue in it.
pub struct Slip {
    binary: PathBuf,
    password: String,
    /// Everything of it lies in here.
    pub dir: TempDir,
}

impl Slip {
    /// An empty place. The password is the one of every server that it is used with.
    pub fn new(password: &str) -> Self {
        Self {
            binary: binary(),
            password: password.to_owned(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The file of its queue.
    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("data/queue.sqlite")
    }

    /// It, with these arguments.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("SLIPWAY_CONFIG_DIR", self.dir.path().join("config"))
            .env("SLIPWAY_DATA_DIR", self.dir.path().join("data"))
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("SLIP_PASSWORD", &self.password)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("SLIPWAY_JOURNAL")
            .env_remove("SLIP_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, which must be a good one. What it wrote to standard output.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let output = self.command(arguments).output().unwrap();
        let (out, err) = texts(&output);
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
        out
    }

    /// Runs it to its end: the exit code, standard output and standard error.
    pub fn outcome<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let (out, err) = texts(&output);
        assert!(!err.contains("panicked"), "{err}");
        (output.status.code().unwrap_or(-1), out, err)
    }
}

/// What a program wrote.
pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The built program, which lies beside the tests. It belongs to another package, so that Cargo does not tell; and
/// if only this package was built, it is missing or old, and is built here.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            let test = std::env::current_exe().unwrap();
            let folder = test.parent().unwrap().parent().unwrap();
            let binary = folder.join(format!("slip{}", std::env::consts::EXE_SUFFIX));
            let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src-tauri/crates");
            let built = fs::metadata(&binary).and_then(|metadata| metadata.modified());
            if !built.is_ok_and(|built| built >= newest(&crates)) {
                let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let status = Command::new(cargo)
                    .args(["build", "--quiet", "-p", "slip", "--manifest-path"])
                    .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"))
                    .arg("--target-dir")
                    .arg(folder.parent().unwrap())
                    .status();
                assert!(status.unwrap().success(), "slip can't be built");
            }
            binary
        })
        .clone()
}

/// When a source was changed last.
fn newest(folder: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Tests and benches are no part of the program.
                if !path.ends_with("tests") && !path.ends_with("benches") {
                    left.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                newest = newest.max(fs::metadata(&path).unwrap().modified().unwrap());
            }
        }
    }
    newest
}

/// Numbers that look like chance and can be had again.
pub struct Chance(u64);

impl Chance {
    /// By `$SLIPWAY_SEED`, or by the clock; it is printed.
    pub fn seeded() -> Self {
        let seed = std::env::var("SLIPWAY_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| {
                let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
                now.as_nanos() as u64
            });
        println!("SLIPWAY_SEED={seed}");
        Self(seed | 1)
    }

    /// The next one: at least `from`, less than `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        from + number % (to - from)
    }
}
