//! What other processes want of whoever holds the journal: the words of [`Request`]s, both ways.

use std::path::PathBuf;
use std::sync::Arc;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::journal::Request;
use crate::{Direction, ItemKind, NewTransfer, Options, SiteKey, TransferId};

/// Something to be done with a queue. Left in its journal as a [`Request`] where another process holds that.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Wish {
    /// New transfers.
    Add(Vec<NewTransfer>),
    /// Items are stopped for now.
    Pause(Which),
    /// Paused items go on.
    Resume(Which),
    /// Items are given up.
    Cancel(Which),
    /// Failed and cancelled items are tried again.
    Retry(Which),
    /// What is finished is taken off the list.
    Clear,
}

/// Which items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// All of them.
    All,
    /// These, and what is in them.
    Items(Vec<TransferId>),
}

/// The body of [`Wish::Add`].
#[derive(Serialize, Deserialize)]
struct Addition {
    /// Most transfers of one command have the same.
    options: Vec<Options>,
    transfers: Vec<Added>,
}

#[derive(Serialize, Deserialize)]
struct Added {
    site: String,
    direction: Direction,
    folder: bool,
    local: Bytes,
    remote: Bytes,
    size: Option<u64>,
    modified: Option<Timestamp>,
    options: usize,
}

/// Paths are bytes; mostly they are text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl Wish {
    /// It as a request.
    pub fn request(&self) -> Request {
        let (kind, body) = match self {
            Self::Add(transfers) => ("add", addition(transfers)),
            Self::Pause(which) => ("pause", json!(which)),
            Self::Resume(which) => ("resume", json!(which)),
            Self::Cancel(which) => ("cancel", json!(which)),
            Self::Retry(which) => ("retry", json!(which)),
            Self::Clear => ("clear", Value::Null),
        };
        Request {
            kind: kind.to_owned(),
            body,
        }
    }

    /// Reads one back.
    ///
    /// # Errors
    /// What is wrong with it, for a log: a kind that a newer program knows, or a body that makes no sense.
    pub fn read(request: &Request) -> Result<Self, String> {
        let which = || {
            Which::deserialize(&request.body)
                .map_err(|error| format!("a request to {}: {error}", request.kind))
        };
        Ok(match request.kind.as_str() {
            "add" => Self::Add(transfers(&request.body)?),
            "pause" => Self::Pause(which()?),
            "resume" => Self::Resume(which()?),
            "cancel" => Self::Cancel(which()?),
            "retry" => Self::Retry(which()?),
            "clear" => Self::Clear,
            other => return Err(format!("a request of an unknown kind: {other:?}")),
        })
    }
}

fn addition(transfers: &[NewTransfer]) -> Value {
    let mut shared: Vec<Arc<Options>> = Vec::new();
    let transfers = transfers
        .iter()
        .map(|new| {
            let known = shared
                .iter()
                .rposition(|known| Arc::ptr_eq(known, &new.options) || **known == *new.options);
            let options = known.unwrap_or_else(|| {
                shared.push(new.options.clone());
                shared.len() - 1
            });
            Added {
                site: new.site.as_str().to_owned(),
                direction: new.direction,
                folder: new.kind == ItemKind::Folder,
                local: Bytes::of(new.local.as_os_str().as_encoded_bytes()),
                remote: Bytes::of(new.remote.as_bytes()),
                size: new.size,
                modified: new.modified,
                options,
            }
        })
        .collect();
    json!(Addition {
        options: shared.iter().map(|options| (**options).clone()).collect(),
        transfers,
    })
}

