//! What lies on the practice site: a small web site to look around in, and one file that takes a moment.

use jiff::{SignedDuration, Timestamp};
use vfs::{MemoryTree, VPath, Vfs as _};

/// What a person may put there: enough to practise with, little enough for any computer.
const CAPACITY: u64 = 512 * 1024 * 1024;

/// Width and height of the picture, in pixels: 15.5 MB.
const PICTURE: (u32, u32) = (2880, 1800);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A file, its content, and how many hours ago it was written.
type Planted = (&'static str, &'static [u8], i32);

const FILES: &[Planted] = &[
    ("/README.txt", README.as_bytes(), 2),
    ("/www/index.html", INDEX.as_bytes(), 30),
    ("/www/about.html", ABOUT.as_bytes(), 700),
    ("/www/robots.txt", b"User-agent: *\nAllow: /\n", 9000),
    (
        "/www/.htaccess",
        b"Options -Indexes\nErrorDocument 404 /about.html\n",
        9000,
    ),
    ("/www/css/style.css", STYLE.as_bytes(), 31),
    (
        "/www/css/print.css",
        b"nav { display: none; }\nbody { color: black; background: white; }\n",
        4000,
    ),
    ("/www/js/tide.js", TIDE.as_bytes(), 200),
    ("/www/img/boat.svg", BOAT.as_bytes(), 300),
    ("/www/img/lighthouse.svg", LIGHTHOUSE.as_bytes(), 310),
    ("/docs/How to practise.md", HOW_TO.as_bytes(), 2),
    (
        "/docs/packing list.txt",
        b"rope\nfenders\ntea\nlife jackets, one each\n",
        80,
    ),
    (
        "/docs/Gr\u{fc}\u{df}e aus dem Hafen.txt",
        "Viele Gr\u{fc}\u{df}e!\n".as_bytes(),
        120,
    ),
    (
        "/docs/\u{6e2f}\u{53e3}.txt",
        "\u{6e2f}\u{53e3}\u{3078}\u{3088}\u{3046}\u{3053}\u{305d}\n".as_bytes(),
        121,
    ),
    (
        "/docs/drafts/letter 'to the harbour master'.txt",
        b"Dear Sir or Madam,\n\nabout berth 12 ...\n",
        55,
    ),
];

/// The folders, and how many hours ago each was last changed.
const FOLDERS: &[(&str, i32)] = &[
    ("/www/css", 31),
    ("/www/js", 200),
    ("/www/img", 12),
    ("/www", 30),
    ("/docs/drafts", 55),
    ("/docs", 2),
    ("/logbook", 1000),
    ("/upload here", 9000),
];

/// Plants the tree; its times count back from `now`.
///
/// # Errors
/// None in practice: the tree is empty and has room.
pub(crate) async fn plant(now: Timestamp) -> vfs::Result<MemoryTree> {
    let tree = MemoryTree::new(CAPACITY);
    for (path, content, hours) in FILES {
        put(&tree, path, content, now, *hours).await?;
    }
    for day in 1..=28 {
        let log = logbook(day);
        let path = format!("/logbook/2025-02-{day:02}.log");
        put(&tree, &path, log.as_bytes(), now, (28 - day) * 24 + 1000).await?;
    }
    put(&tree, "/www/img/panorama.bmp", &picture(PICTURE), now, 12).await?;
    tree.mkdir_all(&VPath::new("/upload here")?).await?;
    // Planting changed the folders, too.
    for (path, hours) in FOLDERS {
        let age = HOUR * *hours;
        tree.set_modified(&VPath::new(path)?, now.saturating_sub(age).unwrap_or(now))
            .await?;
    }
    Ok(tree)
}

async fn put(
    tree: &MemoryTree,
    path: &str,
    content: &[u8],
    now: Timestamp,
    hours: i32,
) -> vfs::Result<()> {
    let path = VPath::new(path)?;
    tree.write_file(&path, content).await?;
    tree.set_modified(&path, now.saturating_sub(HOUR * hours).unwrap_or(now))
        .await
}

/// A day on the water.
fn logbook(day: i32) -> String {
    (6..20)
        .map(|hour| {
            let wind = (day * 7 + hour * 3) % 23 + 2;
            format!("2025-02-{day:02} {hour:02}:00  wind {wind:2} kn  all well\n")
        })
        .collect()
}

/// An evening at sea as an uncompressed picture (BMP, 24 bits, rows from the bottom up).
fn picture((width, height): (u32, u32)) -> Vec<u8> {
    const HEADERS: u32 = 54;
    let row = (width * 3).next_multiple_of(4);
    let size = HEADERS + row * height;
    let mut out = Vec::with_capacity(size as usize);
    out.extend_from_slice(b"BM");
    for word in [
        size,
        0,
        HEADERS,
        40,
        width,
        height,
        1 | 24 << 16,
        0,
        row * height,
        2835,
        2835,
        0,
        0,
    ] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let horizon = height * 2 / 5;
    for y in 0..height {
        // The lower rows are the sea, darker towards the viewer; the upper ones are the sky, bluer towards the top.
        let (blue, green, red) = if y < horizon {
            let light = y * 120 / horizon.max(1);
            (70 + light, 40 + light * 3 / 4, 20 + light * 2 / 3)
        } else {
            let up = (y - horizon) * 200 / (height - horizon).max(1);
            (90 + up / 2, 150 - up / 2, 250 - up)
        };
        for x in 0..width {
            // Ripples, so that no two rows are alike.
            let ripple = (x * 31 + y * 17 + x * y / 97) % 13;
            out.extend(
                [blue + ripple, green + ripple, red.saturating_sub(ripple)]
                    .map(|c| c.min(255) as u8),
            );
        }
        let end = (HEADERS + row * (y + 1)) as usize;
        out.resize(end, 0);
    }
    out
}

