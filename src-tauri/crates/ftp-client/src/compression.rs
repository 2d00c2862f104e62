//! MODE Z: what is worth being compressed on its way.

use ftp_proto::RemotePath;

/// When files and listings are compressed on their way (MODE Z, draft-preston-ftpext-deflate-04), at servers that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Never.
    Never,
    /// Listings, and files whose names say that they are text or something else that packs well.
    #[default]
    Text,
    /// Everything.
    Always,
}

/// Files smaller than this are not worth it: they fit into one segment anyway. In bytes.
const LEAST: u64 = 1024;

/// The endings of names, in lower case, behind which text stands, or tables and pictures that nobody has packed yet.
const PACKS_WELL: [&str; 104] = [
    "adb",
    "ads",
    "asm",
    "asp",
    "aspx",
    "atom",
    "bas",
    "bat",
    "bib",
    "bmp",
    "c",
    "cc",
    "cfg",
    "clj",
    "cmake",
    "cmd",
    "conf",
    "config",
    "cpp",
    "cs",
    "css",
    "csv",
    "cxx",
    "d",
    "dart",
    "diff",
    "dtd",
    "el",
    "eml",
    "erl",
    "ex",
    "f90",
    "geojson",
    "go",
    "gpx",
    "graphql",
    "h",
    "hpp",
    "hs",
    "htm",
    "html",
    "ics",
    "inc",
    "ini",
    "java",
    "js",
    "json",
    "jsonl",
    "jsp",
    "jsx",
    "kml",
    "kt",
    "less",
    "lisp",
    "log",
    "lua",
    "m3u",
    "mbox",
    "md",
    "mjs",
    "ml",
    "mod",
    "nfo",
    "patch",
    "pem",
    "php",
    "pl",
    "plist",
    "pm",
    "po",
    "pot",
    "properties",
    "ps",
    "py",
    "r",
    "rb",
    "rs",
    "rss",
    "rst",
    "rtf",
    "sass",
    "scala",
    "scss",
    "sh",
    "sql",
    "srt",
    "svg",
    "swift",
    "tab",
    "tex",
    "tif",
    "tiff",
    "toml",
    "ts",
    "tsv",
    "tsx",
    "txt",
    "vb",
    "vcf",
    "vtt",
    "wsdl",
    "xhtml",
    "xml",
    "yaml",
];
/// Names without an ending that are text as well.
const NAMES: [&str; 8] = [
    "readme",
    "license",
    "copying",
    "changelog",
    "makefile",
    "dockerfile",
    ".htaccess",
    ".gitignore",
];

impl Compression {
    /// True where this file, of this size if that is known, is to be compressed.
    #[must_use]
    pub fn wants(self, path: &RemotePath, size: Option<u64>) -> bool {
        let big_enough = size.is_none_or(|size| size >= LEAST);
        match self {
            Self::Never => false,
            Self::Text => big_enough && packs_well(path),
            Self::Always => big_enough,
        }
    }
}

fn packs_well(path: &RemotePath) -> bool {
    let bytes = path.as_bytes();
    let name = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or(bytes);
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    // A half-written upload has the name that it will get.
    let name = name.trim_end_matches(".slippart").trim_end_matches(".part");
    NAMES.contains(&name)
        || name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| PACKS_WELL.binary_search(&ending).is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_so_that_it_can_be_searched() {
        assert!(PACKS_WELL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn text_is_told_by_its_name() {
        for (name, wanted) in [
            ("/a/index.html", true),
            ("INDEX.HTML", true),
            ("notes.txt", true),
            ("README", true),
            ("dir.txt/photo.jpg", false),
            ("archive.tar.gz", false),
            ("a.zip", false),
            ("html", false),
            ("noending", false),
            (".htaccess", true),
            (".data.csv.slippart", true),
            ("data.json.part", true),
            ("x.", false),
            ("", false),
        ] {
            let path = RemotePath::try_from(name).unwrap();
            assert_eq!(Compression::Text.wants(&path, None), wanted, "{name}");
            assert!(!Compression::Never.wants(&path, None));
            assert!(Compression::Always.wants(&path, Some(LEAST)));
            assert!(!Compression::Always.wants(&path, Some(LEAST - 1)));
            assert!(!Compression::Text.wants(&path, Some(10)));
        }
    }
}
