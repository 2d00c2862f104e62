//! Listings: whole ones through the decoder, and single lines.

use ftp_proto::{
    Name,
    listing::{
        Entry, Kind, Line, ListError, ListingDecoder, MAX_LINE, MlsxFacts, format_list,
        format_mlsx, parse_list_line, parse_mlsx,
    },
};
use jiff::Timestamp;

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "mlsd",
        about: "whole listings of MLSD",
        seeds: MLSX,
        words: MLSX_WORDS,
        run: mlsd,
    },
    Target {
        name: "list",
        about: "whole listings of LIST, in every dialect",
        seeds: LISTS,
        words: LIST_WORDS,
        run: list,
    },
    Target {
        name: "mlsx",
        about: "one line of facts, and written back",
        seeds: MLSX,
        words: MLSX_WORDS,
        run: mlsx,
    },
    Target {
        name: "listline",
        about: "one line of LIST, at several times of the clock, and written back",
        seeds: LINES,
        words: LIST_WORDS,
        run: list_line,
    },
];

const MLSX: &[&[u8]] = &[
    b"type=file;size=3;modify=20240229235960.999;UNIX.mode=0644; plan b.txt\r\n",
    b"type=cdir;modify=20240131235958;perm=flcdmpe; /\r\ntype=dir;sizd=4096;unique=fe00g1; sub\r\n",
    b"type=OS.unix=slink:/a b;UNIX.owner=0;UNIX.group=vera; l\r\nType=pdir; ..\r\n",
    b" name without facts\r\noops\r\n",
];
const MLSX_WORDS: &[&[u8]] = &[
    b"type=",
    b"file",
    b"dir",
    b"cdir",
    b"pdir",
    b"OS.unix=slink:",
    b"OS.unix=symlink",
    b"size=",
    b"sizd=",
    b"modify=",
    b"perm=",
    b"unique=",
    b"UNIX.mode=",
    b"UNIX.owner=",
    b"UNIX.groupname=",
    b"0o",
    b";",
    b"; ",
    b"=",
    b"\r\n",
    b"\r\0",
    b"\xef\xbb\xbf",
    b"\0",
];

/// One line each: also the seeds of single lines.
const LINES: &[&[u8]] = &[
    b"-rw-r--r--   1 vera     press        123456 Feb 29 17:05 plan b.txt",
    b"drwxr-xr-x+  2 1001 100 4096 Nov  3  2019 folder",
    b"lrwxrwxrwx 1 vera press 8 2024-01-31 10:00:00.000 +0100 l -> /srv/pub",
    "brw-r-xr-t 1 vera press 8, 0 3月 9日 24:00 sda".as_bytes(),
    "-rw-r--r-- 1 u g 1 Mär 12 2020 größe".as_bytes(),
    b"-rw-r--r-- 1 group 1,234,567 12 Jan 07:08 name",
    b"02-09-24  05:05PM              123,456 plan b.txt",
    b"02/09/2024  17:05    <JUNCTION>     my [1] [C:\\x]",
    b"2024-02-09  17:05       <DIR>          d",
    b"+i8388621.29609,m824255902,/,\tdev",
    b"README.TXT;1            2/4      29-FEB-2024 17:05:12  [GROUP,OWNER]  (RWED,RWED,RE,)",
    b"A_LONG_NAME_OF_A_FILE_OF_VMS.DAT;12",
    b"SYS1   3390   2024/02/29  1  150  FB      80  9600  PS  MY.DATA.SET",
    b"Migrated                                                MY.OLD.SET",
    b"MEMBER    01.02 2024/01/31 2024/02/29 17:05   120   100     0 USERID",
    b"PROFILE  EXEC     V         72        250          4 2024-02-29 17:05:12 LTK0A1",
    b"QSYS           77824 29/02/24 17:05:12 *DIR       QOpenSys/",
    b"d [R----F--] supervisor            512       Jan 16 18:53    login",
    b"MYFILE         101        5120 29-Feb-24 17:05:12 255, 64 \"OOOO\"",
    b"   123   A    02-29-24  17:05  CONFIG.SYS",
    b"      512    JAN-31-2024  10:00:00   subdir            <DIR>",
    b"just a name",
    b"total 12",
];
const LISTS: &[&[u8]] = &[
    b"total 12\r\ndrwxr-xr-x 2 u g 4096 Nov  3  2019 .\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 n\r\nls: denied\r\n",
    b"02-09-24  05:05PM       <DIR>          d\r\n02-09-24  05:05AM              123 f g\r\n",
    b"Directory DISK$USER:[JOE]\r\n\r\nA_LONG_NAME.DAT;12\r\n      2/4  29-FEB-2024 17:05:12  [G,O]  (RWED,RWED,RE,)\r\nB.TXT;1 1 29-FEB-2024 17:05\r\n\r\nTotal of 2 files, 3 blocks\r\n",
    b"Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname\r\nSYS1   3390   2024/02/29  1  150  FB      80  9600  PS  MY.SET\r\nMigrated                                  OLD.SET\r\n",
    b"+i8388621.29609,m824255902,/,\tdev\r\n+i8388621.44468,m839956783,r,s10376,\tRFCEPLF\r\n",
    b"one\r\ntwo\r\nthree.txt\r\n",
    b"\x60\x99\xa6\x60\x99\x60\x60\x99\x60\x60\x40\xf1\x40\xa4\x40\x87\x40\xf7\x40\xd1\x81\x95\x40\xf1\x40\xf1\xf0\x7a\xf0\xf0\x40\x95\x25",
    b"-rw-r--r-- 1 u g 7 Jan  1 10:00 a\r-rw-r--r-- 1 u g 7 Jan  1 10:00 b\r\0type=file; c\r\n",
];
const LIST_WORDS: &[&[u8]] = &[
    b"-rw-r--r--",
    b"drwxr-xr-x",
    b"lrwxrwxrwx",
    b" -> ",
    b"Jan",
    b"Feb 29",
    b"d\xc3\xa9c",
    "месяц".as_bytes(),
    "янв".as_bytes(),
    "月".as_bytes(),
    "日".as_bytes(),
    b"24:00",
    b"2024",
    b"total ",
    b"<DIR>",
    b"<JUNCTION>",
    b"PM",
    b"a",
    b";1",
    b"[G,O]",
    b"(RWED,)",
    b"+i1,m2,r,s3,\t",
    b"+",
    b"*DIR",
    b"*FILE",
    b"PO",
    b"PS",
    b"Migrated",
    b"ARCIVE",
    b"[R----F--]",
    b"\r\n",
    b"\n",
    b"\r\0",
    b"\r",
    b"  ",
    b"\t",
    b"\x15",
    b"\x25",
    b"\x40",
    b"Directory ",
    b"Total of",
    b"1,234",
    b"8, 0",
    b"\xef\xbb\xbf",
    b"\0",
    b"Volume Unit",
];

