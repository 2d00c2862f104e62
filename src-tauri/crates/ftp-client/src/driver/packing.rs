//! MODE Z and back: the transfer mode that the server has, and the one that a transfer wants.

use ftp_net::{DeflateCounts, InflateLimits, Stream};
use ftp_proto::{Argument, Command};

use super::{Driver, kind::Kind};
use crate::{Compression, Error, LogKind};

/// How hard uploads are packed: zlib's own middle, which keeps up with fast lines.
const LEVEL: u32 = 6;

/// What the session knows of it.
#[derive(Debug, Default)]
pub(super) struct Packing {
    /// The server is in MODE Z now.
    now: bool,
    /// MODE Z was refused in this session.
    refused: bool,
    /// The file of the transfer that is about to begin, where its size is known.
    announced: Option<u64>,
}

impl Driver {
    /// True where this transfer is to be compressed. Never one from an offset: what an offset means in MODE Z is told nowhere.
    pub(super) fn wants_packing(&self, command: &Command, offset: u64, size: Option<u64>) -> bool {
        let compression = self.config.data_options.compression;
        if offset > 0
            || compression == Compression::Never
            || self.packing.refused
            || self.learned().no_mode_z
            || !self.has_mode_z()
        {
            return false;
        }
        match command {
            Command::Retr(path) => compression.wants(path, size),
            // ProFTPD 1.3.8 fails with an input/output error where an upload unpacks to more than its buffers hold.
            Command::Stor(_) | Command::Appe(_)
                if self.kind == Kind::ProFtpd || self.learned().no_packed_uploads =>
            {
                false
            }
            Command::Stor(path) | Command::Appe(path) => compression.wants(path, size),
            Command::Mlsd(_) | Command::List(_) | Command::Nlst(_) => true,
            _ => false,
        }
    }

    fn has_mode_z(&self) -> bool {
        self.features.iter().any(|(name, rest)| {
            name.eq_ignore_ascii_case("MODE")
                && rest
                    .split([' ', ';', ','])
                    .any(|word| word.eq_ignore_ascii_case("Z"))
        })
    }

    /// Puts the server into the mode that the next transfer wants. A server that refuses MODE Z after all goes on without.
    pub(super) async fn set_packing(
        &mut self,
        wanted: bool,
        announced: Option<u64>,
    ) -> Result<(), Error> {
        self.packing.announced = announced;
        if self.packing.now == wanted || wanted && self.packing.refused {
            return Ok(());
        }
        let letter: &[u8] = if wanted { b"Z" } else { b"S" };
        let argument = Argument::try_from(letter).map_err(Error::argument)?;
        let command = Command::Mode(argument);
        let reply = self.control.exchange(&command).await?;
        if reply.code.is_completion() {
            self.packing.now = wanted;
            Ok(())
        } else if wanted {
            self.packing.refused = true;
            Ok(())
        } else {
            Err(Error::refused(command.redacted(), reply))
        }
    }

    /// The data connection as the mode has it.
    pub(super) fn packed(&self, stream: Stream, command: &Command) -> Stream {
        if !self.packing.now {
            return stream;
        }
        match command {
            Command::Stor(_) | Command::Appe(_) | Command::Stou => stream.deflating(LEVEL),
            _ => stream.inflating(InflateLimits::announced(self.packing.announced)),
        }
    }

    /// What a transfer in MODE Z has saved, for the log and the facts.
    pub(super) fn note_saving(&self, doing: &str, counts: &DeflateCounts) {
        let (file, wire) = (counts.file(), counts.wire());
        if file == 0 {
            return;
        }
        let percent = wire as f64 * 100.0 / file as f64;
        self.control.log(
            LogKind::Info,
            format!("{doing}: {file} bytes as {wire} on the wire ({percent:.1} %)"),
        );
        if let Some(facts) = self.shared.facts() {
            let mut facts = crate::SessionFacts::clone(&facts);
            facts.data.packed_files += file;
            facts.data.packed_wire += wire;
            self.shared.set_facts(facts);
        }
    }

    /// A compressed upload was refused half-way: it may have been that.
    pub(super) fn note_refusal(&self, doing: &str) {
        if doing.starts_with("STOR") || doing.starts_with("APPE") {
            self.control.log(
                LogKind::Info,
                "the server could not keep a compressed upload; from now on they are not compressed",
            );
            self.learn(|learned| learned.no_packed_uploads = true);
        }
    }

    /// What came in MODE Z can't be unpacked: this server is better off without.
    pub(crate) fn spoiled(&self) {
        self.control.log(
            LogKind::Warning,
            "what this server compresses can't be unpacked; from now on nothing is",
        );
        self.learn(|learned| learned.no_mode_z = true);
    }
}
