//! What the journal keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::Receipt;

/// Bytes that a name, or a local path, may have. File systems and servers in use allow 4 KiB at most for a whole path.
pub(crate) const NAME_LIMIT: usize = 64 * 1024;
/// Bytes of JSON that belong to one item, options, receipt or setting.
pub(crate) const JSON_LIMIT: usize = 1024 * 1024;
/// Items are in states from 0 to this; more is damage.
pub(crate) const HIGHEST_STATE: u8 = 31;
/// Bytes of JSON in one request.
pub(crate) const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// One item. Numbers mean what the core says that they mean; 0 in [`parent`](Self::parent) and
/// [`options`](Self::options) is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    pub(crate) site: u32,
    pub(crate) options: u32,
    pub(crate) state: u8,
    pub(crate) flags: u32,
    pub(crate) priority: i8,
    pub(crate) order: i64,
    pub(crate) depth: u32,
    /// In bytes.
    pub(crate) size: Option<u64>,
    /// Nanoseconds since 1970.
    pub(crate) modified: Option<i64>,
    /// Bytes moved.
    pub(crate) bytes: u64,
    pub(crate) attempts: u32,
    /// Milliseconds since 1970.
    pub(crate) start_at: Option<i64>,
    /// At most [`NAME_LIMIT`] bytes.
    pub(crate) name: Vec<u8>,
    /// At most [`NAME_LIMIT`] bytes.
    pub(crate) local: Option<Vec<u8>>,
    /// JSON, at most [`JSON_LIMIT`] bytes.
    pub(crate) detail: Option<String>,
}

/// One change. What is not there can be removed: nothing happens then.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    /// Adds a site, or gives it another key. Keys hold no passwords.
    Site { id: u32, key: String },
    /// Adds options, as JSON, or replaces them.
    Options { id: u32, json: String },
    /// Adds an item, or replaces it.
    Put(Row),
    /// Items that are gone.
    Remove(Vec<u32>),
    /// The receipt of a finished item. The oldest one goes when there are too many.
    Receipt(Box<Receipt>),
    /// A setting of the queue, as JSON.
    Setting { key: String, value: String },
    /// A request has been done, so that it is not handed out again after a crash. In the same transaction as what it
    /// led to.
    Handled { request: i64 },
}

/// Everything but the receipts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Loaded {
    pub(crate) sites: BTreeMap<u32, String>,
    /// JSON.
    pub(crate) options: BTreeMap<u32, String>,
    /// By number. Each one's site is there, and each one's parent, without circles. Its options may be missing after
    /// damage.
    pub(crate) rows: Vec<Row>,
    /// JSON.
    pub(crate) settings: BTreeMap<String, String>,
    /// Rows (of all kinds) that made no sense, or belong to such ones. They stay in the journal until they are
    /// replaced.
    pub(crate) skipped: u64,
    /// The highest number of an item, skipped ones among them: new items get higher ones.
    pub(crate) highest_id: u32,
}

/// Something that another process wants of whoever holds the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What it wants: "add", "pause". At most 64 bytes.
    pub kind: String,
    /// What it is about; at most 16 MiB as text. It holds no passwords.
    pub body: serde_json::Value,
}

/// A request from the inbox.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taken {
    /// For [`Op::Handled`].
    pub(crate) number: i64,
    pub(crate) request: Request,
}

/// A damaged journal was set aside when it was opened, and what could be read of it is in the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where the damaged one is now.
    pub set_aside: std::path::PathBuf,
    /// How many items were recovered.
    pub items: u64,
    /// How many were not, if that is known.
    pub lost: Option<u64>,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the journal was damaged ({}); {} {} recovered, ",
            self.why,
            self.items,
            if self.items == 1 {
                "item was"
            } else {
                "items were"
            }
        )?;
        match self.lost {
            Some(0) => f.write_str("none is lost")?,
            Some(1) => f.write_str("1 is lost")?,
            Some(lost) => write!(f, "{lost} are lost")?,
            None => f.write_str("others may be lost")?,
        }
        write!(f, "; the damaged file is {}", self.set_aside.display())
    }
}
