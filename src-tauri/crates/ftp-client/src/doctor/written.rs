//! Names beyond ASCII, and what the client itself makes of a server: hashes and times.

use std::time::Instant;

use ftp_proto::{
    Argument, Charset, Command, Name,
    listing::{Kind, ListingDecoder},
};
use jiff::Timestamp;

use super::{
    Check,
    files::{FILE, Sample, span},
    patient::Patient,
    wire::{Errand, Trouble, Way, quoted},
};
use crate::{Client, ErrorKind, HashAlgorithm, Hasher};

const ACCENTED: &str = "é-ü-日本.txt";
/// A time that no file has by itself.
const SOMETIME: i64 = 981_173_106;

impl Patient<'_> {
    /// A name beyond ASCII, there and back.
    pub(super) async fn look_at_accents(&mut self, way: Way, sample: &Sample) {
        let begin = Instant::now();
        if self.config.charset != Charset::AUTO {
            return self.skip(
                Check::Names,
                "names are in a charset that was chosen by hand",
            );
        }
        let Some(folder) = sample.path.parent() else {
            return;
        };
        let Ok(name) = Name::try_from(ACCENTED) else {
            return;
        };
        let path = folder.join(&name);
        self.made.push(Command::Dele(path.clone()));
        let mut errand = Errand::fetch(way, Command::Stor(path.clone()));
        errand.upload = Some(b"accents\n");
        let tell = "Let the server take names in UTF-8 (RFC 2640), whatever its own locale is.";
        if let Err(trouble) = self.transfer(errand).await {
            if matches!(trouble, Trouble::Refused(_) | Trouble::NoWay(_)) {
                self.made.pop();
            }
            return self.problem(
                Check::Names,
                begin,
                format!(
                    "a file named {ACCENTED} can't be stored: {}",
                    trouble.words()
                ),
                Some(tell),
            );
        }
        let command = match self.mlsd_works {
            true => Command::Mlsd(Some(folder.clone())),
            false => match Argument::try_from(folder.as_bytes()) {
                Ok(folder) => Command::List(Some(folder)),
                Err(_) => return,
            },
        };
        let decoder = match self.mlsd_works {
            true => ListingDecoder::mlsd(),
            false => ListingDecoder::list(Timestamp::now()),
        };
        let moved = match self.transfer(Errand::fetch(way, command)).await {
            Ok(moved) => moved,
            Err(trouble) => {
                return self.problem(
                    Check::Names,
                    begin,
                    format!("the folder can't be listed: {}", trouble.words()),
                    None,
                );
            }
        };
        let found = names(decoder, &moved.bytes);
        if found.iter().any(|found| found == name.as_bytes()) {
            return self.good(
                Check::Names,
                begin,
                format!("names beyond ASCII come back as they were ({ACCENTED})"),
            );
        }
        let other = found
            .iter()
            .find(|found| found.as_slice() != FILE.as_bytes())
            .map_or_else(
                || "it is not listed at all".to_owned(),
                |other| format!("it is listed as {}", quoted(other)),
            );
        self.problem(
            Check::Names,
            begin,
            format!("a file was stored as {ACCENTED}, and {other}"),
            Some(tell),
        );
    }

    /// What the client itself does: hashes, and setting times.
    pub(super) async fn look_by_client(&mut self, sample: &Sample, writing: bool) {
        let begin = Instant::now();
        // Servers may take no second connection.
        self.leave().await;
        let client = match Client::connect(self.config.clone()).await {
            Ok(client) => client,
            Err(error) => return self.lost(Check::Hashes, begin, &error),
        };
        self.look_at_hashes(&client, sample).await;
        if writing {
            self.look_at_set_time(&client, sample).await;
        }
        let _ = client.quit().await;
    }

    async fn look_at_hashes(&mut self, client: &Client, sample: &Sample) {
        let begin = Instant::now();
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for algorithm in HashAlgorithm::ALL {
            match client.hash(&sample.path, &[algorithm]).await {
                Ok(Some((_, theirs))) => {
                    let mut hasher = Hasher::new(algorithm);
                    hasher.update(&sample.content);
                    match hasher.finish() == theirs {
                        true => right.push(algorithm.name()),
                        false => wrong.push(format!("{algorithm} is wrong")),
                    }
                }
                Ok(None) => {}
                Err(error) if error.is_fatal() => return self.lost(Check::Hashes, begin, &error),
                Err(error) => wrong.push(format!("{algorithm}: {error}")),
            }
        }
        let offered = right.join(", ");
        if !wrong.is_empty() {
            let what = format!(
                "{}; right are: {}",
                wrong.join("; "),
                if offered.is_empty() { "none" } else { &offered }
            );
            self.problem(Check::Hashes, begin, what, Some("A hash that FEAT names must be computed, over the bytes that a transfer in TYPE I moves."));
        } else if offered.is_empty() {
            self.skip(
                Check::Hashes,
                "the server tells no hashes: files are verified by their sizes",
            );
        } else {
            self.good(
                Check::Hashes,
                begin,
                format!("files can be verified by {offered}"),
            );
        }
    }

    async fn look_at_set_time(&mut self, client: &Client, sample: &Sample) {
        let begin = Instant::now();
        let Ok(time) = Timestamp::from_second(SOMETIME) else {
            return;
        };
        match client.mfmt(&sample.path, time).await {
            Ok(()) => {}
            Err(error) if *error.kind() == ErrorKind::Unsupported => {
                return self.notice(
                    Check::SetTime,
                    begin,
                    "files can't be given their times",
                    Some(
                        "Offer MFMT: then uploads keep their times, and mirrors see what is newer.",
                    ),
                );
            }
            Err(error) => {
                return self.problem(
                    Check::SetTime,
                    begin,
                    format!("a time could not be set: {error}"),
                    Some("What FEAT names should work for the user's own files."),
                );
            }
        }
        let told = match client.mdtm(&sample.path).await {
            Ok(told) => told,
            Err(error) => {
                return self.notice(
                    Check::SetTime,
                    begin,
                    format!("a time was set, and can't be asked for: {error}"),
                    None,
                );
            }
        };
        match told.as_second() - SOMETIME {
            0 => self.good(Check::SetTime, begin, "files can be given their times"),
            apart => self.problem(
                Check::SetTime,
                begin,
                format!(
                    "a time was set, and MDTM tells another one, {} apart",
                    span(apart)
                ),
                Some("The time that is set is in UTC, as the one that MDTM tells."),
            ),
        }
    }
}

fn names(mut decoder: ListingDecoder, bytes: &[u8]) -> Vec<Vec<u8>> {
    decoder.feed(bytes);
    decoder.finish();
    let mut names = Vec::new();
    while let Some(line) = decoder.next_line() {
        if let ftp_proto::listing::Line::Entry(entry) = line
            && !matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir)
        {
            names.push(entry.name);
        }
    }
    names
}
