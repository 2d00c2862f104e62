//! Paths that are not written as Unix writes them.
//!
//! Everywhere in the engine a path has `/` between its parts. Only where a command leaves and where the server names a path is it
//! put into the server's own way of writing, and back.

use std::borrow::Cow;

use crate::{Command, RemotePath};

/// How a server writes paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PathStyle {
    /// `/pub/file`, and everything that isn't known to be something else.
    #[default]
    Unix,
    /// `C:\pub\file`, here `/C:/pub/file`; with `/` in place of `\` where `slash` is true.
    Dos {
        /// `C:/pub/file`.
        slash: bool,
    },
    /// `DISK:[PUB]FILE.TXT;1`, here `/DISK/PUB/FILE.TXT;1`; without a disk, `[PUB]FILE.TXT`, here `/PUB/FILE.TXT`.
    Vms {
        /// There is a disk.
        disk: bool,
    },
    /// `'USER.DATA'` of z/OS, here `/USER./DATA`: a part that ends with a dot is the beginning of names, one that doesn't is a
    /// partitioned data set, whose members are in it (`'USER.PDS(MEMBER)'`).
    Mvs,
}

impl PathStyle {
    /// The style of the path that a server has named (in answer to PWD), without the quotes around it.
    #[must_use]
    pub fn of(path: &RemotePath) -> Self {
        let bytes = path.as_bytes();
        match bytes {
            [b'/', ..] => Self::Unix,
            [letter, b':', separator @ (b'/' | b'\\'), ..] if letter.is_ascii_alphabetic() => {
                Self::Dos {
                    slash: *separator == b'/',
                }
            }
            [letter, b':'] if letter.is_ascii_alphabetic() => Self::Dos { slash: false },
            [b'\\', ..] => Self::Dos { slash: false },
            [b'\'', .., b'\''] => Self::Mvs,
            _ => match vms_parts(bytes) {
                Some((disk, _)) => Self::Vms {
                    disk: disk.is_some(),
                },
                None => Self::Unix,
            },
        }
    }

    /// A path of the server's in our way of writing. One that isn't in its style stays as it is.
    #[must_use]
    pub fn read(self, path: &RemotePath) -> RemotePath {
        let bytes = path.as_bytes();
        let read = match self {
            Self::Unix => None,
            Self::Dos { .. } => dos_read(bytes),
            Self::Vms { .. } => vms_parts(bytes).map(|(disk, folders)| {
                let mut parts: Vec<Vec<u8>> = disk.map(<[u8]>::to_vec).into_iter().collect();
                parts.extend(folders);
                joined(&parts)
            }),
            Self::Mvs => mvs_read(bytes),
        };
        read.and_then(|bytes| RemotePath::try_from(bytes).ok())
            .unwrap_or_else(|| path.clone())
    }

    /// The path of a folder, as the server writes it.
    #[must_use]
    pub fn folder(self, path: &RemotePath) -> RemotePath {
        self.write(path, true)
    }

    /// The path of a file, as the server writes it.
    #[must_use]
    pub fn file(self, path: &RemotePath) -> RemotePath {
        self.write(path, false)
    }

    fn write(self, path: &RemotePath, folder: bool) -> RemotePath {
        let written = match self {
            Self::Unix => None,
            Self::Dos { slash } => Some(dos_write(path, slash)),
            Self::Vms { disk } => vms_write(path, disk, folder),
            Self::Mvs => mvs_write(path),
        };
        written
            .and_then(|bytes| RemotePath::try_from(bytes).ok())
            .unwrap_or_else(|| path.clone())
    }

