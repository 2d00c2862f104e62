//! What the app writes down, and what it must not.

use std::fs;

use serde_json::{Value, json};

use crate::{
    app::{App, Home},
    page::part,
    peers::Peer,
};

const NAME: &str = "The harbour";

/// The log shows the conversation, without the password.
pub(crate) async fn protocol_log(app: &App, peer: &Peer) {
    app.press("panel-log").await;
    app.shown(&part("log-line")).await;
    let lines = all_lines(app).await;
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(
        has("AUTH TLS") && has(&format!("USER {}", peer.user)) && has("PASS *****"),
        "{lines:#?}"
    );
    assert!(has("230"), "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains(&peer.password)),
        "the log shows the password"
    );
    app.press("panel-transfers").await;
}

/// Every line of the log, though only those in sight are drawn.
async fn all_lines(app: &App) -> Vec<String> {
    let read = "
        const [done] = arguments;
        const list = document.querySelector('[data-testid=log-panel]');
        const lines = new Map();
        list.scrollTop = 0;
        const step = () => {
          for (const line of list.querySelectorAll('[data-testid=log-line]')) {
            lines.set(line.getBoundingClientRect().top + list.scrollTop, line.title);
          }
          if (list.scrollTop + list.clientHeight >= list.scrollHeight - 1) done([...lines.values()]);
          else { list.scrollTop += list.clientHeight / 2; requestAnimationFrame(() => requestAnimationFrame(step)); }
        };
        requestAnimationFrame(() => requestAnimationFrame(step));";
    serde_json::from_value(app.client.execute_async(read, vec![]).await.unwrap()).unwrap()
}

/// Saves the server as a site, with its password in the keyring.
pub(crate) async fn save_site(app: &App, home: &Home, peer: &Peer) {
    app.press("sites-button").await;
    app.shown(&part("dialog-sites")).await;
    app.press("site-new").await;
    // A site without a server is not saved.
    app.press("site-save").await;
    app.shown("[data-testid=site-host][aria-invalid=true]")
        .await;
    app.fill("site-name", NAME).await;
    app.fill("site-host", "127.0.0.1").await;
    app.fill("site-port", &peer.port.to_string()).await;
    app.fill("site-user", &peer.user).await;
    app.fill("site-password", &peer.password).await;
    app.press("site-remember").await;
    app.fill("site-remote-path", "/www").await;
    app.fill("site-local-path", &home.path("site")).await;
    app.press("site-save").await;
    app.shown(&format!("[data-testid=site-row][data-name=\"{NAME}\"]"))
        .await;
    // The field says where the password went, and does not hold it any more.
    app.until_js(
        "the password is kept",
        "(() => { const f = document.querySelector('[data-testid=site-password]'); return f.value === '' && f.placeholder.includes('keyring'); })()",
        json!(null),
    )
    .await;
    app.press("dialog-close").await;
    app.gone(&part("dialog-sites")).await;

    let sites = fs::read_to_string(home.config().join("sites.json")).unwrap();
    assert!(sites.contains(NAME) && sites.contains("/www"), "{sites}");
}

/// The next day: one click, and no question.
pub(crate) async fn come_back(app: &App, home: &Home, peer: &Peer) {
    // The window is as large as it was.
    app.until_js(
        "the window has its size",
        "innerWidth === 1000 && innerHeight === 700",
        json!(null),
    )
    .await;
    let site = format!("[data-testid=start-site][data-name=\"{NAME}\"]");
    app.find(&site).await.click().await.unwrap();
    app.connected("pinned").await;
    assert!(!app.is_there("dialog[open]").await);
    app.settled("remote", "/www").await;
    app.settled("local", &home.path("site")).await;

    // Deleting the site takes its password along: a site made again knows none.
    app.press("sites-button").await;
    app.press("site-delete").await;
    app.press("site-delete-confirm").await;
    app.gone(&part("site-row")).await;
    let sites: Value =
        serde_json::from_slice(&fs::read(home.config().join("sites.json")).unwrap()).unwrap();
    assert_eq!(sites["sites"], json!([]), "{sites}");
    app.press("dialog-close").await;
    app.disconnect().await;

    // And without a password there is a question.
    app.connect(&peer.address(), &peer.user, "").await;
    app.shown("[data-testid=dialog-password][data-reason=missing]")
        .await;
    app.press("dialog-cancel").await;
    app.gone(&part("dialog-password")).await;
}

/// No file of the app's holds the password: not the sites, not what the web view keeps, not a log.
pub(crate) fn no_secret_on_disk(home: &Home, peer: &Peer) {
    let secret = peer.password.as_bytes();
    for (path, content) in home.everything() {
        // The web view keeps text in UTF-16 as well.
        let wide: Vec<u8> = peer
            .password
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let holds = |bytes: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
        assert!(
            !holds(secret) && !holds(&wide),
            "the password is in {}",
            path.display()
        );
    }
}
