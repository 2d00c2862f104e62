//! The queue in the window: conflicts, pauses, order, limits, and what is left when the program ends.

use std::time::Instant;

use serde_json::json;

use crate::{
    app::{App, Home},
    on_a_display,
    page::{part, row_of},
    peers::{PASSWORD, Peer, SLOW, USER, pattern},
};

/// A slow file, that it takes some time to transfer it.
const SIZE: usize = 16 << 20;

#[test]
fn decided_paused_ordered_and_limited() {
    on_a_display("the queue in the window", async {
        let (home, peer) = (Home::new(), Peer::ours().await);
        let app = ready(&home, &peer).await;
        conflicts(&app, &home, &peer).await;
        pauses_and_order(&app, &home).await;
        limits(&app, &home, &peer).await;
        app.quit().await;
    });
}

#[test]
fn goes_on_after_the_program_was_killed() {
    on_a_display("the queue after a crash", async {
        let (home, peer) = (Home::new(), Peer::ours().await);
        let app = ready(&home, &peer).await;
        begin_slow(&app).await;
        app.kill();
        assert!(home.read(&format!("inbox/{SLOW}")).is_none());

        let app = App::start(&home).await;
        let waits = "[data-testid=queue-bar][data-bar=login]";
        app.transfer(SLOW, "waiting").await;
        app.shown(waits).await;
        app.picture("queue-waits-for-login").await;
        app.audit("waiting for a login").await;
        app.press("queue-bar-go").await;
        app.shown(&part("dialog-password")).await;
        app.fill("password-input", PASSWORD).await;
        app.keys("Enter").await;
        app.connected("pinned").await;
        app.gone(waits).await;
        arrived(&app, &home, &peer).await;
        app.quit().await;
    });
}

#[test]
fn goes_on_after_the_window_was_closed_and_asks_nothing() {
    on_a_display("the queue after closing the window", async {
        let (home, peer) = (Home::new(), Peer::ours().await);
        let app = ready(&home, &peer).await;
        begin_slow(&app).await;
        // It is gone without a question: what is kept is only said.
        app.quit().await;
        assert!(home.read(&format!("inbox/{SLOW}")).is_none());

        let app = App::start(&home).await;
        app.transfer(SLOW, "waiting").await;
        app.connect(&peer.address(), USER, PASSWORD).await;
        app.connected("pinned").await;
        arrived(&app, &home, &peer).await;
        app.quit().await;
    });
}

/// Connected, with a folder on each side.
async fn ready(home: &Home, peer: &Peer) -> App {
    home.put("inbox/.keep", "");
    peer.put(SLOW, &pattern(SIZE));
    let app = App::start(home).await;
    app.resize((1280, 800)).await;
    app.connect(&peer.address(), USER, PASSWORD).await;
    app.press("trust-always").await;
    app.connected("pinned").await;
    app.go("local", &home.path("inbox")).await;
    app.settled("local", &home.path("inbox")).await;
    app
}

async fn begin_slow(app: &App) {
    app.choose("remote", &[SLOW]).await;
    app.press("toolbar-download").await;
    app.transfer(SLOW, "running").await;
    app.until_js(
        "the transfer moves",
        "(() => { const bar = document.querySelector('[data-testid=queue-row][data-state=running] .fill'); \
          return bar !== null && new DOMMatrix(getComputedStyle(bar).transform).a > 0.1; })()",
        json!(null),
    )
    .await;
}

/// The slow file is there, whole, and it was continued.
async fn arrived(app: &App, home: &Home, peer: &Peer) {
    app.transfer(SLOW, "done").await;
    assert!(home.read(&format!("inbox/{SLOW}")) == peer.read(SLOW));
    app.go("local", &home.path("inbox")).await;
    app.shown(&row_of("local", SLOW)).await;
    let row = format!("[data-testid=queue-row][data-name=\"{SLOW}\"] .target");
    app.find(&row).await.click().await.unwrap();
    app.keys("Enter").await;
    app.shown(&part("details-resumed")).await;
    app.shown(&part("details-checked")).await;
    app.keys("Escape").await;
    app.gone("dialog[open]").await;
}