    /// A command with its paths as the server writes them.
    #[must_use]
    pub fn command(self, command: &Command) -> Cow<'_, Command> {
        use Command as C;
        if self == Self::Unix {
            return Cow::Borrowed(command);
        }
        Cow::Owned(match command {
            C::Cwd(path) => C::Cwd(self.folder(path)),
            C::Mkd(path) => C::Mkd(self.folder(path)),
            C::Rmd(path) => C::Rmd(self.folder(path)),
            C::Mlsd(Some(path)) => C::Mlsd(Some(self.folder(path))),
            C::Retr(path) => C::Retr(self.file(path)),
            C::Stor(path) => C::Stor(self.file(path)),
            C::Appe(path) => C::Appe(self.file(path)),
            C::Dele(path) => C::Dele(self.file(path)),
            C::Rnfr(path) => C::Rnfr(self.file(path)),
            C::Rnto(path) => C::Rnto(self.file(path)),
            C::Size(path) => C::Size(self.file(path)),
            C::Mdtm(path) => C::Mdtm(self.file(path)),
            C::Mfmt(time, path) => C::Mfmt(*time, self.file(path)),
            C::Mlst(Some(path)) => C::Mlst(Some(self.file(path))),
            other => return Cow::Owned(other.clone()),
        })
    }
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut path = b"/".to_vec();
    path.extend_from_slice(&parts.join(&b'/'));
    path
}

fn dos_read(bytes: &[u8]) -> Option<Vec<u8>> {
    let drive = matches!(bytes, [letter, b':', ..] if letter.is_ascii_alphabetic());
    if !drive && !bytes.starts_with(b"\\") {
        return None;
    }
    let parts = bytes.split(|byte| matches!(byte, b'\\' | b'/'));
    let parts: Vec<Vec<u8>> = parts
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    Some(joined(&parts))
}

fn dos_write(path: &RemotePath, slash: bool) -> Vec<u8> {
    let separator = if slash { b'/' } else { b'\\' };
    let parts: Vec<&[u8]> = path.components().collect();
    let mut written = parts.join(&separator);
    let drive = matches!(parts.first(), Some([letter, b':']) if letter.is_ascii_alphabetic());
    if path.is_absolute() && !drive {
        written.insert(0, separator);
    } else if path.is_absolute() && parts.len() == 1 {
        // `C:` alone is the folder that one happens to be in there.
        written.push(separator);
    }
    written
}

/// A disk, where one is named, and folders.
type VmsParts<'a> = (Option<&'a [u8]>, Vec<Vec<u8>>);

/// The disk and the folders of `DISK:[A.B]`.
fn vms_parts(bytes: &[u8]) -> Option<VmsParts<'_>> {
    let open = bytes.iter().position(|byte| matches!(byte, b'[' | b'<'))?;
    let close = bytes.last().filter(|byte| matches!(byte, b']' | b'>'))?;
    let matching = (bytes[open] == b'[') == (*close == b']');
    let disk = match &bytes[..open] {
        b"" => None,
        disk => Some(disk.strip_suffix(b":").filter(|disk| !disk.is_empty())?),
    };
    if !matching || disk.is_some_and(|disk| disk.contains(&b'/')) {
        return None;
    }
    let mut folders = vec![Vec::new()];
    let mut rest = bytes[open + 1..bytes.len() - 1].iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'^' => folders.last_mut()?.extend(rest.next()),
            b'.' => folders.push(Vec::new()),
            // `DISK:[A.][B]`: a disk that begins in a folder.
            b']' | b'[' => {}
            byte => folders.last_mut()?.push(*byte),
        }
    }
    folders.retain(|folder| !folder.is_empty() && folder != b"000000");
    Some((disk, folders))
}

