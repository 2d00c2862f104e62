//! What the server lists, and whether it is understood.

use std::{collections::BTreeSet, time::Instant};

use ftp_proto::{
    Argument, Command,
    listing::{Entry, Kind, Line, ListingDecoder},
};
use jiff::Timestamp;

use super::{
    Check,
    patient::{Patient, said},
    wire::{Errand, Moved, Trouble, Way, entries, quoted},
};

/// A listing that was read.
struct Read {
    entries: Vec<Entry>,
    unparsed: Vec<Vec<u8>>,
}

impl Read {
    fn of(mut decoder: ListingDecoder, moved: &Moved) -> Self {
        decoder.feed(&moved.bytes);
        if !moved.cut {
            decoder.finish();
        }
        let mut read = Self {
            entries: Vec::new(),
            unparsed: Vec::new(),
        };
        while let Some(line) = decoder.next_line() {
            match line {
                Line::Entry(entry) if is_dot(&entry) => {}
                Line::Entry(entry) => read.entries.push(entry),
                Line::Unparsed(line) => read.unparsed.push(line),
                Line::Skip => {}
            }
        }
        read
    }

    fn names(&self) -> BTreeSet<&[u8]> {
        self.entries
            .iter()
            .map(|entry| entry.name.as_slice())
            .collect()
    }

    /// What was not understood.
    fn odd(&self) -> Option<String> {
        let first = self.unparsed.first()?;
        Some(format!(
            "{} lines are not understood, such as {}",
            self.unparsed.len(),
            quoted(first)
        ))
    }
}

fn is_dot(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir)
}

