//! What a person keeps beside a site: where it stands in the list, how it looks, and places in it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Field, Problem, Result, check_text};

/// Folders in folders, at most.
const DEPTH: usize = 16;
/// Bytes of a note, at most.
const NOTES: usize = 20_000;
/// Bookmarks of a site, at most.
const BOOKMARKS: usize = 1_000;

/// The colour of a site's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Cyan,
    Blue,
    Purple,
    Grey,
}

/// A place in a site, and its counterpart on this computer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bookmark {
    /// Its name for people.
    pub name: String,
    /// The remote folder; empty for where the pane is.
    #[serde(default)]
    pub remote_path: String,
    /// The local folder; empty for where the pane is.
    #[serde(default)]
    pub local_path: String,
}

/// Checks what a person has written.
pub(crate) fn check(folder: &[String], notes: &str, bookmarks: &[Bookmark]) -> Result<()> {
    let wrong = |field, problem| Err(Error::Invalid { field, problem });
    if folder.len() > DEPTH {
        return wrong(Field::Folder, Problem::TooMany(DEPTH));
    }
    for name in folder {
        if name.is_empty() {
            return wrong(Field::Folder, Problem::Empty);
        }
        check_text(Field::Folder, name)?;
    }
    if notes.len() > NOTES {
        return wrong(Field::Notes, Problem::TooLong(NOTES));
    }
    // Lines are welcome, but nothing that moves a cursor.
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if let Some((at, _)) = notes.char_indices().find(|(_, c)| odd(*c)) {
        return wrong(Field::Notes, Problem::ForbiddenCharacter(at));
    }
    if bookmarks.len() > BOOKMARKS {
        return wrong(Field::Bookmark, Problem::TooMany(BOOKMARKS));
    }
    for bookmark in bookmarks {
        for text in [&bookmark.name, &bookmark.remote_path, &bookmark.local_path] {
            check_text(Field::Bookmark, text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_notes_and_bookmarks_have_bounds() {
        let field = |folder: &[&str], notes: &str, bookmarks: &[Bookmark]| {
            let folder: Vec<String> = folder.iter().map(|name| (*name).to_owned()).collect();
            match check(&folder, notes, bookmarks) {
                Ok(()) => None,
                Err(Error::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(field(&["Work", "a/b"], "two\nlines\tand a tab", &[]), None);
        assert_eq!(field(&[""], "", &[]), Some(Field::Folder));
        assert_eq!(field(&["a\u{7}"], "", &[]), Some(Field::Folder));
        assert_eq!(field(&["x"; 17], "", &[]), Some(Field::Folder));
        assert_eq!(field(&[], "\u{1b}[2J", &[]), Some(Field::Notes));
        assert_eq!(field(&[], &"n".repeat(NOTES + 1), &[]), Some(Field::Notes));
        let bookmark = Bookmark {
            remote_path: "/a\r\nDELE b".to_owned(),
            ..Bookmark::default()
        };
        assert_eq!(field(&[], "", &[bookmark]), Some(Field::Bookmark));
        let many = vec![Bookmark::default(); BOOKMARKS + 1];
        assert_eq!(field(&[], "", &many), Some(Field::Bookmark));
    }
}
