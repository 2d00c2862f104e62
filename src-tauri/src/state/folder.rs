//! A folder on either side, by its real path. The window never sees one: it gets ids and labels.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use ftp_client::ftp_proto::RemotePath;

use crate::error::AppError;

/// A folder of this computer or of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Folder {
    /// An absolute path on this computer.
    Local(PathBuf),
    /// A path on the server of a session.
    Remote { session: u32, path: RemotePath },
}

impl Folder {
    /// The whole path, for people.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Local(path) => path.to_string_lossy().into_owned(),
            Self::Remote { path, .. } => path.to_string_lossy().into_owned(),
        }
    }

    /// The last component, for people; the whole path at a root.
    pub(crate) fn last_label(&self) -> String {
        match self {
            Self::Local(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_else(|| self.label()),
            Self::Remote { path, .. } => path
                .file_name()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .unwrap_or_else(|| self.label()),
        }
    }

    /// The folder that this one is in.
    pub(crate) fn parent(&self) -> Option<Self> {
        match self {
            Self::Local(path) => path.parent().map(|parent| Self::Local(parent.to_owned())),
            Self::Remote { session, path } => path.parent().map(|path| Self::Remote {
                session: *session,
                path,
            }),
        }
    }

    /// All folders on the way here: the root first, this one last.
    pub(crate) fn way(&self) -> Vec<Self> {
        let mut way = vec![self.clone()];
        while let Some(parent) = way.last().and_then(Self::parent) {
            way.push(parent);
        }
        way.reverse();
        way
    }

    /// The session, if it is on a server.
    pub(crate) fn session(&self) -> Option<u32> {
        match self {
            Self::Local(_) => None,
            Self::Remote { session, .. } => Some(*session),
        }
    }
}

/// The person's home folder, or the root where there is none.
pub(crate) fn home() -> PathBuf {
    std::env::home_dir()
        .filter(|home| home.is_absolute())
        .unwrap_or_else(|| PathBuf::from(std::path::MAIN_SEPARATOR_STR))
}

/// Reads what a person typed as a path of this computer: absolute, `~`, `~/x`, or relative to `home`.
///
/// # Errors
/// For a path with `..` that does not exist, since only the disk knows where it leads. Blocks.
pub(crate) fn typed_local(text: &str, home: &Path) -> std::io::Result<PathBuf> {
    let text = text.trim();
    let path = match text.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => {
            home.join(rest.trim_start_matches(['/', std::path::MAIN_SEPARATOR]))
        }
        _ => home.join(text),
    };
    if path
        .components()
        .any(|part| matches!(part, std::path::Component::ParentDir))
    {
        return path.canonicalize();
    }
    // Leaves out `.`, doubled and trailing separators.
    Ok(path.components().collect())
}

/// Reads what a person typed as a path of a server; a relative one begins at `home`.
///
/// # Errors
/// [`ErrorCode::Argument`](crate::error::ErrorCode::Argument) for characters that no command can carry.
pub(crate) fn typed_remote(text: &str, home: &RemotePath) -> Result<RemotePath, AppError> {
    let typed =
        RemotePath::try_from(text.trim_end_matches(['\r', '\n'])).map_err(AppError::from)?;
    Ok(home.join_path(&typed).normalized())
}

/// Checks a name that a person gave to a new or renamed entry on this computer.
///
/// # Errors
/// If it is no plain name of one entry.
pub(crate) fn local_name(name: &str) -> Result<OsString, AppError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(std::path::Component::Normal(part)), None)
            if part == name
                && !name.contains(['/', '\0'])
                && !(cfg!(windows) && name.contains([':', '\\'])) =>
        {
            Ok(part.to_owned())
        }
        _ => Err(AppError::argument(format!(
            "\u{201c}{name}\u{201d} can't be the name of a file or folder."
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn remote(path: &str) -> Folder {
        Folder::Remote {
            session: 1,
            path: RemotePath::try_from(path).unwrap(),
        }
    }

    #[test]
    fn the_way_begins_at_the_root() {
        let labels = |folder: Folder| -> Vec<String> {
            folder.way().iter().map(Folder::last_label).collect()
        };
        assert_eq!(labels(remote("/www/img")), ["/", "www", "img"]);
        assert_eq!(labels(remote("/")), ["/"]);
        #[cfg(unix)]
        assert_eq!(
            labels(Folder::Local("/home/me".into())),
            ["/", "home", "me"]
        );
        assert_eq!(remote("/www/img").label(), "/www/img");
    }

    #[test]
    #[cfg(unix)]
    fn a_typed_local_path() {
        let home = Path::new("/home/me");
        let typed = |text| typed_local(text, home).unwrap();
        assert_eq!(typed("/etc//x/"), Path::new("/etc/x"));
        assert_eq!(typed("~"), home);
        assert_eq!(typed("~/a"), Path::new("/home/me/a"));
        assert_eq!(typed("~//etc"), Path::new("/home/me/etc"));
        assert_eq!(typed("a/./b"), Path::new("/home/me/a/b"));
        assert_eq!(typed(""), home);
        assert!(typed_local("/no/such/folder/../x", home).is_err());
    }

    #[test]
    fn a_typed_remote_path() {
        let home = RemotePath::try_from("/home/me").unwrap();
        let typed = |text| {
            typed_remote(text, &home)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        assert_eq!(typed("/www"), "/www");
        assert_eq!(typed("www"), "/home/me/www");
        assert_eq!(typed("../you"), "/home/you");
        assert_eq!(typed("/../.."), "/");
        assert!(typed_remote("a\r\nDELE b", &home).is_err());
    }

    #[test]
    fn a_local_name_is_one_component() {
        assert_eq!(local_name("a b.txt").unwrap(), "a b.txt");
        for bad in ["", ".", "..", "a/b", "/a", "a/", "a\0b"] {
            assert!(local_name(bad).is_err(), "{bad:?}");
        }
    }
}