fn vms_write(path: &RemotePath, disk: bool, folder: bool) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = path.components().collect();
    let mut written = Vec::new();
    if path.is_absolute() && disk {
        if parts.is_empty() {
            return None;
        }
        written.extend_from_slice(parts.remove(0));
        written.push(b':');
    }
    let name = if folder { None } else { parts.pop() };
    if parts.is_empty() && !path.is_absolute() {
        // A name in the folder that one is in.
        return name.map(<[u8]>::to_vec);
    }
    written.push(b'[');
    if !path.is_absolute() {
        written.push(b'.');
    } else if parts.is_empty() {
        written.extend_from_slice(b"000000");
    }
    let mut first = true;
    for part in parts {
        if !first {
            written.push(b'.');
        }
        match part {
            b".." if written.ends_with(b"[.") => {
                written.pop();
                written.push(b'-');
            }
            b".." => written.push(b'-'),
            part => vms_name(part, &mut written),
        }
        first = false;
    }
    written.push(b']');
    written.extend_from_slice(name.unwrap_or_default());
    Some(written)
}

/// Dots part folders, so one in a name needs a mark.
fn vms_name(name: &[u8], out: &mut Vec<u8>) {
    for byte in name {
        if matches!(byte, b'.' | b'^' | b'[' | b']') {
            out.push(b'^');
        }
        out.push(*byte);
    }
}

fn mvs_read(bytes: &[u8]) -> Option<Vec<u8>> {
    let inner = bytes.strip_prefix(b"'")?.strip_suffix(b"'")?;
    let (names, last) = match inner.iter().rposition(|byte| *byte == b'.') {
        Some(dot) => inner.split_at(dot + 1),
        None => (&b""[..], inner),
    };
    let mut parts: Vec<Vec<u8>> = names
        .split_inclusive(|byte| *byte == b'.')
        .map(<[u8]>::to_vec)
        .collect();
    if !last.is_empty() {
        parts.push(last.to_vec());
    }
    Some(joined(&parts))
}

