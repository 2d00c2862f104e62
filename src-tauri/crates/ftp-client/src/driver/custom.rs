//! Commands of the owner's own, and logging in again.

use std::sync::Arc;

use ftp_proto::{Command, Reply};

use super::Driver;
use crate::{CommandOptions, Config, Error, ErrorKind, LogKind, Login, StreamOptions};

use super::data::Opened;

/// How many replies are passed over before a server is taken to be talking nonsense.
const MOST_WAITED: usize = 100;

impl Driver {
    pub(crate) async fn send_custom(
        &mut self,
        command: Command,
        shown: Option<String>,
        options: CommandOptions,
    ) -> Result<Reply, Error> {
        let doing = shown.unwrap_or_else(|| command.redacted());
        if matches!(command, Command::Pass(_) | Command::Acct(_)) {
            self.may_say_secrets(&doing)?;
        }
        if command == Command::Rein {
            self.may_log_out()?;
        }
        self.prepare(&command).await?;
        self.control.send_shown(&command, &doing).await?;
        let mut reply = self.control.final_reply(&doing).await?;
        for _ in 0..MOST_WAITED {
            if !options.wait.matches(reply.code) || options.expected.matches(reply.code) {
                break;
            }
            reply = self.control.final_reply(&doing).await?;
        }
        self.forget_state();
        if reply.code.is_completion() {
            match command {
                Command::Rein => self.forget_place(),
                Command::User(_)
                | Command::Pass(_)
                | Command::Acct(_)
                | Command::Cwd(_)
                | Command::Cdup => self.arrived(command).await?,
                _ => {}
            }
        }
        if options.expected.is_empty() || options.expected.matches(reply.code) {
            return Ok(reply);
        }
        Err(Error::unexpected(doing, reply, options.expected))
    }

    /// A data connection for a command of the owner's own.
    pub(crate) async fn open_custom(
        &mut self,
        command: Command,
        options: &StreamOptions,
    ) -> Result<Opened, Error> {
        self.wanted_type = if options.ascii { b'A' } else { b'I' };
        let opened = self.open(command, options.offset).await;
        self.wanted_type = b'I';
        opened
    }

    pub(crate) async fn log_in_again(&mut self, login: Login) -> Result<(), Error> {
        let harmless = login.is_anonymous() || login.password.is_empty();
        if !harmless {
            self.may_say_secrets("logging in again")?;
        }
        self.forget_place();
        self.log_in(&login).await?;
        let mut config = Config::clone(&self.config);
        config.login = login;
        self.config = Arc::new(config);
        match self.pwd().await {
            Ok(path) => self.cwd = Some(path),
            Err(error) if self.control.dead().is_some() => return Err(error),
            Err(error) => self.control.log(LogKind::Warning, error.to_string()),
        }
        Ok(())
    }

    pub(crate) async fn log_out(&mut self) -> Result<(), Error> {
        self.may_log_out()?;
        self.command(Command::Rein).await?;
        self.forget_place();
        Ok(())
    }

    /// RFC 4217 section 11 ends TLS with REIN, and servers don't.
    fn may_log_out(&self) -> Result<(), Error> {
        match self.tls {
            None => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Unsupported, "REIN over TLS")),
        }
    }

    /// # Errors
    /// [`ErrorKind::PlaintextRefused`] where a password would go unencrypted without leave.
    fn may_say_secrets(&self, doing: &str) -> Result<(), Error> {
        let encrypted = self
            .control
            .stream()
            .is_ok_and(|stream| stream.tls_facts().is_some());
        match encrypted || self.config.allow_plaintext {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::PlaintextRefused, doing)),
        }
    }

    /// Another user is somewhere else.
    fn forget_place(&mut self) {
        self.forget_state();
        self.cwd = None;
        self.astray = None;
        self.rest_pending = false;
    }

    pub(crate) async fn close(&mut self) {
        self.hang_up().await;
    }
}