fn transfers(body: &Value) -> Result<Vec<NewTransfer>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("a request to add: {why}");
    let addition = Addition::deserialize(body).map_err(|error| wrong(&error))?;
    let shared: Vec<Arc<Options>> = addition.options.into_iter().map(Arc::new).collect();
    addition
        .transfers
        .into_iter()
        .map(|added| {
            let options = shared
                .get(added.options)
                .ok_or_else(|| wrong(&"options that are not there"))?;
            let remote = RemotePath::try_from(added.remote.as_slice());
            Ok(NewTransfer {
                site: SiteKey::new(&added.site),
                direction: added.direction,
                kind: if added.folder {
                    ItemKind::Folder
                } else {
                    ItemKind::File
                },
                local: added.local.path()?,
                remote: remote.map_err(|error| wrong(&error))?,
                size: added.size,
                modified: added.modified,
                options: options.clone(),
            })
        })
        .collect()
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Raw(bytes.to_vec()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    #[cfg(unix)]
    fn path(&self) -> Result<PathBuf, String> {
        use std::os::unix::ffi::OsStrExt as _;
        Ok(std::ffi::OsStr::from_bytes(self.as_slice()).into())
    }

    #[cfg(not(unix))]
    fn path(&self) -> Result<PathBuf, String> {
        match self {
            Self::Text(text) => Ok(text.into()),
            Self::Raw(_) => Err("a request to add: a path that this system can't have".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ConflictRule;

    fn new(local: &str, remote: &[u8], options: &Arc<Options>) -> NewTransfer {
        NewTransfer {
            site: SiteKey::new("ftp://me@host"),
            direction: Direction::Upload,
            kind: ItemKind::Folder,
            local: local.into(),
            remote: RemotePath::try_from(remote).unwrap(),
            size: Some(5),
            modified: Some(Timestamp::UNIX_EPOCH),
            options: options.clone(),
        }
    }

    fn through_text(wish: &Wish) -> Wish {
        let text = serde_json::to_string(&wish.request()).unwrap();
        Wish::read(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    #[test]
    fn transfers_come_back_as_they_were() {
        let options = Arc::new(Options {
            conflict: ConflictRule::Rename,
            ..Options::default()
        });
        let plain = Arc::default();
        let wish = Wish::Add(vec![
            new("/a/\u{e4}", b"/x", &options),
            new("b", b"y\xff", &options),
            new("c", b"z", &plain),
        ]);
        let Wish::Add(back) = through_text(&wish) else {
            panic!("something else came back");
        };
        let Wish::Add(all) = wish else { unreachable!() };
        assert_eq!(format!("{back:?}"), format!("{all:?}"));
        assert!(Arc::ptr_eq(&back[0].options, &back[1].options));
    }

    #[cfg(unix)]
    #[test]
    fn local_paths_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt as _;
        let mut odd = new("", b"x", &Arc::default());
        odd.local = std::ffi::OsStr::from_bytes(b"/a/\xff").into();
        let Wish::Add(back) = through_text(&Wish::Add(vec![odd.clone()])) else {
            panic!("something else came back");
        };
        assert_eq!(back[0].local, odd.local);
    }

    #[test]
    fn the_others_come_back() {
        for wish in [
            Wish::Pause(Which::All),
            Wish::Resume(Which::Items(vec![1, 7])),
            Wish::Cancel(Which::Items(Vec::new())),
            Wish::Retry(Which::All),
            Wish::Clear,
        ] {
            assert_eq!(format!("{:?}", through_text(&wish)), format!("{wish:?}"));
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for (kind, body) in [
            ("dance", Value::Null),
            ("pause", Value::Null),
            ("cancel", json!({"items": ["one"]})),
            ("add", json!({"options": [], "transfers": 1})),
            (
                "add",
                json!({"options": [], "transfers": [{
                    "site": "s", "direction": "upload", "folder": false, "local": "l", "remote": "r",
                    "size": null, "modified": null, "options": 3
                }]}),
            ),
            (
                "add",
                json!({"options": [{}], "transfers": [{
                    "site": "s", "direction": "upload", "folder": false, "local": "l", "remote": "r\r\nDELE x",
                    "size": null, "modified": null, "options": 0
                }]}),
            ),
        ] {
            let request = Request {
                kind: kind.to_owned(),
                body,
            };
            assert!(Wish::read(&request).is_err(), "{request:?}");
        }
    }
}