const README: &str = "\
Welcome to the practice site!

This server runs inside Slipway, in memory, on your computer only. Nothing here
can break: rename things, delete them, upload your own. When you close Slipway,
everything is gone, and next time the site is as new.

Have a look at docs/How to practise.md.
";

const HOW_TO: &str = "\
# How to practise

1. Open `www/img` and download `panorama.bmp` (15 MB): watch the queue below.
2. Drag a folder of yours from the left into `upload here`.
3. Press F2 on a file to rename it, Delete to delete it, F7 for a new folder.
4. Click the lock: the connection is encrypted, with a certificate that was made
   when this site was started.
5. Open the log below to see what the two programs say to each other.
";

const INDEX: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>The little harbour</title>
    <link rel="stylesheet" href="css/style.css">
    <script src="js/tide.js" defer></script>
  </head>
  <body>
    <nav><a href="index.html">Home</a> <a href="about.html">About</a></nav>
    <h1>The little harbour</h1>
    <img src="img/boat.svg" alt="A boat on the slipway" width="240">
    <p>The tide is <span id="tide">on its way</span>.</p>
  </body>
</html>
"#;

const ABOUT: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>About the little harbour</title>
    <link rel="stylesheet" href="css/style.css">
  </head>
  <body>
    <nav><a href="index.html">Home</a> <a href="about.html">About</a></nav>
    <h1>About</h1>
    <img src="img/lighthouse.svg" alt="A lighthouse" width="120">
    <p>Twelve berths, one slipway, tea at four.</p>
  </body>
</html>
"#;

const STYLE: &str = "\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; color: #1c2a36; }
nav a { margin-right: 1rem; color: #0b63a5; }
h1 { color: #0b3d63; }
img { display: block; margin: 1rem 0; }
";

const TIDE: &str = "\
// High water about every twelve hours and twenty-five minutes.
const PERIOD = (12 * 60 + 25) * 60 * 1000;
const rising = (Date.now() % PERIOD) < PERIOD / 2;
document.getElementById('tide').textContent = rising ? 'coming in' : 'going out';
";

const BOAT: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 160">
  <rect width="240" height="160" fill="#dff0fa"/>
  <path d="M0 120 q30 -12 60 0 t60 0 t60 0 t60 0 V160 H0z" fill="#3d8fc2"/>
  <path d="M60 108 h120 l-18 24 h-84z" fill="#8a4b2a"/>
  <path d="M118 104 V30 l52 66z" fill="#fff" stroke="#8a4b2a" stroke-width="2"/>
  <path d="M112 104 V44 l-34 54z" fill="#f6d36b" stroke="#8a4b2a" stroke-width="2"/>
</svg>
"##;

const LIGHTHOUSE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 200">
  <path d="M44 180 l8 -120 h16 l8 120z" fill="#fff" stroke="#333"/>
  <path d="M47 140 l2 -30 h22 l2 30z" fill="#c0392b"/>
  <rect x="50" y="42" width="20" height="18" fill="#f6d36b" stroke="#333"/>
  <path d="M46 42 h28 l-14 -18z" fill="#c0392b"/>
  <rect x="20" y="180" width="80" height="12" rx="4" fill="#777"/>
</svg>
"##;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::TryStreamExt as _;

    use super::*;

    async fn names(tree: &MemoryTree, path: &str) -> Vec<String> {
        let listing = tree.list(&VPath::new(path).unwrap()).await.unwrap();
        let batches: Vec<_> = listing.try_collect().await.unwrap();
        let mut names: Vec<String> = batches
            .into_iter()
            .flatten()
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn has_folders_and_files_to_look_at() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let tree = plant(now).await.unwrap();
        assert_eq!(
            names(&tree, "/").await,
            ["README.txt", "docs", "logbook", "upload here", "www"]
        );
        assert_eq!(names(&tree, "/logbook").await.len(), 28);
        assert!(names(&tree, "/upload here").await.is_empty());
        let readme = tree
            .metadata(&VPath::new("/README.txt").unwrap())
            .await
            .unwrap();
        assert_eq!(
            readme.modified,
            Some("2026-03-01T10:00:00Z".parse().unwrap())
        );
        for (path, _) in FOLDERS {
            assert!(
                tree.metadata(&VPath::new(path).unwrap())
                    .await
                    .unwrap()
                    .modified
                    < Some(now),
                "{path}"
            );
        }
        let picture = tree
            .metadata(&VPath::new("/www/img/panorama.bmp").unwrap())
            .await
            .unwrap();
        assert!(picture.len > 15_000_000);
    }

    #[test]
    fn the_picture_is_as_long_as_it_says() {
        for (width, height) in [(1, 1), (3, 2), (4, 5), (50, 40)] {
            let picture = picture((width, height));
            let said = u32::from_le_bytes(picture[2..6].try_into().unwrap());
            assert_eq!(picture.len() as u32, said);
            assert_eq!(said, 54 + (width * 3).div_ceil(4) * 4 * height);
        }
    }
}
