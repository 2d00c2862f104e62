//! The local side. Everything here blocks.
//!
//! Downloads are written through a handle of the folder that the caller named (`base`); what lies below it is reached
//! by cap-std, which follows no link out of it, whatever someone puts there meanwhile.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::Facts;
use crate::error::Error;
#[cfg(unix)]
use crate::partial::temporary_name;

/// A local folder that things are written to.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) dir: Dir,
    pub(crate) path: PathBuf,
}

/// What has a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    Nothing,
    File(Facts),
    /// A link: its target is nobody's business.
    Link,
    Folder,
}

impl Folder {
    /// A folder below `base`, which is made if it is not there.
    pub(crate) fn open(base: &Path, relative: &Path) -> Result<Self, Error> {
        Ok(Self {
            dir: open_folder(base, relative)?,
            path: match relative.as_os_str().is_empty() {
                true => base.to_owned(),
                false => base.join(relative),
            },
        })
    }

    pub(crate) fn look(&self, name: &OsStr) -> Result<There, Error> {
        match self.dir.symlink_metadata(name) {
            Ok(found) if found.is_file() => Ok(There::File(Facts {
                size: Some(found.len()),
                modified: found
                    .modified()
                    .ok()
                    .and_then(|time| time.into_std().try_into().ok()),
            })),
            Ok(found) if found.is_dir() => Ok(There::Folder),
            Ok(_) => Ok(There::Link),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(There::Nothing),
            Err(error) => Err(Error::local("look at", &self.path.join(name), error)),
        }
    }

    /// Makes a symbolic link; what has the name is replaced unless it is a folder.
    #[cfg(unix)]
    pub(crate) fn make_link(&self, name: &OsStr, to: &OsStr) -> Result<(), Error> {
        let fail = |error| Error::local("create the link", &self.path.join(name), error);
        // Not in its place at once: where the system can't make it, what is there stays.
        let mut aside = name.to_owned();
        aside.push(".link");
        let aside = temporary_name(&aside);
        match self.dir.remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        self.dir.symlink(to, &aside).map_err(fail)?;
        self.dir.rename(&aside, &self.dir, name).map_err(|error| {
            if let Err(error) = self.dir.remove_file(&aside) {
                tracing::debug!(%error, "a link was left behind");
            }
            fail(error)
        })
    }

    /// What was renamed in it survives a loss of power.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        // Elsewhere folders are no files that could be written out.
        #[cfg(unix)]
        rustix::fs::fsync(&self.dir)
            .or_else(|error| match error {
                // A handle that is only a place can't be; the way to it can.
                rustix::io::Errno::BADF => File::open(&self.path)?.sync_all(),
                error => Err(error.into()),
            })
            .map_err(|error| Error::local("write", &self.path, error))?;
        Ok(())
    }
}

/// Makes a folder below `base` (or `base` itself); one that is there already will do.
pub(crate) fn make_folder(base: &Path, relative: &Path) -> Result<(), Error> {
    open_folder(base, relative).map(|_| ())
}

/// A handle of a folder below `base`, which is made if it is not there.
pub(crate) fn open_folder(base: &Path, relative: &Path) -> Result<Dir, Error> {
    let fail = |error| Error::local("create the folder", &base.join(relative), error);
    fs::create_dir_all(base).map_err(fail)?;
    let base_folder = Dir::open_ambient_dir(base, ambient_authority()).map_err(fail)?;
    if relative.as_os_str().is_empty() {
        return Ok(base_folder);
    }
    base_folder.create_dir_all(relative).map_err(fail)?;
    base_folder.open_dir(relative).map_err(fail)
}

/// The source of an upload.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
    /// The permissions, where the system has them.
    pub(crate) mode: Option<u32>,
}

impl Source {
    /// Whether the file is still as it was when it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|now| now.len() == self.size && now.modified().ok() == self.modified)
    }
}

#[cfg(unix)]
pub(crate) fn mode_of(metadata: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o777)
}

#[cfg(not(unix))]
pub(crate) fn mode_of(_metadata: &fs::Metadata) -> Option<u32> {
    None
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
        mode: mode_of(&metadata),
        file,
    })
}

const SPECIAL: &str = "a device, pipe or socket";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        assert_eq!(open_source(&path("to-file")).unwrap().size, 5);
        for bad in ["folder", "pipe", "to-folder"] {
            let error = open_source(&path(bad)).unwrap_err();
            assert!(matches!(error, Error::NotAFile { .. }), "{bad}: {error:?}");
        }
        for none in ["none", "to-nothing"] {
            let error = open_source(&path(none)).unwrap_err();
            assert!(matches!(error, Error::Local { .. }), "{none}: {error:?}");
        }
    }
}
