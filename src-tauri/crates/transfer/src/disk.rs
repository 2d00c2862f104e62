//! The local side. Everything here blocks.
//!
//! Downloads are written through a handle of the folder that the caller named (`base`); what lies below it is reached
//! by cap-std, which follows no link out of it, whatever someone puts there meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use crate::error::Error;

/// What temporary names end in.
const SUFFIX: &str = ".slippart";
/// No file system in use allows longer names, in bytes (or units that are no longer).
const NAME_LIMIT: usize = 255;

/// A download on its way: a file under a temporary name in the folder of its target. Dropped without
/// [`commit`](Self::commit), it is removed.
#[derive(Debug)]
pub(crate) struct Partial {
    folder: Dir,
    temporary: OsString,
    name: OsString,
    path: PathBuf,
    file: File,
    in_place: bool,
}

impl Partial {
    /// Makes the temporary file, and the folders that it needs. What an earlier run left under that name is removed;
    /// the caller sees to it that nobody else is working on the same target.
    pub(crate) fn create(base: &Path, relative: &Path) -> Result<Self, Error> {
        let path = base.join(relative);
        let fail = |action: &'static str| {
            let path = path.clone();
            move |error| Error::local(action, &path, error)
        };
        let name = relative
            .file_name()
            .ok_or_else(|| fail("create")(io::ErrorKind::InvalidInput.into()))?;
        if is_temporary(name) {
            // It could be the temporary file of another download, which one of the two would then lose.
            return Err(Error::UnsafeName {
                name: name.to_string_lossy().into_owned(),
                why: "names like this are those of unfinished downloads".to_owned(),
            });
        }
        let folder = open_folder(base, relative.parent().unwrap_or(Path::new("")))?;
        let temporary = temporary_name(name);
        let mut options = OpenOptions::new();
        // Exclusively: neither an existing file nor a link of this name is opened.
        options.write(true).create_new(true);
        let file = match folder.open_with(&temporary, &options) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder.remove_file(&temporary).map_err(fail("replace"))?;
                folder.open_with(&temporary, &options)
            }
            result => result,
        }
        .map_err(fail("create"))?
        .into_std();
        Ok(Self {
            folder,
            temporary,
            name: name.to_owned(),
            path,
            file,
            in_place: false,
        })
    }

    /// Another handle of the temporary file, at its beginning.
    pub(crate) fn file(&self) -> Result<File, Error> {
        self.file
            .try_clone()
            .map_err(|error| Error::local("open", &self.path, error))
    }

    /// Sets the time and puts the file in its place, over what was there.
    pub(crate) fn commit(mut self, modified: Option<SystemTime>) -> Result<(), Error> {
        let fail = |error| Error::local("write", &self.path, error);
        if let Some(modified) = modified {
            // A file system that can't hold this time is no reason to lose the file.
            if let Err(error) = self.file.set_times(FileTimes::new().set_modified(modified)) {
                tracing::debug!(%error, path = %self.path.display(), "the time was not set");
            }
        }
        self.folder
            .rename(&self.temporary, &self.folder, &self.name)
            .map_err(fail)?;
        self.in_place = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.in_place
            && let Err(error) = self.folder.remove_file(&self.temporary)
        {
            tracing::warn!(%error, path = %self.path.display(), "a temporary file was left behind");
        }
    }
}

/// Makes a folder below `base` (or `base` itself); one that is there already will do.
pub(crate) fn make_folder(base: &Path, relative: &Path) -> Result<(), Error> {
    open_folder(base, relative).map(|_| ())
}

fn open_folder(base: &Path, relative: &Path) -> Result<Dir, Error> {
    let fail = |error| Error::local("create the folder", &base.join(relative), error);
    fs::create_dir_all(base).map_err(fail)?;
    let base_folder = Dir::open_ambient_dir(base, ambient_authority()).map_err(fail)?;
    if relative.as_os_str().is_empty() {
        return Ok(base_folder);
    }
    base_folder.create_dir_all(relative).map_err(fail)?;
    base_folder.open_dir(relative).map_err(fail)
}

/// `.NAME.slippart`; of a name that is too long for that, its beginning and a hash.
fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    if name.len() + 1 + SUFFIX.len() <= NAME_LIMIT {
        temporary.push(name);
    } else {
        let text = name.to_string_lossy();
        let mut end = NAME_LIMIT - 1 - 17 - SUFFIX.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // FNV-1a: enough to tell two long names apart, and the same in every run.
        let hash = name
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        temporary.push(&text[..end]);
        temporary.push(format!("-{hash:016x}"));
    }
    temporary.push(SUFFIX);
    temporary
}

fn is_temporary(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b".") && bytes.ends_with(SUFFIX.as_bytes())
}

/// The source of an upload.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

/// Opens a file for upload. Links to files are followed; anything but a file is refused without being read.
pub(crate) fn open_source(path: &Path) -> Result<Source, Error> {
    let fail = |error| Error::local("read", path, error);
    let mut options = fs::OpenOptions::new();
    options.read(true);
    // A pipe without a writer must not hold us up. It makes no difference to files.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits() as i32,
    );
    let file = options.open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.display().to_string(),
            what: if metadata.is_dir() {
                "a folder"
            } else {
                SPECIAL
            },
        });
    }
    Ok(Source {
        size: metadata.len(),
        modified: metadata.modified().ok(),
        file,
    })
}

const SPECIAL: &str = "a device, pipe or socket";

