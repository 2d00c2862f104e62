//! "Share this folder": decided in the window, visited by the engine's own client, seen in the window, stopped.

use ftp_client::{Client, Config, ErrorKind, Login, Trust, ftp_proto::RemotePath};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::{
    app::{App, Home},
    on_a_display,
    page::part,
    peers::pattern,
};

/// What one download may take, so that it is seen.
const LIMIT: &str = "256";

#[test]
fn a_folder_is_shared_and_stopped() {
    on_a_display("sharing a folder from the window", async {
        let home = home();
        let app = App::start(&home).await;
        app.go("local", &home.path("site")).await;
        app.settled("local", &home.path("site")).await;
        // Nothing is shared by itself.
        assert!(!app.is_there(&part("sharing-sign")).await);

        by_keyboard(&app, &home).await;
        let share = shown(&app).await;
        let client = visit(&app, &share).await;
        take(&app, &share, client).await;
        stopped(&app, &share).await;
        let output = app.output();
        assert!(!output.contains(&share.password), "{output}");
        app.quit().await;
        for (path, content) in home.everything() {
            let text = String::from_utf8_lossy(&content);
            assert!(!text.contains(&share.password), "{}", path.display());
        }
    });
}

#[test]
fn what_sharing_looks_like() {
    on_a_display("what sharing looks like", async {
        let home = home();
        let app = App::start(&home).await;
        app.go("local", &home.path("site")).await;
        app.settled("local", &home.path("site")).await;
        for theme in ["light", "dark"] {
            looks(&app, theme).await;
        }
        app.quit().await;
    });
}

#[test]
fn the_window_closes_in_order_while_a_folder_is_shared() {
    on_a_display("closing the window while a folder is shared", async {
        let home = home();
        let app = App::start(&home).await;
        app.go("local", &home.path("site")).await;
        app.settled("local", &home.path("site")).await;
        by_keyboard(&app, &home).await;
        let share = shown(&app).await;
        let client = Client::connect(share.config()).await.unwrap();
        // Somebody who only looks around is told goodbye, and nobody is asked.
        app.press("dialog-close").await;
        app.quit().await;
        assert!(client.noop().await.is_err());
        let gone = Client::connect(share.config()).await.unwrap_err();
        assert_eq!(*gone.kind(), ErrorKind::Connect);

        let app = App::start(&home).await;
        assert!(!app.is_there(&part("sharing-sign")).await);
        app.quit().await;
    });
}

fn home() -> Home {
    let home = Home::new();
    home.put("site/index.html", "<h1>Harbour</h1>\n");
    home.put("site/film.mkv", pattern(3 << 20));
    home.put("site/assets/logo.svg", "<svg/>");
    home.put("private/diary.txt", "not yours\n");
    home
}

/// What the window tells of the share, for a person to hand on.
struct Shared {
    address: String,
    user: String,
    password: String,
    fingerprint: String,
}

impl Shared {
    fn config(&self) -> Config {
        let (host, port) = self.address.rsplit_once(':').unwrap();
        let mut config = Config::new(host)
            .with_port(port.parse().unwrap())
            .with_tls(ftp_client::TlsMode::Explicit)
            .with_login(Login::new(&self.user, &self.password).unwrap());
        config.trust = Trust {
            pins: vec![self.fingerprint.parse().unwrap()],
            only_pins: true,
            ..Trust::default()
        };
        config
    }
}

/// The open folder, for this computer alone, without the pointer.
async fn by_keyboard(app: &App, home: &Home) {
    app.keys("ctrl+shift+s").await;
    app.shown(&part("dialog-share")).await;
    let path = app
        .until_js(
            "the folder",
            "document.querySelector('[data-testid=dialog-share]').innerText.includes(a)",
            json!(home.path("site")),
        )
        .await;
    assert_eq!(path, json!(true));
    // A radio of a group is chosen by the arrows, from the one that has the keyboard.
    for _ in 0..8 {
        let this = "(() => { const e = document.activeElement; return e && e.dataset.reach === 'this' && e.checked; })()";
        if app.js(&format!("return {this}"), vec![]).await == json!(true) {
            break;
        }
        app.keys("Down").await;
    }
    app.until_js(
        "the button says who can reach it",
        "document.querySelector('[data-testid=share-go]').innerText === a",
        json!("Share on this computer"),
    )
    .await;
    app.keys("Enter").await;
    app.shown(&part("dialog-shares")).await;
    app.shown(&format!("{}[data-shares=\"1\"]", part("sharing-sign")))
        .await;
}

async fn shown(app: &App) -> Shared {
    let fact = async |name: &str| {
        let value = app
            .until_js(
                name,
                "document.querySelector(`[data-testid=share-fact-${a}]`)?.dataset.value",
                json!(name),
            )
            .await;
        value.as_str().unwrap().to_owned()
    };
    let share = Shared {
        address: fact("address").await,
        user: fact("user").await,
        password: fact("password").await,
        fingerprint: fact("fingerprint").await,
    };
    assert!(share.address.starts_with("127.0.0.1:"), "{}", share.address);
    app.shown(&part("share-qr")).await;
    let says = app
        .until_js(
            "the code",
            "document.querySelector('[data-testid=share-qr]').dataset.text",
            json!(null),
        )
        .await;
    assert_eq!(says, json!(format!("ftpes://guest@{}/", share.address)));
    share
}

