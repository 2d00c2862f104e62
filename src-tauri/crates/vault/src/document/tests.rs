#![allow(clippy::unwrap_used)]
use super::*;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Numbers {
    version: Version,
    #[serde(default)]
    numbers: Vec<u32>,
    #[serde(flatten)]
    extra: Extra,
}

fn fresh() -> (tempfile::TempDir, Document) {
    let dir = tempfile::tempdir().unwrap();
    let document = Document::new(&dir.path().join("new/slipway"), "numbers.json");
    (dir, document)
}

fn push(document: &Document, number: u32) -> Result<()> {
    document.update(|n: &mut Numbers| {
        n.numbers.push(number);
        Ok(())
    })
}

fn write(document: &Document, text: &str) {
    fs::create_dir_all(&document.folder).unwrap();
    fs::write(document.path(), text).unwrap();
}

#[test]
fn missing_is_empty_and_writing_creates_with_private_modes() {
    let (_dir, document) = fresh();
    assert_eq!(document.read::<Numbers>().unwrap(), Numbers::default());
    push(&document, 7).unwrap();
    assert_eq!(document.read::<Numbers>().unwrap().numbers, [7]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&document.path()), 0o600);
        assert_eq!(mode(&document.folder), 0o700);
    }
    let left: Vec<_> = fs::read_dir(&document.folder)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "only the file and the lock: {left:?}");
}

#[test]
fn damaged_file_is_named_with_its_place_and_left_alone() {
    let (_dir, document) = fresh();
    let text = "{\n  \"version\": 1,\n  \"numbers\": [1, \"x\"]\n}";
    write(&document, text);
    for result in [document.read::<Numbers>().map(|_| ()), push(&document, 1)] {
        match result.unwrap_err() {
            Error::Damaged {
                line, column, why, ..
            } => {
                assert_eq!(line, 3);
                assert!(column > 10, "{column}");
                assert!(!why.contains("line"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fs::read_to_string(document.path()).unwrap(), text);
}

#[test]
fn newer_version_is_refused_and_left_alone() {
    let (_dir, document) = fresh();
    let text = r#"{"version":2,"numbers":"quite different"}"#;
    write(&document, text);
    let error = push(&document, 1).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(fs::read_to_string(document.path()).unwrap(), text);
}

#[test]
fn empty_truncated_and_versionless_files_are_damaged() {
    let (_dir, document) = fresh();
    for text in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"version":0}"#,
        r#"{"version":-1}"#,
        "\u{feff}{}",
    ] {
        write(&document, text);
        let error = document.read::<Numbers>().unwrap_err();
        assert!(
            matches!(error, Error::Damaged { .. }),
            "{text:?}: {error:?}"
        );
    }
}

#[test]
fn unknown_fields_survive_a_rewrite() {
    let (_dir, document) = fresh();
    write(
        &document,
        r#"{"version":1,"numbers":[1],"later":{"a":[1,2]}}"#,
    );
    push(&document, 2).unwrap();
    let value: Value = serde_json::from_slice(&fs::read(document.path()).unwrap()).unwrap();
    assert_eq!(
        value,
        serde_json::json!({"version":1,"numbers":[1,2],"later":{"a":[1,2]}})
    );
}

#[test]
fn a_failed_change_writes_nothing() {
    let (_dir, document) = fresh();
    push(&document, 1).unwrap();
    let before = fs::read(document.path()).unwrap();
    let result: Result<()> = document.update(|n: &mut Numbers| {
        n.numbers.push(2);
        Err(Error::SiteNotFound { id: "x".into() })
    });
    assert!(result.is_err());
    assert_eq!(fs::read(document.path()).unwrap(), before);
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_dir, document) = fresh();
    // Each update opens the lock file anew, so threads exclude each other as processes do.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let document = &document;
            scope.spawn(move || {
                for i in 0..10 {
                    push(document, thread * 10 + i).unwrap();
                }
            });
        }
    });
    let mut numbers = document.read::<Numbers>().unwrap().numbers;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..80).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn a_linked_file_stays_a_link() {
    let (dir, document) = fresh();
    let real = dir.path().join("dotfiles.json");
    fs::write(&real, r#"{"version":1,"numbers":[1]}"#).unwrap();
    fs::create_dir_all(&document.folder).unwrap();
    std::os::unix::fs::symlink(&real, document.path()).unwrap();
    push(&document, 2).unwrap();
    assert!(fs::symlink_metadata(document.path()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains('2'));
}

#[test]
fn an_oversized_file_is_refused() {
    let (_dir, document) = fresh();
    write(&document, "");
    let file = OpenOptions::new()
        .write(true)
        .open(document.path())
        .unwrap();
    file.set_len(SIZE_LIMIT + 1).unwrap();
    let error = document.read::<Numbers>().unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
}
