//! The folder of what the program keeps for itself.

use std::io;
use std::path::{Path, PathBuf};

use vault::Folders;

/// A file in the data folder, if there is such a folder.
pub(crate) fn file(name: &str) -> Option<PathBuf> {
    let folders = Folders::from_env().ok()?;
    Some(folders.data().join(name))
}

/// Makes the folder that a file lies in, for its owner alone, if it is missing.
pub(crate) fn make_folder_of(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
