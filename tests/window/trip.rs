//! A person's whole round: connect, trust, look around, move files, tidy up, save the site, come back tomorrow.
//! Against our server, and against vsftpd.

use serde_json::json;

use crate::{
    app::{App, Home},
    desktop::run,
    keeping, moving, on_a_display,
    page::{part, row_of},
    peers::{Peer, SLOW, pattern},
};

#[test]
fn our_server() {
    on_a_display("the window against our server", async {
        round(Peer::ours().await).await;
    });
}

// Not named after vsftpd: the runner's rules would put it beside the other tests of that server.
#[test]
fn a_server_of_others() {
    on_a_display("the window against vsftpd", async {
        if let Some(peer) = Peer::vsftpd() {
            round(peer).await;
        }
    });
}

async fn round(peer: Peer) {
    let home = Home::new();
    plant(&home, &peer);

    let app = App::start(&home).await;
    // Room for another program's window beside ours.
    app.resize((1000, 700)).await;
    certificates(&app, &peer).await;
    looking_around(&app, &home).await;
    moving::buttons(&app, &home, &peer).await;
    moving::pointer(&app, &home, &peer).await;
    moving::from_outside(&app, &home, &peer).await;
    moving::cancelled(&app, &home, &peer).await;
    tidying(&app, &home, &peer).await;
    following_the_disk(&app, &home).await;
    keeping::protocol_log(&app, &peer).await;
    keeping::save_site(&app, &home, &peer).await;
    app.quit().await;

    let app = App::start(&home).await;
    keeping::come_back(&app, &home, &peer).await;
    app.quit().await;
    keeping::no_secret_on_disk(&home, &peer);
}

fn plant(home: &Home, peer: &Peer) {
    home.put("site/index.html", "<h1>Harbour</h1>\n");
    home.put("site/big picture.bmp", pattern(1 << 20));
    home.put("site/assets/logo.svg", "<svg/>");
    home.put("site/assets/deep/er/note.txt", "far down\n");
    home.put("site/assets/empty.txt", "");
    home.put("site/.secret", "hidden");
    home.put("inbox/.keep", "");
    peer.put("www/index.html", b"<h1>There</h1>\n");
    peer.put("www/css/style.css", b"body {}\n");
    peer.put("www/css/print.css", b"nav {}\n");
    peer.put("www/img/boat \"one\".svg", b"<svg></svg>");
    peer.put("www/img/huge.bin", &pattern(3 << 20));
    peer.put("upload/readme.txt", b"put it here\n");
    peer.put(SLOW, &pattern(40 << 20));
}

/// The question of trust: cancelled, once, always, and never again.
async fn certificates(app: &App, peer: &Peer) {
    app.connect(&peer.address(), &peer.user, &peer.password)
        .await;
    fingerprint_is_right(app, peer).await;
    app.press("dialog-cancel").await;
    app.gone(&part("dialog-certificate")).await;
    app.shown(&part("start-page")).await;
    app.press("connect-button").await;
    fingerprint_is_right(app, peer).await;
    app.press("trust-once").await;
    app.connected("pinned").await;

    // Once is once: the next connection asks again.
    app.disconnect().await;
    app.connect(&peer.address(), &peer.user, &peer.password)
        .await;
    fingerprint_is_right(app, peer).await;
    app.press("trust-always").await;
    app.connected("pinned").await;

    app.disconnect().await;
    app.connect(&peer.address(), &peer.user, &peer.password)
        .await;
    app.connected("pinned").await;
    assert!(!app.is_there(&part("dialog-certificate")).await);

    let title = app.until_js("a title", "document.title", json!(null)).await;
    let title = title.as_str().unwrap();
    assert!(
        title.contains("127.0.0.1") && title.ends_with("— Slipway"),
        "{title}"
    );
    app.until("the window manager shows it", async || {
        (run(
            "xdotool",
            &[
                "search",
                "--onlyvisible",
                "--name",
                "127.0.0.1.*Slipway",
                "getwindowname",
            ],
        ) == title)
            .then_some(())
    })
    .await;
}

async fn fingerprint_is_right(app: &App, peer: &Peer) {
    app.shown(&part("dialog-certificate")).await;
    let shown = app
        .until_js(
            "a fingerprint",
            "(() => { const e = document.querySelector('[data-testid=certificate-fingerprint]'); return e && [e.dataset.fingerprint, e.innerText]; })()",
            json!(null),
        )
        .await;
    assert_eq!(shown[0].as_str().unwrap(), peer.fingerprint);
    // What a person reads is the same.
    let read = shown[1]
        .as_str()
        .unwrap()
        .replace([':', '\n', ' '], "")
        .to_lowercase();
    assert_eq!(format!("sha256:{read}"), peer.fingerprint);
    assert!(
        !app.is_there("[data-testid=dialog-certificate][data-changed=true]")
            .await
    );
}

