//! What is left out of folders.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// What is left out when a folder is looked into. Empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Globs of files to take; if there are any, files that match none are left out. `*` stays within a name, `**` does
    /// not; a pattern without a slash is compared with the name, one with a slash with the path below the batch's folder.
    pub include: Vec<String>,
    /// Globs of files and folders to leave out; these win over `include`.
    pub exclude: Vec<String>,
    /// Files smaller than this (bytes) are left out.
    pub min_size: Option<u64>,
    /// Files larger than this (bytes) are left out.
    pub max_size: Option<u64>,
    /// Files that were last modified before this time are left out.
    pub modified_after: Option<jiff::Timestamp>,
    /// Files that were modified after this time are left out.
    pub modified_before: Option<jiff::Timestamp>,
    /// Files and folders whose names begin with a dot are left out.
    pub skip_hidden: bool,
    /// The folders of version control systems are left out: `.git`, `.svn`, `.hg`, `CVS` and the like.
    pub skip_vcs: bool,
}

/// Folders in which version control systems keep their own things.
const VCS: [&[u8]; 10] = [
    b".git", b".svn", b".hg", b".bzr", b".jj", b".pijul", b"_darcs", b"CVS", b"RCS", b"SCCS",
];

/// A glob that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern \"{glob}\" can't be used: {why}")]
pub struct FilterError {
    /// The glob as it was given.
    pub glob: String,
    /// What is wrong with it.
    pub why: String,
}

/// A [`Filter`] ready for use. Clones of it are cheap.
///
/// What the globs mean beyond the usual: a slash at the beginning ties one to the batch's folder (`/build`); one that ends
/// with a slash speaks of folders alone (`target/`), and as an `include` of all files in such folders, however deep.
/// Letters are compared as they are, large and small; a backslash takes the next character as it is.
#[derive(Debug, Clone)]
pub struct CompiledFilter {
    include: Globs,
    exclude: Globs,
    exclude_folders: Globs,
    includes_all: bool,
    rules: Filter,
}

impl CompiledFilter {
    /// Makes the globs of a filter ready.
    ///
    /// # Errors
    /// The first glob that is none, or that is too long.
    pub fn new(filter: &Filter) -> Result<Self, FilterError> {
        let (mut exclude, mut exclude_folders) = (Vec::new(), Vec::new());
        for glob in &filter.exclude {
            match glob.strip_suffix('/') {
                Some(folder) => exclude_folders.push((glob, folder.to_owned())),
                None => exclude.push((glob, glob.clone())),
            }
        }
        let include = filter.include.iter().map(|glob| {
            let all_in = |folder: &str| match folder.strip_prefix('/') {
                Some(tied) => format!("/{tied}/**"),
                None if folder.contains('/') => format!("{folder}/**"),
                None => format!("**/{folder}/**"),
            };
            let meant = glob.strip_suffix('/').map_or(glob.clone(), all_in);
            (glob, meant)
        });
        Ok(Self {
            include: Globs::new(include)?,
            exclude: Globs::new(exclude)?,
            exclude_folders: Globs::new(exclude_folders)?,
            includes_all: filter.include.is_empty(),
            rules: Filter {
                include: Vec::new(),
                exclude: Vec::new(),
                ..filter.clone()
            },
        })
    }

    /// Whether an entry is transferred. `relative` is its path below the batch's folder, with `/` between the parts and
    /// none at its ends. Of folders only names count: what is in one that is left out is never asked for. A size
    /// (bytes) or time that nobody knows leaves nothing out.
    pub fn verdict(
        &self,
        relative: &[u8],
        folder: bool,
        size: Option<u64>,
        modified: Option<jiff::Timestamp>,
    ) -> bool {
        let name = match relative.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => &relative[slash + 1..],
            None => relative,
        };
        if self.rules.skip_hidden && name.starts_with(b".") {
            return false;
        }
        if self.exclude.matches(relative, name) {
            return false;
        }
        if folder {
            let vcs = self.rules.skip_vcs && VCS.contains(&name);
            return !vcs && !self.exclude_folders.matches(relative, name);
        }
        let rules = &self.rules;
        (self.includes_all || self.include.matches(relative, name))
            && rules
                .min_size
                .zip(size)
                .is_none_or(|(min, size)| size >= min)
            && rules
                .max_size
                .zip(size)
                .is_none_or(|(max, size)| size <= max)
            && rules
                .modified_after
                .zip(modified)
                .is_none_or(|(after, modified)| modified >= after)
            && rules
                .modified_before
                .zip(modified)
                .is_none_or(|(before, modified)| modified <= before)
    }
}