/// Noon of a leap day.
fn now() -> Timestamp {
    Timestamp::from_second(1_709_208_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn mlsd(input: &[u8]) -> u64 {
    let lines = whole(&|| ListingDecoder::mlsd_at(now()), input);
    none_lost(&lines, input);
    outcome(&lines)
}

fn list(input: &[u8]) -> u64 {
    let lines = whole(&|| ListingDecoder::list(now()), input);
    none_lost(&lines, input);
    outcome(&lines)
}

/// All lines, which must be the same in whatever pieces they come.
fn whole(new: &dyn Fn() -> ListingDecoder, input: &[u8]) -> Vec<Line> {
    let run = |pieces: &[&[u8]]| {
        let mut decoder = new();
        let mut lines = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            lines.extend(std::iter::from_fn(|| decoder.next_line()));
        }
        decoder.finish();
        lines.extend(std::iter::from_fn(|| decoder.next_line()));
        assert_eq!(decoder.next_line(), None);
        lines
    };
    let lines = run(&[input]);
    assert_eq!(
        lines,
        run(&check::pieces(input)),
        "in pieces something else comes out"
    );
    for line in &lines {
        match line {
            Line::Entry(entry) => entry_is_sound(entry),
            Line::Unparsed(raw) => assert!(raw.len() <= MAX_LINE && !raw.is_empty()),
            Line::Skip => panic!("a line that says nothing came out"),
        }
    }
    lines
}

fn raw(line: &Line) -> &[u8] {
    match line {
        Line::Entry(entry) => &entry.raw,
        Line::Unparsed(raw) => raw,
        Line::Skip => &[],
    }
}

/// Each line that went in is somewhere in what came out, in order, unless it says nothing.
fn none_lost(lines: &[Line], input: &[u8]) {
    let bytes: usize = lines.iter().map(|line| raw(line).len()).sum();
    // EBCDIC becomes UTF-8, where a byte may become two.
    // The lines of an entry that has several need not have the end between them that they came with.
    let begin = |line| raw(line).split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let recoded = lines
        .iter()
        .filter_map(begin)
        .any(|begin| position(input, begin).is_none());
    let most = if recoded {
        2 * input.len()
    } else {
        input.len()
    };
    assert!(bytes <= most, "{bytes} bytes of lines from {}", input.len());
    if recoded {
        let ends = |byte: &&u8| matches!(byte, 0x0d | 0x15 | 0x25);
        assert!(lines.len() <= 1 + input.iter().filter(ends).count());
        return;
    }
    let body = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    // One that came out with nothing but blanks in it is nobody's loss.
    let said = |raw: &&[u8]| !raw.trim_ascii().is_empty();
    let mut out = lines.iter().map(raw).filter(said);
    let mut inside: &[u8] = &[];
    for line in split(body) {
        let line = &line[..line.len().min(MAX_LINE)];
        // Some servers fill the space between lines with these.
        let filling = line.iter().take_while(|byte| **byte == 0).count();
        let line = if line.len() == MAX_LINE {
            line
        } else {
            &line[filling..]
        };
        let nothing = || matches!(parse_list_line(line, now()), Line::Skip);
        if line.trim_ascii().is_empty() || nothing() {
            continue;
        }
        // An entry of several lines has all of them.
        if let Some(at) = position(inside, line) {
            inside = inside.get(at + line.len()..).unwrap_or_default();
            continue;
        }
        match out.next() {
            Some(next) => match position(next, line) {
                Some(at) => inside = next.get(at + line.len()..).unwrap_or_default(),
                None => panic!("the line {:?} is lost before {:?}", text(line), text(next)),
            },
            None => panic!("the line {:?} is lost", text(line)),
        }
    }
    assert!(out.next().is_none(), "a line came out that never went in");
}

fn text(bytes: &[u8]) -> String {
    ftp_proto::escape(bytes, 300)
}

/// Where a part of a text begins. Of a long one the beginning counts: to look for all of it could take for ever.
fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    let part = &part[..part.len().min(200)];
    text.windows(part.len().max(1))
        .position(|window| window == part)
}

