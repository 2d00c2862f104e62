//! A drag from another program: a small GTK window that offers files, and the X pointer.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{app::App, desktop::PATIENCE, desktop::run, page::part};

/// Where the source stands: right of a window that is 1000 pixels wide.
const AT: &str = "1120,300";

/// The window that files are dragged out of.
#[derive(Debug)]
pub(crate) struct DragSource {
    process: Child,
    lines: mpsc::Receiver<String>,
    /// It ends when this is closed.
    _input: ChildStdin,
    spot: (i64, i64),
}

impl DragSource {
    pub(crate) fn offering(paths: &[&Path]) -> Self {
        let mut process = Command::new("/usr/bin/python3")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/window/drag_source.py"
            ))
            .args(["--at", AT])
            .args(paths)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take().unwrap();
        let mut source = Self {
            process,
            lines,
            _input: input,
            spot: (0, 0),
        };
        let ready = source.next("READY");
        let mut place = ready.split(' ').skip(1).map(|word| word.parse().unwrap());
        source.spot = (place.next().unwrap(), place.next().unwrap());
        source
    }

    /// The next line, which must begin like this.
    fn next(&self, word: &str) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("the drag source does not say {word}"));
        assert!(
            line.starts_with(word),
            "the drag source says {line}, not {word}"
        );
        line
    }

    /// Drags everything into the middle of a pane. `seen` looks at the window before the button is released.
    pub(crate) async fn drop_on(&self, app: &App, side: &str, seen: impl AsyncFn()) {
        let pane = part(&format!("pane-{side}"));
        let (x, y) = app.middle(&part(&format!("grid-{side}"))).await;
        let (left, top) = origin(app).await;
        let end = (left + x, top + y);
        pointer(&[
            "mousemove",
            &self.spot.0.to_string(),
            &self.spot.1.to_string(),
        ]);
        pointer(&["mousedown", "1"]);
        // GTK takes it for a drag after eight pixels.
        for step in 1..=4 {
            move_to((self.spot.0 - 6 * step, self.spot.1));
        }
        self.next("BEGIN");
        // A hand is never quite still; a pointer that is gets no further "over".
        let before = (end.0 - 40, end.1 - 20);
        for spot in path(self.spot, before) {
            move_to(spot);
        }
        app.until("the window sees the drag", async || {
            for spot in path(before, end) {
                move_to(spot);
            }
            app.is_there(&format!("{pane}[data-drop=yes]"))
                .await
                .then_some(())
        })
        .await;
        move_to(end);
        seen().await;
        pointer(&["mouseup", "1"]);
        self.next("SENT");
        self.next("END");
        app.gone("[data-drop]").await;
    }
}

impl Drop for DragSource {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
    }
}

/// Where the page begins on the screen: the page fills the client's window, below the window manager's frame.
async fn origin(app: &App) -> (i64, i64) {
    let facts = run("xwininfo", &["-id", &app.window()]);
    let number = |label: &str| -> i64 {
        let line = facts
            .lines()
            .find_map(|line| line.trim().strip_prefix(label))
            .unwrap();
        line.trim().parse().unwrap()
    };
    (
        number("Absolute upper-left X:"),
        number("Absolute upper-left Y:"),
    )
}

fn path(from: (i64, i64), to: (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    const STEPS: i64 = 12;
    (1..=STEPS).map(move |step| {
        let between = |a: i64, b: i64| a + (b - a) * step / STEPS;
        (between(from.0, to.0), between(from.1, to.1))
    })
}

fn move_to((x, y): (i64, i64)) {
    pointer(&["mousemove", &x.to_string(), &y.to_string()]);
    // As fast as a quick hand: GTK asks the receiver again for every step.
    std::thread::sleep(Duration::from_millis(8));
}

fn pointer(arguments: &[&str]) {
    run("xdotool", arguments);
}
