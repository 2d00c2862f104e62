//! What the tests need around them: a display that is theirs alone, and the driver of the window.

use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use support::Skipped;

/// How long anything may take before a test has failed. A busy computer needs a second or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the window can be tested here.
pub(crate) fn ready() -> Result<(), Skipped> {
    let missing = |what: &str| Err(Skipped(what.into()));
    // A person's own display is not ours to move the pointer on.
    if std::env::var_os("SLIPWAY_OWN_DISPLAY").is_none() || std::env::var_os("DISPLAY").is_none() {
        return missing(
            "there is no display for tests: run them by scripts/with-display.sh --keyring",
        );
    }
    if driver().is_none() {
        return missing("tauri-driver is not installed (make setup)");
    }
    for tool in ["WebKitWebDriver", "xdotool", "xwininfo", "import"] {
        if find(tool).is_none() {
            return missing(&format!("{tool} is not installed (make setup)"));
        }
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

fn driver() -> Option<PathBuf> {
    // The home is a temporary one: cargo's folder is named by its own variable.
    std::env::var_os("CARGO_HOME")
        .map(|dir| Path::new(&dir).join("bin/tauri-driver"))
        .filter(|file| file.is_file())
        .or_else(|| find("tauri-driver"))
}

/// tauri-driver, and everything that it started: ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Driver {
    /// Starts the driver; the app that it will start gets these variables, or does not get them.
    pub(crate) fn start(home: &Path, variables: &[(&str, Option<OsString>)]) -> Self {
        let log = home.join("driver.log");
        let output = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let (port, native) = two_free_ports();
        let mut command = Command::new(driver().unwrap());
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let process = command
            .args([
                "--port",
                &port.to_string(),
                "--native-port",
                &native.to_string(),
            ])
            .arg("--native-driver")
            .arg(find("WebKitWebDriver").unwrap())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let driver = Self { process, port, log };
        let begun = Instant::now();
        // Both listen before a session is asked for.
        for port in [native, port] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                assert!(begun.elapsed() < PATIENCE, "no driver:\n{}", driver.log());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        driver
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the driver and the app wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process of the app, if it runs.
    pub(crate) fn app(&self) -> Option<u32> {
        let app = Path::new(env!("CARGO_BIN_EXE_slipway"));
        descendants(self.process.id()).into_iter().find(|pid| {
            fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|exe| exe.file_name() == app.file_name())
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let family = descendants(self.process.id());
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
        for pid in family.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL)
                    .unwrap_or_default();
            }
        }
        // The next test wants the name on the session bus that the app holds.
        let begun = Instant::now();
        while family.iter().any(|pid| runs(*pid)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn runs(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let waits_for_its_parent = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .starts_with(" Z");
    // Its first thread may have ended before others, which still hold what it had: its name on the bus as well.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    !waits_for_its_parent || threads > 1
}

/// Children, and theirs.
fn descendants(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
            {
                all.push(child);
                open.push(child);
            }
        }
    }
    all
}

fn two_free_ports() -> (u16, u16) {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Both at once, so that they differ.
    let (one, two) = (bind(), bind());
    (
        one.local_addr().unwrap().port(),
        two.local_addr().unwrap().port(),
    )
}

/// Runs a tool of the desktop; what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
