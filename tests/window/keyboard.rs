//! The whole round without a pointer.

use serde_json::json;

use crate::{
    app::{App, Home},
    on_a_display,
    page::{part, row_of},
    peers::{PASSWORD, Peer, USER},
};

#[test]
fn alone() {
    on_a_display("the keyboard alone", async {
        let home = Home::new();
        home.put("a.txt", "first\n");
        home.put("b.txt", "second\n");
        home.put("c.txt", "third\n");
        home.put("folder/inside.txt", "deep\n");
        let peer = Peer::ours().await;
        peer.put("there/far.txt", b"from far\n");
        peer.put("there/zz.txt", b"last\n");

        let app = App::start(&home).await;
        connecting(&app, &peer).await;
        both_panes(&app, &home, &peer).await;
        changing(&app, &peer).await;
        getting_about(&app).await;
        app.quit().await;
    });
}

impl App {
    /// Waits until the focus is in something.
    async fn focus_in(&self, css: &str) {
        let there = "document.activeElement?.closest(a) !== null";
        self.until_js(&format!("the focus is in {css}"), there, json!(css))
            .await;
    }

    /// Presses Tab until the focus is in something.
    async fn tab_to(&self, css: &str) {
        for _ in 0..40 {
            let there = "return document.activeElement?.closest(arguments[0]) != null";
            if self.js(there, vec![json!(css)]).await == json!(true) {
                return;
            }
            self.keys("Tab").await;
        }
        panic!("Tab never comes to {css}");
    }
}

async fn connecting(app: &App, peer: &Peer) {
    app.tab_to(&part("connect-address")).await;
    app.type_text(&peer.address()).await;
    app.tab_to(&part("connect-user")).await;
    app.type_text(USER).await;
    app.tab_to(&part("connect-password")).await;
    app.type_text(PASSWORD).await;
    app.keys("Enter").await;
    app.shown(&part("dialog-certificate")).await;
    // A dialog keeps the focus.
    for _ in 0..6 {
        app.keys("Tab").await;
        app.focus_in(&format!("{}, body", part("dialog-certificate")))
            .await;
        assert!(
            !app.is_there("header :focus, main :focus").await
                || app.is_there("dialog :focus").await
        );
    }
    app.tab_to(&part("trust-always")).await;
    app.keys("Enter").await;
    app.connected("pinned").await;
    app.focus_in(&part("grid-remote")).await;
}

/// Up and down, by cursor, selection and Ctrl+Enter.
async fn both_panes(app: &App, home: &Home, peer: &Peer) {
    app.settled("remote", "/").await;
    app.keys("Down").await;
    app.keys("Home").await;
    app.keys("Enter").await;
    app.settled("remote", "/there").await;
    app.keys("Tab").await;
    app.focus_in(&part("grid-local")).await;
    // Folders first, and one leads on by its first letter.
    app.type_text("a").await;
    app.shown(&format!("{}[aria-selected=true]", row_of("local", "a.txt")))
        .await;
    app.keys("shift+Down").await;
    app.keys("ctrl+Enter").await;
    app.transfer("a.txt", "done").await;
    app.transfer("b.txt", "done").await;
    app.shown(&row_of("remote", "b.txt")).await;
    assert_eq!(peer.read("there/a.txt").unwrap(), b"first\n");
    assert_eq!(peer.read("there/b.txt").unwrap(), b"second\n");
    assert_eq!(peer.read("there/c.txt"), None);

    app.idle("remote").await;
    app.keys("Tab").await;
    app.focus_in(&part("grid-remote")).await;
    app.keys("End").await;
    app.shown(&format!(
        "{}[aria-selected=true]",
        row_of("remote", "zz.txt")
    ))
    .await;
    app.keys("ctrl+Enter").await;
    app.shown(&row_of("local", "zz.txt")).await;
    app.transfer("zz.txt", "done").await;
    assert_eq!(home.read("zz.txt").unwrap(), b"last\n");
}