/// One table for what exists; the rest goes on; row by row and for all.
async fn conflicts(app: &App, home: &Home, peer: &Peer) {
    for name in ["a.txt", "b.txt", "c.txt"] {
        home.put(&format!("inbox/{name}"), format!("new {name}\n"));
        peer.put(&format!("upload/{name}"), b"old\n");
    }
    home.put("inbox/fresh.txt", "fresh\n");
    app.go("remote", "/upload").await;
    app.settled("remote", "/upload").await;
    let names = ["a.txt", "b.txt", "c.txt", "fresh.txt"];
    app.shown(&row_of("local", "fresh.txt")).await;
    app.choose("local", &names).await;
    app.press("toolbar-upload").await;
    app.shown("[data-testid=dialog-conflicts][data-count=\"3\"]")
        .await;
    app.until("the rest goes on", async || {
        peer.read("upload/fresh.txt").map(drop)
    })
    .await;
    app.see("conflicts-table", "light").await;
    let decide = async |name: &str, rule: &str| {
        let choose = "const e = document.querySelector(`[data-testid=conflict-row][data-name=\"${arguments[0]}\"] select`); \
                      e.value = arguments[1]; e.dispatchEvent(new Event('change', { bubbles: true }));";
        app.js(choose, vec![json!(name), json!(rule)]).await;
    };
    decide("a.txt", "overwrite").await;
    decide("b.txt", "rename").await;
    app.press("conflicts-go").await;
    app.transfer("a.txt", "done").await;
    app.transfer("b.txt", "done").await;
    app.transfer("c.txt", "asking").await;
    assert_eq!(peer.read("upload/a.txt").unwrap(), b"new a.txt\n");
    assert_eq!(peer.read("upload/b.txt").unwrap(), b"old\n");
    assert_eq!(peer.read("upload/b (2).txt").unwrap(), b"new b.txt\n");
    app.press("queue-bar-go").await;
    app.choose_option("conflicts-all", "skip").await;
    app.press("conflicts-go").await;
    app.transfer("c.txt", "skipped").await;
    assert_eq!(peer.read("upload/c.txt").unwrap(), b"old\n");
    app.gone("[data-testid=queue-bar]").await;
    app.all_done().await;
}

/// Everything stops and goes on; what waits is put in another order, by pointer and by key.
async fn pauses_and_order(app: &App, home: &Home) {
    for name in ["one.txt", "two.txt", "three.txt"] {
        home.put(&format!("inbox/{name}"), name);
    }
    app.shown(&row_of("local", "two.txt")).await;
    app.press("queue-pause-all").await;
    app.shown("[data-testid=queue-bar][data-bar=paused]").await;
    for name in ["one.txt", "two.txt", "three.txt"] {
        app.choose("local", &[name]).await;
        app.press("toolbar-upload").await;
        app.transfer(name, "waiting").await;
    }
    app.queue_is(&["one.txt", "two.txt", "three.txt"]).await;
    app.drag_queue("three.txt", "one.txt").await;
    app.queue_is(&["three.txt", "one.txt", "two.txt"]).await;
    app.find("[data-testid=queue-row][data-name=\"two.txt\"] .target")
        .await
        .click()
        .await
        .unwrap();
    app.keys("alt+Up").await;
    app.queue_is(&["three.txt", "two.txt", "one.txt"]).await;
    // One by itself, by its key.
    app.keys("Space").await;
    app.transfer("two.txt", "paused").await;
    app.see("queue-paused", "light").await;
    app.press("queue-pause-all").await;
    app.transfer("one.txt", "done").await;
    app.transfer("three.txt", "done").await;
    app.transfer("two.txt", "paused").await;
    app.press("queue-pause").await;
    app.transfer("two.txt", "done").await;
    app.all_done().await;
}

/// A limit holds for what runs, and its end as well.
async fn limits(app: &App, home: &Home, peer: &Peer) {
    const RATE: usize = 1 << 20;
    peer.put("big.bin", &pattern(64 << 20));
    app.press("queue-limits").await;
    app.fill("limit-total", "1").await;
    app.choose_option("limit-total-unit", "M").await;
    app.fill("timetable-text", "whenever").await;
    app.shown("[data-testid=timetable-says][data-wrong=true]")
        .await;
    app.see("limits", "light").await;
    app.fill("timetable-text", "").await;
    app.shown("[data-testid=timetable-says][data-wrong=false]")
        .await;
    app.press("limits-go").await;
    app.gone(&part("dialog-limits")).await;

    app.go("remote", "/").await;
    app.settled("remote", "/").await;
    let begun = Instant::now();
    app.choose("remote", &["big.bin"]).await;
    app.press("toolbar-download").await;
    app.transfer("big.bin", "running").await;
    app.shown(&part("speed-curve")).await;
    let size = || {
        let inbox = std::fs::read_dir(home.files().join("inbox")).unwrap();
        let parts = inbox.flatten().filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .ends_with("big.bin.slippart")
        });
        parts
            .map(|entry| entry.metadata().unwrap().len() as usize)
            .sum::<usize>()
    };
    app.until("something has come", async || {
        (size() > RATE / 2).then_some(())
    })
    .await;
    let (came, seconds) = (size(), begun.elapsed().as_secs_f64());
    assert!(
        (came as f64) < (seconds + 1.0) * RATE as f64 * 1.2,
        "{came} bytes in {seconds} s"
    );
    // Lifted while it runs: what would take a minute is soon there.
    app.press("queue-limits").await;
    app.fill("limit-total", "").await;
    app.press("limits-go").await;
    app.transfer("big.bin", "done").await;
    assert!(begun.elapsed().as_secs() < 45, "{:?}", begun.elapsed());
    assert!(home.read("inbox/big.bin") == peer.read("big.bin"));
    app.all_done().await;
}