/// An entry of a local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalEntry {
    pub(crate) name: OsString,
    pub(crate) kind: LocalKind,
    pub(crate) size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalKind {
    /// A file, or a link to one.
    File,
    Folder,
    /// Neither: what it is.
    Not(&'static str),
}

/// What is in a local folder, by name.
pub(crate) fn list_folder(path: &Path) -> Result<Vec<LocalEntry>, Error> {
    let fail = |error| Error::local("read the folder", path, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        entries.push(look_at(&entry));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn look_at(entry: &fs::DirEntry) -> LocalEntry {
    let not = |what| (LocalKind::Not(what), None);
    let (kind, size) = match entry.metadata() {
        Ok(m) if m.is_dir() => (LocalKind::Folder, None),
        Ok(m) if m.is_file() => (LocalKind::File, Some(m.len())),
        // A folder behind a link could be one that we are in, or one that nobody meant to send.
        Ok(m) if m.is_symlink() => match fs::metadata(entry.path()) {
            Ok(m) if m.is_file() => (LocalKind::File, Some(m.len())),
            Ok(m) if m.is_dir() => not("a link to a folder"),
            Ok(_) => not(SPECIAL),
            Err(_) => not("a link that leads nowhere"),
        },
        Ok(_) => not(SPECIAL),
        // It will be opened, and that will say what is wrong.
        Err(_) => (LocalKind::File, None),
    };
    LocalEntry {
        name: entry.file_name(),
        kind,
        size,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    fn names(path: &Path) -> Vec<String> {
        list_folder(path)
            .unwrap()
            .into_iter()
            .map(|e| e.name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_partial_file_is_renamed_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("new");
        let partial = Partial::create(&base, Path::new("a/b.txt")).unwrap();
        partial.file().unwrap().write_all(b"hello").unwrap();
        assert_eq!(names(&base.join("a")), [".b.txt.slippart"]);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        partial.commit(Some(time)).unwrap();
        assert_eq!(names(&base.join("a")), ["b.txt"]);
        let metadata = fs::metadata(base.join("a/b.txt")).unwrap();
        assert_eq!((metadata.len(), metadata.modified().unwrap()), (5, time));
        drop(Partial::create(&base, Path::new("a/b.txt")).unwrap());
        assert_eq!(names(&base.join("a")), ["b.txt"]);
        assert_eq!(fs::read(base.join("a/b.txt")).unwrap(), b"hello");
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_out() {
        let dir = tempfile::tempdir().unwrap();
        let (base, outside) = (dir.path().join("base"), dir.path().join("outside"));
        fs::create_dir_all(&base).unwrap();
        fs::create_dir_all(&outside).unwrap();
        let victim = outside.join("victim");
        fs::write(&victim, "precious").unwrap();
        // A link in place of the temporary file is replaced, not followed.
        std::os::unix::fs::symlink(&victim, base.join(".f.slippart")).unwrap();
        std::os::unix::fs::symlink(&victim, base.join("f")).unwrap();
        let partial = Partial::create(&base, Path::new("f")).unwrap();
        partial.file().unwrap().write_all(b"new").unwrap();
        partial.commit(None).unwrap();
        assert_eq!(fs::read(base.join("f")).unwrap(), b"new");
        assert!(!fs::symlink_metadata(base.join("f")).unwrap().is_symlink());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        // A link in place of a folder is not gone through.
        std::os::unix::fs::symlink(&outside, base.join("d")).unwrap();
        for relative in ["d/f", "d/e/f", "../f", "d/../../f"] {
            let error = Partial::create(&base, Path::new(relative)).unwrap_err();
            assert!(
                matches!(error, Error::Local { .. }),
                "{relative}: {error:?}"
            );
        }
        assert!(make_folder(&base, Path::new("d/new")).is_err());
        assert_eq!(names(&outside), ["victim"]);
    }

    #[test]
    fn long_names_have_temporary_names_too() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (
            format!("{}a", "ä".repeat(127)),
            format!("{}b", "ä".repeat(127)),
        );
        assert_ne!(temporary_name(a.as_ref()), temporary_name(b.as_ref()));
        for name in [a, b] {
            let partial = Partial::create(dir.path(), Path::new(&name)).unwrap();
            partial.commit(None).unwrap();
        }
        assert_eq!(names(dir.path()).len(), 2);
        let error = Partial::create(dir.path(), Path::new(".x.slippart")).unwrap_err();
        assert!(matches!(error, Error::UnsafeName { .. }), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_files_are_sources() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "12345").unwrap();
        fs::create_dir(path("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        for (link, to) in [
            ("to-file", "file"),
            ("to-folder", "folder"),
            ("to-nothing", "none"),
        ] {
            std::os::unix::fs::symlink(path(to), path(link)).unwrap();
        }
        let kinds: Vec<_> = list_folder(dir.path())
            .unwrap()
            .into_iter()
            .map(|e| (e.name.into_string().unwrap(), e.kind, e.size))
            .collect();
        let expected = [
            ("file", LocalKind::File, Some(5)),
            ("folder", LocalKind::Folder, None),
            ("pipe", LocalKind::Not(SPECIAL), None),
            ("to-file", LocalKind::File, Some(5)),
            ("to-folder", LocalKind::Not("a link to a folder"), None),
            (
                "to-nothing",
                LocalKind::Not("a link that leads nowhere"),
                None,
            ),
        ]
        .map(|(name, kind, size)| (name.to_owned(), kind, size));
        assert_eq!(kinds, expected);
        assert_eq!(open_source(&path("to-file")).unwrap().size, 5);
        for bad in ["folder", "pipe"] {
            let error = open_source(&path(bad)).unwrap_err();
            assert!(matches!(error, Error::NotAFile { .. }), "{bad}: {error:?}");
        }
        assert!(matches!(
            open_source(&path("none")).unwrap_err(),
            Error::Local { .. }
        ));
    }
}