/// F7, F2, Delete.
async fn changing(app: &App, peer: &Peer) {
    app.idle("remote").await;
    app.keys("F7").await;
    app.focus_in(&part("newfolder-input")).await;
    app.type_text("made").await;
    app.keys("Enter").await;
    app.shown(&format!("{}[aria-selected=true]", row_of("remote", "made")))
        .await;
    app.idle("remote").await;
    app.focus_in(&part("grid-remote")).await;
    app.keys("F2").await;
    app.focus_in(&part("rename-input")).await;
    app.keys("ctrl+a").await;
    app.type_text("remade").await;
    app.keys("Enter").await;
    app.shown(&format!(
        "{}[aria-selected=true]",
        row_of("remote", "remade")
    ))
    .await;
    assert!(peer.root().join("there/remade").is_dir());
    app.idle("remote").await;
    app.focus_in(&part("grid-remote")).await;

    app.keys("Delete").await;
    app.shown(&part("dialog-delete")).await;
    app.keys("Escape").await;
    app.gone(&part("dialog-delete")).await;
    // The focus is given back.
    app.focus_in(&part("grid-remote")).await;
    app.keys("Delete").await;
    app.focus_in(&part("delete-go")).await;
    app.keys("Enter").await;
    app.gone(&row_of("remote", "remade")).await;
    assert!(!peer.root().join("there/remade").exists());
    app.focus_in(&part("grid-remote")).await;
    // Ctrl+A and Escape.
    app.idle("remote").await;
    app.keys("ctrl+a").await;
    app.until_js(
        "all are selected",
        "document.querySelectorAll('[data-testid=grid-remote] [aria-selected=true]').length === 4",
        json!(null),
    )
    .await;
    app.keys("Escape").await;
    app.gone("[data-testid=grid-remote] [role=row][aria-selected=true]")
        .await;
}

/// History, path, filter, palette, panels, tabs, menus.
async fn getting_about(app: &App) {
    app.keys("Backspace").await;
    app.settled("remote", "/").await;
    app.keys("alt+Left").await;
    app.settled("remote", "/there").await;
    app.keys("alt+Right").await;
    app.settled("remote", "/").await;
    app.keys("ctrl+l").await;
    app.focus_in(&part("path-field-remote")).await;
    app.keys("ctrl+a").await;
    app.type_text("/there").await;
    app.keys("Enter").await;
    app.settled("remote", "/there").await;
    app.focus_in(&part("grid-remote")).await;

    app.keys("ctrl+f").await;
    app.focus_in(&part("filter-input-remote")).await;
    app.type_text("far").await;
    app.gone(&row_of("remote", "zz.txt")).await;
    app.shown(&row_of("remote", "far.txt")).await;
    app.keys("Escape").await;
    app.shown(&row_of("remote", "zz.txt")).await;
    app.focus_in(&part("grid-remote")).await;

    app.keys("ctrl+k").await;
    app.focus_in(&part("palette-input")).await;
    app.type_text("show the log").await;
    app.keys("Enter").await;
    app.gone(&part("palette-input")).await;
    app.shown(&part("log-line")).await;
    app.keys("ctrl+j").await;
    app.gone(&part("log-line")).await;
    app.keys("ctrl+j").await;
    app.shown(&part("log-line")).await;

    app.keys("F6").await;
    app.keys("F6").await;
    app.tab_to(&part("grid-remote")).await;
    app.keys("ctrl+t").await;
    app.until_js(
        "two tabs",
        "document.querySelectorAll('[data-testid=tab]').length === 2",
        json!(null),
    )
    .await;
    app.focus_in(&part("connect-address")).await;
    app.keys("ctrl+w").await;
    app.until_js(
        "one tab",
        "document.querySelectorAll('[data-testid=tab]').length === 1",
        json!(null),
    )
    .await;
    app.shown(&part("lock-button")).await;
    app.keys("ctrl+w").await;
    app.shown(&part("start-page")).await;
}
