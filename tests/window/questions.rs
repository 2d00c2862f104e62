//! What the app asks before it connects, and what it says where it can't.

use serde_json::json;

use crate::{
    app::{App, Home},
    on_a_display,
    page::part,
    peers::{PASSWORD, Peer, USER},
};

#[test]
fn before_connecting() {
    on_a_display("the questions before connecting", async {
        let home = Home::new();
        let app = App::start(&home).await;
        unencrypted(&app).await;
        passwords(&app).await;
        changed_certificate(&app).await;
        nobody_there(&app).await;
        app.quit().await;
    });
}

/// Never a password in the clear without a word.
async fn unencrypted(app: &App) {
    let peer = Peer::start(false, 0).await;
    app.connect(&peer.address(), USER, PASSWORD).await;
    app.shown(&part("dialog-plaintext")).await;
    app.press("dialog-cancel").await;
    app.gone(&part("dialog-plaintext")).await;
    app.shown(&part("start-page")).await;

    app.press("connect-button").await;
    app.press("plaintext-go").await;
    app.connected("plain").await;
    app.disconnect().await;

    // Where TLS is asked for, there is nothing to ask: it can't be had.
    choose_tls(app, "explicit").await;
    app.connect(&peer.address(), USER, PASSWORD).await;
    app.shown("[data-testid=toast][data-tone=error]").await;
    assert!(!app.is_there("dialog[open]").await);
    app.shown(&part("start-page")).await;
    choose_tls(app, "auto").await;
    forget_toasts(app).await;
}

/// None, a wrong one, the right one.
async fn passwords(app: &App) {
    let peer = Peer::ours().await;
    app.connect(&peer.address(), USER, "").await;
    app.shown("[data-testid=dialog-password][data-reason=missing]")
        .await;
    app.fill("password-input", "guess").await;
    app.keys("Enter").await;
    app.press("trust-always").await;
    app.shown("[data-testid=dialog-password][data-reason=refused]")
        .await;
    // The server's own words are there.
    app.until_js(
        "530",
        "document.querySelector('[data-testid=dialog-password]').innerText.includes('530')",
        json!(null),
    )
    .await;
    app.fill("password-input", PASSWORD).await;
    app.press("password-go").await;
    app.connected("pinned").await;
    app.disconnect().await;
}

/// Another certificate where one was trusted: loudly.
async fn changed_certificate(app: &App) {
    let peer = Peer::ours().await;
    let port = peer.port;
    app.connect(&peer.address(), USER, PASSWORD).await;
    app.press("trust-always").await;
    app.connected("pinned").await;
    app.disconnect().await;
    peer.stop().await;

    let impostor = Peer::start(true, port).await;
    app.connect(&impostor.address(), USER, PASSWORD).await;
    app.shown("[data-testid=dialog-certificate][data-changed=true]")
        .await;
    // The careless key press does no harm.
    app.keys("Enter").await;
    app.gone(&part("dialog-certificate")).await;
    app.shown(&part("start-page")).await;
    assert!(!app.is_there(&part("lock-button")).await);
}

/// A port where nothing listens, and a name that is none.
async fn nobody_there(app: &App) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    app.connect(&format!("127.0.0.1:{port}"), USER, PASSWORD)
        .await;
    app.shown("[data-testid=toast][data-tone=error]").await;
    forget_toasts(app).await;
    app.connect("nowhere.invalid", USER, PASSWORD).await;
    app.shown("[data-testid=toast][data-tone=error]").await;
    app.shown(&part("start-page")).await;
}

async fn choose_tls(app: &App, mode: &str) {
    let select = app.find(&part("connect-tls")).await;
    select.select_by_value(mode).await.unwrap();
    let is = "document.querySelector('[data-testid=connect-tls]').value === a";
    app.until_js(&format!("TLS {mode}"), is, json!(mode)).await;
}

async fn forget_toasts(app: &App) {
    while app.is_there(&part("toast")).await {
        // One that goes by itself meanwhile is gone as well.
        app.js(
            "document.querySelector('[data-testid=toast] .icon-button')?.click()",
            vec![],
        )
        .await;
        tokio::task::yield_now().await;
    }
}

#[test]
fn without_a_keyring() {
    on_a_display("a computer without a keyring", async {
        let home = Home::without_keyring();
        let peer = Peer::ours().await;
        let app = App::start(&home).await;
        app.press("start-new-site").await;
        app.shown(&part("site-no-keyring")).await;
        assert!(!app.is_there(&part("site-remember")).await);
        app.fill("site-name", "No keyring").await;
        app.fill("site-host", "127.0.0.1").await;
        app.fill("site-port", &peer.port.to_string()).await;
        app.fill("site-user", USER).await;
        app.press("site-connect").await;
        // Asked, each time, and told why.
        app.shown(&part("dialog-password")).await;
        app.shown(&part("password-no-keyring")).await;
        app.fill("password-input", PASSWORD).await;
        app.press("password-go").await;
        app.press("trust-always").await;
        app.connected("pinned").await;
        app.disconnect().await;
        app.press("start-site").await;
        app.shown(&part("dialog-password")).await;
        app.quit().await;
        crate::keeping::no_secret_on_disk(&home, &peer);
    });
}
