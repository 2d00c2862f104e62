//! A folder of 100,000 entries: the window stays at work while it comes, and scrolls smoothly when it is there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ftp_server::{
    Server, ServerTls, User,
    vfs::{MemoryTree, VPath},
};
use serde_json::{Value, json};

use crate::{
    app::{App, Home},
    desktop::PATIENCE,
    on_a_display,
    page::part,
    peers::{PASSWORD, USER},
};

const ENTRIES: usize = 100_000;
/// The longest frame that is wanted once the first rows are shown, in milliseconds. It is measured and printed.
const LONGEST: f64 = 100.0;
/// A frame of this many milliseconds is a window that stands still, on any computer.
const FROZEN: f64 = 1000.0;
/// A computer with other things to do may spoil a measurement, not several.
const TRIES: usize = 3;

/// Writes down when frames are drawn, from before the folder is opened until it was scrolled through. The first
/// rows are there with the first frame in which the list has any of the folder.
const RECORD: &str = "
const [path] = arguments;
const pane = document.querySelector('[data-testid=pane-remote]');
const grid = document.querySelector('[data-testid=grid-remote]');
const here = () => pane.dataset.path === path;
const f = window.__frames = { begun: performance.now(), stamps: [], first: null, done: null, items: 0, phase: 'waiting' };
let step = 0;
const end = () => grid.scrollHeight - grid.clientHeight;
const tick = () => {
  const now = performance.now();
  f.stamps.push(now);
  if (f.first === null && here() && grid.querySelector('[role=row][data-name]')) f.first = now;
  if (f.first !== null && f.done === null && pane.dataset.state === 'idle') {
    f.done = now; f.items = Number(pane.dataset.items); f.phase = 'scrolling';
  } else if (f.phase === 'scrolling') {
    step += 1;
    // A wheel's pace, then a hand on the scroll bar, then leaps.
    if (step <= 60) grid.scrollTop += 78;
    else if (step <= 160) grid.scrollTop = end() * (step - 60) / 100;
    else if (step <= 190) grid.scrollTop = end() * ((step * 7919) % 100) / 100;
    else { f.phase = 'over'; return; }
  }
  requestAnimationFrame(tick);
};
requestAnimationFrame(tick);";

struct Measured {
    longest: f64,
    /// The longest while rows still came, and the longest of the scroll.
    parts: [f64; 2],
    /// One frame in a hundred took longer.
    late: f64,
    frames: usize,
    first_rows: f64,
    all_rows: f64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "first rows after {:.0} ms, all {ENTRIES} after {:.0} ms; {} frames from there to the end of the scroll: \
             longest {:.1} ms (arriving {:.1}, scrolling {:.1}), 99 of 100 below {:.1} ms",
            self.first_rows,
            self.all_rows,
            self.frames,
            self.longest,
            self.parts[0],
            self.parts[1],
            self.late
        )
    }
}

#[test]
fn entries() {
    on_a_display("a folder of 100,000 entries", async {
        let server = serve().await;
        let home = Home::for_measuring();
        let app = App::start(&home).await;
        app.connect(&server.local_addr().to_string(), USER, PASSWORD)
            .await;
        app.press("trust-always").await;
        app.connected("pinned").await;

        let mut best = f64::INFINITY;
        for attempt in 1..=TRIES {
            let calm = calm().await;
            let measured = measure(&app).await;
            println!("attempt {attempt} ({calm}): {measured}");
            best = best.min(measured.longest);
            if best <= LONGEST {
                break;
            }
        }
        let verdict = if best <= LONGEST { "within" } else { "OVER" };
        println!(
            "longest frame after the first rows: {best:.1} ms, {verdict} the {LONGEST} ms that are wanted"
        );
        working_with_it(&app).await;
        app.quit().await;
        // How fast a computer is, is no fault of the window's; a window that stands still is.
        assert!(
            best <= FROZEN,
            "a frame took {best:.1} ms in each of {TRIES} attempts"
        );
    });
}