/// Globs, by what they are compared with.
#[derive(Debug, Clone)]
struct Globs {
    names: GlobSet,
    paths: GlobSet,
}

impl Globs {
    /// Of each: what was written, for people, and what it means.
    fn new<'a>(globs: impl IntoIterator<Item = (&'a String, String)>) -> Result<Self, FilterError> {
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        for (written, meant) in globs {
            let fail = |why: String| FilterError {
                glob: written.clone(),
                why,
            };
            let pattern = meant.strip_prefix('/').unwrap_or(&meant);
            if pattern.is_empty() {
                return Err(fail("it is empty".to_owned()));
            }
            if pattern.len() > MOST_GLOB {
                return Err(fail(format!("it is longer than {MOST_GLOB} bytes")));
            }
            let glob = GlobBuilder::new(pattern)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|error| fail(error.kind().to_string()))?;
            // By itself first, so that the one that is too much can be named.
            set(std::slice::from_ref(&glob)).map_err(&fail)?;
            if meant.contains('/') {
                paths.push(glob);
            } else {
                names.push(glob);
            }
        }
        let all = |why| FilterError {
            glob: "all of them together".to_owned(),
            why,
        };
        Ok(Self {
            names: set(&names).map_err(all)?,
            paths: set(&paths).map_err(all)?,
        })
    }

    fn matches(&self, relative: &[u8], name: &[u8]) -> bool {
        let hit = |set: &GlobSet, text: &[u8]| {
            !set.is_empty() && set.is_match_candidate(&Candidate::from_bytes(text))
        };
        hit(&self.names, name) || hit(&self.paths, relative)
    }
}

/// No glob is longer (bytes).
const MOST_GLOB: usize = 4096;