/// Somebody who has not the password, and somebody who has it.
async fn visit(app: &App, share: &Shared) -> Client {
    let wrong = share
        .config()
        .with_login(Login::new(&share.user, "let me in!").unwrap());
    let refused = Client::connect(wrong).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::LoginRefused);
    app.shown(&format!("{}[data-refused=\"1\"]", part("share-refused")))
        .await;
    let client = Client::connect(share.config()).await.unwrap();
    app.shown(&format!(
        "{}[data-user=\"guest\"][data-peer=\"127.0.0.1\"]",
        part("share-visitor")
    ))
    .await;
    app.shown(&format!("{}[data-people=\"1\"]", part("sharing-sign")))
        .await;
    // What is beside the folder is not in it.
    let outside = RemotePath::try_from("/../private/diary.txt").unwrap();
    assert!(client.size(&outside).await.is_err());
    client
}

/// A limit from the window holds for what a visitor takes; then the rest goes at full speed.
async fn take(app: &App, share: &Shared, client: Client) {
    app.fill("share-limit-download", LIMIT).await;
    let path = RemotePath::try_from("/film.mkv").unwrap();
    let download = client.retr(&path, 0).await.unwrap();
    let taking = tokio::spawn(async move {
        let mut download = download;
        let mut content = Vec::new();
        download.read_to_end(&mut content).await.unwrap();
        download.finish().await.unwrap();
        (client, content)
    });
    app.until_js(
        "what the visitor takes",
        "document.querySelector('[data-testid=share-visitor]')?.innerText.includes(a)",
        json!("downloads /film.mkv"),
    )
    .await;
    app.picture("share-visited").await;
    app.audit("a share that is visited").await;
    // Nobody is cut off by one press.
    app.press("share-stop").await;
    app.shown(&part("share-stop-anyway")).await;
    assert!(!taking.is_finished(), "the limit holds");
    app.fill("share-limit-download", "").await;
    let (client, content) = taking.await.unwrap();
    assert_eq!(content, pattern(3 << 20));
    app.shown(&format!(
        "{}[data-path=\"/film.mkv\"][data-outcome=complete]",
        part("share-move")
    ))
    .await;
    app.shown(&format!("{}[data-downloads=\"1\"]", part("share-totals")))
        .await;
    app.press("share-kick").await;
    app.gone(&part("share-visitor")).await;
    assert!(client.noop().await.is_err());
    Client::connect(share.config()).await.unwrap();
}

async fn stopped(app: &App, share: &Shared) {
    app.press("share-stop-anyway").await;
    app.gone(&part("sharing-sign")).await;
    app.press("dialog-close").await;
    app.gone("dialog[open]").await;
    let gone = Client::connect(share.config()).await.unwrap_err();
    assert_eq!(*gone.kind(), ErrorKind::Connect);
}

/// Every view of it, in both sizes.
async fn looks(app: &App, theme: &str) {
    app.press("settings-button").await;
    app.press(&format!("setting-theme-{theme}")).await;
    app.press("dialog-close").await;
    app.gone("dialog[open]").await;

    app.press("share-button").await;
    app.shown(&part("dialog-share")).await;
    app.see("share-this-folder", theme).await;
    app.press("dialog-cancel").await;
    app.gone("dialog[open]").await;

    app.choose("local", &["assets"]).await;
    share_here(app).await;
    app.press("dialog-close").await;
    app.choose("local", &["index.html"]).await;
    share_here(app).await;
    let share = shown(app).await;
    let client = Client::connect(share.config()).await.unwrap();
    let page = client
        .retr(&RemotePath::try_from("/index.html").unwrap(), 0)
        .await
        .unwrap();
    page.abort().await.ok();
    app.shown(&part("share-visitor")).await;
    app.shown(&part("share-move")).await;
    app.see("shared-folders", theme).await;
    app.press("dialog-close").await;
    app.gone("dialog[open]").await;
    app.see("while-sharing", theme).await;

    app.press("sharing-sign").await;
    for _ in 0..2 {
        app.shown(&part("share-stop")).await;
        app.press("share-stop").await;
    }
    app.gone(&part("sharing-sign")).await;
    app.see("nothing-shared", theme).await;
    app.press("dialog-close").await;
    app.gone("dialog[open]").await;
}

async fn share_here(app: &App) {
    app.press("share-button").await;
    app.shown(&part("dialog-share")).await;
    let this = "[data-testid=share-reach][data-reach=this]";
    app.until_js(
        "this computer only",
        "(() => { const e = document.querySelector(a); e.click(); return e.checked; })()",
        json!(this),
    )
    .await;
    app.press("share-go").await;
    app.shown(&part("dialog-shares")).await;
}