/// Folders by mouse, keyboard, buttons and path; a path that leads nowhere; hidden files; the lock.
async fn looking_around(app: &App, home: &Home) {
    app.settled("remote", "/").await;
    app.open_row("remote", "www").await;
    app.settled("remote", "/www").await;
    assert_eq!(app.names("remote").await, ["css", "img", "index.html"]);
    app.choose("remote", &["css"]).await;
    app.keys("Enter").await;
    app.settled("remote", "/www/css").await;
    assert_eq!(app.names("remote").await, ["print.css", "style.css"]);
    app.keys("Backspace").await;
    app.settled("remote", "/www").await;
    // Where one came from is where the cursor is.
    app.shown(&format!("{}[aria-selected=true]", row_of("remote", "css")))
        .await;
    app.press("back-remote").await;
    app.settled("remote", "/www/css").await;
    app.press("back-remote").await;
    app.settled("remote", "/www").await;
    app.press("back-remote").await;
    app.settled("remote", "/").await;
    app.press("forward-remote").await;
    app.settled("remote", "/www").await;
    app.press("up-remote").await;
    app.settled("remote", "/").await;
    app.go("remote", "/www/img").await;
    app.settled("remote", "/www/img").await;
    app.shown(&row_of("remote", "boat \"one\".svg")).await;

    app.go("remote", "/no/such/place").await;
    app.shown("[data-testid=pane-error-remote][data-code=not-found]")
        .await;
    // What was there is still there.
    app.settled("remote", "/www/img").await;
    app.press("home-remote").await;
    app.settled("remote", "/").await;
    app.gone(&part("pane-error-remote")).await;

    app.go("local", &home.path("site")).await;
    app.settled("local", &home.path("site")).await;
    assert!(!app.is_there(&row_of("local", ".secret")).await);
    app.keys("ctrl+h").await;
    app.shown(&row_of("local", ".secret")).await;
    app.keys("ctrl+h").await;
    app.gone(&row_of("local", ".secret")).await;

    app.press("lock-button").await;
    app.shown(&part("lock-popover")).await;
    let version = app.find(&part("lock-version")).await.text().await.unwrap();
    assert!(
        version.contains("1.3") || version.contains("1.2"),
        "{version}"
    );
    let resumes = app.until_js(
        "data connections resume the session",
        "document.querySelector('[data-testid=lock-resumes]')?.innerText === 'resume this session'",
        json!(null),
    );
    resumes.await;
    app.keys("Escape").await;
    app.gone(&part("lock-popover")).await;
}

/// Rename, a new folder, and deletion, which asks first.
async fn tidying(app: &App, home: &Home, peer: &Peer) {
    app.go("remote", "/upload").await;
    app.settled("remote", "/upload").await;
    app.choose("remote", &["readme.txt"]).await;
    app.keys("F2").await;
    app.shown(&part("rename-input")).await;
    app.keys("ctrl+a").await;
    app.type_text("l\u{ed}es mich.txt").await;
    app.keys("Enter").await;
    app.shown(&row_of("remote", "l\u{ed}es mich.txt")).await;
    assert_eq!(
        peer.read("upload/l\u{ed}es mich.txt").unwrap(),
        b"put it here\n"
    );
    assert_eq!(peer.read("upload/readme.txt"), None);

    app.idle("remote").await;
    app.keys("F7").await;
    app.shown(&part("newfolder-input")).await;
    app.type_text("new place").await;
    app.keys("Enter").await;
    app.shown(&row_of("remote", "new place")).await;
    assert!(peer.root().join("upload/new place").is_dir());
    peer.put("upload/new place/in/it.txt", b"gone soon");

    app.choose("remote", &["new place", "l\u{ed}es mich.txt"])
        .await;
    app.press("delete-remote").await;
    app.shown(&part("dialog-delete")).await;
    app.press("dialog-cancel").await;
    app.gone(&part("dialog-delete")).await;
    assert!(peer.root().join("upload/new place/in/it.txt").is_file());
    // The focus is in the list again, wherever the question came from.
    app.keys("Delete").await;
    app.press("delete-go").await;
    app.gone(&row_of("remote", "new place")).await;
    app.gone(&row_of("remote", "l\u{ed}es mich.txt")).await;
    assert!(!peer.root().join("upload/new place").exists());
    assert_eq!(peer.read("upload/l\u{ed}es mich.txt"), None);

    // The same on this computer's side.
    app.go("local", &home.path("site")).await;
    app.settled("local", &home.path("site")).await;
    app.choose("local", &["index.html"]).await;
    app.keys("F2").await;
    app.shown(&part("rename-input")).await;
    app.type_text("start").await;
    app.keys("Enter").await;
    // Only the stem was selected.
    app.shown(&row_of("local", "start.html")).await;
}

/// The local pane shows what other programs do.
async fn following_the_disk(app: &App, home: &Home) {
    app.go("local", &home.path("inbox")).await;
    app.settled("local", &home.path("inbox")).await;
    home.put("inbox/from elsewhere.txt", "1");
    app.shown(&row_of("local", "from elsewhere.txt")).await;
    app.choose("local", &["from elsewhere.txt"]).await;
    home.put("inbox/another.txt", "2");
    app.shown(&row_of("local", "another.txt")).await;
    // The selection stays where it was.
    app.shown(&format!(
        "{}[aria-selected=true]",
        row_of("local", "from elsewhere.txt")
    ))
    .await;
    std::fs::remove_file(home.files().join("inbox/another.txt")).unwrap();
    app.gone(&row_of("local", "another.txt")).await;
}

impl App {
    /// Types an address, a user and a password, and presses Connect.
    pub(crate) async fn connect(&self, address: &str, user: &str, password: &str) {
        self.fill("connect-address", address).await;
        self.fill("connect-user", user).await;
        self.fill("connect-password", password).await;
        self.press("connect-button").await;
    }

    /// Waits for the server's pane, and its lock.
    pub(crate) async fn connected(&self, lock: &str) {
        self.shown(&format!("[data-testid=lock-button][data-security={lock}]"))
            .await;
        self.idle("remote").await;
    }

    /// Closes the tab of the connection.
    pub(crate) async fn disconnect(&self) {
        self.press("tab-close").await;
        self.shown(&part("start-page")).await;
    }
}
