//! What follows the login.

use ftp_proto::{Argument, Command, Features, RemotePath, Reply, escape};

use super::{Driver, kind::Kind};
use crate::{DataFacts, Error, ErrorKind, LogKind, Security, SessionFacts, TlsMode};

impl Driver {
    /// What follows the login: protection of data, features, UTF-8, the folder, the type.
    pub(super) async fn settle(&mut self, greeting: Reply) -> Result<(), Error> {
        if self.queues() {
            self.settle_at_once().await?;
        } else {
            self.settle_by_steps().await?;
        }
        self.learn_style().await?;
        self.choose_language().await?;
        if self.config.clear_control && self.tls.is_some() {
            self.clear_control().await?;
        }
        let greeting = greeting
            .lines
            .iter()
            .map(|line| escape(line, 1000))
            .collect();
        self.shared.set_facts(SessionFacts {
            greeting,
            features: self.features.clone(),
            home: self.cwd.clone(),
            security: Security::Plain,
            // A reconnection changes nothing of this.
            data: self
                .shared
                .facts()
                .map_or_else(DataFacts::default, |facts| facts.data.clone()),
        });
        Ok(())
    }

    /// With a server that is known to take it: everything in one round trip.
    async fn settle_at_once(&mut self) -> Result<(), Error> {
        let argument = |text: &str| Argument::try_from(text).map_err(Error::argument);
        let mut commands = Vec::new();
        if self.tls.is_some() {
            commands.push(Command::Pbsz(argument("0")?));
            commands.push(Command::Prot(argument("P")?));
        }
        commands.extend([Command::Feat, Command::Pwd, Command::Type(argument("I")?)]);
        // The others always speak UTF-8, or whatever the files are named in.
        if matches!(self.kind, Kind::ProFtpd | Kind::PureFtpd) && self.config.charset.is_utf8() {
            commands.push(Command::Opts(argument("UTF8 ON")?));
        }
        self.control.send_all(&commands).await?;
        let mut pwd = None;
        for command in &commands {
            let reply = self.control.final_reply(&command.redacted()).await?;
            match command {
                Command::Prot(_) => self.protected(reply)?,
                Command::Feat if reply.code.is_completion() => {
                    self.features = Features::parse(&reply);
                }
                Command::Pwd => pwd = Some(reply),
                Command::Type(_) if reply.code.is_completion() => self.type_now = Some(b'I'),
                _ => {}
            }
        }
        if let Some(reply) = pwd {
            let path = Self::path_of(reply);
            self.found_home(path)?;
        }
        self.want_facts().await?;
        self.set_type(b'I').await
    }

    async fn settle_by_steps(&mut self) -> Result<(), Error> {
        if self.tls.is_some() {
            self.protect().await?;
        }
        let reply = self.control.exchange(&Command::Feat).await?;
        if reply.code.is_completion() {
            self.features = Features::parse(&reply);
        }
        if self.features.has("CLNT") {
            let name = self.config.client_name.clone();
            self.control.exchange(&Command::Clnt(name)).await?;
        }
        // Refused by servers that always speak UTF-8: either way is fine.
        if self.features.utf8() && self.config.charset.is_utf8() {
            self.opts("UTF8 ON").await?;
        }
        self.want_facts().await?;
        let path = self.pwd().await;
        self.found_home(path)?;
        self.set_type(b'I').await
    }

    fn path_of(reply: Reply) -> Result<RemotePath, Error> {
        if !reply.code.is_completion() {
            return Err(Error::refused("PWD", reply));
        }
        ftp_proto::parse_257(reply.first_line())
            .map_err(|error| Error::with_source(ErrorKind::Protocol, "PWD", error))
    }

    fn found_home(&mut self, path: Result<RemotePath, Error>) -> Result<(), Error> {
        match path {
            Ok(path) => self.cwd = Some(path),
            Err(error) if self.control.dead().is_some() => return Err(error),
            // Without it the folder is unknown until the first change of it.
            Err(error) => self.control.log(LogKind::Warning, error.to_string()),
        }
        Ok(())
    }

    /// PBSZ and PROT, in this order (RFC 4217 sections 8 and 9).
    pub(super) async fn protect(&mut self) -> Result<(), Error> {
        let zero = Argument::try_from("0").map_err(Error::argument)?;
        let private = Argument::try_from("P").map_err(Error::argument)?;
        self.control.exchange(&Command::Pbsz(zero)).await?;
        let reply = self.control.exchange(&Command::Prot(private)).await?;
        self.protected(reply)
    }

    /// The answer to PROT. A server on an implicit port protects data whatever it answers.
    fn protected(&mut self, reply: Reply) -> Result<(), Error> {
        self.data_encrypted = reply.code.is_completion() || self.config.tls == TlsMode::Implicit;
        if self.data_encrypted {
            return Ok(());
        }
        if !self.config.allow_plaintext {
            return Err(Error::with_reply(
                ErrorKind::TlsUnavailable,
                "PROT P: the server would move files unencrypted",
                reply,
            ));
        }
        self.control.log(
            LogKind::Warning,
            "files are not encrypted: the server refuses PROT P",
        );
        Ok(())
    }

    /// Asks for the facts that a listing needs, where the server has them switched off (RFC 3659 section 7.9).
    async fn want_facts(&mut self) -> Result<(), Error> {
        const WANTED: [&str; 9] = [
            "type",
            "size",
            "modify",
            "perm",
            "unique",
            "unix.mode",
            "unix.owner",
            "unix.group",
            "unix.slink",
        ];
        let facts = self.features.mlst_facts();
        let off = facts
            .iter()
            .any(|(name, on)| !on && WANTED.contains(&name.to_ascii_lowercase().as_str()));
        if !off {
            return Ok(());
        }
        let list: String = facts
            .iter()
            .filter(|(name, on)| *on || WANTED.contains(&name.to_ascii_lowercase().as_str()))
            .flat_map(|(name, _)| [*name, ";"])
            .collect();
        self.opts(&format!("MLST {list}")).await
    }

    /// HOST, before the login (RFC 7151). A server that doesn't know the command has one site; one that doesn't know the host
    /// says so (504 or 501), and the user has to hear it.
    pub(super) async fn choose_host(&mut self) -> Result<(), Error> {
        let Some(host) = self.config.virtual_host.clone() else {
            return Ok(());
        };
        let command = Command::Host(host);
        let reply = self.control.exchange(&command).await?;
        match reply.code.value() {
            code if (200..300).contains(&code) => Ok(()),
            500 | 502 => {
                let note = "the server doesn't know HOST; going on with the site that it has";
                self.control.log(LogKind::Warning, note);
                Ok(())
            }
            _ => Err(Error::with_reply(
                ErrorKind::LoginRefused,
                command.redacted(),
                reply,
            )),
        }
    }

    /// LANG, where the server offers languages (RFC 2640 section 4.1). Messages in another one are no reason to fail.
    async fn choose_language(&mut self) -> Result<(), Error> {
        let Some(language) = self.config.language.clone() else {
            return Ok(());
        };
        if !self.features.has("LANG") {
            return Ok(());
        }
        let command = Command::Other {
            verb: "LANG".to_owned(),
            argument: Some(language),
        };
        self.control.exchange(&command).await.map(drop)
    }

    async fn opts(&mut self, argument: &str) -> Result<(), Error> {
        let argument = Argument::try_from(argument).map_err(Error::argument)?;
        self.control
            .exchange(&Command::Opts(argument))
            .await
            .map(drop)
    }
}
