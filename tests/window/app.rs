//! The app under test, from start to end.

use std::{
    ffi::OsString,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, wd::TimeoutConfiguration};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

use crate::desktop::{Driver, PATIENCE, run};

/// How long the window may take to come up.
const STARTING: Duration = Duration::from_secs(90);

/// A person's home: what is in it survives the app.
#[derive(Debug)]
pub(crate) struct Home {
    dir: TempDir,
    /// Without a session bus there is no keyring.
    no_bus: bool,
    /// Drawing without OpenGL, as the display's script wants it: twice as fast where there is no graphics card. But
    /// then the driver takes no picture of a window that was resized and has nothing else to draw: it waits for ever.
    plain_drawing: bool,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("slipway-")
            .tempdir()
            .unwrap();
        for folder in [
            "ann",
            "config",
            "data",
            "xdg/config",
            "xdg/data",
            "xdg/cache",
            "xdg/state",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        Self {
            dir,
            no_bus: false,
            plain_drawing: false,
        }
    }

    /// A home on a computer that offers no keyring.
    pub(crate) fn without_keyring() -> Self {
        Self {
            no_bus: true,
            ..Self::new()
        }
    }

    /// A home whose window is measured, and not resized.
    pub(crate) fn for_measuring() -> Self {
        Self {
            plain_drawing: true,
            ..Self::new()
        }
    }

    /// Where the local pane begins.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("ann")
    }

    /// The same, as the window writes it.
    pub(crate) fn text(&self) -> String {
        self.files().to_str().unwrap().to_owned()
    }

    /// The path of something in it, as the window writes it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.files().join(name).to_str().unwrap().to_owned()
    }

    /// The folder of the sites file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// Everything that the app wrote: configuration, data, and what the web view keeps.
    pub(crate) fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(content) = fs::read(&path) {
                    found.push((path, content));
                }
            }
        }
        found
    }

    /// Puts a file into the home; folders are made.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.files().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.files().join(name)).ok()
    }

    fn variables(&self) -> Vec<(&'static str, Option<OsString>)> {
        let at = |name: &str| Some(self.dir.path().join(name).into_os_string());
        let mut variables = vec![
            ("HOME", at("ann")),
            ("XDG_CONFIG_HOME", at("xdg/config")),
            ("XDG_DATA_HOME", at("xdg/data")),
            ("XDG_CACHE_HOME", at("xdg/cache")),
            ("XDG_STATE_HOME", at("xdg/state")),
            ("SLIPWAY_CONFIG_DIR", at("config")),
            ("SLIPWAY_DATA_DIR", at("data")),
            ("SLIPWAY_LOG", Some("info".into())),
            ("TZ", Some("UTC".into())),
        ];
        if self.no_bus {
            variables.push((
                "DBUS_SESSION_BUS_ADDRESS",
                Some("unix:path=/nonexistent".into()),
            ));
        }
        if !self.plain_drawing {
            variables.push(("WEBKIT_DISABLE_DMABUF_RENDERER", None));
        }
        variables
    }
}

/// A running app with its window.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) client: Client,
    driver: Driver,
    /// What was waited for, for a test that fails to show.
    trail: Mutex<Vec<String>>,
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("waited until:\n  {}", trail.join("\n  "));
        }
    }
}

impl App {
    /// Starts the app and waits until its window shows the home.
    pub(crate) async fn start(home: &Home) -> Self {
        let driver = Driver::start(&home.files().join(".."), &home.variables());
        let options = json!({"tauri:options": {"application": env!("CARGO_BIN_EXE_slipway")}});
        let serde_json::Value::Object(capabilities) = options else {
            unreachable!()
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let address = driver.address();
        // A start takes long on a busy computer, but never so long.
        let client = match tokio::time::timeout(STARTING, builder.connect(&address)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => panic!("no window: {error}\n{}", driver.log()),
            Err(_) => panic!("the window does not come up\n{}", driver.log()),
        };
        client
            .update_timeouts(TimeoutConfiguration::new(
                Some(Duration::from_secs(60)),
                Some(PATIENCE),
                None,
            ))
            .await
            .unwrap();
        let app = Self {
            client,
            driver,
            trail: Mutex::default(),
        };
        app.settled("local", &home.text()).await;
        app
    }

    /// Notes what is waited for.
    pub(crate) fn note(&self, what: &str) {
        let mut trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        trail.push(what.to_owned());
    }

    /// What the app and its driver wrote to the terminal.
    pub(crate) fn output(&self) -> String {
        self.driver.log()
    }

    /// The app's window, as the display calls it.
    pub(crate) fn window(&self) -> String {
        let pid = self.driver.app().unwrap().to_string();
        let windows = run(
            "xdotool",
            &[
                "search",
                "--onlyvisible",
                "--pid",
                &pid,
                "--name",
                "Slipway",
            ],
        );
        windows.lines().next_back().unwrap().to_owned()
    }

    /// Asks the window manager to close the window: Alt+F4 is openbox's own key for it.
    pub(crate) fn ask_to_close(&self) {
        let window = self.window();
        run(
            "xdotool",
            &["windowactivate", "--sync", &window, "key", "alt+F4"],
        );
    }

    /// Ends the app as a crash or a loss of power would: it does nothing any more.
    pub(crate) fn kill(self) {
        let pid = i32::try_from(self.driver.app().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Closes the window as the window manager does, and waits until the app has left by itself.
    pub(crate) async fn quit(self) {
        self.ask_to_close();
        let begun = Instant::now();
        while self.driver.app().is_some() {
            assert!(
                begun.elapsed() < PATIENCE,
                "the app does not leave\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // That it wrote nothing of a panic is part of every test.
        let output = self.output();
        assert!(!output.contains("panicked"), "{output}");
    }
}