fn mvs_write(path: &RemotePath) -> Option<Vec<u8>> {
    if !path.is_absolute() {
        return None;
    }
    let mut written = b"'".to_vec();
    let mut member = false;
    for part in path.components() {
        if member {
            return None;
        }
        if written.len() > 1 && !written.ends_with(b".") {
            // In a partitioned data set.
            written.push(b'(');
            written.extend_from_slice(part);
            written.push(b')');
            member = true;
        } else {
            written.extend_from_slice(part);
        }
    }
    written.push(b'\'');
    Some(written)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::try_from(text).unwrap()
    }

    #[test]
    fn what_the_server_names_is_read_and_written_back() {
        for (theirs, ours, style) in [
            ("/pub", "/pub", PathStyle::Unix),
            ("QGPL", "QGPL", PathStyle::Unix),
            (r"C:\", "/C:", PathStyle::Dos { slash: false }),
            (
                r"C:\pub\a b",
                "/C:/pub/a b",
                PathStyle::Dos { slash: false },
            ),
            (r"\pub", "/pub", PathStyle::Dos { slash: false }),
            ("C:/pub/x", "/C:/pub/x", PathStyle::Dos { slash: true }),
            (
                "DISK$USER:[ANON.PUB]",
                "/DISK$USER/ANON/PUB",
                PathStyle::Vms { disk: true },
            ),
            (
                "SYS$DISK:[000000]",
                "/SYS$DISK",
                PathStyle::Vms { disk: true },
            ),
            ("[A.B]", "/A/B", PathStyle::Vms { disk: false }),
            ("D:[A^.B.C]", "/D/A.B/C", PathStyle::Vms { disk: true }),
            ("'USER.'", "/USER.", PathStyle::Mvs),
            ("'USER.DATA.'", "/USER./DATA.", PathStyle::Mvs),
            ("'USER.PDS'", "/USER./PDS", PathStyle::Mvs),
        ] {
            assert_eq!(PathStyle::of(&path(theirs)), style, "{theirs}");
            assert_eq!(style.read(&path(theirs)), path(ours), "{theirs}");
            assert_eq!(style.folder(&path(ours)), path(theirs), "{theirs}");
        }
        // Written in another way than we would.
        let vms = PathStyle::Vms { disk: true };
        for theirs in ["D:<A.B>", "D:[A.][B]", "D:[000000.A.B]"] {
            assert_eq!(PathStyle::of(&path(theirs)), vms, "{theirs}");
            assert_eq!(vms.read(&path(theirs)), path("/D/A/B"), "{theirs}");
        }
        for odd in [
            "D:[A", "[", "]", "x]", "D:[A>", "a/b:[c]", "c:x", "'", "", ":[A]",
        ] {
            assert_eq!(PathStyle::of(&path(odd)), PathStyle::Unix, "{odd}");
        }
    }

    #[test]
    fn files_and_relative_paths() {
        let (dos, vms, mvs) = (
            PathStyle::Dos { slash: false },
            PathStyle::Vms { disk: true },
            PathStyle::Mvs,
        );
        for (style, ours, theirs) in [
            (dos, "/C:/a/f.txt", r"C:\a\f.txt"),
            (dos, "a/f.txt", r"a\f.txt"),
            (dos, "..", ".."),
            (vms, "/D/A/B/F.TXT;1", "D:[A.B]F.TXT;1"),
            (vms, "/D/F.TXT", "D:[000000]F.TXT"),
            (vms, "F.TXT", "F.TXT"),
            (vms, "A/B/F.TXT", "[.A.B]F.TXT"),
            (vms, "../F.TXT", "[-]F.TXT"),
            (vms, "../../A/F.TXT", "[-.-.A]F.TXT"),
            (mvs, "/USER./A.B", "'USER.A.B'"),
            (mvs, "/USER./PDS/MEMBER", "'USER.PDS(MEMBER)'"),
            (mvs, "MEMBER", "MEMBER"),
        ] {
            assert_eq!(style.file(&path(ours)), path(theirs), "{ours}");
        }
        for (ours, theirs) in [("A", "[.A]"), ("..", "[-]"), ("A/B.C", "[.A.B^.C]")] {
            assert_eq!(vms.folder(&path(ours)), path(theirs), "{ours}");
        }
    }

    #[test]
    fn commands_take_what_suits_them() {
        let vms = PathStyle::Vms { disk: true };
        for (ours, theirs) in [
            ("CWD /D/A", "CWD D:[A]"),
            ("RETR /D/A/F.X", "RETR D:[A]F.X"),
            ("MKD /D/A/B", "MKD D:[A.B]"),
            ("SIZE F.X", "SIZE F.X"),
            ("LIST -a", "LIST -a"),
            ("NOOP", "NOOP"),
        ] {
            let command = Command::raw(ours).unwrap();
            assert_eq!(vms.command(&command).redacted(), theirs);
            assert_eq!(PathStyle::Unix.command(&command).redacted(), ours);
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_a_panic(bytes in proptest::collection::vec(prop_oneof![
            Just(b'['), Just(b']'), Just(b':'), Just(b'.'), Just(b'/'), Just(b'\\'), Just(b'\''), Just(b'^'), Just(b'A'), 1u8..255
        ], 0..20)) {
            if let Ok(path) = RemotePath::try_from(bytes) {
                let style = PathStyle::of(&path);
                let read = style.read(&path);
                for style in [style, PathStyle::Mvs, PathStyle::Vms { disk: true }, PathStyle::Vms { disk: false }, PathStyle::Dos { slash: true }] {
                    let _ = (style.folder(&read), style.file(&path), style.read(&path));
                }
            }
        }

        #[test]
        fn folders_come_back(parts in proptest::collection::vec("[A-Z0-9._^]{1,8}", 1..5)) {
            prop_assume!(parts.iter().all(|part| part != "." && part != ".." && part != "000000"));
            let ours = path(&format!("/{}", parts.join("/")));
            let vms = PathStyle::Vms { disk: false };
            prop_assert_eq!(vms.read(&vms.folder(&ours)), ours.clone());
            let drive = path(&format!("/C:/{}", parts.join("/")));
            for slash in [false, true] {
                let dos = PathStyle::Dos { slash };
                prop_assert_eq!(dos.read(&dos.folder(&drive)), drive.clone());
            }
        }
    }
}