/// Lines by their ends: CR LF, LF, CR, CR NUL.
fn split(input: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        lines.push(&rest[..end]);
        let more = usize::from(rest[end] == b'\r' && matches!(rest.get(end + 1), Some(b'\n' | 0)));
        rest = &rest[end + 1 + more..];
    }
    lines.push(rest);
    lines
}

fn outcome(lines: &[Line]) -> u64 {
    shape(lines.iter().take(40).map(|line| match line {
        Line::Entry(entry) => facts(entry),
        Line::Unparsed(_) => 1,
        Line::Skip => 2,
    }))
}

/// Which facts an entry has.
fn facts(entry: &Entry) -> u64 {
    let known = [
        entry.size.is_some(),
        entry.modified.is_some(),
        entry.permissions.is_some(),
        entry.perm.is_some(),
        entry.owner.is_some(),
        entry.group.is_some(),
        entry.links.is_some(),
        entry.target.is_some(),
        entry.unique.is_some(),
        entry.modified.is_some_and(|modified| modified.zone_known),
    ];
    let precision = entry
        .modified
        .map_or(9, |modified| modified.precision as u64);
    shape(
        known
            .map(u64::from)
            .into_iter()
            .chain([entry.kind as u64, precision]),
    )
}

fn entry_is_sound(entry: &Entry) {
    assert!(!entry.name.is_empty(), "{entry:?}");
    assert!(entry.name.len() <= entry.raw.len(), "{entry:?}");
    assert!(
        !entry.name.iter().any(|byte| matches!(byte, b'\r' | b'\n')),
        "{entry:?}"
    );
    assert!(
        entry.permissions.is_none_or(|mode| mode <= 0o7777),
        "{entry:?}"
    );
    match entry.name.as_slice() {
        // Nobody may walk into these as if they were folders of that name.
        b"." | b".." => assert!(entry.kind != Kind::Dir, "{entry:?}"),
        name => {
            if let Err(error) = Name::try_from(name) {
                check::message(&error);
            }
        }
    }
}

fn first_line(input: &[u8]) -> &[u8] {
    input
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default()
}

fn mlsx(input: &[u8]) -> u64 {
    // The function takes a line; that nobody gives it two is not its business.
    let line = first_line(input);
    match parse_mlsx(line) {
        Ok(entry) => {
            assert_eq!(entry.raw, line);
            entry_is_sound(&entry);
            let written = format_mlsx(&entry, MlsxFacts::ALL);
            let mut again = parse_mlsx(&written).expect("what is written can be read");
            let mut wanted = entry.clone();
            // What the form can't carry; the rest comes back.
            (again.raw, wanted.raw) = (Vec::new(), Vec::new());
            let carried = |entry: &Entry| {
                (
                    entry.kind,
                    entry.permissions,
                    entry.modified.map(|modified| modified.timestamp),
                )
            };
            assert_eq!(carried(&again), carried(&wanted), "{}", text(&written));
            if !wanted.name.contains(&0) {
                assert_eq!(again.name, wanted.name, "{}", text(&written));
            }
            facts(&entry)
        }
        Err(error) => {
            check::message(&error);
            match error {
                ListError::NoName { .. } => 1,
                ListError::NoFacts { .. } => 2,
                #[allow(unreachable_patterns)]
                _ => 3,
            }
        }
    }
}

fn list_line(input: &[u8]) -> u64 {
    let line = first_line(input);
    let mut parts = Vec::new();
    for now in [now(), Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        match parse_list_line(line, now) {
            Line::Entry(entry) => {
                assert_eq!(entry.raw, line);
                entry_is_sound(&entry);
                let written = format_list(&entry, now);
                assert!(
                    !written.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
                    "{written:?}"
                );
                parts.push(facts(&entry));
            }
            Line::Unparsed(raw) => {
                assert_eq!(raw, line);
                parts.push(1);
            }
            Line::Skip => parts.push(2),
        }
    }
    parts.push(rough(line.len()));
    shape(parts)
}