/// Waits a while for the computer to have little else to do: frames are late where others take the processors. Says
/// how it went.
async fn calm() -> &'static str {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE / 2 {
        let before = processor_time();
        tokio::time::sleep(Duration::from_millis(400)).await;
        let after = processor_time();
        if after.1 - before.1 > (after.0 - before.0) * 7 / 10 {
            return "on a calm computer";
        }
    }
    "on a busy computer"
}

/// What all processors have done so far, and how much of it was nothing, in ticks.
fn processor_time() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map(|word| word.parse().unwrap())
        .collect();
    // user, nice, system, idle, iowait, ...
    (ticks.iter().take(8).sum(), ticks[3] + ticks[4])
}

async fn serve() -> ftp_server::RunningServer {
    let tree = MemoryTree::new(1 << 30);
    let begun = Instant::now();
    for number in 0..ENTRIES {
        let name = format!(
            "/many/entry number {:05} of many.txt",
            number * 7919 % ENTRIES
        );
        tree.write_file(&VPath::new(&name).unwrap(), name.as_bytes())
            .await
            .unwrap();
    }
    println!("{ENTRIES} files planted in {:?}", begun.elapsed());
    Server::builder()
        .vfs(Arc::new(tree))
        .user(User::new(USER).password(PASSWORD.try_into().unwrap()))
        .tls(ServerTls::self_signed(&["localhost"]).unwrap())
        .bind(("127.0.0.1", 0))
        .await
        .unwrap()
}

async fn measure(app: &App) -> Measured {
    app.go("remote", "/").await;
    app.settled("remote", "/").await;
    // Typing the path is not what is measured.
    app.press("path-edit-remote").await;
    app.fill("path-field-remote", "/many").await;
    app.js(RECORD, vec![json!("/many")]).await;
    app.keys("Enter").await;
    app.until("the list was scrolled through", async || {
        // Looking is work as well: seldom.
        tokio::time::sleep(Duration::from_millis(250)).await;
        (app.js("return window.__frames.phase", vec![]).await == json!("over")).then_some(())
    })
    .await;
    let frames = app.js("return window.__frames", vec![]).await;
    assert_eq!(frames["items"], json!(ENTRIES));
    let number = |value: &Value| value.as_f64().unwrap();
    let [begun, first, done] = ["begun", "first", "done"].map(|moment| number(&frames[moment]));
    let stamps: Vec<f64> = frames["stamps"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .filter(|at| *at >= first)
        .collect();
    let longest = |wanted: &dyn Fn(f64) -> bool| {
        let pairs = stamps.windows(2).filter(|pair| wanted(pair[1]));
        pairs.map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    };
    let parts = [longest(&|at| at <= done), longest(&|at| at > done)];
    let mut deltas: Vec<f64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(deltas.len() > 190, "{}", deltas.len());
    deltas.sort_by(f64::total_cmp);
    Measured {
        longest: deltas[deltas.len() - 1],
        parts,
        late: deltas[deltas.len() * 99 / 100],
        frames: deltas.len(),
        first_rows: first - begun,
        all_rows: done - begun,
    }
}

/// The list is whole and sorted, and its end is a key away.
async fn working_with_it(app: &App) {
    app.find(&part("grid-remote")).await;
    app.js(
        "document.querySelector('[data-testid=grid-remote]').focus()",
        vec![],
    )
    .await;
    app.keys("End").await;
    let last = "[data-testid=grid-remote] [role=row][data-name=\"entry number 99999 of many.txt\"][aria-selected=true]";
    app.shown(last).await;
    app.keys("Home").await;
    app.shown("[data-testid=grid-remote] [role=row][data-name=\"entry number 00000 of many.txt\"][aria-selected=true]")
        .await;
    app.picture("many").await;
    app.press("filter-remote").await;
    app.fill("filter-input-remote", "number 4242").await;
    app.until_js(
        "ten match",
        "document.querySelector('[data-testid=pane-remote]').dataset.items === '10'",
        json!(null),
    )
    .await;
}
