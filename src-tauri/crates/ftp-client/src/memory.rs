//! What was learned of servers, and the file that keeps it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

/// What is older than this is not believed any more: servers are updated, and computers carried elsewhere.
const FRESH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A file larger than this was not written here.
const LARGEST: u64 = 16 * 1024 * 1024;
/// The form of the file.
const VERSION: u32 = 1;

/// What was learned of servers: which commands they don't have, whether many commands at once confuse them. Nothing in it is secret, and
/// all of it can be learned again. Clones share their memory.
#[derive(Debug, Clone, Default)]
pub struct HostMemory {
    hosts: Arc<Mutex<BTreeMap<(String, u16), Learned>>>,
    /// Who said when that it has no TLS. Never kept beyond this program.
    plain: Arc<Mutex<BTreeMap<(String, u16), Instant>>>,
    /// Something was learned since it was loaded or saved.
    changed: Arc<AtomicBool>,
}

/// What is known of one host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Learned {
    /// Its TLS 1.3 tickets run dry: speak TLS 1.2.
    pub(crate) tls12: bool,
    /// It has no TLS 1.2 either, so there is no point in trying again.
    pub(crate) tls13_only: bool,
    /// It hands out no TLS 1.3 tickets at all.
    pub(crate) no_tickets: bool,
    /// It refused a data connection that resumed no session.
    pub(crate) demands_resumption: bool,
    /// EPSV is refused, or leads nowhere.
    pub(crate) no_epsv: bool,
    /// EPRT is refused.
    pub(crate) no_eprt: bool,
    /// What it compresses in MODE Z can't be unpacked.
    pub(crate) no_mode_z: bool,
    /// It does not take compressed uploads for what they are.
    pub(crate) no_packed_uploads: bool,
    /// The mode in which data connections came about where the chosen one failed.
    pub(crate) reaches: Reaches,
    /// `LIST -a` is taken for a file's name.
    pub(crate) no_list_all: bool,
    /// CWD takes one part of a path at a time.
    pub(crate) one_by_one: bool,
    /// Commands on files take names in the working directory and no paths.
    pub(crate) bare_names: bool,
    /// `LIST -a` is understood.
    pub(crate) list_all: bool,
    /// How far the clock that its listings go by is ahead of UTC, in seconds.
    pub(crate) zone: Option<i32>,
    /// How it takes many commands at once.
    pub(crate) pipelining: Pipelining,
    /// Whether it reaches us.
    pub(crate) active: Active,
    /// How many connections it takes from us, and when it said so (seconds since 1970).
    connections: Option<(u8, u64)>,
    /// It lost an upload whose connection was reset right after its end.
    pub(crate) dislikes_resets: bool,
    /// How the times of files are set.
    pub(crate) times: crate::driver::TimeWay,
    /// A batch of transfers went well, in this program or an earlier one.
    pub(crate) proven: bool,
    /// A data connection has come about, in this program.
    #[serde(skip)]
    pub(crate) reached: bool,
    /// When anything of this was learned, in seconds since 1970.
    at: u64,
}

impl Learned {
    /// What of it a file would hold, but for when that was learned.
    fn kept(self) -> Self {
        Self {
            reached: false,
            at: 0,
            ..self
        }
    }
}

/// So long it is believed that a server has no TLS.
const PLAIN: Duration = Duration::from_secs(60);

/// How a server takes many commands at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pipelining {
    /// Nobody has tried.
    #[default]
    Unknown,
    /// It does one after the other, transfers too.
    Batch,
    /// They confuse it.
    Sequential,
}

/// Whether a server's own connections reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Active {
    /// Nobody has tried.
    #[default]
    Unknown,
    /// They do.
    Works,
    /// They don't.
    Fails,
}

/// In which mode data connections come about, where it is not the chosen one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reaches {
    /// In the chosen one, or nobody has tried.
    #[default]
    Unknown,
    /// We reach the server.
    Passive,
    /// The server reaches us.
    Active,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    hosts: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    host: String,
    port: u16,
    #[serde(flatten)]
    learned: Learned,
}

