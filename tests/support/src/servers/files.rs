//! A server's folder: the user's files, and the server's own.

use std::fs;
use std::path::Path;

use super::{SYSTEM_GID, SYSTEM_UID};

/// Lays out a server's folder: `root` for the user's files, `conf` for root's eyes, `empty` for vsftpd.
pub(super) fn prepare(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for (name, mode) in [("root", 0o755), ("conf", 0o700), ("empty", 0o755)] {
        fs::create_dir(dir.join(name))?;
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode))?;
    }
    own(&dir.join("root"))
}

/// Only root gives files away; a server that runs without root has them already.
fn own(path: &Path) -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(SYSTEM_UID), Some(SYSTEM_GID))
}

pub(super) fn adopt(dir: &Path) -> std::io::Result<()> {
    own(dir)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            adopt(&entry.path())?;
        } else {
            own(&entry.path())?;
        }
    }
    Ok(())
}

pub(super) fn put(root: &Path, path: &str, content: &[u8]) -> std::io::Result<()> {
    let mut place = root.to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for (index, part) in parts.iter().enumerate() {
        place.push(part);
        if index + 1 == parts.len() {
            fs::write(&place, content)?;
        } else if !place.is_dir() {
            fs::create_dir(&place)?;
        }
        own(&place)?;
    }
    Ok(())
}

/// All logs of a server, one after the other.
pub(super) fn log_of(dir: &Path) -> String {
    let mut text = String::new();
    for name in ["output.log", "server.log", "tls.log"] {
        if let Ok(bytes) = fs::read(dir.join("conf").join(name)) {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    text
}
