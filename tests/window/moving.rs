//! Files on their way, both ways, by every way there is; byte for byte on the disks of both sides.

use std::{fs, path::Path};

use crate::{
    app::{App, Home},
    desktop::run,
    drag_source::DragSource,
    page::{part, pictures, row_of},
    peers::{Peer, SLOW},
};

/// Upload and download of files and folders by the toolbar.
pub(crate) async fn buttons(app: &App, home: &Home, peer: &Peer) {
    app.go("remote", "/upload").await;
    app.settled("remote", "/upload").await;
    app.choose("local", &["assets", "big picture.bmp"]).await;
    app.press("toolbar-upload").await;
    app.transfer("big picture.bmp", "done").await;
    app.transfer("assets", "done").await;
    app.all_done().await;
    for name in [
        "big picture.bmp",
        "assets/logo.svg",
        "assets/deep/er/note.txt",
        "assets/empty.txt",
    ] {
        assert_eq!(
            peer.read(&format!("upload/{name}")),
            home.read(&format!("site/{name}")),
            "{name}"
        );
        assert!(home.read(&format!("site/{name}")).is_some(), "{name}");
    }
    // The pane has seen it.
    app.shown(&row_of("remote", "assets")).await;
    app.shown(&row_of("remote", "big picture.bmp")).await;

    app.go("local", &home.path("inbox")).await;
    app.settled("local", &home.path("inbox")).await;
    app.go("remote", "/").await;
    app.settled("remote", "/").await;
    app.choose("remote", &["www"]).await;
    app.press("toolbar-download").await;
    app.transfer("www", "done").await;
    app.all_done().await;
    for name in [
        "index.html",
        "css/style.css",
        "css/print.css",
        "img/boat \"one\".svg",
        "img/huge.bin",
    ] {
        assert_eq!(
            home.read(&format!("inbox/www/{name}")),
            peer.read(&format!("www/{name}")),
            "{name}"
        );
        assert!(peer.read(&format!("www/{name}")).is_some(), "{name}");
    }
    app.shown(&row_of("local", "www")).await;
    nothing_half_done(&home.files().join("inbox"));
}

/// From pane to pane by the pointer.
pub(crate) async fn pointer(app: &App, home: &Home, peer: &Peer) {
    home.put("inbox/dragged.txt", "across the window\n");
    app.shown(&row_of("local", "dragged.txt")).await;
    app.go("remote", "/upload").await;
    app.settled("remote", "/upload").await;
    app.drag("local", "dragged.txt", "remote").await;
    app.transfer("dragged.txt", "done").await;
    app.all_done().await;
    assert_eq!(
        peer.read("upload/dragged.txt").unwrap(),
        b"across the window\n"
    );

    // What exists is not replaced without a word.
    home.put("inbox/dragged.txt", "again, and longer\n");
    app.shown(&row_of("local", "dragged.txt")).await;
    app.drag("local", "dragged.txt", "remote").await;
    app.shown("[data-testid=dialog-conflicts][data-count=\"1\"]")
        .await;
    app.keys("Escape").await;
    app.gone(&part("dialog-conflicts")).await;
    app.transfer("dragged.txt", "asking").await;
    assert_eq!(
        peer.read("upload/dragged.txt").unwrap(),
        b"across the window\n"
    );
    app.press("queue-bar-go").await;
    app.choose_option("conflict-decision", "overwrite").await;
    app.press("conflicts-go").await;
    app.transfer("dragged.txt", "done").await;
    app.all_done().await;
    assert_eq!(
        peer.read("upload/dragged.txt").unwrap(),
        b"again, and longer\n"
    );

    peer.put("upload/back.txt", b"and back\n");
    app.press("refresh-remote").await;
    app.drag("remote", "back.txt", "local").await;
    app.transfer("back.txt", "done").await;
    app.all_done().await;
    assert_eq!(home.read("inbox/back.txt").unwrap(), b"and back\n");
}

/// From another program: files and a folder, by the X pointer.
pub(crate) async fn from_outside(app: &App, home: &Home, peer: &Peer) {
    home.put("desk/report 100 %.pdf", "%PDF-1.7\n");
    home.put("desk/Gr\u{fc}\u{df}e.txt", "hello\n");
    home.put("desk/photos/2024/sea.jpg", "not really\n");
    home.put("desk/photos/sky.jpg", "nor this\n");
    let at = |name: &str| home.files().join("desk").join(name);
    let (report, words, photos) = (
        at("report 100 %.pdf"),
        at("Gr\u{fc}\u{df}e.txt"),
        at("photos"),
    );
    let source = DragSource::offering(&[&report, &words, &photos]);

    app.go("remote", "/www").await;
    app.settled("remote", "/www").await;
    source
        .drop_on(app, "remote", async || {
            // The driver takes no pictures while a button is down on the display.
            let picture = pictures().join("drop.png");
            run("import", &["-window", "root", picture.to_str().unwrap()]);
        })
        .await;
    app.transfer("report 100 %.pdf", "done").await;
    app.transfer("photos", "done").await;
    app.all_done().await;
    for name in [
        "report 100 %.pdf",
        "Gr\u{fc}\u{df}e.txt",
        "photos/2024/sea.jpg",
        "photos/sky.jpg",
    ] {
        assert_eq!(
            peer.read(&format!("www/{name}")),
            home.read(&format!("desk/{name}")),
            "{name}"
        );
        assert!(home.read(&format!("desk/{name}")).is_some(), "{name}");
    }
    app.shown(&row_of("remote", "photos")).await;
    app.shown(&row_of("remote", "Gr\u{fc}\u{df}e.txt")).await;
}

/// A transfer that takes too long is cancelled; the connection is good for the next.
pub(crate) async fn cancelled(app: &App, home: &Home, peer: &Peer) {
    app.go("remote", "/").await;
    app.settled("remote", "/").await;
    app.choose("remote", &[SLOW]).await;
    app.press("toolbar-download").await;
    app.transfer(SLOW, "running").await;
    // It is really on its way: the bar has moved.
    app.until_js(
        "the transfer moves",
        "(() => { const bar = document.querySelector('[data-testid=queue-row][data-state=running] .fill'); \
          return bar !== null && new DOMMatrix(getComputedStyle(bar).transform).a > 0.01; })()",
        serde_json::Value::Null,
    )
    .await;
    app.press("queue-cancel").await;
    app.transfer(SLOW, "cancelled").await;
    app.press("queue-clear").await;
    app.gone("[data-testid=queue-row]").await;
    let inbox = home.files().join("inbox");
    assert!(!inbox.join(SLOW).exists());
    app.until("nothing is left of it", async || {
        (!half_done(&inbox)).then_some(())
    })
    .await;

    peer.put("after.txt", b"still here\n");
    app.press("refresh-remote").await;
    app.choose("remote", &["after.txt"]).await;
    app.press("toolbar-download").await;
    app.transfer("after.txt", "done").await;
    app.all_done().await;
    assert_eq!(home.read("inbox/after.txt").unwrap(), b"still here\n");
}

fn nothing_half_done(folder: &Path) {
    assert!(!half_done(folder), "{:?}", list(folder));
}

/// Whether there is anything that was not there before and is no whole download.
fn half_done(folder: &Path) -> bool {
    list(folder).iter().any(|name| {
        name != ".keep" && (name.starts_with('.') || name.contains("part") || name.contains(SLOW))
    })
}

fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