fn set(globs: &[globset::Glob]) -> Result<GlobSet, String> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob.clone());
    }
    builder.build().map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn filter(include: &[&str], exclude: &[&str]) -> CompiledFilter {
        let strings = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        CompiledFilter::new(&Filter {
            include: strings(include),
            exclude: strings(exclude),
            ..Filter::default()
        })
        .unwrap()
    }

    fn file(filter: &CompiledFilter, path: &str) -> bool {
        filter.verdict(path.as_bytes(), false, Some(10), None)
    }

    fn folder(filter: &CompiledFilter, path: &str) -> bool {
        filter.verdict(path.as_bytes(), true, None, None)
    }

    #[test]
    fn names_and_paths() {
        let f = filter(&[], &["*.o", "/top", "a/*.txt", "deep/**", "out/"]);
        for (path, taken) in [
            ("x.o", false),
            ("a/b/x.o", false),
            ("x.ob", true),
            ("top", false),
            ("a/top", true),
            ("a/x.txt", false),
            ("a/b/x.txt", true),
            ("b/a/x.txt", true),
            ("deep/x", false),
            ("deep/x/y", false),
            ("deeper", true),
            ("out", true),
        ] {
            assert_eq!(file(&f, path), taken, "{path}");
        }
        assert!(!folder(&f, "out"));
        assert!(!folder(&f, "a/out"));
        assert!(folder(&f, "deep"));
        assert!(!folder(&f, "x.o"));
    }

    #[test]
    fn includes_are_for_files_and_excludes_win() {
        let f = filter(&["*.html", "img/", "a/b/"], &["draft*"]);
        for (path, taken) in [
            ("index.html", true),
            ("x/y.html", true),
            ("x.css", false),
            ("img/x.png", true),
            ("x/img/deep/x.png", true),
            ("a/b/c/d", true),
            ("x/a/b/c", false),
            ("draft.html", false),
            ("img/draft", false),
        ] {
            assert_eq!(file(&f, path), taken, "{path}");
        }
        assert!(folder(&f, "css"));
        assert!(!folder(&f, "drafts"));
    }

    #[test]
    fn what_the_globs_mean() {
        let f = filter(&["{a,b}?.[ch]", "\\*", "**/z"], &[]);
        for (path, taken) in [
            ("a1.c", true),
            ("q/b2.h", true),
            ("a1.d", false),
            ("*", true),
            ("x", false),
            ("z", true),
            ("1/2/z", true),
            ("A1.c", false),
        ] {
            assert_eq!(file(&f, path), taken, "{path}");
        }
        // A slash in the name's glob would be one in the path.
        assert!(!file(&filter(&["*"], &["a*c"]), "x/abc"));
        assert!(file(&filter(&["*"], &["a*c"]), "a/c"));
    }

    #[test]
    fn names_that_are_no_text() {
        let f = filter(&[], &["*.o"]);
        assert!(!f.verdict(b"\xff\xfe.o", false, None, None));
        assert!(f.verdict(b"\xff\xfe.p", false, None, None));
    }

    #[test]
    fn sizes_times_and_kinds() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let f = CompiledFilter::new(&Filter {
            min_size: Some(10),
            max_size: Some(20),
            modified_after: Some(at(100)),
            modified_before: Some(at(200)),
            skip_hidden: true,
            skip_vcs: true,
            ..Filter::default()
        })
        .unwrap();
        for (size, time, taken) in [
            (Some(9), Some(150), false),
            (Some(10), Some(100), true),
            (Some(20), Some(200), true),
            (Some(21), Some(150), false),
            (Some(15), Some(99), false),
            (Some(15), Some(201), false),
            (None, None, true),
        ] {
            let verdict = f.verdict(b"a/b", false, size, time.map(at));
            assert_eq!(verdict, taken, "{size:?} {time:?}");
        }
        assert!(!f.verdict(b"a/.b", false, Some(15), None));
        assert!(!folder(&f, ".x"));
        assert!(!folder(&f, "a/CVS"));
        assert!(folder(&f, "a/cvs"));
        // The folders of such a system, not a file that happens to be called so.
        assert!(f.verdict(b"CVS", false, Some(15), None));
        assert!(folder(&f, "x"));
    }

    #[test]
    fn a_bad_glob_is_named() {
        for (bad, good) in [("[a", "b"), ("", "b"), ("/", "b"), ("{a", "b")] {
            let error = CompiledFilter::new(&Filter {
                include: vec![good.into()],
                exclude: vec![bad.into()],
                ..Filter::default()
            })
            .unwrap_err();
            assert_eq!(error.glob, bad);
            assert!(error.to_string().contains(bad));
        }
        let long = "*a".repeat(10_000);
        let error = CompiledFilter::new(&Filter {
            include: vec![long.clone()],
            ..Filter::default()
        })
        .unwrap_err();
        assert_eq!(error.glob, long);
    }

    proptest! {
        #[test]
        fn no_glob_and_no_path_is_too_strange(glob in "[*?a/.{},\\[\\]!\\\\-]{0,12}", path: Vec<u8>, size: Option<u64>) {
            let made = CompiledFilter::new(&Filter { exclude: vec![glob.clone()], ..Filter::default() });
            match made {
                Ok(filter) => {
                    filter.verdict(&path, false, size, None);
                    filter.verdict(&path, true, size, None);
                }
                Err(error) => prop_assert_eq!(error.glob, glob),
            }
        }

        #[test]
        fn nothing_is_left_out_by_nothing(path: Vec<u8>, folder: bool, size: Option<u64>) {
            let filter = CompiledFilter::new(&Filter::default()).unwrap();
            prop_assert!(filter.verdict(&path, folder, size, None));
        }
    }
}