impl HostMemory {
    /// What a file of [`save`](Self::save) holds. What is missing, damaged or older than 30 days is not in it; it
    /// will be learned again.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        Self::load_at(path, seconds(SystemTime::now()))
    }

    fn load_at(path: &Path, now: u64) -> Self {
        let memory = Self::default();
        let Ok(document) = read(path) else {
            return memory;
        };
        let mut hosts = memory.lock();
        for kept in document.hosts {
            let age = now.saturating_sub(kept.learned.at);
            if document.version == VERSION && age < FRESH.as_secs() {
                hosts.insert((kept.host.to_ascii_lowercase(), kept.port), kept.learned);
            }
        }
        drop(hosts);
        memory
    }

    /// Writes it into a file, whole or not at all: under another name beside it first.
    ///
    /// # Errors
    /// Those of the file and its folder, which must exist.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let hosts = self
            .lock()
            .iter()
            .filter(|(_, learned)| learned.kept() != Learned::default())
            .map(|((host, port), learned)| Kept {
                host: host.clone(),
                port: *port,
                learned: *learned,
            })
            .collect();
        let document = Document {
            version: VERSION,
            hosts,
        };
        let text = serde_json::to_vec_pretty(&document)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let beside = path.with_file_name(name);
        let written = File::create(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_data()))
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        if written.is_ok() {
            self.changed.store(false, Ordering::Relaxed);
        }
        written
    }

    /// Whether anything was learned since it was loaded or saved: else there is no need to save it.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// How many connections at once a server was found to take from us, and when that was.
    #[must_use]
    pub fn connections(&self, host: &str, port: u16) -> Option<(u8, SystemTime)> {
        let (limit, at) = self.get(host, port).connections?;
        Some((limit, SystemTime::UNIX_EPOCH + Duration::from_secs(at)))
    }

    /// Remembers how many connections a server takes from us; `None` where it turned out to take more.
    pub fn learn_connections(&self, host: &str, port: u16, limit: Option<u8>, at: SystemTime) {
        self.learn(host, port, |learned| {
            learned.connections = limit.map(|limit| (limit, seconds(at)));
        });
    }

    pub(crate) fn get(&self, host: &str, port: u16) -> Learned {
        self.lock()
            .get(&(host.to_ascii_lowercase(), port))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn learn(&self, host: &str, port: u16, change: impl FnOnce(&mut Learned)) {
        let mut hosts = self.lock();
        let learned = hosts.entry((host.to_ascii_lowercase(), port)).or_default();
        let before = *learned;
        change(learned);
        if learned.kept() != before.kept() {
            learned.at = seconds(SystemTime::now());
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// The server has just said that it has no TLS.
    pub(crate) fn has_no_tls(&self, host: &str, port: u16) {
        self.plain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((host.to_ascii_lowercase(), port), Instant::now());
    }

    /// True where it has said that a moment ago.
    pub(crate) fn had_no_tls(&self, host: &str, port: u16) -> bool {
        self.plain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(host.to_ascii_lowercase(), port))
            .is_some_and(|at| at.elapsed() < PLAIN)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, u16), Learned>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn read(path: &Path) -> io::Result<Document> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn some() -> HostMemory {
        let memory = HostMemory::default();
        memory.learn("Example.com", 21, |learned| {
            learned.no_epsv = true;
            learned.pipelining = Pipelining::Sequential;
        });
        memory.learn_connections("example.com", 21, Some(3), SystemTime::UNIX_EPOCH);
        memory.learn("other.example", 990, |learned| {
            learned.active = Active::Works
        });
        memory
    }

    #[test]
    fn what_is_saved_comes_back_in_any_case_of_letters() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.json");
        let memory = some();
        memory.save(&file).unwrap();
        // Over an older one, too.
        memory.save(&file).unwrap();
        assert!(!memory.is_changed());
        let loaded = HostMemory::load(&file);
        assert!(!loaded.is_changed());
        for (host, port) in [("EXAMPLE.com", 21), ("other.example", 990), ("none", 21)] {
            assert_eq!(loaded.get(host, port), memory.get(host, port));
        }
        let limit = loaded.connections("example.COM", 21);
        assert_eq!(limit, Some((3, SystemTime::UNIX_EPOCH)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_holds_for_this_program_only_is_no_reason_to_save() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.json");
        let memory = HostMemory::default();
        memory.learn("example.com", 21, |learned| learned.reached = true);
        assert!(memory.get("example.com", 21).reached);
        assert!(!memory.is_changed());
        memory.learn("other.example", 21, |learned| learned.no_epsv = true);
        assert!(memory.is_changed());
        // Of the first there is nothing to be kept.
        memory.save(&file).unwrap();
        assert_eq!(read(&file).unwrap().hosts.len(), 1);
        assert!(!HostMemory::load(&file).get("example.com", 21).reached);
    }

    #[test]
    fn nothing_is_believed_for_ever_or_from_a_damaged_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.json");
        some().save(&file).unwrap();
        let later = seconds(SystemTime::now()) + FRESH.as_secs() + 1;
        let empty = Learned::default();
        assert_eq!(
            HostMemory::load_at(&file, later).get("example.com", 21),
            empty
        );
        let whole = std::fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&file, &whole[..cut]).unwrap();
            assert_eq!(HostMemory::load(&file).get("example.com", 21), empty);
        }
        let newer = String::from_utf8(whole).unwrap();
        std::fs::write(&file, newer.replace("\"version\": 1", "\"version\": 2")).unwrap();
        assert_eq!(HostMemory::load(&file).get("example.com", 21), empty);
        std::fs::write(&file, newer.replace("sequential", "sideways")).unwrap();
        assert_eq!(HostMemory::load(&file).get("example.com", 21), empty);
        assert!(some().save(&folder.path().join("no/such")).is_err());
    }
}
