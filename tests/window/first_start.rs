//! The first minutes: an empty window, the practice site by one click; and what every view looks like, in light
//! and dark, in a large window and in the smallest, with nothing for the audit to find.

use std::fs;

use serde_json::json;

use crate::{
    app::{App, Home},
    desktop::run,
    looks::SIZES,
    on_a_display,
    page::{part, row_of},
    peers::{PASSWORD, Peer, USER},
};

#[test]
fn practice_site() {
    on_a_display("the practice site", async {
        let home = Home::new();
        home.put(
            "site/index.html",
            "<!doctype html>\n<title>Harbour</title>\n",
        );
        home.put("site/about.html", "<!doctype html>\n<title>About</title>\n");
        home.put("site/css/style.css", "body {}\n");
        home.put("site/fonts/harbour.woff2", "wOF2");
        home.put("site/notes.md", "# To do\n".repeat(200));
        home.put("site/tide-table.csv", "hour,metres\n".repeat(900));
        let app = App::start(&home).await;
        app.go("local", &home.path("site")).await;
        app.settled("local", &home.path("site")).await;

        app.resize(SIZES[0]).await;
        by_one_click(&app, &home).await;
        app.disconnect().await;
        let views = Views {
            encrypted: Peer::ours().await,
            plain: Peer::start(false, 0).await,
            app: &app,
        };
        views.all("light").await;
        views.all("dark").await;
        app.quit().await;
    });
}

/// One click, and there are files to move, by an encrypted connection that nobody had to answer for.
async fn by_one_click(app: &App, home: &Home) {
    app.press("practice-button").await;
    app.connected("pinned").await;
    assert!(!app.is_there("dialog[open]").await);
    assert_eq!(
        app.names("remote").await,
        ["docs", "logbook", "upload here", "www", "README.txt"]
    );
    app.until("the window is called after it", async || {
        (run(
            "xdotool",
            &[
                "search",
                "--onlyvisible",
                "--name",
                "Slipway",
                "getwindowname",
            ],
        ) == "practice.slipway — Slipway")
            .then_some(())
    })
    .await;
    app.open_row("remote", "www").await;
    app.settled("remote", "/www").await;
    app.choose("local", &["tide-table.csv", "notes.md"]).await;
    app.press("toolbar-upload").await;
    app.shown(&row_of("remote", "tide-table.csv")).await;
    app.choose("remote", &["img"]).await;
    app.press("toolbar-download").await;
    app.transfer("img", "done").await;
    readme(app).await;
    app.all_done().await;
    assert_eq!(home.read("site/img/panorama.bmp").unwrap()[..2], *b"BM");
    fs::remove_file(home.files().join("site/img/panorama.bmp")).unwrap();
}

/// Everything that there is to see.
struct Views<'a> {
    app: &'a App,
    encrypted: Peer,
    plain: Peer,
}

impl Views<'_> {
    async fn all(&self, theme: &str) {
        let app = self.app;
        app.press("settings-button").await;
        app.press(&format!("setting-theme-{theme}")).await;
        let is = "document.documentElement.dataset.theme === a";
        app.until_js(&format!("the window is {theme}"), is, json!(theme))
            .await;
        app.see("settings", theme).await;
        app.press("dialog-close").await;
        app.gone(&part("dialog-settings")).await;
        app.see("start", theme).await;
        self.dialogs(theme).await;
        self.connected(theme).await;
        app.disconnect().await;
    }

    async fn dialogs(&self, theme: &str) {
        let app = self.app;
        app.press("start-new-site").await;
        app.shown(&part("site-name")).await;
        app.see("sites", theme).await;
        app.press("dialog-close").await;
        app.connect(&self.encrypted.address(), USER, "wrong").await;
        app.shown(&part("dialog-certificate")).await;
        app.see("certificate", theme).await;
        app.press("trust-once").await;
        app.shown("[data-testid=dialog-password][data-reason=refused]")
            .await;
        app.see("password", theme).await;
        app.press("dialog-cancel").await;
        app.connect(&self.plain.address(), USER, PASSWORD).await;
        app.shown(&part("dialog-plaintext")).await;
        app.see("plaintext", theme).await;
        app.press("dialog-cancel").await;
        app.gone("dialog[open]").await;
    }

    async fn connected(&self, theme: &str) {
        let app = self.app;
        app.press("practice-button").await;
        app.connected("pinned").await;
        app.go("remote", "/www").await;
        app.settled("remote", "/www").await;
        self.queue(theme).await;
        app.see("connected", theme).await;
        // What is placed beside a button goes with the size that it was opened in.
        for size in SIZES.into_iter().rev() {
            app.resize(size).await;
            app.press("lock-button").await;
            app.shown(&part("lock-popover")).await;
            app.look("lock", theme, size).await;
            app.keys("Escape").await;
            app.press("more-remote").await;
            app.shown(&part("context-menu")).await;
            app.look("menu", theme, size).await;
            app.keys("Escape").await;
            app.gone(&part("context-menu")).await;
        }
        app.press("panel-log").await;
        app.shown(&part("log-line")).await;
        app.see("log", theme).await;
        app.press("panel-transfers").await;
        app.press("palette-button").await;
        app.shown(&part("palette-item")).await;
        app.see("palette", theme).await;
        app.keys("Escape").await;
        app.gone(&part("palette-input")).await;
        app.choose("remote", &["css", "index.html"]).await;
        app.press("delete-remote").await;
        app.shown(&part("dialog-delete")).await;
        app.see("delete", theme).await;
        app.press("dialog-cancel").await;
        app.go("remote", "/nowhere").await;
        app.shown(&part("pane-error-remote")).await;
        app.see("error", theme).await;
        app.go("remote", "/upload here").await;
        app.settled("remote", "/upload here").await;
        app.see("empty", theme).await;
    }

    /// Transfers of several kinds, for the panel to show.
    async fn queue(&self, theme: &str) {
        let app = self.app;
        app.choose("local", &["css", "about.html"]).await;
        app.press("toolbar-upload").await;
        // Both are there already: there is a question for the whole batch.
        app.shown(&part("dialog-conflicts")).await;
        app.shown("[data-testid=conflict-row][data-name=\"about.html\"]")
            .await;
        app.see("conflicts", theme).await;
        app.choose_option("conflicts-all", "overwrite").await;
        app.press("conflicts-go").await;
        app.transfer("about.html", "done").await;
        app.choose("remote", &["js", "robots.txt"]).await;
        app.press("toolbar-download").await;
        if theme == "dark" {
            // They came when it was light.
            app.shown(&part("dialog-conflicts")).await;
            app.choose_option("conflicts-all", "overwrite").await;
            app.press("conflicts-go").await;
        }
        app.transfer("robots.txt", "done").await;
        app.until_js(
            "nothing is left to do",
            "[...document.querySelectorAll('[data-testid=queue-row]')].every((r) => r.dataset.state === 'done')",
            json!(null),
        )
        .await;
        app.shown(&row_of("local", "robots.txt")).await;
        app.idle("local").await;
        app.idle("remote").await;
    }
}

/// The picture of the README, refreshed only when asked to: it differs a little every day.
async fn readme(app: &App) {
    app.idle("local").await;
    app.gone(&part("toast")).await;
    app.leave().await;
    app.still().await;
    let png = app.picture("window").await;
    if std::env::var_os("SLIPWAY_UPDATE_PICTURES").is_some_and(|value| value == "1") {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/window.png"), png).unwrap();
    }
}