impl Patient<'_> {
    pub(super) async fn look_at_listings(&mut self) {
        let Some(way) = self.way else {
            self.skip(Check::Mlsd, "no data connection comes about");
            self.skip(Check::List, "no data connection comes about");
            return;
        };
        let facts = self.look_at_mlsd(way).await;
        let list = self.look_at_list(way, facts.as_ref()).await;
        self.look_at_names(facts.as_ref().or(list.as_ref()));
        self.entries = facts.or(list).map(|read| read.entries).unwrap_or_default();
        self.look_at_compression(way).await;
    }

    async fn look_at_mlsd(&mut self, way: Way) -> Option<Read> {
        let begin = Instant::now();
        let offered = self.features.has("MLST");
        let moved = match self.transfer(Errand::fetch(way, Command::Mlsd(None))).await {
            Ok(moved) => moved,
            Err(Trouble::Refused(reply)) if !offered => {
                self.notice(
                    Check::Mlsd,
                    begin,
                    format!("there is no listing for programs: {}", said(&reply)),
                    Some("MLSD (RFC 3659) gives exact sizes and times in UTC; the lines of LIST have to be guessed."),
                );
                return None;
            }
            Err(trouble) => {
                self.problem(
                    Check::Mlsd,
                    begin,
                    format!("MLSD: {}", trouble.words()),
                    Some("FEAT names MLST, which stands for MLSD too."),
                );
                return None;
            }
        };
        let read = Read::of(ListingDecoder::mlsd(), &moved);
        self.mlsd_works = true;
        let count = entries(read.entries.len());
        let untyped = read
            .entries
            .iter()
            .filter(|entry| entry.kind == Kind::Other)
            .count();
        if let Some(odd) = read.odd() {
            self.problem(
                Check::Mlsd,
                begin,
                format!("{count}; {odd}"),
                Some("A line of MLSD is facts, a blank and the name (RFC 3659 section 7.2)."),
            );
        } else if moved.end.code.value() != 226 && moved.end.code.value() != 250 {
            self.notice(
                Check::Mlsd,
                begin,
                format!(
                    "{count}, and at the end {} in place of 226",
                    said(&moved.end)
                ),
                Some("A transfer ends with 226 (RFC 959 section 5.4)."),
            );
        } else if !offered {
            self.notice(
                Check::Mlsd,
                begin,
                format!("{count}, all understood; but FEAT does not name MLST"),
                Some("FEAT should name MLST with its facts, so that clients use it (RFC 3659 section 7.8)."),
            );
        } else {
            let untyped = if untyped == 0 {
                String::new()
            } else {
                format!(", {untyped} of no common type")
            };
            self.good(
                Check::Mlsd,
                begin,
                format!("{count}, all understood{untyped}"),
            );
        }
        Some(read)
    }

    async fn look_at_list(&mut self, way: Way, facts: Option<&Read>) -> Option<Read> {
        let begin = Instant::now();
        let moved = match self.transfer(Errand::fetch(way, Command::List(None))).await {
            Ok(moved) => moved,
            Err(trouble) => {
                self.problem(
                    Check::List,
                    begin,
                    format!("LIST: {}", trouble.words()),
                    Some("LIST is what every client knows (RFC 959)."),
                );
                return None;
            }
        };
        let read = Read::of(ListingDecoder::list(Timestamp::now()), &moved);
        let hidden = self.look_for_hidden(way, read.entries.len()).await;
        let count = entries(read.entries.len());
        let missing: Vec<&[u8]> = facts
            .filter(|_| !moved.cut)
            .map(|facts| {
                let names = read.names();
                facts
                    .names()
                    .into_iter()
                    // Those with a dot in front are often left out, and nothing is wrong with it.
                    .filter(|name| !names.contains(name) && !name.starts_with(b"."))
                    .collect()
            })
            .unwrap_or_default();
        if let Some(odd) = read.odd() {
            self.problem(
                Check::List,
                begin,
                format!("{count}; {odd}"),
                Some("Clients guess at the lines of LIST: the form of \"ls -l\" with English months is what all of them know. MLSD needs no guessing."),
            );
        } else if let Some(first) = missing.first() {
            self.notice(
                Check::List,
                begin,
                format!(
                    "{count}; {} that MLSD names are missing or have other names, such as {}",
                    missing.len(),
                    quoted(first)
                ),
                Some("LIST and MLSD should show the same names."),
            );
        } else if moved.end.code.value() != 226 && moved.end.code.value() != 250 {
            self.notice(
                Check::List,
                begin,
                format!(
                    "{count}, and at the end {} in place of 226",
                    said(&moved.end)
                ),
                Some("A transfer ends with 226 (RFC 959 section 5.4)."),
            );
        } else {
            let hidden = hidden.map_or_else(String::new, |words| format!("; {words}"));
            self.good(
                Check::List,
                begin,
                format!("{count}, all understood{hidden}"),
            );
        }
        Some(read)
    }

    /// LIST -a: more entries, or taken for the name of a file.
    async fn look_for_hidden(&mut self, way: Way, count: usize) -> Option<String> {
        let all = Argument::try_from("-a").ok()?;
        let outcome = self
            .transfer(Errand::fetch(way, Command::List(Some(all))))
            .await;
        let taken_for_name = match outcome {
            Ok(moved) => {
                let read = Read::of(ListingDecoder::list(Timestamp::now()), &moved);
                match read.entries.len() {
                    more if more > count => {
                        self.learn(|learned| learned.no_list_all = false);
                        return Some(format!("with -a {} more", more - count));
                    }
                    fewer => fewer < count && !moved.cut,
                }
            }
            Err(Trouble::Refused(_)) => true,
            Err(_) => false,
        };
        self.learn(|learned| learned.no_list_all = taken_for_name);
        taken_for_name.then(|| "-a is taken for the name of a file".to_owned())
    }

    /// Whether the names in the folder are what FEAT says of them.
    fn look_at_names(&mut self, read: Option<&Read>) {
        let Some(read) = read else { return };
        let begin = Instant::now();
        let bad: Vec<&Entry> = read
            .entries
            .iter()
            .filter(|entry| std::str::from_utf8(&entry.name).is_err())
            .collect();
        if let Some(first) = bad.first()
            && self.features.utf8()
        {
            let what = format!(
                "{} names of {} are no UTF-8, such as {}, though the server says that names are",
                bad.len(),
                read.entries.len(),
                quoted(&first.name)
            );
            self.problem(Check::Utf8, begin, what, Some("These files have names in an older encoding: rename them (convmv), or don't offer UTF8."));
        }
    }

    async fn look_at_compression(&mut self, way: Way) {
        let begin = Instant::now();
        let offered = self
            .features
            .get("MODE")
            .is_some_and(|modes| modes.to_ascii_uppercase().contains('Z'));
        if !offered {
            return self.skip(
                Check::Compression,
                "the server does not compress (no MODE Z)",
            );
        }
        match self.ask("MODE Z").await {
            Ok(reply) if reply.code.is_completion() => {}
            Ok(reply) => {
                return self.notice(
                    Check::Compression,
                    begin,
                    format!("it is offered and refused: {}", said(&reply)),
                    Some("What FEAT names should be there."),
                );
            }
            Err(error) => return self.lost(Check::Compression, begin, &error),
        }
        let mut errand = Errand::fetch(way, Command::List(None));
        errand.packed = true;
        match self.transfer(errand).await {
            Ok(moved) => self.good(Check::Compression, begin, format!("listings and files can be compressed (MODE Z), {} bytes came well", moved.bytes.len())),
            Err(trouble) => self.problem(Check::Compression, begin, format!("MODE Z: {}", trouble.words()), Some("Compressed data are a zlib stream (RFC 1950); switch MODE Z off if it does not work.")),
        }
        // Back to how everything else is moved; a session that does not go back is made anew.
        if let Some(line) = &mut self.line {
            match line.ask("MODE S").await {
                Ok(reply) if reply.code.is_completion() => {}
                _ => self.line = None,
            }
        }
    }
}
