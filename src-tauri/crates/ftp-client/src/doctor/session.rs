//! What the server says of itself, and how it takes commands.

use std::time::Instant;

use ftp_proto::{Command, Features, RemotePath, Reply, escape};

use super::{
    Check,
    patient::{Patient, said},
};
use crate::{Error, memory::Pipelining};

impl Patient<'_> {
    pub(super) async fn look_at_session(&mut self) {
        self.look_at_features().await;
        self.look_at_protection().await;
        self.look_at_client_name().await;
        self.look_at_virtual_host().await;
        self.look_at_site().await;
        self.look_at_utf8().await;
        self.look_at_folder().await;
        self.look_at_pipelining().await;
        // What follows counts on it.
        let _ = self.ask("TYPE I").await;
    }

    async fn look_at_features(&mut self) {
        let begin = Instant::now();
        let reply = match self.ask("FEAT").await {
            Ok(reply) => reply,
            Err(error) => return self.lost(Check::Features, begin, &error),
        };
        if !reply.code.is_completion() {
            self.notice(
                Check::Features,
                begin,
                format!("the server does not tell what it can do: {}", said(&reply)),
                Some("FEAT (RFC 2389) is missing: a newer server would let clients use what is there."),
            );
            return;
        }
        self.features = Features::parse(&reply);
        let wanted = [
            ("SIZE", "sizes"),
            ("MDTM", "times"),
            ("MLST", "listings for programs"),
            ("REST", "transfers that go on where they stopped"),
            ("UTF8", "names in UTF-8"),
        ];
        let missing: Vec<String> = wanted
            .iter()
            .filter(|(word, _)| !self.features.has(word))
            .map(|(word, what)| format!("{word} ({what})"))
            .collect();
        let words: Vec<&str> = self
            .features
            .iter()
            .map(|(word, _)| word)
            .take(60)
            .collect();
        let count = words.len();
        let list = escape(words.join(" ").as_bytes(), 400);
        // RFC 2389 section 3.2: each feature stands in a line that begins with one blank.
        let odd = reply.lines.len() > 2
            && reply.lines[1..reply.lines.len() - 1]
                .iter()
                .any(|line| !line.starts_with(b" "));
        if odd {
            self.notice(
                Check::Features,
                begin,
                format!("{count} features, in lines that don't begin with a blank: {list}"),
                Some("Each feature stands in a line that begins with one blank (RFC 2389 section 3.2); strict clients see none of them."),
            );
        } else if missing.is_empty() {
            self.good(Check::Features, begin, format!("{count} features: {list}"));
        } else {
            self.notice(
                Check::Features,
                begin,
                format!("{count} features: {list}; without {}", missing.join(", ")),
                Some("A newer server, or its newer settings, would offer what is missing (RFC 3659, RFC 2640)."),
            );
        }
    }

    async fn look_at_protection(&mut self) {
        let begin = Instant::now();
        let outcome = match self.line().await {
            Ok(line) if line.tls.is_none() => None,
            Ok(line) => Some(line.protect().await),
            Err(error) => Some(Err(error)),
        };
        match outcome {
            None => {}
            Some(Ok(reply)) if reply.code.is_completion() => {
                self.good(
                    Check::Protection,
                    begin,
                    "files and listings are encrypted (PROT P)",
                );
            }
            Some(Ok(reply)) => self.problem(
                Check::Protection,
                begin,
                format!(
                    "files and listings go unencrypted: PROT P was refused, {}",
                    said(&reply)
                ),
                Some("Allow PBSZ 0 and PROT P (RFC 4217 section 9)."),
            ),
            Some(Err(error)) => self.lost(Check::Protection, begin, &error),
        }
    }

    async fn look_at_client_name(&mut self) {
        if !self.features.has("CLNT") {
            return self.skip(Check::ClientName, "the server does not ask for it");
        }
        let begin = Instant::now();
        let name = self.config.client_name.clone();
        let outcome = match self.line().await {
            Ok(line) => line.control.exchange(&Command::Clnt(name)).await,
            Err(error) => Err(error),
        };
        self.plain_answer(
            Check::ClientName,
            begin,
            outcome,
            "it may know what we are (CLNT)",
        );
    }

    async fn look_at_virtual_host(&mut self) {
        let what = match (&self.config.virtual_host, self.features.has("HOST")) {
            (Some(host), _) => format!(
                "the site {} was asked for, and the login went well",
                host.to_text()
            ),
            (None, true) => {
                "the server may have several sites (HOST); none was asked for by name".to_owned()
            }
            (None, false) => "the server has one site (no HOST)".to_owned(),
        };
        self.skip(Check::VirtualHost, what);
    }

    async fn look_at_site(&mut self) {
        let begin = Instant::now();
        match self.ask("SITE HELP").await {
            Ok(reply) if reply.code.is_completion() => {
                let known = [
                    "CHMOD", "UTIME", "SYMLINK", "COPY", "CPFR", "QUOTA", "MKDIR", "CHGRP",
                ];
                let text = reply.text().to_ascii_uppercase();
                let found: Vec<&str> = known
                    .into_iter()
                    .filter(|word| text.contains(word))
                    .collect();
                let what = match found.is_empty() {
                    true => "nothing that we make use of".to_owned(),
                    false => found.join(", "),
                };
                self.good(Check::Site, begin, format!("of its own it has: {what}"));
            }
            Ok(reply) => self.skip(
                Check::Site,
                format!(
                    "the server has nothing of its own, or does not tell: {}",
                    said(&reply)
                ),
            ),
            Err(error) => self.lost(Check::Site, begin, &error),
        }
    }

    async fn look_at_utf8(&mut self) {
        if !self.features.utf8() {
            return self.notice(
                Check::Utf8,
                Instant::now(),
                "the server does not say that its names are UTF-8: letters beyond ASCII may look odd",
                Some("Offer UTF8 (RFC 2640), and let the server run in a locale with UTF-8."),
            );
        }
        let begin = Instant::now();
        match self.ask("OPTS UTF8 ON").await {
            Ok(reply) if reply.code.is_completion() => {
                self.good(
                    Check::Utf8,
                    begin,
                    "names are UTF-8 (OPTS UTF8 ON is accepted)",
                );
            }
            // RFC 2640 has no such option: the feature is enough.
            Ok(reply) => self.good(
                Check::Utf8,
                begin,
                format!(
                    "names are UTF-8 (it need not be switched on: {})",
                    said(&reply)
                ),
            ),
            Err(error) => self.lost(Check::Utf8, begin, &error),
        }
    }

    /// PWD, and the folder that is to be looked into.
    async fn look_at_folder(&mut self) {
        let begin = Instant::now();
        let home = match self.ask("PWD").await {
            Err(error) => return self.lost(Check::Folder, begin, &error),
            Ok(reply) => self.path_of(&reply, begin),
        };
        let Some(folder) = &self.examination.folder else {
            self.place = home.clone();
            if let Some(home) = home {
                match home.is_absolute() {
                    true => self.good(Check::Folder, begin, format!("the login starts in {home}")),
                    false => self.notice(
                        Check::Folder,
                        begin,
                        format!("the login starts in {home}, which is written as other systems write it"),
                        Some("Paths that begin with / (a Unix style of names) are understood by every client."),
                    ),
                }
            }
            return;
        };
        let wished = match &home {
            Some(home) if home.is_absolute() => home.join_path(folder),
            _ => folder.clone(),
        };
        let went = match self.line().await {
            Ok(line) => line.control.exchange(&Command::Cwd(wished.clone())).await,
            Err(error) => Err(error),
        };
        match went {
            Ok(reply) if reply.code.is_completion() => {
                self.place = Some(wished.clone());
                self.good(Check::Folder, begin, format!("there is a folder {wished}"));
            }
            Ok(reply) => {
                self.place = home;
                self.problem(
                    Check::Folder,
                    begin,
                    format!("{wished} can't be entered: {}", said(&reply)),
                    None,
                );
            }
            Err(error) => self.lost(Check::Folder, begin, &error),
        }
    }

    fn path_of(&mut self, reply: &Reply, begin: Instant) -> Option<RemotePath> {
        let path = ftp_proto::parse_257(reply.first_line());
        match path {
            Ok(path) if reply.code.is_completion() => Some(path),
            _ => {
                self.problem(
                    Check::Folder,
                    begin,
                    format!("the server does not say where it is: {}", said(reply)),
                    Some("PWD is answered with 257 and the path in quotes (RFC 959 appendix II)."),
                );
                None
            }
        }
    }

    /// Three commands in one write.
    async fn look_at_pipelining(&mut self) {
        let begin = Instant::now();
        match self.try_pipelining().await {
            Ok(None) => {
                self.learn(|learned| {
                    if learned.pipelining == Pipelining::Unknown {
                        learned.pipelining = Pipelining::Batch;
                    }
                });
                self.good(
                    Check::Pipelining,
                    begin,
                    "several commands in one write are answered one after the other",
                );
            }
            Ok(Some(what)) => {
                self.learn(|learned| {
                    learned.pipelining = Pipelining::Sequential;
                    learned.proven = false;
                });
                // Whatever it still has to say was not asked.
                self.line = None;
                self.notice(
                    Check::Pipelining,
                    begin,
                    format!("several commands in one write confuse the server: {what}. It gets one at a time"),
                    Some("The server, or a filter before it, should keep what comes behind a command for later; small files would move much faster."),
                );
            }
            Err(error) => {
                self.learn(|learned| learned.pipelining = Pipelining::Sequential);
                self.notice(
                    Check::Pipelining,
                    begin,
                    format!("several commands in one write end the session: {error}. It gets one at a time"),
                    Some("The server, or a filter before it, should keep what comes behind a command for later."),
                );
            }
        }
    }

    /// What is wrong with the answers to NOOP, NOOP and PWD.
    async fn try_pipelining(&mut self) -> Result<Option<String>, Error> {
        let control = &mut self.line().await?.control;
        control
            .send_all(&[Command::Noop, Command::Noop, Command::Pwd])
            .await?;
        let mut wrong = None;
        for (number, want_pwd) in [(1, false), (2, false), (3, true)] {
            let reply = control.final_reply("three commands in one write").await?;
            let is_pwd = reply.code.value() == 257;
            if wrong.is_none() && (!reply.code.is_completion() || is_pwd != want_pwd) {
                wrong = Some(format!("answer {number} is {}", said(&reply)));
            }
        }
        if control.has_unread() {
            wrong.get_or_insert_with(|| "there are more answers than commands".to_owned());
        }
        Ok(wrong)
    }

    fn plain_answer(
        &mut self,
        check: Check,
        begin: Instant,
        outcome: Result<Reply, Error>,
        good: &str,
    ) {
        match outcome {
            Ok(reply) if reply.code.is_completion() => self.good(check, begin, good),
            Ok(reply) => self.notice(
                check,
                begin,
                format!("it is offered and refused: {}", said(&reply)),
                Some("What FEAT names should be there."),
            ),
            Err(error) => self.lost(check, begin, &error),
        }
    }

    pub(super) async fn leave(&mut self) {
        let begin = Instant::now();
        let Some(mut line) = self.line.take() else {
            return;
        };
        match line.ask("QUIT").await {
            Ok(reply) if reply.code.value() == 221 => {
                self.good(Check::Goodbye, begin, said(&reply))
            }
            Ok(reply) => self.notice(
                Check::Goodbye,
                begin,
                format!("QUIT is answered with {}", said(&reply)),
                Some("The answer to QUIT is 221 (RFC 959 section 5.4)."),
            ),
            Err(error) => self.notice(
                Check::Goodbye,
                begin,
                format!("the server goes without a word: {error}"),
                Some("The answer to QUIT is 221 (RFC 959 section 5.4)."),
            ),
        }
        line.control.close().await;
    }
}
